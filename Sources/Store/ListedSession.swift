// SPDX-License-Identifier: Apache-2.0

import Identity

/// A session in the listing of its user, with all that its removal has to know.
///
/// Revoking every session of a user reads one run of these rows instead of a header for each.
///
/// INVARIANT: says what the session's header says; the two change in one batch.
struct ListedSession: Equatable {
    var id: String
    var number: UInt64
    var expiresAt: Timestamp?
    var documentBytes: UInt32

    private static let tailBytes = 17

    init(_ id: String, _ header: RecordHeader) {
        self.id = id
        number = header.number
        expiresAt = header.facts.expiresAt
        documentBytes = header.facts.documentBytes
    }

    /// Reads a row; one that ends early means that the store is damaged.
    init(number: UInt64, row: [UInt8]) throws(StoreError) {
        let idBytes = row.count - Self.tailBytes
        guard idBytes > 0, row[idBytes] == 0 else {
            throw .corrupt(path: "", reason: "listed session \(number) is cut short")
        }
        func integer(at place: Int, bytes: Int) -> UInt64 {
            row[(idBytes + place)..<(idBytes + place + bytes)].reduce(0) { $0 << 8 | UInt64($1) }
        }
        id = String(decoding: row[..<idBytes], as: UTF8.self)
        self.number = number
        let seconds = Int64(bitPattern: integer(at: 1, bytes: 8))
        let nanoseconds = UInt32(integer(at: 9, bytes: 4))
        expiresAt =
            nanoseconds == .max
            ? nil : Timestamp(seconds: seconds, nanoseconds: Int32(nanoseconds))
        documentBytes = UInt32(integer(at: 13, bytes: 4))
    }

    /// The id, NUL, expiry (seconds, nanoseconds; all ones for never), size of the document.
    var row: [UInt8] {
        var row: [UInt8] = []
        row.reserveCapacity(id.utf8.count + Self.tailBytes)
        row.append(contentsOf: id.utf8)
        row.append(0)
        row += Key.bigEndian(UInt64(bitPattern: expiresAt?.seconds ?? 0))
        let nanoseconds = expiresAt.map { UInt32($0.nanoseconds) } ?? .max
        row += Key.bigEndian(UInt64(nanoseconds) << 32 | UInt64(documentBytes))
        return row
    }

    /// The header as far as a removal reads it; its version is not known here.
    func header(ofUser user: String) -> RecordHeader {
        var facts = RecordFacts()
        facts.userID = user
        facts.expiresAt = expiresAt
        facts.documentBytes = documentBytes
        return RecordHeader(
            number: number,
            version: 0,
            modifiedAt: .epoch,
            dataTypeURL: RecordType.session.dataTypeURL,
            facts: facts
        )
    }
}
