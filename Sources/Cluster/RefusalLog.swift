// SPDX-License-Identifier: Apache-2.0

import Logging
import Synchronization

/// Logs why peers are refused: once for each and each reason, however often they come back.
final class RefusalLog: Sendable {
    private struct Key: Equatable {
        var peer: String
        var reason: String
    }

    private let known = Mutex<[Key]>([])
    private let log: Logger
    /// Pairs that are remembered; beyond it the oldest may be logged again.
    private static let keysMax = 256

    init(_ log: Logger) {
        self.log = log
    }

    /// Whether it was logged, and not before.
    @discardableResult
    func note(_ peer: String, _ refusal: PeerRefusal) -> Bool {
        let isNew = known.withLock { known in
            let key = Key(peer: peer, reason: refusal.text)
            guard !known.contains(key) else { return false }
            if known.count >= Self.keysMax { known.removeFirst() }
            known.append(key)
            return true
        }
        if isNew {
            log.warning(
                "peer refused",
                metadata: ["peer": "\(peer)", "reason": "\(refusal.text)"]
            )
        }
        return isNew
    }

    /// The peer was spoken to: what is wrong with it the next time is news.
    func forget(_ peer: String) {
        known.withLock { $0.removeAll { $0.peer == peer } }
    }
}
