// SPDX-License-Identifier: Apache-2.0

import Identity
import Raft
import Synchronization

/// Who is in the group, and the ways to all but this member.
final class LinkTable: Sendable {
    private struct State {
        var members: [GroupMember] = []
        /// In the order of the members' numbers.
        var links: [PeerLink] = []
        var isClosed = false
    }

    /// What a change of the group asks for.
    struct Difference {
        var added: [PeerLink] = []
        var removed: [PeerLink] = []
        var moved: [(link: PeerLink, address: String)] = []
    }

    private let state = Mutex(State())

    var members: [GroupMember] { state.withLock { $0.members } }
    var links: [PeerLink] { state.withLock { $0.links } }

    func link(to id: MemberID) -> PeerLink? {
        state.withLock { state in state.links.first { $0.id == id } }
    }

    /// Takes over who is in the group; `make` makes the way to a new member.
    func change(
        _ members: [GroupMember],
        without own: UInt64,
        make: (GroupMember) -> PeerLink
    ) -> Difference {
        let others = members.filter { $0.id != own }
        return state.withLock { state in
            guard !state.isClosed else { return Difference() }
            state.members = members
            var difference = Difference()
            var links: [PeerLink] = []
            for link in state.links {
                let member = others.first { other in
                    other.id == link.id.rawValue && other.name == link.member.name
                }
                guard let member else {
                    difference.removed.append(link)
                    continue
                }
                links.append(link)
                difference.moved.append((link, member.address))
            }
            for member in others where !links.contains(where: { $0.id.rawValue == member.id }) {
                difference.added.append(make(member))
            }
            state.links = (links + difference.added).sorted { $0.id < $1.id }
            return difference
        }
    }

    /// Nobody is reached any more; answers the ways there were.
    func close() -> [PeerLink] {
        state.withLock { state in
            state.isClosed = true
            state.members = []
            defer { state.links = [] }
            return state.links
        }
    }
}
