// SPDX-License-Identifier: Apache-2.0

/// Why a machine has not joined.
package enum JoinError: Error, Equatable, Sendable {
    /// Nobody was reached at the address.
    case unreachable(address: String, reason: String)
    /// Somebody else answers there: the token was not said.
    case notTheGroup(address: String)
    /// The node ended the connection; it does not say more to whoever has no token it knows.
    case closed(address: String)
    /// The answer did not come; whether the group has the newcomer is not known.
    case noAnswer(address: String)
    case refused(PeerRefusal)
    /// What it sent does not fit to what was asked.
    case answer(String)
    /// A name, an address or a file of this machine.
    case own(BootstrapError)
}

extension JoinError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreachable(let address, let reason): "\(address) is not reached: \(reason)"
        case .notTheGroup(let address):
            """
            \(address) is not a node of the cluster that the token is for, or has made none that \
            is good now; the token was kept back
            """
        case .closed(let address):
            """
            \(address) admits nobody now: the token is not known there, was used, its time is \
            over, or the node was restarted since. Take a new one: brokerfs cluster token
            """
        case .noAnswer(let address):
            """
            \(address) did not answer in time. If brokerfs cluster members shows this node, remove \
            it there and take a new token
            """
        case .refused(let refusal): refusal.text
        case .answer(let text): "the answer is none: \(text)"
        case .own(let error): "\(error)"
        }
    }
}
