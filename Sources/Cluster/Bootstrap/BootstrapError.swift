// SPDX-License-Identifier: Apache-2.0

/// Why a cluster's names, files or certificates are not taken, or not made.
package enum BootstrapError: Error, Equatable, Sendable {
    case name(String, reason: String)
    case address(String, reason: String)
    case members(reason: String)
    case clusterID(String)
    /// A file that cannot be read, written or removed.
    case file(path: String, reason: String)
    /// A file that was read and says nothing that can be used.
    case content(path: String, reason: String)
    case certificate(reason: String)
}

extension BootstrapError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .name(let name, let reason): "the name \"\(name)\" \(reason)"
        case .address(let address, let reason): "the address \"\(address)\" \(reason)"
        case .members(let reason): reason
        case .clusterID(let id): "the cluster id \"\(id)\" is not a UUID"
        case .file(let path, let reason), .content(let path, let reason): "\(path): \(reason)"
        case .certificate(let reason): "the certificate: \(reason)"
        }
    }
}
