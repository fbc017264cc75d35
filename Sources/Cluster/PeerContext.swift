// SPDX-License-Identifier: Apache-2.0

import Identity
import Logging
import NIOCore
import NIOPosix
import Raft

/// What all connections of a member share.
struct PeerContext: Sendable {
    let configuration: PeersConfiguration
    let host: PeerHost
    let tls: TLSSource
    let log: Logger
    let refusals: RefusalLog

    var limits: PeerLimits { configuration.limits }
    var own: MemberID { MemberID(configuration.member.id) }

    var handshake: Handshake {
        Handshake(
            own: configuration.identity,
            incarnation: host.incarnation,
            history: host.history()
        )
    }

    /// T.
    private var electionTimeout: Int64 {
        Int64(clamping: configuration.electionTimeoutNanoseconds)
    }

    /// A host that does not answer must not hold up the next try for long.
    var connectTimeout: TimeAmount { .nanoseconds(max(1, electionTimeout / 2)) }

    /// How long a peer may take nothing: it has missed two elections by then.
    var sendTimeout: TimeAmount { .nanoseconds(max(2, electionTimeout * 2)) }

    /// How long a refused connection tells of a process that died just now.
    var evidenceNanoseconds: UInt64 { configuration.electionTimeoutNanoseconds }

    /// The pause before the next dial, after so many that failed; with jitter, so that members
    /// that started together do not stay together.
    func backoff(failures: Int) -> TimeAmount {
        let longest = max(
            1,
            min(limits.backoffNanosecondsMax, configuration.electionTimeoutNanoseconds / 3)
        )
        let doubled = limits.backoffNanosecondsMin << UInt64(min(max(failures - 1, 0), 10))
        let pause = max(1, min(doubled, longest))
        return .nanoseconds(Int64(UInt64.random(in: (pause / 2)...pause)))
    }
}
