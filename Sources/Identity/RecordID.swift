// SPDX-License-Identifier: Apache-2.0

/// The rules for ids: almost anything goes, what cannot be a line or a C string does not.
package enum RecordID {
    /// Checks an id at the door.
    ///
    /// An id has 1 to ``Limits/idBytesMax`` bytes of UTF-8 and neither NUL nor a line feed: NUL
    /// separates keys in the store, a line feed separates lines in `members`.
    package static func validate(_ id: String) throws(DocumentError) {
        let bytes = id.utf8
        guard !bytes.isEmpty else { throw .invalidID("an id must not be empty") }
        guard bytes.count <= Limits.idBytesMax else {
            throw .invalidID(
                "an id has \(bytes.count) bytes, at most \(Limits.idBytesMax) are allowed"
            )
        }
        guard !bytes.contains(0) else { throw .invalidID("an id must not contain NUL") }
        guard !bytes.contains(UInt8(ascii: "\n")) else {
            throw .invalidID("an id must not contain a line feed")
        }
    }

    /// Splits the id of a context record into its source and its key.
    package static func contextParts(
        _ id: String
    ) throws(DocumentError) -> (source: String, key: String) {
        // As bytes: a combining character after the slash makes another `Character` of both.
        guard let slash = id.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            throw .invalidID("the id of a context record is source/key")
        }
        let source = String(id[..<slash])
        let key = String(id[id.utf8.index(after: slash)...])
        guard !source.isEmpty, !key.isEmpty else {
            throw .invalidID("the id of a context record is source/key, neither may be empty")
        }
        return (source, key)
    }
}
