// SPDX-License-Identifier: Apache-2.0

import Foundation
package import Identity
package import Raft

/// Messages of the Raft core as frames; Protos/brokerfs/peer.proto.
extension Brokerfs_Peer_Raft {
    /// The protobuf form.
    package init(_ message: Raft.Message) {
        self.init()
        from = message.from.rawValue
        to = message.to.rawValue
        term = message.term
        switch message.kind {
        case .preVote(let last): preVote = Brokerfs_Peer_Position(last)
        case .preVoteReply(let isGranted): preVoteReply = isGranted
        case .vote(let last, let isTransfer):
            vote.last = Brokerfs_Peer_Position(last)
            vote.isTransfer = isTransfer
        case .voteReply(let isGranted): voteReply = isGranted
        case .append(let append): self.append = Brokerfs_Peer_Append(append)
        case .appendReply(let reply): appendReply = Brokerfs_Peer_AppendReply(reply)
        case .heartbeat(let heartbeat): self.heartbeat = Brokerfs_Peer_Heartbeat(heartbeat)
        case .heartbeatReply(let reply):
            heartbeatReply.stamp = Brokerfs_Peer_Stamp(reply.stamp)
            heartbeatReply.reading = Brokerfs_Peer_Reading(reply.reading)
        case .snapshot(let snapshot):
            self.snapshot.position = Brokerfs_Peer_Position(snapshot.position)
            self.snapshot.configuration = Brokerfs_State_Configuration(snapshot.configuration)
        case .timeoutNow: timeoutNow = Brokerfs_Peer_Empty()
        case .staleTerm: staleTerm = Brokerfs_Peer_Empty()
        }
    }
}

extension Raft.Message {
    /// Reads what a member sent.
    ///
    /// `sender` is who its certificate says it is, `receiver` this member. Indexes, terms and
    /// members of the result are within bounds, and indexes of entries follow each other. Throws
    /// ``PeerCodingError`` for all else.
    package init(
        _ message: Brokerfs_Peer_Raft,
        from sender: MemberID,
        to receiver: MemberID
    ) throws(PeerCodingError) {
        guard message.from == sender.rawValue else { throw .wrongMember(message.from) }
        guard message.to == receiver.rawValue else { throw .wrongMember(message.to) }
        self.init(
            from: sender,
            to: receiver,
            term: try PeerBounds.count(message.term, "term"),
            kind: try Kind(message)
        )
    }
}

extension Raft.Message.Kind {
    fileprivate init(_ message: Brokerfs_Peer_Raft) throws(PeerCodingError) {
        switch message.kind {
        case .preVote(let last): self = .preVote(last: try LogPosition(last))
        case .preVoteReply(let isGranted): self = .preVoteReply(isGranted: isGranted)
        case .vote(let vote):
            guard vote.hasLast else { throw .missing("last") }
            self = .vote(last: try LogPosition(vote.last), isTransfer: vote.isTransfer)
        case .voteReply(let isGranted): self = .voteReply(isGranted: isGranted)
        case .append(let append): self = .append(try Append(append))
        case .appendReply(let reply): self = .appendReply(try AppendReply(reply))
        case .heartbeat(let heartbeat): self = .heartbeat(try Heartbeat(heartbeat))
        case .heartbeatReply(let reply):
            guard reply.hasStamp, reply.hasReading else { throw .missing("stamp or reading") }
            self = .heartbeatReply(
                HeartbeatReply(stamp: Stamp(reply.stamp), reading: Reading(reply.reading))
            )
        case .snapshot(let snapshot): self = .snapshot(try Snapshot(snapshot))
        case .timeoutNow: self = .timeoutNow
        case .staleTerm: self = .staleTerm
        case nil: throw .missing("kind of message")
        }
    }
}

extension Brokerfs_Peer_Position {
    fileprivate init(_ position: LogPosition) {
        self.init()
        index = position.index
        term = position.term
    }
}

extension LogPosition {
    fileprivate init(_ message: Brokerfs_Peer_Position) throws(PeerCodingError) {
        self.init(
            index: try PeerBounds.count(message.index, "index"),
            term: try PeerBounds.count(message.term, "term")
        )
    }
}

extension Brokerfs_Peer_Stamp {
    fileprivate init(_ stamp: Stamp) {
        self.init()
        round = stamp.round
        clock = stamp.clock
    }
}

extension Stamp {
    /// Any numbers: they are only compared, with what this member once sent.
    fileprivate init(_ message: Brokerfs_Peer_Stamp) {
        self.init(round: message.round, clock: message.clock)
    }
}

extension Brokerfs_Peer_Reading {
    fileprivate init(_ reading: Reading) {
        self.init()
        run = reading.run
        clock = reading.clock
    }
}

extension Reading {
    fileprivate init(_ message: Brokerfs_Peer_Reading) {
        self.init(run: message.run, clock: message.clock)
    }
}

extension Brokerfs_Peer_Echo {
    fileprivate init(_ echo: FreshnessEcho) {
        self.init()
        reading = Brokerfs_Peer_Reading(echo.reading)
        index = echo.index
    }
}

extension FreshnessEcho {
    fileprivate init(_ message: Brokerfs_Peer_Echo) throws(PeerCodingError) {
        guard message.hasReading else { throw .missing("reading") }
        self.init(
            reading: Reading(message.reading),
            index: try PeerBounds.count(message.index, "index")
        )
    }
}

extension Brokerfs_Peer_Heartbeat {
    fileprivate init(_ heartbeat: Heartbeat) {
        self.init()
        commit = heartbeat.commit
        stamp = Brokerfs_Peer_Stamp(heartbeat.stamp)
        if let echo = heartbeat.echo { self.echo = Brokerfs_Peer_Echo(echo) }
    }
}

extension Heartbeat {
    fileprivate init(_ message: Brokerfs_Peer_Heartbeat) throws(PeerCodingError) {
        guard message.hasStamp else { throw .missing("stamp") }
        self.init(
            commit: try PeerBounds.count(message.commit, "commit"),
            stamp: Stamp(message.stamp),
            echo: message.hasEcho ? try FreshnessEcho(message.echo) : nil
        )
    }
}

extension Brokerfs_Peer_AppendReply {
    fileprivate init(_ reply: AppendReply) {
        self.init()
        switch reply.outcome {
        case .accepted(let match): self.match = match
        case .rejected(let index, let hint):
            rejection.index = index
            rejection.hint = Brokerfs_Peer_Position(hint)
        }
        stamp = Brokerfs_Peer_Stamp(reply.stamp)
        reading = Brokerfs_Peer_Reading(reply.reading)
    }
}

extension AppendReply {
    fileprivate init(_ message: Brokerfs_Peer_AppendReply) throws(PeerCodingError) {
        guard message.hasStamp, message.hasReading else { throw .missing("stamp or reading") }
        let outcome: Outcome
        switch message.outcome {
        case .match(let match):
            outcome = .accepted(match: try PeerBounds.count(match, "match"))
        case .rejection(let rejection):
            guard rejection.hasHint else { throw .missing("hint") }
            outcome = .rejected(
                index: try PeerBounds.count(rejection.index, "index"),
                hint: try LogPosition(rejection.hint)
            )
        case nil: throw .missing("outcome")
        }
        self.init(outcome: outcome, stamp: Stamp(message.stamp), reading: Reading(message.reading))
    }
}

extension Brokerfs_State_Configuration {
    /// The index stays 0: the place of an entry or a snapshot says it.
    fileprivate init(_ configuration: Configuration) {
        self.init()
        voters = configuration.voters.map(\.rawValue)
        learners = configuration.learners.map(\.rawValue)
    }
}

extension Configuration {
    fileprivate init(_ message: Brokerfs_State_Configuration) throws(PeerCodingError) {
        guard message.voters.count + message.learners.count <= PeerBounds.membersMax else {
            throw .outOfBounds("members")
        }
        for id in message.voters + message.learners { _ = try PeerBounds.member(id) }
        self.init(
            voters: message.voters.map { MemberID($0) },
            learners: message.learners.map { MemberID($0) }
        )
    }
}

extension Snapshot {
    fileprivate init(_ message: Brokerfs_Peer_Snapshot) throws(PeerCodingError) {
        guard message.hasPosition, message.hasConfiguration else { throw .missing("position") }
        self.init(
            position: try LogPosition(message.position),
            configuration: try Configuration(message.configuration)
        )
    }
}

extension Brokerfs_Peer_Append {
    fileprivate init(_ append: Append) {
        self.init()
        previous = Brokerfs_Peer_Position(append.previous)
        entries = append.entries.map { Brokerfs_Peer_Entry($0) }
        commit = append.commit
        stamp = Brokerfs_Peer_Stamp(append.stamp)
        if let echo = append.echo { self.echo = Brokerfs_Peer_Echo(echo) }
    }
}

extension Append {
    fileprivate init(_ message: Brokerfs_Peer_Append) throws(PeerCodingError) {
        guard message.hasPrevious, message.hasStamp else { throw .missing("previous or stamp") }
        guard message.entries.count <= PeerBounds.entriesMax else { throw .outOfBounds("entries") }
        let previous = try LogPosition(message.previous)
        _ = try PeerBounds.count(previous.index + UInt64(message.entries.count), "index")
        var entries: [Entry] = []
        entries.reserveCapacity(message.entries.count)
        for entry in message.entries {
            entries.append(
                try Entry(entry, index: previous.index + UInt64(entries.count) + 1)
            )
        }
        self.init(
            previous: previous,
            entries: entries,
            commit: try PeerBounds.count(message.commit, "commit"),
            stamp: Stamp(message.stamp),
            echo: message.hasEcho ? try FreshnessEcho(message.echo) : nil
        )
    }
}

extension Brokerfs_Peer_Entry {
    fileprivate init(_ entry: Entry) {
        self.init()
        term = entry.term
        switch entry.content {
        case .empty: empty = Brokerfs_Peer_Empty()
        case .payload(let payload): self.payload = Data(payload)
        case .configuration(let configuration):
            self.configuration = Brokerfs_State_Configuration(configuration)
        }
    }
}

extension Entry {
    fileprivate init(_ message: Brokerfs_Peer_Entry, index: LogIndex) throws(PeerCodingError) {
        let content: Content
        switch message.content {
        case .empty: content = .empty
        case .payload(let payload): content = .payload([UInt8](payload))
        case .configuration(let configuration):
            content = .configuration(try Configuration(configuration))
        case nil: throw .missing("content of an entry")
        }
        self.init(
            term: try PeerBounds.count(message.term, "term"),
            index: index,
            content: content
        )
    }
}
