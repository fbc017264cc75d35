// SPDX-License-Identifier: Apache-2.0

import FSMap
import Identity
import Node
import Replica
import SwiftProtobuf

/// Who is in the group, and changes of that.
extension AdminResponder {
    func members() -> Brokerfs_Admin_Members {
        let cluster = node.cluster
        let numbers = node.group
        let own = node.ownMember
        return .with {
            $0.leader = cluster.leader
            $0.term = cluster.term
            $0.clusterID = node.configuration.clusterID
            $0.nodes = cluster.nodes.map { known in
                .with {
                    let number = numbers.first { $0.name == known.name }?.id
                    $0.id = number ?? (known.name == own.name ? own.id : 0)
                    $0.name = known.name
                    $0.address = known.address
                    $0.role = known.role
                    $0.state = known.state
                    $0.applied = known.applied
                }
            }
        }
    }

    /// Counts first, then asks the leader, wherever it is.
    func changeGroup(_ message: Brokerfs_Admin_ChangeGroup, _ respond: @escaping Respond) {
        guard node.isInGroup else { return respond(.failure(.invalid, Self.isAlone)) }
        let change: GroupArithmetic.Change
        switch message.kind {
        case .add(let newcomer): change = .add(newcomer.name)
        case .promote(let name): change = .promote(name)
        case .remove(let name): change = .remove(name)
        case nil: return respond(.failure(.invalid, "an empty change of the group"))
        }
        if let refusal = GroupArithmetic(node.cluster).refusal(of: change) {
            return respond(.with { $0.failure = .init(refusal) })
        }
        guard let wanted = groupChange(message) else {
            return respond(.failure(.notFound, "the member has no number yet; try again"))
        }
        node.changeGroup(wanted) { respond(.init($0)) }
    }

    private func groupChange(_ message: Brokerfs_Admin_ChangeGroup) -> GroupChange? {
        switch message.kind {
        case .add(let newcomer):
            .add(GroupMember(id: 0, name: newcomer.name, address: newcomer.address))
        case .promote(let name): number(of: name).map { .promote($0) }
        case .remove(let name): number(of: name).map { .remove($0) }
        case nil: nil
        }
    }

    func transfer(_ message: Brokerfs_Admin_Transfer, _ respond: @escaping Respond) {
        guard node.isInGroup else { return respond(.failure(.invalid, Self.isAlone)) }
        guard !message.to.isEmpty else {
            return node.transferLeadership(to: nil) { respond(.init($0)) }
        }
        let arithmetic = GroupArithmetic(node.cluster)
        if let refusal = arithmetic.refusal(of: .transfer(to: message.to)) {
            return respond(.with { $0.failure = .init(refusal) })
        }
        guard let target = number(of: message.to) else {
            return respond(.failure(.notFound, "the member has no number yet; try again"))
        }
        node.transferLeadership(to: target) { respond(.init($0)) }
    }

    private func number(of name: String) -> UInt64? {
        node.group.first { $0.name == name }?.id
    }

    static let isAlone = "this node is on its own, and not a member of a group"

    /// Asks every member, or this one alone, how far it is.
    func progress(_ question: Brokerfs_Admin_Progress, _ respond: @escaping Respond) {
        let nanoseconds = UInt64(question.timeoutMs) * 1_000_000
        let staleness = node.isInGroup ? node.configuration.stalenessMaxNanoseconds : 0
        let own = node.ownMember
        let answer: @Sendable ([(member: GroupMember, progress: PeerProgress?)]) -> Void = {
            let members = $0.map { Brokerfs_Admin_MemberProgress($0.member, $0.progress) }
            respond(
                .with {
                    $0.progressed.members = members
                    $0.progressed.maxStalenessMs = staleness / 1_000_000
                }
            )
        }
        guard node.isInGroup, !question.ownOnly else {
            return node.waitUntilForgotten(question.index, nanoseconds: nanoseconds) {
                answer([(own, $1 ? $0 : nil)])
            }
        }
        node.progress(index: question.index, nanoseconds: nanoseconds, completion: answer)
    }
}

extension Brokerfs_Admin_MemberProgress {
    /// `progress` nil: the member has not answered, or not come so far, in time.
    init(_ member: GroupMember, _ progress: PeerProgress?) {
        self = .with {
            $0.id = member.id
            $0.name = member.name
            $0.address = member.address
            guard let progress else { return }
            $0.reached = true
            $0.applied = progress.applied
            $0.forgotten = progress.forgotten
            $0.appliedAt = progress.appliedAt.message
            $0.forgottenAt = progress.forgottenAt.message
        }
    }
}

extension Brokerfs_Admin_Failure {
    init(_ refusal: GroupArithmetic.Refusal) {
        switch refusal {
        case .unknown: self.init(.notFound, "\(refusal)")
        case .alreadyMember, .alreadyVoter: self.init(.exists, "\(refusal)")
        case .noVoter: self.init(.invalid, "\(refusal)")
        case .lastVoter, .unreachable, .quorum, .noQuorum: self.init(.unsafe, "\(refusal)")
        }
    }
}
