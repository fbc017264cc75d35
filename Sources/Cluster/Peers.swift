// SPDX-License-Identifier: Apache-2.0

package import Identity
package import Logging
package import Node
package import Raft
import Synchronization

/// A node's connections to the other members of its group: mutual TLS 1.3, one connection in each
/// direction; docs/PEERS.md.
///
/// Until it is started, and once it is stopped, it drops what it is to send.
package final class Peers: PeerLinks {
    private enum Phase {
        case new
        case running(PeerNetwork)
        case stopped
    }

    private struct State {
        var phase = Phase.new
        var members: [GroupMember]
    }

    package let configuration: PeersConfiguration
    private let log: Logger
    private let state: Mutex<State>
    /// Held while the connections follow a change of the group, so that the newest one wins.
    private let changing = Mutex(())

    /// Prepares the connections; nothing is opened yet.
    package init(_ configuration: PeersConfiguration, log: Logger) {
        self.configuration = configuration
        self.log = log
        state = Mutex(State(members: configuration.group))
    }

    /// Listens, and dials the others.
    ///
    /// Throws ``PeersError`` and leaves nothing running where the certificates cannot be used or
    /// nobody can listen at the address.
    package func start(_ host: PeerHost) throws(PeersError) {
        for name in [configuration.clusterID, configuration.member.name]
        where !ClusterIdentity.isName(name) {
            throw .name(name)
        }
        precondition(host.incarnation != 0, "a data directory has an incarnation")
        let context = PeerContext(
            configuration: configuration,
            host: host,
            tls: try TLSSource(configuration.tls, identity: configuration.identity, log: log),
            log: log,
            refusals: RefusalLog(log)
        )
        let network = PeerNetwork(context)
        do throws(PeersError) {
            try network.listen()
        } catch {
            network.close()
            throw error
        }
        let isRunning = state.withLock { state in
            guard case .new = state.phase else { return false }
            state.phase = .running(network)
            return true
        }
        guard isRunning else {
            network.close()
            throw .stopped
        }
        followGroup()
    }

    /// Ends all connections; who waits for an answer gets none.
    ///
    /// Idempotent; not on a thread that one of the host's functions was called on.
    package func stop() {
        let phase = state.withLock { state in
            defer { state.phase = .stopped }
            return state.phase
        }
        if case .running(let network) = phase { network.close() }
    }

    private var network: PeerNetwork? {
        state.withLock { state in
            if case .running(let network) = state.phase { network } else { nil }
        }
    }

    /// The port it listens on; nil while it does not.
    package var listeningPort: Int? { network?.listeningPort }

    /// How the connections to each other member are, in the order of their numbers.
    package var statuses: [PeerStatus] { network?.links.map(\.status) ?? [] }

    package func send(_ messages: [Raft.Message]) {
        guard let network else { return }
        for link in network.links {
            let own = messages.filter { $0.to == link.id }
            if !own.isEmpty { link.send(own) }
        }
    }

    package func sendSnapshot(_ message: Raft.Message) {
        network?.sender.send(message)
    }

    package func ask(
        _ member: MemberID,
        _ request: PeerRequest,
        timeoutNanoseconds: UInt64,
        completion: @escaping @Sendable (Result<PeerAnswer, PeerFailure>) -> Void
    ) {
        guard let link = network?.link(to: member) else {
            return completion(.failure(.unreachable))
        }
        link.ask(request, timeoutNanoseconds: timeoutNanoseconds, completion: completion)
    }

    package func groupChanged(_ members: [GroupMember]) {
        state.withLock { $0.members = members }
        followGroup()
    }

    private func followGroup() {
        changing.withLock { _ in
            let (network, members) = (network, state.withLock { $0.members })
            network?.change(introduced(members))
        }
    }

    /// Whose log has not come to its own admission does not know by it who leads now: until then
    /// it takes those it was told of when it started.
    private func introduced(_ members: [GroupMember]) -> [GroupMember] {
        guard !members.contains(where: { $0.id == configuration.member.id }) else { return members }
        let others = configuration.group.filter { other in
            !members.contains { $0.id == other.id }
        }
        return members + others
    }
}
