// SPDX-License-Identifier: Apache-2.0

package import Node
package import Raft
package import Replica

/// What the connections need of the node behind them; called on any thread.
package struct PeerHost: Sendable {
    /// Which life of its data directory the node is; not 0.
    package var incarnation: UInt64
    /// Names the history of the node's state; 0 while there is none.
    ///
    /// Never blocks.
    package var history: @Sendable () -> UInt64
    /// Takes what happened; never blocks.
    package var deliver: @Sendable (Event) -> Void
    /// Copies the state into a directory that does not exist yet, and answers the message that
    /// describes the copy (``Replica/snapshotMessage(_:of:)``).
    ///
    /// On a thread of its own.
    package var checkpoint: @Sendable (Raft.Message, String) throws -> Raft.Message
    /// Takes over a directory with a complete and durable copy of the state, and says whether the
    /// message and the copy went to the replica.
    package var receiveSnapshot:
        @Sendable (Raft.Message, String, @escaping @Sendable (Bool) -> Void) -> Void
    /// Answers another member.
    ///
    /// The completion runs at most once. Never blocks.
    package var answer: @Sendable (PeerRequest, @escaping @Sendable (PeerAnswer) -> Void) -> Void
    /// Who admits machines that have a token; nil: nobody.
    package var admission: Admission?

    /// Joins what a node offers.
    package init(
        incarnation: UInt64,
        history: @escaping @Sendable () -> UInt64,
        deliver: @escaping @Sendable (Event) -> Void,
        checkpoint: @escaping @Sendable (Raft.Message, String) throws -> Raft.Message,
        receiveSnapshot:
            @escaping @Sendable (
                Raft.Message, String, @escaping @Sendable (Bool) -> Void
            ) -> Void,
        answer: @escaping @Sendable (PeerRequest, @escaping @Sendable (PeerAnswer) -> Void) -> Void,
        admission: Admission? = nil
    ) {
        self.incarnation = incarnation
        self.history = history
        self.deliver = deliver
        self.checkpoint = checkpoint
        self.receiveSnapshot = receiveSnapshot
        self.answer = answer
        self.admission = admission
    }
}
