// SPDX-License-Identifier: Apache-2.0

/// Events by time; those of one moment in the order in which they were made.
///
/// The one ordered heap of a simulation: whatever happens, happens because it came out here.
/// Events are large, so they stay in their slots and only their places are sorted.
struct EventQueue<Event> {
    private struct Place {
        var time: UInt64
        var sequence: UInt64
        var slot: Int

        func precedes(_ other: Place) -> Bool {
            time == other.time ? sequence < other.sequence : time < other.time
        }
    }

    private var heap: [Place] = []
    private var slots: [Event?] = []
    private var freeSlots: [Int] = []
    private var sequence: UInt64 = 0

    var nextTime: UInt64? { heap.first?.time }
    var count: Int { heap.count }

    mutating func push(_ event: Event, at time: UInt64) {
        sequence += 1
        heap.append(Place(time: time, sequence: sequence, slot: store(event)))
        var child = heap.count - 1
        while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private mutating func store(_ event: Event) -> Int {
        guard let slot = freeSlots.popLast() else {
            slots.append(event)
            return slots.count - 1
        }
        slots[slot] = event
        return slot
    }

    mutating func pop() -> Event? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        freeSlots.append(first.slot)
        return slots[first.slot].take()
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            let left = 2 * parent + 1
            if left < heap.count, heap[left].precedes(heap[least]) { least = left }
            if left + 1 < heap.count, heap[left + 1].precedes(heap[least]) { least = left + 1 }
            guard least != parent else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
