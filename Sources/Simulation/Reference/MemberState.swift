// SPDX-License-Identifier: Apache-2.0

internal import Raft

/// What is on a disk: term, vote and, by its last position, the log.
struct Disk: Equatable {
    var hardState: HardState
    var last: LogPosition

    /// An entry of a term proves that the term has been reached.
    var term: Term { max(hardState.term, last.term) }
}

/// What the model knows of one member.
struct MemberState {
    /// A write under way, and what the disk is once it is done.
    struct PendingWrite {
        var number: UInt64
        /// The end of the log within the write, before the entries.
        var keptIndex: LogIndex
        var disk: Disk
    }

    let id: MemberID
    var isUp = true

    // On the disk.
    var disk: Disk
    var writes: [PendingWrite] = []
    var issuedNumber: UInt64 = 0
    /// All votes that ever were durable here, whatever happened afterwards.
    var votes: [Term: MemberID] = [:]

    // In memory.
    var hardState: HardState
    var role = Role.follower
    var last: LogPosition
    /// Where its log begins, and the configuration there.
    var base: Snapshot
    var configuration: Configuration
    var commit: LogIndex
    /// The last entry that went out to be applied, or is covered by a snapshot.
    var handed: LogIndex
    var applied: LogIndex
    /// Until then it must not help against a leader that it may have answered.
    var quietUntil: UInt64
    /// Who granted what the present role asks for: pre-votes or votes.
    var grants: [MemberID] = []
    var campaign: Campaign?
    var leadership = Leadership()
    /// Which run its clock readings name.
    var run: UInt64?
    var echoes: [FreshnessEcho] = []

    struct Campaign {
        var term: Term
        var last: LogPosition
        var isTransfer: Bool
    }

    var term: Term { hardState.term }

    /// When the leader sent what a majority has answered by now.
    func answeredClock(at now: UInt64) -> UInt64 {
        let clocks = configuration.voters.map { $0 == id ? now : leadership[$0].clock }
        return clocks.isEmpty ? 0 : clocks.sorted(by: >)[clocks.count / 2]
    }
}

/// What a leader has been told, and what it has said.
struct Leadership {
    struct Peer {
        var id: MemberID
        var match: LogIndex = 0
        var round: UInt64 = 0
        var clock: UInt64 = 0
    }

    struct Read {
        var id: RequestID
        /// What anybody had committed when it was asked for.
        var index: LogIndex
        var round: UInt64
    }

    /// Its first entry.
    var first: LogIndex = 1
    private var peers: [Peer] = []
    var round: UInt64 = 0
    var reads: [Read] = []
    /// What clocks showed, and when the leader was told.
    var readings: [(reading: Reading, at: UInt64)] = []
    /// The latest that it sent something at which a majority has answered.
    var confirmed: UInt64 = 0
    /// The newest of each clock that it has vouched for.
    private var vouched: [Reading] = []
    var lease: UInt64?
    var isTransferTold = false

    init(first: LogIndex = 1) { self.first = first }

    func hasVouched(for reading: Reading) -> Bool {
        vouched.contains { $0.run == reading.run && $0.clock >= reading.clock }
    }

    mutating func noteVouched(_ reading: Reading) {
        guard !hasVouched(for: reading) else { return }
        readings.removeAll { $0.reading.run == reading.run && $0.reading.clock <= reading.clock }
        vouched.removeAll { $0.run == reading.run }
        vouched.append(reading)
    }

    subscript(id: MemberID) -> Peer {
        get { peers.first { $0.id == id } ?? Peer(id: id) }
        set {
            if let place = peers.firstIndex(where: { $0.id == id }) {
                peers[place] = newValue
            } else {
                peers.append(newValue)
            }
        }
    }
}

/// One step while it is being looked at.
struct Step {
    let place: Int
    let now: UInt64
    let input: Input
    let seen: Observation
    let roleBefore: Role
    let termBefore: Term
    let commitBefore: LogIndex
    /// In which term the member leads, or led when the step began.
    var ledTerm: Term?
    var isElected = false
    /// What the disk held for a moment, when several writes became durable at once.
    var disks: [Disk] = []
    var accepted: ClosedRange<LogIndex>?
    var appended: ClosedRange<LogIndex>?
    var isHardStateWritten = false

    /// The message that came, if one did.
    var message: Message? {
        if case .receive(let message) = input { message } else { nil }
    }
}
