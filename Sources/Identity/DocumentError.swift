// SPDX-License-Identifier: Apache-2.0

/// Why a document a user wrote is refused.
///
/// Nothing of it has been stored.
package enum DocumentError: Error, Equatable, Sendable {
    /// Not JSON, or JSON that is not of the message: what the parser said.
    case malformed(String)
    /// A field the message does not have.
    case unknownField(String)
    /// The document names another id than the file.
    case idMismatch(document: String, expected: String)
    /// An id that no record may have.
    case invalidID(String)
    /// A `[hidden …]` marker that does not stand for what is stored.
    case hiddenMismatch(field: String)
    /// Larger than the limit, both in bytes.
    case tooLarge(bytes: Int, limit: Int)
    /// The payload is not a valid message of its type.
    case undecodable(type: String)
    /// Another error with its place; line and column count from 1, the column in bytes.
    case located(line: Int, column: Int, field: String?, reason: String)
}

extension DocumentError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let reason): "not a valid document: \(reason)"
        case .unknownField(let name): "unknown field \"\(name)\""
        case .idMismatch(let document, let expected):
            "the document's id is \"\(document)\", the record's is \"\(expected)\""
        case .invalidID(let reason): reason
        case .hiddenMismatch(let field):
            "\(field) holds a [hidden] marker that does not match the stored secret"
        case .tooLarge(let bytes, let limit): "\(bytes) bytes, at most \(limit) are allowed"
        case .undecodable(let type): "the payload is not a valid \(type)"
        case .located(let line, let column, let field, let reason):
            "line \(line), column \(column)\(field.map { " (\($0))" } ?? ""): \(reason)"
        }
    }
}
