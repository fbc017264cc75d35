// SPDX-License-Identifier: Apache-2.0

import Dispatch
package import Identity
package import Node
package import Raft
import Replica
import Store
import Synchronization

/// The network of several nodes in one process, with links that can be cut.
package final class MemoryNetwork: Sendable {
    private struct State {
        var nodes: [MemberID: LocalNode] = [:]
        var cuts: Set<Link> = []
    }

    private struct Link: Hashable {
        var from: MemberID
        var to: MemberID
    }

    private let state = Mutex(State())

    /// A network without anybody.
    package init() {}

    /// The links of one member; give them to its node, and the node to ``attach(_:)``.
    package func links(of member: MemberID) -> MemoryLinks {
        MemoryLinks(member, network: self)
    }

    /// Lets a node be reached.
    package func attach(_ node: LocalNode) {
        state.withLock { $0.nodes[node.configuration.member] = node }
    }

    /// Nobody reaches it any more.
    package func detach(_ member: MemberID) {
        state.withLock { $0.nodes[member] = nil }
    }

    /// Nothing goes from one to the other any more; the way back is another link.
    package func cut(from: MemberID, to: MemberID) {
        state.withLock { _ = $0.cuts.insert(Link(from: from, to: to)) }
    }

    /// Nobody hears of a member, and it hears of nobody.
    package func isolate(_ member: MemberID) {
        state.withLock { state in
            for other in state.nodes.keys where other != member {
                state.cuts.insert(Link(from: member, to: other))
                state.cuts.insert(Link(from: other, to: member))
            }
        }
    }

    /// All links work again.
    package func heal() {
        state.withLock { $0.cuts = [] }
    }

    /// The node at the other end; nil where it cannot be reached.
    func reach(_ to: MemberID, from: MemberID) -> LocalNode? {
        state.withLock { state in
            state.cuts.contains(Link(from: from, to: to)) ? nil : state.nodes[to]
        }
    }
}

/// How one member reaches the others of a ``MemoryNetwork``.
package final class MemoryLinks: PeerLinks {
    private let member: MemberID
    private let network: MemoryNetwork
    private let queue = DispatchQueue(label: "memory-links")

    init(_ member: MemberID, network: MemoryNetwork) {
        self.member = member
        self.network = network
    }

    /// Delivers what can be delivered.
    package func send(_ messages: [Message]) {
        for message in messages {
            network.reach(message.to, from: member)?.deliver(.receive(message))
        }
    }

    /// Copies the state into the other's data directory.
    package func sendSnapshot(_ message: Message) {
        queue.async { [self] in
            guard let own = network.reach(member, from: member),
                let other = network.reach(message.to, from: member)
            else { return failed(message) }
            let name = "/incoming-\(UInt64.random(in: 0...(.max)))"
            let directory = other.configuration.dataDirectory + name
            do {
                let copy = try own.checkpoint(into: directory)
                let described = Replica.snapshotMessage(message, of: copy)
                other.receiveSnapshot(described, from: directory) { isTaken in
                    own.deliver(.snapshotSent(to: message.to, succeeded: isTaken))
                }
            } catch {
                failed(message)
            }
        }
    }

    private func failed(_ message: Message) {
        network.reach(member, from: member)?
            .deliver(.snapshotSent(to: message.to, succeeded: false))
    }

    /// Asks; what is asked is lost where one of the two ways is cut.
    package func ask(
        _ member: MemberID,
        _ request: PeerRequest,
        timeoutNanoseconds: UInt64,
        completion: @escaping @Sendable (Result<PeerAnswer, PeerFailure>) -> Void
    ) {
        guard let other = network.reach(member, from: self.member) else {
            return completion(.failure(.unreachable))
        }
        let once = Once(completion)
        let delay = DispatchTimeInterval.nanoseconds(Int(timeoutNanoseconds))
        queue.asyncAfter(deadline: .now() + delay) { once.call(.failure(.noAnswer)) }
        other.answer(request) { [self] answer in
            guard network.reach(self.member, from: member) != nil else { return }
            once.call(.success(answer))
        }
    }

    /// Everybody is reached by number.
    package func groupChanged(_ members: [GroupMember]) {}
}

private final class Once: Sendable {
    private let completion: Mutex<(@Sendable (Result<PeerAnswer, PeerFailure>) -> Void)?>

    init(_ completion: @escaping @Sendable (Result<PeerAnswer, PeerFailure>) -> Void) {
        self.completion = Mutex(completion)
    }

    func call(_ result: Result<PeerAnswer, PeerFailure>) {
        let completion = completion.withLock { completion in
            defer { completion = nil }
            return completion
        }
        completion?(result)
    }
}
