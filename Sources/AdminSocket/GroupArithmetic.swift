// SPDX-License-Identifier: Apache-2.0

import FSMap

/// Whether a change of the group would leave it without a quorum: counted before it is asked for.
///
/// The leader refuses such a change as well; this says why, with the numbers, before a command
/// waits for it.
struct GroupArithmetic: Equatable, Sendable {
    /// A member, as far as counting goes.
    struct Node: Equatable, Sendable {
        var name: String
        var isVoter: Bool
        var isReachable: Bool

        init(_ name: String, isVoter: Bool = true, isReachable: Bool = true) {
            self.name = name
            self.isVoter = isVoter
            self.isReachable = isReachable
        }
    }

    /// A change, by names.
    enum Change: Equatable, Sendable {
        case add(String)
        case promote(String)
        case remove(String)
        case transfer(to: String)
    }

    /// Why a change is not made.
    enum Refusal: Error, Equatable, Sendable {
        case unknown(String)
        case alreadyMember(String)
        case alreadyVoter(String)
        case lastVoter(String)
        case noVoter(String)
        case unreachable(String)
        /// Too few voters would be reachable for anything to be decided.
        case quorum(Count)
        /// Already now too few are reachable.
        case noQuorum(Count)
    }

    /// The voters of a group.
    struct Count: Equatable, Sendable {
        var voters: Int
        var reachable: Int

        var quorum: Int { voters / 2 + 1 }
        var hasQuorum: Bool { reachable >= quorum }

        init(_ nodes: [Node]) {
            voters = nodes.count { $0.isVoter }
            reachable = nodes.count { $0.isVoter && $0.isReachable }
        }
    }

    let nodes: [Node]

    /// Checks a change; nil where nothing is against it.
    func refusal(of change: Change) -> Refusal? {
        switch change {
        case .add(let name):
            guard !nodes.contains(where: { $0.name == name }) else { return .alreadyMember(name) }
            return refusalNow
        case .promote(let name):
            guard let place = place(of: name) else { return .unknown(name) }
            guard !nodes[place].isVoter else { return .alreadyVoter(name) }
            guard nodes[place].isReachable else { return .unreachable(name) }
            var after = nodes
            after[place].isVoter = true
            return refusalNow ?? refusal(after)
        case .remove(let name):
            guard let place = place(of: name) else { return .unknown(name) }
            var after = nodes
            let node = after.remove(at: place)
            guard Count(after).voters > 0 else { return .lastVoter(name) }
            return refusalNow ?? (node.isVoter ? refusal(after) : nil)
        case .transfer(let name):
            guard let place = place(of: name) else { return .unknown(name) }
            guard nodes[place].isVoter else { return .noVoter(name) }
            return nodes[place].isReachable ? nil : .unreachable(name)
        }
    }

    private var refusalNow: Refusal? {
        let count = Count(nodes)
        return count.hasQuorum ? nil : .noQuorum(count)
    }

    private func refusal(_ after: [Node]) -> Refusal? {
        let count = Count(after)
        return count.hasQuorum ? nil : .quorum(count)
    }

    private func place(of name: String) -> Int? { nodes.firstIndex { $0.name == name } }
}

extension GroupArithmetic {
    /// Counts what a node knows of its group.
    init(_ cluster: ClusterState) {
        nodes = cluster.nodes.map { node in
            Node(
                node.name,
                isVoter: node.role != "learner",
                isReachable: node.state == "ok"
            )
        }
    }
}

extension GroupArithmetic.Count: CustomStringConvertible {
    var description: String { "\(voters) voters, a quorum of \(quorum), \(reachable) reachable" }
}

extension GroupArithmetic.Refusal: CustomStringConvertible {
    var description: String {
        switch self {
        case .unknown(let name): "there is no member \(name)"
        case .alreadyMember(let name): "\(name) is a member already"
        case .alreadyVoter(let name): "\(name) is a voter already"
        case .lastVoter(let name): "\(name) is the last voter; nobody would be left to decide"
        case .noVoter(let name): "\(name) is a learner, which does not lead; promote it first"
        case .unreachable(let name): "\(name) does not answer"
        case .quorum(let count):
            "the group would have \(count): nothing could be decided any more"
        case .noQuorum(let count):
            "the group has \(count): nothing can be decided until more are"
        }
    }
}
