// SPDX-License-Identifier: Apache-2.0

import Identity
import Node
import Raft

/// What waits to be sent to one peer, in order and within bounds.
struct Outbox {
    enum Item {
        case message(Raft.Message)
        /// A question, by its number.
        case ask(UInt64, PeerRequest)
    }

    private let messagesMax: Int
    private let bytesMax: Int
    private var items: [Item] = []
    private var first = 0
    private(set) var bytes = 0

    init(_ limits: PeerLimits) {
        messagesMax = limits.queuedMessagesMax
        bytesMax = limits.queuedBytesMax
    }

    var count: Int { items.count - first }
    var isEmpty: Bool { count == 0 }

    /// False where there is no room: the item is dropped.
    mutating func append(_ item: Item) -> Bool {
        let size = Self.size(of: item)
        // An item larger than the bound goes alone.
        guard count < messagesMax, isEmpty || bytes + size <= bytesMax else { return false }
        items.append(item)
        bytes += size
        return true
    }

    /// The first items, of about so many bytes; at least one, if there is any.
    mutating func take(bytesMax: Int) -> [Item] {
        var end = first
        var taken = 0
        while end < items.count, taken < bytesMax {
            taken += Self.size(of: items[end])
            end += 1
        }
        defer {
            bytes -= taken
            first = end
            if first == items.count {
                items.removeAll(keepingCapacity: items.count <= messagesMax / 16)
                first = 0
            }
        }
        return Array(items[first..<end])
    }

    /// Drops everything and says how many messages that were.
    mutating func removeAll() -> Int {
        let dropped = items[first...].count { if case .message = $0 { true } else { false } }
        items = []
        first = 0
        bytes = 0
        return dropped
    }

    /// About the bytes of its frame; a part for what is around the payload.
    private static func size(of item: Item) -> Int {
        switch item {
        case .message(let message):
            guard case .append(let append) = message.kind else { return overheadBytes }
            return append.entries.reduce(overheadBytes) { $0 + $1.sizeBytes }
        case .ask(_, .propose(let kind, _)):
            return overheadBytes + kind.payloadBytes
        case .ask: return overheadBytes
        }
    }

    private static let overheadBytes = 128
}

extension Command.Kind {
    /// About the bytes of what it carries.
    fileprivate var payloadBytes: Int {
        switch self {
        case .put(let writes), .patch(let writes, _):
            writes.reduce(0) { $0 + $1.id.utf8.count + ($1.record?.payload.count ?? 0) }
        case .changeMembers(let change):
            (change.add + change.remove).reduce(0) { $0 + $1.utf8.count }
        case .revoke, .deleteGroup, .setOptions, .maintain, .beginHistory, .describeMember: 0
        }
    }
}
