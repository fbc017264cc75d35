// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// Where in a document the cause of a refusal is.
extension Document {
    /// The same error with line, column and field, as far as they can be found.
    package static func located(
        _ error: DocumentError,
        in bytes: [UInt8],
        type: RecordType
    ) -> DocumentError {
        let outline = JSONOutline(bytes)
        switch error {
        case .malformed:
            if let offset = outline.errorOffset { return at(offset, nil, outline, error) }
            let key = outline.keys.first { !$0.path.contains(".") && !isTaken($0, bytes, type) }
            return key.map { at($0.offset, $0.path, outline, error) } ?? error
        case .unknownField(let name): return at(field: name, outline, error)
        case .hiddenMismatch(let field): return at(field: field, outline, error)
        case .idMismatch: return at(field: "id", outline, error)
        default: return error
        }
    }

    private static func at(
        field: String,
        _ outline: JSONOutline,
        _ error: DocumentError
    ) -> DocumentError {
        let key = outline.keys.first { $0.path == field || $0.path.hasSuffix(".\(field)") }
        return key.map { at($0.offset, $0.path, outline, error) } ?? error
    }

    private static func at(
        _ offset: Int,
        _ field: String?,
        _ outline: JSONOutline,
        _ error: DocumentError
    ) -> DocumentError {
        let (line, column) = outline.position(of: offset)
        return .located(line: line, column: column, field: field, reason: error.description)
    }

    /// Whether the message takes this one member.
    private static func isTaken(
        _ key: JSONOutline.Key,
        _ bytes: [UInt8],
        _ type: RecordType
    ) -> Bool {
        let member = Array("{".utf8) + bytes[key.offset..<key.value.upperBound] + Array("}".utf8)
        return switch type {
        case .session: (try? Session_Session(jsonUTF8Bytes: member)) != nil
        case .user: (try? User_User(jsonUTF8Bytes: member)) != nil
        case .serviceAccount: (try? User_ServiceAccount(jsonUTF8Bytes: member)) != nil
        default: true
        }
    }
}
