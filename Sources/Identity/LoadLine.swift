// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// One JSON line of `brokerfs load`: `{"type":…,"id":…,"data":{…}}` or `"deleted": true`.
package enum LoadLine {
    /// Reads a line into a write; `data` is the protobuf JSON of the type's message.
    package static func parse(_ line: String) throws(DocumentError) -> RecordWrite {
        let members = try Members(Array(line.utf8))
        guard let type = try members.text("type").map(RecordType.init(nameOrURL:)),
            !type.url.isEmpty
        else { throw .malformed("\"type\" is missing") }
        guard let id = try members.text("id") else { throw .malformed("\"id\" is missing") }
        try RecordID.validate(id)
        try RecordID.validate(type.url)
        if try members.flag("deleted") == true { return RecordWrite(delete: type, id: id) }
        guard let data = try members.object("data") else {
            throw .malformed("\"data\" is missing")
        }
        guard type == .context else { return try Document.parse(data, type: type, id: id) }
        let context: Brokerfs_Context = try Document.message(from: data)
        return try Document.write(
            Record(type: type, id: id, payload: Document.serialized(context))
        )
    }
}

/// The members of a line, cut out as they are: `data` is read once, as what it is.
private struct Members {
    private static let names = ["type", "id", "data", "deleted"]

    private let bytes: [UInt8]
    private var values: [String: Range<Int>] = [:]

    init(_ bytes: [UInt8]) throws(DocumentError) {
        self.bytes = bytes
        let outline = JSONOutline(bytes, keyDepthMax: 1)
        guard outline.errorOffset == nil else {
            // The parser says what is wrong with it.
            let _: Google_Protobuf_Struct = try Document.message(from: bytes)
            throw .malformed("not JSON")
        }
        for key in outline.keys {
            guard Self.names.contains(key.path) else { throw .unknownField(key.path) }
            guard values.updateValue(key.value, forKey: key.path) == nil else {
                throw .malformed("\"\(key.path)\" is there twice")
            }
        }
    }

    func text(_ name: String) throws(DocumentError) -> String? {
        guard let value = bytes(of: name) else { return nil }
        let message = try? Google_Protobuf_StringValue(jsonUTF8Bytes: value)
        guard value.first == UInt8(ascii: "\""), let message else { throw Self.wrongType(name) }
        return message.value
    }

    func flag(_ name: String) throws(DocumentError) -> Bool? {
        switch bytes(of: name) {
        case nil: nil
        case Array("true".utf8): true
        case Array("false".utf8): false
        default: throw Self.wrongType(name)
        }
    }

    func object(_ name: String) throws(DocumentError) -> [UInt8]? {
        guard let value = bytes(of: name) else { return nil }
        guard value.first == UInt8(ascii: "{") else { throw Self.wrongType(name) }
        return value
    }

    private func bytes(of name: String) -> [UInt8]? { values[name].map { Array(bytes[$0]) } }

    private static func wrongType(_ name: String) -> DocumentError {
        .malformed("\"\(name)\" has the wrong type")
    }
}
