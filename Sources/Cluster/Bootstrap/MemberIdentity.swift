// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Who a member is, as its certificate says it: one URI among the subject's alternative names.
package struct MemberIdentity: Equatable, Hashable, Sendable {
    /// A UUID in lower case.
    package var clusterID: String
    /// The number in the group.
    package var member: UInt64
    package var name: String

    /// Joins the parts; they are not checked.
    package init(clusterID: String, member: UInt64, name: String) {
        self.clusterID = clusterID
        self.member = member
        self.name = name
    }

    /// Reads `brokerfs://<cluster-id>/<member-id>/<name>`; nil for anything else.
    package init?(uri: String) {
        guard uri.hasPrefix(Self.scheme) else { return nil }
        let parts = uri.dropFirst(Self.scheme.count).split(
            separator: "/",
            omittingEmptySubsequences: false
        )
        guard parts.count == 3, let member = UInt64(parts[1]), member > 0 else { return nil }
        self.init(clusterID: String(parts[0]), member: member, name: String(parts[2]))
        // Only one way to write it: what is compared is what stands there.
        guard (try? MemberName.validate(name)) != nil, self.uri == uri,
            (try? Self.validated(clusterID: clusterID)) == clusterID
        else { return nil }
    }

    /// How a certificate says it.
    package var uri: String { "\(Self.scheme)\(clusterID)/\(member)/\(name)" }

    private static let scheme = "brokerfs://"

    /// A cluster id in lower case; throws ``BootstrapError/clusterID(_:)`` where it is no UUID.
    package static func validated(clusterID text: String) throws(BootstrapError) -> String {
        guard let id = UUID(uuidString: text) else { throw .clusterID(text) }
        return id.uuidString.lowercased()
    }

    /// Draws the id of a new cluster.
    package static func newClusterID() -> String { UUID().uuidString.lowercased() }
}
