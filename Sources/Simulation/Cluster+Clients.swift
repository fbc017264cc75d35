// SPDX-License-Identifier: Apache-2.0

import Identity
import Replica
import Store

/// Clients: they ask whom they take for the leader, and remember what they were told.
extension Cluster {
    mutating func ask(_ wish: Wish, client: Int) {
        guard !isQuiet else { return }
        // Some try another node, as clients do that have waited for long enough.
        let believed = generator.chance(10) ? nil : clients.believedLeader(of: client)
        ask(wish, client: client, node: believed ?? generator.index(below: nodes.count))
    }

    mutating func ask(_ wish: Wish, client: Int, node: Int) {
        let id = clients.call(wish, client: client, node: node, at: time)
        note("client \(client) asks node \(node + 1) as \(id.rawValue): \(wish)")
        send(id, to: node)
    }

    /// Whoever does not know what came of its change says it once more, perhaps to another node.
    mutating func askAgain(_ id: CallID) {
        guard !isQuiet, let operation = clients.operations[id], operation.isWrite,
            operation.attempt < Self.attemptsMax, generator.chance(options.retryPercent)
        else { return }
        let node = generator.index(below: nodes.count)
        guard let again = clients.callAgain(id, node: node) else { return }
        statistics.note("asked again")
        note("client \(operation.client) asks node \(node + 1) again as \(again.rawValue)")
        send(again, to: node)
    }

    private static let attemptsMax = 5

    private mutating func send(_ id: CallID, to node: Int) {
        schedule(.request(node, id), in: generator.number(below: 200 * Span.microsecond))
        schedule(.timeout(id), in: options.patience)
    }

    /// A request arrives at a node.
    mutating func receiveRequest(_ id: CallID, _ node: Int, _ event: WorldEvent) throws {
        guard nodes[node].isUp else { return tell(id, .notTaken) }
        guard !isPaused(node, event), let operation = clients.operations[id] else { return }
        switch operation.wish {
        case .create(let session):
            let user = Self.user(of: session, options)
            let json = Array(
                #"{"user_id":"\#(user)","idp_id":"\#(operation.first.rawValue)"}"#.utf8
            )
            let write = try Document.parse(json, type: .session, id: Self.name(of: session))
            try propose(id, .put([write]), node)
        case .revoke(let session):
            try propose(id, .revoke(.session(Self.name(of: session)), reason: ""), node)
        case .revokeAll(let user):
            try propose(id, .revoke(.user("u\(user)"), reason: ""), node)
        case .readIndex:
            clients.noteTaken(id, by: node, run: nodes[node].run, at: time)
            try step(node, .read(ProposalID(id.rawValue)))
        case .leaseRead(let session): try readByLease(id, session, node)
        }
    }

    private mutating func propose(
        _ id: CallID,
        _ kind: Command.Kind,
        _ node: Int
    ) throws {
        clients.noteTaken(id, by: node, run: nodes[node].run, at: time)
        clients.noteLogEnd(nodes[node].replica.lastIndex, of: id)
        let proposal = Proposal(id: ProposalID(id.rawValue), kind: kind, origin: origin(of: id))
        try step(node, .propose([proposal]))
    }

    /// Nil where nobody would ask again anyway.
    private func origin(of id: CallID) -> RequestOrigin? {
        guard options.retryPercent > 0, let operation = clients.operations[id] else { return nil }
        return RequestOrigin(
            client: UInt64(operation.client) + 1,
            sequence: operation.first.rawValue
        )
    }

    static func name(of session: Int) -> String { "s\(session)" }

    static func user(of session: Int, _ options: WorldOptions) -> String {
        "u\(session % options.users)"
    }

    /// The leader answers from its state while its lease holds, and looks at the clock afterwards.
    private mutating func readByLease(_ id: CallID, _ session: Int, _ node: Int) throws {
        let now = nodes[node].clock.monotonic(at: time)
        guard nodes[node].replica.isWritable(now: now),
            nodes[node].replica.isCurrent(now: now)
        else { return tell(id, .notTaken) }
        tell(id, .read(try value(of: session, on: node)))
    }

    /// What the state of a node says of a session.
    func value(of session: Int, on node: Int) throws -> SessionValue {
        let reader = nodes[node].replica.store.reader
        let name = Self.name(of: session)
        if let record = try reader.record(.session, name) {
            return .live(try Self.number(in: record.record))
        }
        return try reader.isRevoked(.session, name) ? .revoked : .absent
    }

    /// The number that the last writer of a session gave it.
    private static func number(in record: Record) throws -> Int {
        let text = String(decoding: try Document.render(record), as: UTF8.self)
        guard let start = text.firstRange(of: "\"idp_id\": \"") else { return 0 }
        return Int(text[start.upperBound...].prefix { $0.isNumber }) ?? 0
    }

    /// The answer of a node leaves it.
    mutating func answer(
        _ id: CallID,
        _ result: Result<Applied, ProposalError>,
        _ node: Int
    ) throws {
        guard let operation = clients.operations[id] else { return }
        note("node \(node + 1) answers \(id.rawValue), \(operation.wish): \(result)")
        try noteOutcome(result, of: id, operation)
        switch result {
        case .success(let applied):
            switch operation.wish {
            case .revoke(let session): noteRevoked(session, operation, node)
            case .revokeAll(let user): noteAllRevoked(user, operation, node)
            case .readIndex(let session):
                return tell(id, (try? value(of: session, on: node)).map { .read($0) } ?? .unknown)
            case .create, .leaseRead: break
            }
            tell(id, .done(count: applied.count))
        case .failure(.refused(let error)): tell(id, .refused(error))
        case .failure(.noSpace):
            statistics.note("change refused for want of room")
            tell(id, .notTaken)
        case .failure(.notWritable), .failure(.busy): tell(id, .notTaken)
        case .failure(.timedOut), .failure(.stopped), .failure(.io): tell(id, .unknown)
        }
    }

    private mutating func noteOutcome(
        _ result: Result<Applied, ProposalError>,
        of id: CallID,
        _ operation: ClientOperation
    ) throws {
        switch result {
        case .success(let applied):
            if try clients.noteOutcome(.success(applied), of: id) {
                statistics.note("outcome told again")
            }
            if let receipt = applied.receipt, let end = operation.logEnd, receipt.index <= end {
                statistics.note("outcome remembered")
            }
        case .failure(.refused(let error)):
            if try clients.noteOutcome(.failure(error), of: id) {
                statistics.note("outcome told again")
            }
        case .failure: break
        }
    }

    private mutating func tell(_ id: CallID, _ answer: Answer) {
        schedule(.answer(id, answer), in: generator.number(below: 200 * Span.microsecond))
    }

    private mutating func noteRevoked(_ session: Int, _ operation: ClientOperation, _ node: Int) {
        revocations.acknowledged(session, on: node, at: time)
        statistics.revocations += 1
    }

    /// Every session that was known to be there when the revocation was called for.
    private mutating func noteAllRevoked(_ user: Int, _ operation: ClientOperation, _ node: Int) {
        statistics.revocations += 1
        for other in clients.operations.values {
            guard case .create(let session) = other.wish, session % options.users == user,
                case .done? = other.answer, let returned = other.returnedAt,
                returned <= operation.calledAt
            else { continue }
            revocations.acknowledged(session, on: node, at: time)
        }
    }
}
