// SPDX-License-Identifier: Apache-2.0

/// The type of a record: a type URL, kept as it came.
///
/// Records of types brokerfs does not know are stored and replicated unchanged. The directory
/// types carry a `google.protobuf.Struct`; all others name the message they carry.
package struct RecordType: Hashable, Sendable {
    /// The type URL, for example `type.googleapis.com/session.Session`.
    package let url: String

    /// Wraps a type URL without checking it; see ``RecordID/validate(_:)``.
    package init(_ url: String) {
        self.url = url
    }

    /// A login of a person or a service account.
    package static let session = RecordType("type.googleapis.com/session.Session")
    /// A person as the identity provider described them at login.
    package static let user = RecordType("type.googleapis.com/user.User")
    /// A non-human identity with an owner.
    package static let serviceAccount = RecordType("type.googleapis.com/user.ServiceAccount")
    /// A person as the directory describes them; holds the group memberships.
    package static let directoryUser = RecordType("pomerium.io/DirectoryUser")
    /// A group as the directory describes it; has no member list.
    package static let directoryGroup = RecordType("pomerium.io/DirectoryGroup")
    /// External context: opaque bytes with an optional expiry; its id is `source/key`.
    package static let context = RecordType("type.googleapis.com/brokerfs.Context")

    /// The types with a face of their own in the tree, with the short names the command line takes.
    package static let named: [(name: String, type: RecordType)] = [
        ("session", .session),
        ("user", .user),
        ("service-account", .serviceAccount),
        ("directory-user", .directoryUser),
        ("directory-group", .directoryGroup),
        ("context", .context),
    ]

    /// Types are the same where their URLs are the same bytes.
    package static func == (left: RecordType, right: RecordType) -> Bool {
        left.url.isSame(as: right.url)
    }

    /// Hashes the bytes of the URL.
    package func hash(into hasher: inout Hasher) {
        url.hashBytes(into: &hasher)
    }

    /// Reads a short name or a type URL, as `load` and `path` take them.
    package init(nameOrURL text: String) {
        self = Self.named.first { $0.name == text }?.type ?? RecordType(text)
    }

    /// The short name where there is one, the type URL otherwise.
    package var name: String {
        Self.named.first { $0.type == self }?.name ?? url
    }

    /// Whether the type is shown under a directory of its own, not only under `records/`.
    package var hasFace: Bool {
        Self.named.contains { $0.type == self }
    }

    /// The type URL of the message that carries the data of a new record of this type.
    package var dataTypeURL: String {
        url.hasPrefix("pomerium.io/") ? RecordType.structURL : url
    }

    package static let structURL = "type.googleapis.com/google.protobuf.Struct"
}
