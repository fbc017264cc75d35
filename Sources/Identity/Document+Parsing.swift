// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SwiftProtobuf

/// From a document to a record, with every rule of the door applied.
extension Document {
    /// Reads a document and extracts its facts.
    ///
    /// `stored` is what the record holds now: hidden secrets and fields this version does not
    /// know are taken from it. An absent id in the document is filled in from the file's name.
    package static func parse(
        _ bytes: [UInt8],
        type: RecordType,
        id: String,
        stored: Record? = nil,
        expectedVersion: UInt64? = nil
    ) throws(DocumentError) -> RecordWrite {
        guard type != .context else {
            let content = try context(bytes)
            return try write(content, type: type, id: id, expectedVersion: expectedVersion)
        }
        guard bytes.count <= Limits.recordBytesMax else {
            throw .tooLarge(bytes: bytes.count, limit: Limits.recordBytesMax)
        }
        guard type == .session else {
            let record = try parseRecord(bytes, type: type, id: id, stored: stored)
            return try write(record, expectedVersion: expectedVersion)
        }
        let session = try parseSession(bytes, id: id, stored: stored)
        let record = Record(type: type, id: id, payload: serialized(session))
        return try write(record, session: session, expectedVersion: expectedVersion)
    }

    /// Checks a record and extracts its facts, so that it can be put.
    package static func write(
        _ record: Record,
        expectedVersion: UInt64? = nil
    ) throws(DocumentError) -> RecordWrite {
        try write(record, session: nil, expectedVersion: expectedVersion)
    }

    /// `session` is what the payload holds, where that is known.
    private static func write(
        _ record: Record,
        session: Session_Session?,
        expectedVersion: UInt64?
    ) throws(DocumentError) -> RecordWrite {
        try RecordID.validate(record.id)
        try RecordID.validate(record.type.url)
        guard record.payload.count <= Limits.recordBytesMax else {
            throw .tooLarge(bytes: record.payload.count, limit: Limits.recordBytesMax)
        }
        return RecordWrite(
            put: record,
            facts: try facts(of: record, session: session),
            expectedVersion: expectedVersion
        )
    }

    private static func parseRecord(
        _ bytes: [UInt8],
        type: RecordType,
        id: String,
        stored: Record?
    ) throws(DocumentError) -> Record {
        var record = Record(type: type, id: id, payload: [])
        switch type {
        case .user:
            var user: User_User = try message(from: bytes)
            try checkID(&user.id, against: id)
            user.unknownFields =
                decoded(stored, as: User_User.self)?.unknownFields ?? UnknownStorage()
            record.payload = serialized(user)
        case .serviceAccount:
            var account: User_ServiceAccount = try message(from: bytes)
            try checkID(&account.id, against: id)
            account.unknownFields =
                decoded(stored, as: User_ServiceAccount.self)?.unknownFields ?? UnknownStorage()
            record.payload = serialized(account)
        case .directoryUser, .directoryGroup:
            var document: Google_Protobuf_Struct = try message(from: bytes)
            var documentID = document.fields["id"]?.stringValue ?? ""
            try checkID(&documentID, against: id)
            document.fields["id"] = Google_Protobuf_Value(stringValue: documentID)
            try restore(&document, stored)
            record.payload = serialized(document)
        default:
            try parseAny(bytes, into: &record, stored: stored)
        }
        return record
    }

    private static func parseSession(
        _ bytes: [UInt8],
        id: String,
        stored: Record?
    ) throws(DocumentError) -> Session_Session {
        var session: Session_Session = try message(from: bytes)
        try checkID(&session.id, against: id)
        let old = decoded(stored, as: Session_Session.self) ?? Session_Session()
        session.unknownFields = old.unknownFields
        keepUnknownFields(of: old.deviceCredentials, in: &session.deviceCredentials)
        if session.hasIDToken {
            session.idToken.unknownFields = old.idToken.unknownFields
            try Secret.restore(&session.idToken.raw, from: old.idToken.raw, field: "id_token.raw")
        }
        if session.hasOauthToken {
            session.oauthToken.unknownFields = old.oauthToken.unknownFields
            try Secret.restore(
                &session.oauthToken.accessToken,
                from: old.oauthToken.accessToken,
                field: "oauth_token.access_token"
            )
            try Secret.restore(
                &session.oauthToken.refreshToken,
                from: old.oauthToken.refreshToken,
                field: "oauth_token.refresh_token"
            )
        }
        return session
    }

    /// Credentials have no key of their own: the same credential is the one with the same content.
    private static func keepUnknownFields(
        of old: [Session_Session.DeviceCredential],
        in new: inout [Session_Session.DeviceCredential]
    ) {
        var rest = old
        for index in new.indices {
            let same = rest.firstIndex {
                $0.typeID.isSame(as: new[index].typeID) && $0.credential == new[index].credential
            }
            if let same { new[index].unknownFields = rest.remove(at: same).unknownFields }
        }
    }

    /// A record without a face: a `google.protobuf.Any` in JSON, or a plain JSON object for the
    /// schemaless types.
    private static func parseAny(
        _ bytes: [UInt8],
        into record: inout Record,
        stored: Record?
    ) throws(DocumentError) {
        var document: Google_Protobuf_Struct = try message(from: bytes)
        if case .stringValue(let url)? = document.fields["@type"]?.kind {
            record.dataTypeURL = url
            // A marker must not bring back bytes under a type that would show them.
            let hidden = stored?.dataTypeURL.isSame(as: url) == true ? stored : nil
            let value = document.fields["value"]?.kind
            guard url == RecordType.structURL else {
                guard case .stringValue(let base64)? = value else {
                    throw .malformed("\"value\" must be the base64 of a \(url)")
                }
                record.payload = try opaquePayload(base64, stored: hidden)
                return
            }
            guard case .structValue(let inner)? = value else {
                throw .malformed("\"value\" must be an object for \(url)")
            }
            document = inner
        } else if let stored, stored.dataTypeURL != RecordType.structURL {
            throw .malformed("\"@type\" is missing")
        } else {
            record.dataTypeURL = RecordType.structURL
        }
        try restore(&document, stored)
        record.payload = serialized(document)
    }

    private static func opaquePayload(
        _ base64: String,
        stored: Record?
    ) throws(DocumentError) -> [UInt8] {
        var text = base64
        let old = stored.map { Data($0.payload).base64EncodedString() } ?? ""
        try Secret.restore(&text, from: old, field: "value")
        guard let data = Data(base64Encoded: text) else {
            throw .malformed("\"value\" is not base64")
        }
        return [UInt8](data)
    }

    private static func context(_ bytes: [UInt8]) throws(DocumentError) -> Brokerfs_Context {
        guard bytes.count <= Limits.contextBytesMax else {
            throw .tooLarge(bytes: bytes.count, limit: Limits.contextBytesMax)
        }
        return .with { $0.value = Data(bytes) }
    }

    private static func write(
        _ context: Brokerfs_Context,
        type: RecordType,
        id: String,
        expectedVersion: UInt64?
    ) throws(DocumentError) -> RecordWrite {
        _ = try RecordID.contextParts(id)
        let record = Record(type: type, id: id, payload: serialized(context))
        return try write(record, expectedVersion: expectedVersion)
    }

    private static func restore(
        _ document: inout Google_Protobuf_Struct,
        _ stored: Record?
    ) throws(DocumentError) {
        let old = decoded(stored, as: Google_Protobuf_Struct.self) ?? Google_Protobuf_Struct()
        try Secret.restore(&document, from: old)
    }

    private static func checkID(_ id: inout String, against name: String) throws(DocumentError) {
        if id.isEmpty { id = name }
        guard id.isSame(as: name) else { throw .idMismatch(document: id, expected: name) }
    }

    private static func decoded<M: Message>(_ record: Record?, as: M.Type) -> M? {
        guard let record else { return nil }
        return try? M(serializedBytes: record.payload)
    }
}
