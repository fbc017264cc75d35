// SPDX-License-Identifier: Apache-2.0

import Identity
import Replica

/// Names one thing a client asked for.
struct CallID: Hashable {
    var rawValue: UInt64

    init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What a client is told.
enum Answer {
    /// It has happened, to so many sessions.
    case done(count: UInt64)
    /// The rules refused it: that is an outcome, too.
    case refused(CommandError)
    case read(SessionValue)
    /// It has not happened and never will.
    case notTaken
    /// Nobody knows.
    case unknown
}

/// What somebody who reads a session finds.
enum SessionValue: Hashable {
    /// With the number that its last writer gave it.
    case live(Int)
    case revoked
    case absent
}

/// What a client did, from the call to the answer.
struct ClientOperation {
    var wish: Wish
    var client: Int
    var node: Int
    /// The first time: asked again, it is the same request.
    var calledAt: UInt64
    /// The call under which it was first asked; it names the request.
    var first: CallID
    var attempt = 1
    /// Where the log of whoever was asked ended then; what stands before was there already.
    var logEnd: UInt64?
    var returnedAt: UInt64?
    var answer: Answer?

    /// A change, with an outcome that can be remembered.
    var isWrite: Bool {
        switch wish {
        case .create, .revoke, .revokeAll: true
        case .readIndex, .leaseRead: false
        }
    }

    /// Nobody knows, or will.
    var isUnknown: Bool {
        if case .unknown? = answer { return true }
        return answer == nil
    }
}

/// The clients: what each takes for the leader, and what they have asked for.
struct Clients {
    private var believed: [Int?]
    private(set) var operations: [CallID: ClientOperation] = [:]
    private var next: UInt64 = 0
    /// By session, what clients asked and were told.
    private(set) var history = KeyedHistory<Int, SessionKey>()
    private var calls: [CallID: KeyedCall] = [:]
    private let users: Int
    private let sessions: Int
    /// What nodes have taken and not answered.
    private var taken: [CallID: Taken] = [:]
    /// How many of them are changes, by node and run.
    private var changesTaken: [Run: Int] = [:]
    /// What was answered to each request, whether its client still waited or not.
    private var outcomes: [CallID: Result<Applied, CommandError>] = [:]

    /// A request that a run of a node has to answer.
    struct Taken {
        var wish: Wish
        var node: Int
        var run: Int
        var since: UInt64
    }

    private struct Run: Hashable {
        var node: Int
        var run: Int
    }

    init(_ options: WorldOptions) {
        believed = Array(repeating: nil, count: options.clients)
        users = options.users
        sessions = options.sessions
    }

    /// Whom a client asks.
    func believedLeader(of client: Int) -> Int? { believed[client] }

    mutating func call(_ wish: Wish, client: Int, node: Int, at time: UInt64) -> CallID {
        next += 1
        let id = CallID(next)
        operations[id] = ClientOperation(
            wish: wish,
            client: client,
            node: node,
            calledAt: time,
            first: id
        )
        let (operation, keys) = historic(wish, id)
        calls[id] = history.call(operation, on: keys, by: client, at: time)
        believed[client] = node
        return id
    }

    /// Asks somebody else for the same, under the same name.
    mutating func callAgain(_ id: CallID, node: Int) -> CallID? {
        guard var operation = operations[id], let call = calls.removeValue(forKey: id) else {
            return nil
        }
        next += 1
        let again = CallID(next)
        operation.node = node
        operation.attempt += 1
        operation.logEnd = nil
        operation.returnedAt = nil
        operation.answer = nil
        operations[again] = operation
        calls[again] = call
        believed[operation.client] = node
        return again
    }

    /// True where the client knows no more than before, and may ask again.
    mutating func receive(_ answer: Answer, to id: CallID, at time: UInt64) -> Bool {
        guard var operation = operations[id], operation.answer == nil else { return false }
        var answer = answer
        // This time it was not taken; an earlier time it may have been.
        if case .notTaken = answer, operation.attempt > 1 { answer = .unknown }
        operation.answer = answer
        operation.returnedAt = time
        operations[id] = operation
        note(answer, to: id, operation.wish, at: time)
        switch answer {
        case .notTaken, .unknown: believed[operation.client] = nil
        case .done, .refused, .read: break
        }
        return operation.isUnknown
    }

    mutating func noteLogEnd(_ index: UInt64, of id: CallID) { operations[id]?.logEnd = index }

    /// One request has one outcome, however often it is asked for; true where it is told again.
    mutating func noteOutcome(
        _ result: Result<Applied, CommandError>,
        of id: CallID
    ) throws(Violation) -> Bool {
        guard let operation = operations[id], operation.isWrite else { return false }
        guard let other = outcomes.updateValue(result, forKey: operation.first) else {
            return false
        }
        guard other == result else {
            throw Violation("\(operation.wish) is answered by \(other), then by \(result)")
        }
        return true
    }

    /// What is not answered, oldest first.
    var waiting: [Taken] {
        taken.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value)
    }

    mutating func noteTaken(_ id: CallID, by node: Int, run: Int, at time: UInt64) {
        guard let operation = operations[id] else { return }
        taken[id] = Taken(wish: operation.wish, node: node, run: run, since: time)
        if operation.isWrite { changesTaken[Run(node: node, run: run), default: 0] += 1 }
    }

    /// How many changes a run of a node has taken and not answered.
    func changesTaken(by node: Int, run: Int) -> Int {
        changesTaken[Run(node: node, run: run)] ?? 0
    }

    /// A node answers what it has taken once, whether its client still waits or not.
    mutating func noteAnswered(_ id: CallID) throws(Violation) {
        guard let operation = operations[id] else { return }
        guard let taken = taken.removeValue(forKey: id) else {
            throw Violation("\(operation.wish) is answered twice")
        }
        if operation.isWrite { changesTaken[Run(node: taken.node, run: taken.run)]? -= 1 }
    }

    /// The client waits no longer; what it asked for may still happen.
    ///
    /// True where it was waiting.
    mutating func timeOut(_ id: CallID) -> Bool {
        guard let operation = operations[id], operation.answer == nil else { return false }
        operations[id]?.answer = .unknown
        believed[operation.client] = nil
        return true
    }

    // MARK: - For the history

    private func historic(_ wish: Wish, _ id: CallID) -> (SessionKey.Operation, [Int]) {
        switch wish {
        case .create(let session): (.put(Int(id.rawValue)), [session])
        case .revoke(let session): (.revoke, [session])
        case .revokeAll(let user):
            (.revokeAmongOthers, (0...sessions).filter { $0 % users == user })
        case .readIndex(let session), .leaseRead(let session): (.read, [session])
        }
    }

    private mutating func note(_ answer: Answer, to id: CallID, _ wish: Wish, at time: UInt64) {
        // It stays open: it may still happen.
        if case .unknown = answer { return }
        guard let call = calls.removeValue(forKey: id) else { return }
        let outcome: SessionKey.Outcome
        switch (answer, wish) {
        case (.unknown, _): return
        // What was not taken has not happened.
        case (.notTaken, _): return history.withdraw(call)
        case (.done(0), .revoke), (.refused(.notFound), .revoke): outcome = .gone
        // Where there is no such user, no session of that user is live.
        case (.refused(.notFound), .revokeAll): outcome = .gone
        case (.done, _): outcome = .done
        case (.refused(.revoked), .create): outcome = .refusedAsRevoked
        case (.refused(let error), _): preconditionFailure("no client asks for what is \(error)")
        case (.read(.live(let number)), _): outcome = .live(number)
        case (.read(.revoked), _): outcome = .revoked
        case (.read(.absent), _): outcome = .absent
        }
        history.return(call, outcome, at: time)
    }
}
