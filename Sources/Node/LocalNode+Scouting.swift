// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Identity
import Raft
import Synchronization

/// What a node knows of the others beyond what Raft tells it.
extension LocalNode {
    private static let scoutMilliseconds = 500

    /// Asks every other member now and then how far it is; ends with the node.
    func scout() {
        guard let links, !shared.isClosed else { return }
        let nanoseconds = UInt64(Self.scoutMilliseconds) * 1_000_000
        let standing = shared.standing
        let members = (standing.voters + standing.learners).filter { $0 != standing.member }
        shared.peers.withLock { peers in
            peers = peers.filter { members.contains(MemberID($0.key)) }
        }
        for member in members {
            links.ask(member, .progress(index: 0), timeoutNanoseconds: nanoseconds) {
                [shared] result in
                let progress: PeerProgress? =
                    if case .success(.progress(let progress)) = result { progress } else { nil }
                shared.note(progress, of: member.rawValue)
            }
        }
        let pause = DispatchTimeInterval.milliseconds(Self.scoutMilliseconds)
        forwarder.queue.asyncAfter(deadline: .now() + pause) { [weak self] in self?.scout() }
    }
}

extension SharedState {
    /// Takes over what a member said; nil where it said nothing in time.
    fileprivate func note(_ progress: PeerProgress?, of member: UInt64) {
        peers.withLock { peers in
            let applied = progress?.applied ?? peers[member]?.applied ?? 0
            peers[member] = PeerStanding(applied: applied, isReachable: progress != nil)
        }
    }
}
