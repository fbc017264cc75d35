// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// A person as the directory describes them: a schemaless document with known keys.
///
/// Source: the databroker contract, `pomerium.io/DirectoryUser`. Membership lives here, in
/// `group_ids`; keys brokerfs does not know stay untouched.
package struct DirectoryUser {
    private var document: Google_Protobuf_Struct

    /// An empty description of a user whom only a membership names.
    package init(id: String) {
        document = Google_Protobuf_Struct()
        document.fields["id"] = Google_Protobuf_Value(stringValue: id)
    }

    /// Reads a payload.
    package init(payload: [UInt8]) throws(DocumentError) {
        guard let document = try? Google_Protobuf_Struct(serializedBytes: payload) else {
            throw .undecodable(type: RecordType.directoryUser.url)
        }
        self.document = document
    }

    /// The groups in the document's order, without repetition.
    package var groupIDs: [String] {
        get {
            var seen: Set<[UInt8]> = []
            return (document.fields["group_ids"]?.listValue.values ?? [])
                .map(\.stringValue)
                .filter { !$0.isEmpty && seen.insert(Array($0.utf8)).inserted }
        }
        set {
            let list = Google_Protobuf_ListValue.with {
                $0.values = newValue.map { Google_Protobuf_Value(stringValue: $0) }
            }
            document.fields["group_ids"] = Google_Protobuf_Value(listValue: list)
        }
    }

    package var email: String { document.fields["email"]?.stringValue ?? "" }
    package var displayName: String { document.fields["display_name"]?.stringValue ?? "" }

    /// The serialized document, the same bytes for the same content.
    package var payload: [UInt8] { Document.serialized(document) }
}

/// A group as the directory describes it, `pomerium.io/DirectoryGroup`; it has no member list.
package struct DirectoryGroup {
    private var document: Google_Protobuf_Struct

    /// A group that has only its id.
    package init(id: String) {
        document = Google_Protobuf_Struct()
        document.fields["id"] = Google_Protobuf_Value(stringValue: id)
    }

    /// Reads a payload.
    package init(payload: [UInt8]) throws(DocumentError) {
        guard let document = try? Google_Protobuf_Struct(serializedBytes: payload) else {
            throw .undecodable(type: RecordType.directoryGroup.url)
        }
        self.document = document
    }

    package var name: String { document.fields["name"]?.stringValue ?? "" }

    /// The serialized document, the same bytes for the same content.
    package var payload: [UInt8] { Document.serialized(document) }
}

/// The few fields of typed records that the tree shows as files of their own.
package enum RecordField {
    /// Name and email of a `user.User`.
    package static func user(
        _ payload: [UInt8]
    ) throws(DocumentError) -> (name: String, email: String) {
        guard let user = try? User_User(serializedBytes: payload) else {
            throw .undecodable(type: RecordType.user.url)
        }
        return (user.name, user.email)
    }
}
