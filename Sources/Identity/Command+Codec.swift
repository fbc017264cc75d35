// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import SwiftProtobuf

/// The bytes of a command in the log; Protos/brokerfs/command.proto.
extension Command {
    /// Serializes the command; the same command gives the same bytes.
    package func encoded() -> [UInt8] {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        // Serialization fails only where a required field is missing; proto3 has none.
        guard let bytes: [UInt8] = try? message.serializedBytes(options: options) else {
            preconditionFailure("a command always serializes")
        }
        return bytes
    }

    /// Reads what ``encoded()`` wrote.
    ///
    /// Throws ``DocumentError/undecodable(type:)`` for anything else: the log entry is not ours.
    package init(decoding bytes: [UInt8]) throws(DocumentError) {
        guard let message = try? Brokerfs_Command_Command(serializedBytes: bytes) else {
            throw .undecodable(type: "command")
        }
        try self.init(message)
    }

    /// Reads the protobuf form, from the log or from the admin socket.
    package init(_ message: Brokerfs_Command_Command) throws(DocumentError) {
        let kind: Kind
        switch message.kind {
        case .put(let put): kind = .put(put.writes.map(RecordWrite.init))
        case .patch(let patch):
            kind = .patch(patch.writes.map(RecordWrite.init), paths: patch.paths)
        case .revoke(let revoke):
            guard let target = RevocationTarget(revoke) else {
                throw .undecodable(type: "revocation")
            }
            kind = .revoke(target, reason: revoke.reason)
        case .changeMembers(let change):
            kind = .changeMembers(
                MembershipChange(
                    group: change.group,
                    add: change.add,
                    remove: change.remove,
                    replace: change.replace
                )
            )
        case .deleteGroup(let delete): kind = .deleteGroup(delete.group)
        case .setOptions(let set):
            kind = .setOptions(RecordType(set.type), RecordOptions(set.options))
        case .maintain(let maintain):
            kind = .maintain(
                changeRetentionSeconds: maintain.changeRetentionSeconds,
                recordsMax: maintain.recordsMax
            )
        case .beginHistory(let serverVersion): kind = .beginHistory(serverVersion: serverVersion)
        case .describeMember(let describe): kind = .describeMember(GroupMember(describe.member))
        case nil: throw .undecodable(type: "command")
        }
        self.init(
            at: Timestamp(message.at),
            kind: kind,
            origin: message.hasOrigin ? RequestOrigin(message.origin) : nil
        )
    }

    /// The protobuf form.
    package var message: Brokerfs_Command_Command {
        var message = Brokerfs_Command_Command()
        message.at = at.message
        if let origin { message.origin = origin.message }
        switch kind {
        case .put(let writes): message.put.writes = writes.map(\.message)
        case .patch(let writes, let paths):
            message.patch.writes = writes.map(\.message)
            message.patch.paths = paths
        case .revoke(let target, let reason): message.revoke = target.message(reason: reason)
        case .changeMembers(let change):
            message.changeMembers.group = change.group
            message.changeMembers.add = change.add
            message.changeMembers.remove = change.remove
            message.changeMembers.replace = change.replace
        case .deleteGroup(let group): message.deleteGroup.group = group
        case .setOptions(let type, let options):
            message.setOptions.type = type.url
            message.setOptions.options = options.message
        case .maintain(let retention, let recordsMax):
            message.maintain.changeRetentionSeconds = retention
            message.maintain.recordsMax = recordsMax
        case .beginHistory(let serverVersion): message.beginHistory = serverVersion
        case .describeMember(let member): message.describeMember.member = member.message
        }
        return message
    }
}

extension RequestOrigin {
    fileprivate init(_ message: Brokerfs_Command_Origin) {
        self.init(client: message.client, sequence: message.sequence)
    }

    fileprivate var message: Brokerfs_Command_Origin {
        var message = Brokerfs_Command_Origin()
        message.client = client
        message.sequence = sequence
        return message
    }
}

extension RevocationTarget {
    fileprivate init?(_ message: Brokerfs_Command_Revoke) {
        switch message.target {
        case .session(let id): self = .session(id)
        case .user(let id): self = .user(id)
        case .group(let id): self = .group(id)
        case .serviceAccount(let id): self = .serviceAccount(id)
        case nil: return nil
        }
    }

    fileprivate func message(reason: String) -> Brokerfs_Command_Revoke {
        var message = Brokerfs_Command_Revoke()
        switch self {
        case .session(let id): message.session = id
        case .user(let id): message.user = id
        case .group(let id): message.group = id
        case .serviceAccount(let id): message.serviceAccount = id
        }
        message.reason = reason
        return message
    }
}

extension RecordWrite {
    fileprivate init(_ message: Brokerfs_Command_Write) {
        type = RecordType(message.type)
        id = message.id
        facts = RecordFacts(message.facts)
        expectedVersion = message.hasExpectedVersion ? message.expectedVersion : nil
        guard message.hasPayload else { return }
        record = Record(
            type: type,
            id: id,
            payload: [UInt8](message.payload),
            dataTypeURL: message.dataTypeURL.isEmpty ? nil : message.dataTypeURL
        )
    }

    fileprivate var message: Brokerfs_Command_Write {
        var message = Brokerfs_Command_Write()
        message.type = type.url
        message.id = id
        if let expectedVersion { message.expectedVersion = expectedVersion }
        if let record {
            message.payload = Data(record.payload)
            if record.dataTypeURL != type.dataTypeURL { message.dataTypeURL = record.dataTypeURL }
            message.facts = facts.message
        }
        return message
    }
}

extension RecordFacts {
    /// Reads the protobuf form.
    package init(_ message: Brokerfs_State_Facts) {
        userID = message.userID
        groupIDs = message.groupIds
        expiresAt = message.hasExpiresAt ? Timestamp(message.expiresAt) : nil
        documentBytes = message.documentBytes
    }

    /// The protobuf form.
    package var message: Brokerfs_State_Facts {
        var message = Brokerfs_State_Facts()
        message.userID = userID
        message.groupIds = groupIDs
        if let expiresAt { message.expiresAt = expiresAt.message }
        message.documentBytes = documentBytes
        return message
    }
}

extension RecordOptions {
    /// Reads the protobuf form.
    package init(_ message: Databroker_Options) {
        self.init(
            capacity: message.hasCapacity ? message.capacity : nil,
            ttlSeconds: message.hasTtl ? message.ttl.seconds : nil
        )
        ttlNanoseconds = message.hasTtl ? message.ttl.nanos : 0
        indexableFields = message.indexableFields
    }

    /// The protobuf form.
    package var message: Databroker_Options {
        var message = Databroker_Options()
        if let capacity { message.capacity = capacity }
        if let ttlSeconds {
            message.ttl = .with {
                $0.seconds = ttlSeconds
                $0.nanos = ttlNanoseconds
            }
        }
        message.indexableFields = indexableFields
        return message
    }
}
