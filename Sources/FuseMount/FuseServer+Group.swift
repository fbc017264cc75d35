// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Identity
import Node
import Replica

/// What a mount may show and change as its node stands in the group.
///
/// A node of its own vouches for its state for ever, and none of this costs it anything.
extension FuseServer {
    /// Linux counts timeouts in ticks of up to so long, and rounds up.
    private static let kernelTickNanoseconds: UInt64 = 10_000_000

    /// Whether the node vouches for its state at this moment.
    var isVouched: Bool {
        !node.isInGroup || node.mayShow(now: node.monotonicNanoseconds())
    }

    /// How long the kernel may believe what it is told now.
    ///
    /// In a group, until nobody vouches for it any more: a kernel whose daemon is stopped has
    /// nobody who makes it forget.
    var cacheSecondsMax: Double {
        guard node.isInGroup else { return .infinity }
        let age = node.ageNanoseconds(now: node.monotonicNanoseconds())
        let (rest, isOver) = node.configuration.stalenessMaxNanoseconds
            .subtractingReportingOverflow(age)
        guard !isOver, rest > Self.kernelTickNanoseconds else { return 0 }
        return Double(rest - Self.kernelTickNanoseconds) / 1_000_000_000
    }

    /// Begins to answer a request that shows something of an inode.
    ///
    /// Nil: it has been answered, because nobody vouches for that. The answer looks again.
    func admit(_ request: fuse_req_t?, about inode: UInt64) -> Reply? {
        guard node.isInGroup else { return Reply(request) }
        return admit(request, needsVouching: files.needsVouching(inode))
    }

    /// The same for a name.
    func admit(_ request: fuse_req_t?, about name: String, in parent: UInt64) -> Reply? {
        guard node.isInGroup else { return Reply(request) }
        return admit(request, needsVouching: files.needsVouching(name, in: parent))
    }

    private func admit(_ request: fuse_req_t?, needsVouching: Bool) -> Reply? {
        let reply = Reply(request, needsVouching: needsVouching)
        guard needsVouching, !isVouched else { return reply }
        reply.error(.stale)
        return nil
    }

    /// What somebody wants to change.
    enum ChangeKind {
        case revocation, other
    }

    /// Why a change cannot be asked for here and now; nil where it can.
    func refusal(of kind: ChangeKind) -> FSError? {
        guard node.isInGroup, !node.isWritable else { return nil }
        switch followerWrites {
        case .refuse: return .readOnly
        case .revocations where kind == .other: return .readOnly
        // What is to be changed has been seen here.
        case .revocations, .all: return isVouched ? nil : .stale
        }
    }

    /// The same for a change whose request was admitted, which may have been a while ago.
    func refusal(of kind: Command.Kind) -> FSError? {
        if case .revoke = kind { return refusal(of: .revocation) }
        return refusal(of: .other)
    }

    /// Proposes a change here, or wherever it is taken.
    func propose(
        _ kind: Command.Kind,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        let isForwarded =
            switch followerWrites {
            case .refuse: false
            case .revocations: if case .revoke = kind { true } else { false }
            case .all: true
            }
        if isForwarded {
            node.proposeAnywhere(kind, includesNames: false, completion: completion)
        } else {
            node.propose(kind, completion: completion)
        }
    }
}
