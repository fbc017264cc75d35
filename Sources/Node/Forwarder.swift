// SPDX-License-Identifier: Apache-2.0

import Dispatch
package import Identity
import Raft
package import Replica
import Synchronization

/// Numbers the requests that this run of the node passes on.
final class Forwarder: Sendable {
    /// How long before a leader is looked for again.
    static let pause = DispatchTimeInterval.milliseconds(20)

    let queue = DispatchQueue(label: "brokerfs.forward")
    private let client = UInt64.random(in: 1...(.max))
    private let sequence = Atomic<UInt64>(0)
    private let lastMemberID = Mutex<UInt64>(0)

    func nextOrigin() -> RequestOrigin {
        let number = sequence.add(1, ordering: .relaxed).newValue
        return RequestOrigin(client: client, sequence: number)
    }

    /// The number for a new member: of two that are added at the same time, none gets the other's.
    func reserve(_ next: UInt64) -> UInt64 {
        lastMemberID.withLock { last in
            last = max(last + 1, next)
            return last
        }
    }
}

/// Requests that are carried out wherever the leader is.
extension LocalNode {
    /// Proposes a change here if this node leads, else to whoever does, and again until the time
    /// is over; it happens once at most.
    ///
    /// `completion` runs once, on any thread, when the change is applied here as well and the
    /// mounts here have forgotten what it changed; or when it is refused, or late: then it may
    /// still happen. A mount does not wait for names (`includesNames`): the kernel holds the lock
    /// that forgetting them needs until the mount has answered.
    package func proposeAnywhere(
        _ kind: Command.Kind,
        includesNames: Bool = true,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        guard shared.isInGroup else { return propose(kind, completion: completion) }
        askLeader(.propose(kind, origin: forwarder.nextOrigin())) { [self] result in
            guard case .success(let applied) = result else { return completion(result) }
            awaitHere(applied, includesNames, completion)
        }
    }

    /// Changes the group, through its leader.
    package func changeGroup(
        _ change: GroupChange,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        askLeader(.changeGroup(change), completion: completion)
    }

    /// Hands the leadership to a member, or to whoever is furthest.
    package func transferLeadership(
        to member: UInt64?,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        askLeader(.transferLeadership(to: member), completion: completion)
    }

    /// Asks every member whether its mounts have forgotten what an entry changed.
    ///
    /// `completion` runs once, when all have answered or the time is over; nil for who has not.
    package func progress(
        index: UInt64,
        nanoseconds: UInt64,
        completion: @escaping @Sendable ([(member: GroupMember, progress: PeerProgress?)]) -> Void
    ) {
        let standing = shared.standing
        let members = standing.membersNow
        guard !members.isEmpty else { return completion([]) }
        let answers = Mutex<[UInt64: PeerProgress]>([:])
        let box = ProgressBox(answers)
        let countdown = Countdown(members.count) {
            let answers = box.answers.withLock { $0 }
            completion(members.map { ($0, answers[$0.id]) })
        }
        for member in members {
            let note: @Sendable (PeerProgress?) -> Void = { progress in
                if let progress { box.answers.withLock { $0[member.id] = progress } }
                countdown.signal()
            }
            if MemberID(member.id) == standing.member {
                waitUntilForgotten(index, nanoseconds: nanoseconds) { note($1 ? $0 : nil) }
            } else {
                ask(MemberID(member.id), .progress(index: index), nanoseconds) { result in
                    guard case .success(.progress(let progress)) = result,
                        progress.forgotten >= index
                    else { return note(nil) }
                    note(progress)
                }
            }
        }
    }

    private func ask(
        _ member: MemberID,
        _ request: PeerRequest,
        _ nanoseconds: UInt64,
        _ completion: @escaping @Sendable (Result<PeerAnswer, PeerFailure>) -> Void
    ) {
        guard let links else { return completion(.failure(.unreachable)) }
        links.ask(member, request, timeoutNanoseconds: nanoseconds, completion: completion)
    }

    /// Success is said only when it can be seen here as well.
    private func awaitHere(
        _ applied: Applied,
        _ includesNames: Bool,
        _ completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        let index = applied.receipt?.index ?? 0
        let nanoseconds = configuration.replica.commitTimeoutNanoseconds
        shared.forgotten.wait(
            for: index,
            includesNames: includesNames,
            nanoseconds: nanoseconds
        ) { _, isReached in
            completion(isReached ? .success(applied) : .failure(.timedOut))
        }
    }
}

/// What a countdown of several threads collects.
private final class ProgressBox: Sendable {
    let answers: Mutex<[UInt64: PeerProgress]>

    init(_ answers: consuming Mutex<[UInt64: PeerProgress]>) { self.answers = answers }
}

/// One request on its way to the leader.
private struct LeaderRequest: Sendable {
    var request: PeerRequest
    var deadline: UInt64
    /// Whether an attempt may have arrived: then only an answer of the leader ends it early.
    var isUncertain = false
    var completion: @Sendable (Result<Applied, ProposalError>) -> Void
}

extension LocalNode {
    private func askLeader(
        _ request: PeerRequest,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        let now = Clock.monotonicNanoseconds()
        let deadline = now + configuration.replica.commitTimeoutNanoseconds
        attempt(LeaderRequest(request: request, deadline: deadline, completion: completion))
    }

    private func attempt(_ request: LeaderRequest) {
        let now = Clock.monotonicNanoseconds()
        guard now < request.deadline else { return giveUp(request) }
        let standing = shared.standing
        guard let leader = standing.leader else { return tryLater(request) }
        guard leader != standing.member else {
            return answer(request.request) { [self] in consider($0, request) }
        }
        ask(leader, request.request, request.deadline - now) { [self] result in
            switch result {
            case .success(let answer): consider(answer, request)
            case .failure(.unreachable): tryLater(request)
            case .failure(.noAnswer):
                var request = request
                request.isUncertain = true
                tryLater(request)
            }
        }
    }

    private func consider(_ answer: PeerAnswer, _ request: LeaderRequest) {
        switch answer {
        case .applied(let applied): request.completion(.success(applied))
        case .failed(.notWritable), .failed(.busy): tryLater(request)
        case .failed(.timedOut), .failed(.stopped):
            var request = request
            request.isUncertain = true
            tryLater(request)
        case .failed(let error):
            request.completion(.failure(error.told(isUncertain: request.isUncertain)))
        case .progress: request.completion(.failure(.io("an answer to another question")))
        }
    }

    private func tryLater(_ request: LeaderRequest) {
        // What is not a change of the state has no origin: said twice, it might happen twice.
        if request.isUncertain, case .propose = request.request {
        } else if request.isUncertain {
            return giveUp(request)
        }
        forwarder.queue.asyncAfter(deadline: .now() + Forwarder.pause) { [self] in
            attempt(request)
        }
    }

    private func giveUp(_ request: LeaderRequest) {
        let reason = "no member leads at the moment"
        request.completion(
            .failure(request.isUncertain ? .timedOut : .notWritable(reason: reason))
        )
    }

    // MARK: - What others ask

    /// Does what another member asks this one for; `completion` runs once, on any thread.
    package func answer(
        _ request: PeerRequest,
        completion: @escaping @Sendable (PeerAnswer) -> Void
    ) {
        let done: @Sendable (Result<Applied, ProposalError>) -> Void = { result in
            switch result {
            case .success(let applied): completion(.applied(applied))
            case .failure(let error): completion(.failed(error))
            }
        }
        switch request {
        case .propose(let kind, let origin): propose(kind, origin: origin, completion: done)
        case .progress(let index):
            let nanoseconds = configuration.replica.commitTimeoutNanoseconds
            waitUntilForgotten(index, nanoseconds: nanoseconds) { progress, _ in
                completion(.progress(progress))
            }
        case .changeGroup(let change): carryOut(change, done)
        case .transferLeadership(let target): transfer(to: target, done)
        }
    }

    private func carryOut(
        _ change: GroupChange,
        _ done: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        switch change {
        case .add(let member): add(member, done)
        case .promote(let id): changeGroup(.promote(MemberID(id)), completion: done)
        case .remove(let id): changeGroup(.remove(MemberID(id)), completion: done)
        }
    }

    /// The group learns who a member is before it is one.
    private func add(
        _ member: GroupMember,
        _ done: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        var member = member
        if member.id == 0 { member.id = forwarder.reserve(shared.standing.nextMemberID) }
        propose(.describeMember(member)) { [self, member] result in
            guard case .success = result else { return done(result) }
            changeGroup(.addLearner(MemberID(member.id)), completion: done)
        }
    }

    /// Returns when another leads, or the attempt has failed.
    private func transfer(
        to target: UInt64?,
        _ done: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        let standing = shared.standing
        guard standing.role == .leader else {
            return done(.failure(.notWritable(reason: "this node does not lead")))
        }
        let target = target.map { MemberID($0) }
        guard target != standing.member else {
            return done(.success(Applied(recordVersion: 0, count: 0)))
        }
        deliver(.transferLeadership(to: target))
        let end = Clock.monotonicNanoseconds() + configuration.raft.electionTimeoutNanoseconds
        awaitTransfer(until: end, done)
    }

    private func awaitTransfer(
        until end: UInt64,
        _ done: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        if shared.standing.role != .leader {
            return done(.success(Applied(recordVersion: 0, count: 1)))
        }
        guard Clock.monotonicNanoseconds() < end else {
            return done(.failure(.timedOut))
        }
        forwarder.queue.asyncAfter(deadline: .now() + .milliseconds(2)) { [self] in
            awaitTransfer(until: end, done)
        }
    }
}

extension ProposalError {
    /// What is said of an attempt that failed, where an earlier one may have arrived.
    ///
    /// The state machine's own refusal stands for both, because it remembers origins; anything else
    /// speaks of this attempt alone, and the other may still happen (G5).
    func told(isUncertain: Bool) -> ProposalError {
        if case .refused = self { return self }
        return isUncertain ? .timedOut : self
    }
}
