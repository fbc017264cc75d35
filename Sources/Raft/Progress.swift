// SPDX-License-Identifier: Apache-2.0

/// What a leader knows of one other member's log (thesis section 3.5: nextIndex and matchIndex).
///
///     probe      one message at a time until the logs are known to agree
///     replicate  a pipeline of messages, within a window (section 10.2.1)
///     snapshot   nothing, until a snapshot has been sent
///
/// INVARIANT: match < next. Only a reply that teaches something moves anything, so duplicated
/// replies do not multiply traffic.
struct Progress: Equatable, Sendable {
    enum State: Equatable, Sendable {
        case probe(isWaiting: Bool)
        case replicate
        case snapshot(index: LogIndex)
    }

    private struct InFlight: Equatable {
        var lastIndex: LogIndex
        var sizeBytes: Int
    }

    private(set) var match: LogIndex = 0
    private(set) var next: LogIndex
    private(set) var state = State.probe(isWaiting: false)
    private var inFlight: [InFlight] = []
    private var inFlightBytes = 0
    /// The newest commit index it was told.
    var commitSent: LogIndex = 0
    /// The newest message of this leader that it answered.
    private(set) var answered = Stamp(round: 0, clock: 0)
    var readings = Readings()
    /// What `match` was at the last answered heartbeat.
    private var matchAtHeartbeat: LogIndex = 0

    init(next: LogIndex) {
        self.next = next
    }

    var isReplicating: Bool { state == .replicate }

    /// Whether no entries may be sent now.
    func isPaused(_ options: Options) -> Bool {
        switch state {
        case .probe(let isWaiting): isWaiting
        case .replicate:
            inFlight.count >= options.inFlightMessagesMax
                || inFlightBytes >= options.inFlightBytesMax
        case .snapshot: true
        }
    }

    /// Notes an answer to a message; true when it answers a later one than all before.
    mutating func answer(_ stamp: Stamp) -> Bool {
        let isNews = stamp.clock > answered.clock || stamp.round > answered.round
        answered.clock = max(answered.clock, stamp.clock)
        answered.round = max(answered.round, stamp.round)
        return isNews
    }

    /// Notes that entries left; when they are lost, a rejection or a heartbeat tells.
    mutating func sent(_ entries: [Entry]) {
        switch state {
        case .probe: state = .probe(isWaiting: true)
        case .replicate:
            guard let last = entries.last else { return }
            let size = entries.reduce(0) { $0 + $1.sizeBytes }
            inFlight.append(InFlight(lastIndex: last.index, sizeBytes: size))
            inFlightBytes += size
            next = last.index + 1
        case .snapshot: break
        }
    }

    /// Notes that the member holds everything up to `index`; true when that is news.
    mutating func accept(_ index: LogIndex) -> Bool {
        var isProbing = false
        if case .probe = state { isProbing = true }
        guard index > match || (isProbing && index == match) else { return false }
        match = max(match, index)
        next = max(next, match + 1)
        switch state {
        case .probe: becomeReplicate()
        case .replicate:
            while let first = inFlight.first, first.lastIndex <= index {
                inFlightBytes -= first.sizeBytes
                inFlight.removeFirst()
            }
        case .snapshot(let pending):
            if match >= pending { becomeReplicate() }
        }
        return true
    }

    /// Notes that the member does not hold the entry at `index`; true when that is news.
    mutating func reject(at index: LogIndex, hint: LogIndex) -> Bool {
        switch state {
        case .replicate:
            guard index > match else { return false }
            becomeProbe(next: match + 1)
        case .probe:
            guard index == next - 1 else { return false }
            becomeProbe(next: max(min(index, hint + 1), match + 1))
        case .snapshot: return false
        }
        return true
    }

    /// Lets a waiting probe go again; true when the member is behind and nothing has moved since
    /// the heartbeat before, so that something sent to it may be lost.
    mutating func heartbeatAnswered(lastIndex: LogIndex) -> Bool {
        defer { matchAtHeartbeat = match }
        switch state {
        case .probe:
            state = .probe(isWaiting: false)
            return true
        case .replicate: return match < lastIndex && match == matchAtHeartbeat
        case .snapshot: return false
        }
    }

    mutating func becomeProbe(next: LogIndex) {
        state = .probe(isWaiting: false)
        self.next = next
        inFlight.removeAll(keepingCapacity: true)
        inFlightBytes = 0
    }

    /// The member gets a snapshot of this index; nothing else until that is over.
    mutating func becomeSnapshot(index: LogIndex) {
        becomeProbe(next: match + 1)
        state = .snapshot(index: index)
    }

    /// The snapshot is over; the next answered heartbeat tells how it went.
    mutating func snapshotSent(succeeded: Bool) {
        guard case .snapshot(let index) = state else { return }
        becomeProbe(next: succeeded ? max(match, index) + 1 : match + 1)
        state = .probe(isWaiting: true)
    }

    /// The transport lost something: what is in flight is not to be counted on.
    mutating func becomeUnreachable() {
        if isReplicating { becomeProbe(next: match + 1) }
    }

    private mutating func becomeReplicate() {
        becomeProbe(next: match + 1)
        state = .replicate
    }
}

/// The other members a leader sends to, in ascending order.
struct ProgressTable: Equatable, Sendable {
    private(set) var ids: [MemberID] = []
    private var rows: [Progress] = []

    subscript(id: MemberID) -> Progress? {
        get { ids.firstIndex(of: id).map { rows[$0] } }
        set {
            let place = ids.firstIndex { $0 >= id } ?? ids.count
            let isThere = place < ids.count && ids[place] == id
            switch (newValue, isThere) {
            case (let row?, true): rows[place] = row
            case (let row?, false):
                ids.insert(id, at: place)
                rows.insert(row, at: place)
            case (nil, true):
                ids.remove(at: place)
                rows.remove(at: place)
            case (nil, false): break
            }
        }
    }

    /// Changes one row in place; nil for a stranger.
    mutating func update<Value>(_ id: MemberID, _ body: (inout Progress) -> Value) -> Value? {
        ids.firstIndex(of: id).map { body(&rows[$0]) }
    }
}
