// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// One JSON line of `brokerfs load`: `{"type":…,"id":…,"data":{…}}` or `"deleted": true`.
package enum LoadLine {
    /// Reads a line into a write; `data` is the protobuf JSON of the type's message.
    package static func parse(_ line: String) throws(DocumentError) -> RecordWrite {
        let object: Google_Protobuf_Struct = try Document.message(from: Array(line.utf8))
        var type: RecordType?
        var id: String?
        var data: Google_Protobuf_Struct?
        var deleted = false
        for key in object.fields.keys.sorted() {
            switch (key, object.fields[key]?.kind) {
            case ("type", .stringValue(let text)?): type = RecordType(nameOrURL: text)
            case ("id", .stringValue(let text)?): id = text
            case ("data", .structValue(let value)?): data = value
            case ("deleted", .boolValue(let flag)?): deleted = flag
            case ("type", _), ("id", _), ("data", _), ("deleted", _):
                throw .malformed("\"\(key)\" has the wrong type")
            default: throw .unknownField(key)
            }
        }
        guard let type, !type.url.isEmpty else { throw .malformed("\"type\" is missing") }
        guard let id else { throw .malformed("\"id\" is missing") }
        try RecordID.validate(id)
        try RecordID.validate(type.url)
        if deleted { return RecordWrite(delete: type, id: id) }
        guard let data else { throw .malformed("\"data\" is missing") }
        return try write(type, id: id, data: data)
    }

    private static func write(
        _ type: RecordType,
        id: String,
        data: Google_Protobuf_Struct
    ) throws(DocumentError) -> RecordWrite {
        guard let json: [UInt8] = try? data.jsonUTF8Bytes() else {
            throw .malformed("\"data\" is not JSON")
        }
        guard type == .context else { return try Document.parse(json, type: type, id: id) }
        let context: Brokerfs_Context = try Document.message(from: json)
        return try Document.write(
            Record(type: type, id: id, payload: Document.serialized(context))
        )
    }
}
