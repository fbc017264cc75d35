// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SwiftProtobuf

/// What apply and the tree need to know of a payload, extracted once.
extension Document {
    /// Decodes the payload, checks the ids in it, and measures its document.
    static func facts(of record: Record) throws(DocumentError) -> RecordFacts {
        var facts = RecordFacts()
        do {
            switch record.type {
            case .session:
                let session = try Session_Session(serializedBytes: record.payload)
                facts.userID = session.userID
                if session.hasExpiresAt { facts.expiresAt = Timestamp(session.expiresAt) }
            case .serviceAccount:
                let account = try User_ServiceAccount(serializedBytes: record.payload)
                facts.userID = account.userID
                if account.hasExpiresAt { facts.expiresAt = Timestamp(account.expiresAt) }
            case .directoryUser:
                facts.groupIDs = try DirectoryUser(payload: record.payload).groupIDs
            case .context:
                let context = try Brokerfs_Context(serializedBytes: record.payload)
                if context.hasExpiresAt { facts.expiresAt = Timestamp(context.expiresAt) }
                _ = try RecordID.contextParts(record.id)
            default: break
            }
        } catch let error as DocumentError {
            throw error
        } catch {
            throw .undecodable(type: record.dataTypeURL)
        }
        if !facts.userID.isEmpty { try RecordID.validate(facts.userID) }
        for group in facts.groupIDs { try RecordID.validate(group) }
        let size = try render(record).count
        guard record.type != .context || size <= Limits.contextBytesMax else {
            throw .tooLarge(bytes: size, limit: Limits.contextBytesMax)
        }
        facts.documentBytes = UInt32(size)
        return facts
    }

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
            result.payload = try merged(Session_Session.self, stored, source, mask)
        case RecordType.user.url:
            result.payload = try merged(User_User.self, stored, source, mask)
        case RecordType.serviceAccount.url:
            result.payload = try merged(User_ServiceAccount.self, stored, source, mask)
        case RecordType.structURL:
            result.payload = try mergedStruct(stored, source, paths: paths)
        default:
            // Without a schema the other fields could only be lost.
            throw .undecodable(type: stored.dataTypeURL)
        }
        return try write(result)
    }

    private static func merged<M: Message>(
        _ type: M.Type,
        _ stored: Record,
        _ source: Record,
        _ mask: Google_Protobuf_FieldMask
    ) throws(DocumentError) -> [UInt8] {
        for path in mask.paths where !M.isPathValid(path) { throw .unknownField(path) }
        do {
            var message = try M(serializedBytes: stored.payload)
            var options = Google_Protobuf_FieldMask.MergeOptions()
            options.replaceRepeatedFields = true
            try message.merge(
                from: try M(serializedBytes: source.payload),
                fieldMask: mask,
                mergeOption: options
            )
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
}
