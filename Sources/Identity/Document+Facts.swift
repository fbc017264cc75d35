// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SwiftProtobuf

/// What apply and the tree need to know of a payload, extracted once.
extension Document {
    /// Decodes the payload, checks the ids in it, and measures its document.
    ///
    /// `session` is what the payload holds, where that is known.
    static func facts(
        of record: Record,
        session known: Session_Session? = nil
    ) throws(DocumentError) -> RecordFacts {
        var facts = RecordFacts()
        var document: [UInt8]?
        do {
            switch record.type {
            case .session:
                let session =
                    try known ?? Session_Session(serializedBytes: record.payload)
                if record.dataTypeURL == RecordType.session.url {
                    document = try render(session)
                }
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
        let size = if let document { document.count } else { try render(record).count }
        guard record.type != .context || size <= Limits.contextBytesMax else {
            throw .tooLarge(bytes: size, limit: Limits.contextBytesMax)
        }
        facts.documentBytes = UInt32(size)
        return facts
    }
}
