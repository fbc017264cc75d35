// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SwiftProtobuf

/// The text form of a record: protobuf JSON with protobuf field names, tokens hidden.
///
/// Source: the protobuf JSON mapping; PRODUCT section 1 for layout and hiding.
/// INVARIANT: a secret leaves through `reveal` alone, which one kind of mount calls; what is
/// written back through `parse` with an unchanged marker keeps the stored secret.
package enum Document {
    /// The document of a record: JSON that ends in a line feed, or the bytes of a context value.
    ///
    /// Throws ``DocumentError/undecodable(type:)`` where the payload is not of its type.
    package static func render(_ record: Record) throws(DocumentError) -> [UInt8] {
        try render(record, secrets: .hidden)
    }

    /// The same with its secrets, for a mount that reveals them.
    ///
    /// `envelope`: as below `records/`.
    package static func reveal(
        _ record: Record,
        envelope: Bool
    ) throws(DocumentError) -> [UInt8] {
        guard envelope else { return try render(record, secrets: .shown) }
        return try renderAny(record, secrets: .shown)
    }

    /// The document of a session that is decoded already.
    static func render(_ session: Session_Session) throws(DocumentError) -> [UInt8] {
        try render(session, secrets: .hidden)
    }

    /// What becomes of secrets in a document.
    private enum Secrets { case hidden, shown }

    private static func render(
        _ record: Record,
        secrets: Secrets
    ) throws(DocumentError) -> [UInt8] {
        switch record.type {
        case .context: try contextContent(record)
        case .session where record.dataTypeURL == RecordType.session.url:
            try render(try message(Session_Session.self, of: record), secrets: secrets)
        default:
            if record.dataTypeURL == RecordType.structURL {
                JSONLayout.layOut(try typedJSON(record, secrets), order: ["id"])
            } else if isKnown(record.dataTypeURL) {
                JSONLayout.layOut(try typedJSON(record, secrets), sorting: ["claims"])
            } else {
                try renderAny(record, secrets: secrets)
            }
        }
    }

    private static func render(
        _ session: Session_Session,
        secrets: Secrets
    ) throws(DocumentError) -> [UInt8] {
        let json = try json(session, url: RecordType.session.url, secrets)
        return JSONLayout.layOut(json, order: sessionOrder, sorting: ["claims"])
    }

    /// Decodes the payload of a record as a message.
    static func message<M: Message>(
        _ type: M.Type,
        of record: Record
    ) throws(DocumentError) -> M {
        do {
            return try M(serializedBytes: record.payload)
        } catch {
            throw .undecodable(type: record.dataTypeURL)
        }
    }

    /// The document under `records/`: the payload as `google.protobuf.Any` in protobuf JSON.
    ///
    /// A payload of an unknown message shows only its marker: it may hold tokens we cannot see.
    package static func renderAny(_ record: Record) throws(DocumentError) -> [UInt8] {
        try renderAny(record, secrets: .hidden)
    }

    private static func renderAny(
        _ record: Record,
        secrets: Secrets
    ) throws(DocumentError) -> [UInt8] {
        var compact = Array("{\"@type\":\"\(escaped(record.dataTypeURL))\"".utf8)
        if record.dataTypeURL == RecordType.structURL {
            compact += Array(",\"value\":".utf8) + (try typedJSON(record, secrets))
        } else if isKnown(record.dataTypeURL) {
            let members = JSONLayout.members(of: try typedJSON(record, secrets)[...])
            for member in members { compact += Array(",".utf8) + member }
        } else {
            let text = Data(record.payload).base64EncodedString()
            let value = secrets == .shown ? text : Secret.marker(for: text)
            compact += Array(",\"value\":\"\(value)\"".utf8)
        }
        return JSONLayout.layOut(compact + Array("}".utf8), sorting: ["claims"])
    }

    /// Whether the message of this type URL is one brokerfs can decode.
    package static func isKnown(_ dataTypeURL: String) -> Bool {
        switch dataTypeURL {
        case RecordType.session.url, RecordType.user.url, RecordType.serviceAccount.url,
            RecordType.context.url, RecordType.structURL:
            true
        default: false
        }
    }

    /// The schema's order of a session, as people read it.
    private static let sessionOrder = [
        "id", "user_id", "issued_at", "expires_at", "accessed_at", "idp_id", "audience", "claims",
        "id_token", "oauth_token", "device_credentials", "impersonate_session_id",
        "refresh_disabled", "version",
    ]

    private static let encoding: JSONEncodingOptions = {
        var options = JSONEncodingOptions()
        options.preserveProtoFieldNames = true
        options.useDeterministicOrdering = true
        return options
    }()

    /// Compact JSON of the payload.
    private static func typedJSON(
        _ record: Record,
        _ secrets: Secrets
    ) throws(DocumentError) -> [UInt8] {
        let url = record.dataTypeURL
        switch url {
        case RecordType.session.url:
            return try json(try message(Session_Session.self, of: record), url: url, secrets)
        case RecordType.user.url:
            return try encoded(try message(User_User.self, of: record), url: url)
        case RecordType.serviceAccount.url:
            return try encoded(try message(User_ServiceAccount.self, of: record), url: url)
        case RecordType.context.url:
            return try encoded(try message(Brokerfs_Context.self, of: record), url: url)
        default:
            var document = try message(Google_Protobuf_Struct.self, of: record)
            if secrets == .hidden { Secret.hide(&document) }
            return JSONLayout.sorted(try encoded(document, url: url)[...])
        }
    }

    private static func json(
        _ session: Session_Session,
        url: String,
        _ secrets: Secrets
    ) throws(DocumentError) -> [UInt8] {
        var session = session
        if secrets == .hidden { session.hideSecrets() }
        return try encoded(session, url: url)
    }

    /// Only for messages whose secrets are hidden, where they are to be.
    private static func encoded(
        _ message: some Message,
        url: String
    ) throws(DocumentError) -> [UInt8] {
        do {
            return try message.jsonUTF8Bytes(options: encoding)
        } catch {
            throw .undecodable(type: url)
        }
    }

    private static func contextContent(_ record: Record) throws(DocumentError) -> [UInt8] {
        guard let context = try? Brokerfs_Context(serializedBytes: record.payload) else {
            throw .undecodable(type: record.dataTypeURL)
        }
        return switch context.content {
        case .value(let bytes): [UInt8](bytes)
        case .text(let text): Array(text.utf8)
        case nil: []
        }
    }

    /// A string as it stands between the quotes of a JSON string.
    static func escaped(_ text: String) -> String {
        let value = Google_Protobuf_Value(stringValue: text)
        guard let json = try? value.jsonString() else { return "" }
        return String(json.dropFirst().dropLast())
    }
}

extension Session_Session {
    fileprivate mutating func hideSecrets() {
        if hasIDToken { Secret.hide(&idToken.raw) }
        if hasOauthToken {
            Secret.hide(&oauthToken.accessToken)
            Secret.hide(&oauthToken.refreshToken)
        }
    }
}
