// SPDX-License-Identifier: Apache-2.0

/// One piece of identity state: a type, an id and a message, kept byte for byte.
///
/// Source: the databroker contract, `databroker.Record`. The payload is the serialized message;
/// fields brokerfs does not know stay in it untouched.
package struct Record: Equatable, Sendable {
    package var type: RecordType
    package var id: String
    /// The type URL of `payload`; for directory types `google.protobuf.Struct`.
    package var dataTypeURL: String
    package var payload: [UInt8]

    /// Makes a record whose payload is of the type's own message.
    package init(type: RecordType, id: String, payload: [UInt8], dataTypeURL: String? = nil) {
        self.type = type
        self.id = id
        self.payload = payload
        self.dataTypeURL = dataTypeURL ?? type.dataTypeURL
    }
}

/// What indexes and attributes need to know of a payload, extracted once by the leader.
///
/// Facts travel in the command, so that applying it neither decodes the payload nor depends on
/// how a later version of brokerfs renders it.
package struct RecordFacts: Equatable, Sendable {
    /// The principal a session or service account acts for; empty where the type has none.
    package var userID = ""
    /// The groups of a directory user, in the payload's order without repetition.
    package var groupIDs: [String] = []
    /// When the record ends by itself.
    package var expiresAt: Timestamp?
    /// Size of the rendered document in bytes, tokens hidden.
    package var documentBytes: UInt32 = 0

    /// Facts of a payload nothing is known of.
    package init() {}
}

/// A stored record without its payload.
package struct RecordHeader: Equatable, Sendable {
    /// Unique in this history and never given twice; the base of the inode number.
    package var number: UInt64
    /// The place of the last change in the one order of all changes.
    package var version: UInt64
    package var modifiedAt: Timestamp
    package var dataTypeURL: String
    package var facts: RecordFacts

    /// Makes a header from its parts.
    package init(
        number: UInt64,
        version: UInt64,
        modifiedAt: Timestamp,
        dataTypeURL: String,
        facts: RecordFacts
    ) {
        self.number = number
        self.version = version
        self.modifiedAt = modifiedAt
        self.dataTypeURL = dataTypeURL
        self.facts = facts
    }
}

/// A record as the store holds it.
package struct StoredRecord: Equatable, Sendable {
    package var record: Record
    package var header: RecordHeader

    /// Joins a record and its header.
    package init(record: Record, header: RecordHeader) {
        self.record = record
        self.header = header
    }
}
