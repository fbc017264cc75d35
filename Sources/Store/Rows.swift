// SPDX-License-Identifier: Apache-2.0

import Identity
import SwiftProtobuf

/// Rows of the state store and their bytes; Protos/brokerfs/state.proto.
enum Row {
    /// Reads a row; anything undecodable means that the store is damaged.
    static func decode<M: Message>(_ type: M.Type, _ bytes: [UInt8]) throws(StoreError) -> M {
        do {
            return try M(serializedBytes: bytes)
        } catch {
            throw .corrupt(path: "", reason: "a row is not a \(M.protoMessageName)")
        }
    }

    static func encode(_ message: some Message) -> [UInt8] {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        guard let bytes: [UInt8] = try? message.serializedBytes(options: options) else {
            preconditionFailure("a proto3 message always serializes")
        }
        return bytes
    }
}

extension RecordHeader {
    init(_ row: Brokerfs_State_RecordHeader, type: RecordType) {
        self.init(
            number: row.number,
            version: row.version,
            modifiedAt: Timestamp(row.modifiedAt),
            dataTypeURL: row.dataTypeURL.isEmpty ? type.dataTypeURL : row.dataTypeURL,
            facts: RecordFacts(row.facts)
        )
    }

    func row(type: RecordType) -> Brokerfs_State_RecordHeader {
        var row = Brokerfs_State_RecordHeader()
        row.number = number
        row.version = version
        row.modifiedAt = modifiedAt.message
        if dataTypeURL != type.dataTypeURL { row.dataTypeURL = dataTypeURL }
        row.facts = facts.message
        return row
    }
}

extension Change {
    init(version: UInt64, _ row: Brokerfs_State_Change) throws(StoreError) {
        let kind: Kind
        switch row.kind {
        case .put: kind = .put
        case .delete: kind = .delete
        case .revoke: kind = .revoke
        case .expire: kind = .expire
        case .evict: kind = .evict
        case .unspecified, .UNRECOGNIZED:
            throw .corrupt(path: "", reason: "change \(version) is of no known kind")
        }
        self.init(
            version: version,
            kind: kind,
            type: RecordType(row.type),
            id: row.id,
            at: Timestamp(row.at),
            userID: row.userID,
            reason: row.reason
        )
    }

    var row: Brokerfs_State_Change {
        var row = Brokerfs_State_Change()
        row.kind =
            switch kind {
            case .put: .put
            case .delete: .delete
            case .revoke: .revoke
            case .expire: .expire
            case .evict: .evict
            }
        row.type = type.url
        row.id = id
        row.at = at.message
        row.userID = userID
        row.reason = reason
        return row
    }
}

extension StoreMetadata {
    init(_ row: Brokerfs_State_Metadata) {
        self.init()
        serverVersion = row.serverVersion
        recordVersion = row.recordVersion
        appliedIndex = row.appliedIndex
        appliedTerm = row.appliedTerm
        lastNumber = row.nextNumber
        earliestChange = max(1, row.earliestChange)
        lastAppliedAt = Timestamp(row.lastAppliedAt)
        hasOptions = row.hasOptions_p
        origins = Ring(row.origins)
        stepCount = row.stepCount
        revocations = Ring(row.revocations)
        revocationsModifiedAt = Timestamp(row.revocationsModifiedAt)
        configurations = row.configurations.map(GroupConfiguration.init)
        for configuration in configurations { noteIDs(of: configuration) }
    }

    var row: Brokerfs_State_Metadata {
        var row = Brokerfs_State_Metadata()
        row.serverVersion = serverVersion
        row.recordVersion = recordVersion
        row.appliedIndex = appliedIndex
        row.appliedTerm = appliedTerm
        row.nextNumber = lastNumber
        row.earliestChange = earliestChange
        row.lastAppliedAt = lastAppliedAt.message
        row.hasOptions_p = hasOptions
        if origins != Ring() { row.origins = origins.row }
        row.stepCount = stepCount
        if revocations != Ring() {
            row.revocations = revocations.row
            row.revocationsModifiedAt = revocationsModifiedAt.message
        }
        row.configurations = configurations.map(\.row)
        return row
    }
}

extension PrincipalRow {
    init(_ row: Brokerfs_State_Principal) {
        number = row.number
        hasUser = row.hasUser_p
        hasDirectoryUser = row.hasDirectoryUser_p
        sessionCount = row.sessionCount
        sessionsModifiedAt = Timestamp(row.sessionsModifiedAt)
        modifiedAt = Timestamp(row.modifiedAt)
    }

    var row: Brokerfs_State_Principal {
        var row = Brokerfs_State_Principal()
        row.number = number
        row.hasUser_p = hasUser
        row.hasDirectoryUser_p = hasDirectoryUser
        row.sessionCount = sessionCount
        row.sessionsModifiedAt = sessionsModifiedAt.message
        row.modifiedAt = modifiedAt.message
        return row
    }
}

extension GroupRow {
    init(_ row: Brokerfs_State_Group) {
        number = row.number
        hasRecord = row.hasRecord_p
        memberCount = row.memberCount
        memberBytes = row.memberBytes
        membersModifiedAt = Timestamp(row.membersModifiedAt)
        modifiedAt = Timestamp(row.modifiedAt)
        version = row.version
    }

    var row: Brokerfs_State_Group {
        var row = Brokerfs_State_Group()
        row.number = number
        row.hasRecord_p = hasRecord
        row.memberCount = memberCount
        row.memberBytes = memberBytes
        row.membersModifiedAt = membersModifiedAt.message
        row.modifiedAt = modifiedAt.message
        row.version = version
        return row
    }
}

extension StatisticsRow {
    init(_ row: Brokerfs_State_Statistics) {
        number = row.number
        count = row.count
        documentBytes = row.documentBytes
        modifiedAt = Timestamp(row.modifiedAt)
    }

    var row: Brokerfs_State_Statistics {
        var row = Brokerfs_State_Statistics()
        row.number = number
        row.count = count
        row.documentBytes = documentBytes
        row.modifiedAt = modifiedAt.message
        return row
    }
}

extension Ring {
    init(_ row: Brokerfs_State_Ring) {
        // One that ends before it begins holds nothing.
        self.init(first: min(row.first, row.end), end: row.end)
    }

    var row: Brokerfs_State_Ring {
        var row = Brokerfs_State_Ring()
        row.first = first
        row.end = end
        return row
    }
}
