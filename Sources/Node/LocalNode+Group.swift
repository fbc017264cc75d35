// SPDX-License-Identifier: Apache-2.0

package import FSMap
import Glibc
package import Identity
import Logging
package import Raft
package import Replica
package import Store

/// What the others of a group, and whoever joins them to this node, need of it.
extension LocalNode {
    /// A snapshot whose state lies below the data directory, opened.
    struct Arrival: Sendable {
        var message: Message
        var state: RecordStore
        /// Whether it was taken.
        var completion: @Sendable (Bool) -> Void
    }

    /// Tells the replica what has happened.
    ///
    /// Never blocks.
    package func deliver(_ event: Event) {
        inbox.send(.event(event))
    }

    /// Makes a copy of the state in a directory that does not exist, and says what is in it.
    ///
    /// The copy is durable. Blocks for as long as a flush takes.
    package func checkpoint(into directory: String) throws(StoreError) -> StoreMetadata {
        try shown.store.checkpoint(to: directory)
        let copy = try RocksStore(path: directory, options: configuration.store)
        defer { copy.close() }
        return try RecordReader(copy).metadata()
    }

    /// Takes over a state that has come whole and durably into a directory of the data directory.
    ///
    /// The directory is the node's from now on. `completion` says whether the state was taken: it
    /// is not where it is older than what is here, or another is being taken. Blocks for as long as
    /// opening a store takes.
    package func receiveSnapshot(
        _ message: Message,
        from directory: String,
        completion: @escaping @Sendable (Bool) -> Void
    ) {
        let directories = StateDirectories(data: configuration.dataDirectory)
        let path = directories.newPath(seed: .random(in: 0...(.max)))
        let state: RecordStore
        do {
            try directories.adopt(directory, as: path)
            state = try RecordStore(RocksStore(path: path, options: configuration.store))
        } catch {
            log.error("a snapshot cannot be opened", metadata: ["error": "\(error)"])
            StateDirectories.remove(path)
            return completion(false)
        }
        let arrival = Arrival(message: message, state: state) { isTaken in
            completion(isTaken)
            // Whoever is not told of it has not opened it: its files can go at once.
            if !isTaken { StateDirectories.remove(path) }
        }
        if !inbox.send(.arrived(arrival)) { arrival.completion(false) }
    }

    // MARK: - Where the node stands

    /// Whether there are others, or may be.
    package var isInGroup: Bool { shared.isInGroup }
    /// Whether a change proposed here now has a chance.
    package var isWritable: Bool { shared.isWritable }
    /// The newest moment of the own clock before which everything acknowledged is visible on the
    /// mounts here; 0 where nobody vouches for any.
    package var freshAsOf: UInt64 { shared.freshAsOf }

    /// How old what is shown may be, nanoseconds; 0 on a node on its own.
    package func ageNanoseconds(now: UInt64) -> UInt64 { shared.ageNanoseconds(now: now) }

    /// Whether a mount may show anything: the state is at most `stalenessMaxNanoseconds` old (G2).
    ///
    /// Ask again after the value was read, and before it is sent.
    package func mayShow(now: UInt64) -> Bool { shared.mayShow(now: now) }

    /// What `cluster/` shows.
    package var cluster: ClusterState { shared.cluster }

    /// The members of the group by number.
    package var group: [GroupMember] { shared.standing.members }

    /// Calls `completion` once this index is applied and the mounts have forgotten what it changed,
    /// or when the time is over: then false.
    package func waitUntilForgotten(
        _ index: UInt64,
        nanoseconds: UInt64,
        completion: @escaping @Sendable (PeerProgress, _ isReached: Bool) -> Void
    ) {
        shared.forgotten.wait(for: index, nanoseconds: nanoseconds, completion: completion)
    }

    // MARK: - Leadership

    /// Gives the leadership to another, so that nobody waits for an election; returns when that is
    /// done or a second has passed.
    package func handOver() {
        let standing = shared.standing
        guard standing.role == .leader, standing.voters.count > 1 else { return }
        deliver(.transferLeadership(to: nil))
        let end = Clock.monotonicNanoseconds() + Self.handOverNanosecondsMax
        while shared.standing.role == .leader, Clock.monotonicNanoseconds() < end {
            usleep(Self.pauseMicroseconds)
        }
    }

    private static let handOverNanosecondsMax: UInt64 = 1_000_000_000
    private static let pauseMicroseconds: UInt32 = 2_000

    /// Changes the group, where this node leads it.
    func changeGroup(
        _ change: Raft.MembershipChange,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        let id = shared.register(completion)
        guard inbox.send(.event(.changeMembership(id, change))) else {
            return shared.take(id)?(.failure(.stopped)) ?? ()
        }
    }
}
