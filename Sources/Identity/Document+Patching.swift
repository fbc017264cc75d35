// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// Partial updates: only what a field mask names changes, unknown fields stay.
extension Document {
    /// Overwrites the fields of `stored` that `paths` names with those of `source`.
    ///
    /// Paths are relative to the packed message, as in `google.protobuf.FieldMask`.
    package static func patched(
        _ stored: Record,
        from source: Record,
        paths: [String]
    ) throws(DocumentError) -> RecordWrite {
        guard source.dataTypeURL.isSame(as: stored.dataTypeURL) else {
            throw .undecodable(type: stored.dataTypeURL)
        }
        var result = stored
        let mask = Google_Protobuf_FieldMask.with { $0.paths = paths }
        switch stored.dataTypeURL {
        case RecordType.session.url:
            result.payload = try merged(stored, source, mask, clear: clear(session:path:))
        case RecordType.user.url:
            result.payload = try merged(stored, source, mask) { (_: inout User_User, _) in }
        case RecordType.serviceAccount.url:
            result.payload = try merged(stored, source, mask, clear: clear(account:path:))
        case RecordType.structURL:
            result.payload = try mergedStruct(stored, source, paths: paths)
        default:
            // Without a schema the other fields could only be lost.
            throw .undecodable(type: stored.dataTypeURL)
        }
        return try write(result)
    }

    /// `clear` takes away one message that the mask names; `merge` leaves those the source lacks.
    private static func merged<M: Message>(
        _ stored: Record,
        _ source: Record,
        _ mask: Google_Protobuf_FieldMask,
        clear: (inout M, _ path: String) -> Void
    ) throws(DocumentError) -> [UInt8] {
        for path in mask.paths where !M.isPathValid(path) { throw .unknownField(path) }
        do {
            var message = try M(serializedBytes: stored.payload)
            for path in mask.paths { clear(&message, path) }
            var options = Google_Protobuf_FieldMask.MergeOptions()
            options.replaceRepeatedFields = true
            let new = try M(serializedBytes: source.payload)
            try message.merge(from: new, fieldMask: mask, mergeOption: options)
            return serialized(message)
        } catch {
            throw .undecodable(type: stored.dataTypeURL)
        }
    }

    /// The paths of a schemaless document are its top-level keys.
    private static func mergedStruct(
        _ stored: Record,
        _ source: Record,
        paths: [String]
    ) throws(DocumentError) -> [UInt8] {
        do {
            var document = try Google_Protobuf_Struct(serializedBytes: stored.payload)
            let new = try Google_Protobuf_Struct(serializedBytes: source.payload)
            for path in paths { document.fields[path] = new.fields[path] }
            return serialized(document)
        } catch {
            throw .undecodable(type: stored.dataTypeURL)
        }
    }

    private static func clear(session: inout Session_Session, path: String) {
        switch path {
        case "expires_at": session.clearExpiresAt()
        case "issued_at": session.clearIssuedAt()
        case "accessed_at": session.clearAccessedAt()
        case "id_token": session.clearIDToken()
        case "id_token.expires_at" where session.hasIDToken: session.idToken.clearExpiresAt()
        case "id_token.issued_at" where session.hasIDToken: session.idToken.clearIssuedAt()
        case "oauth_token": session.clearOauthToken()
        case "oauth_token.expires_at" where session.hasOauthToken:
            session.oauthToken.clearExpiresAt()
        default: break
        }
    }

    private static func clear(account: inout User_ServiceAccount, path: String) {
        switch path {
        case "expires_at": account.clearExpiresAt()
        case "issued_at": account.clearIssuedAt()
        case "accessed_at": account.clearAccessedAt()
        default: break
        }
    }
}
