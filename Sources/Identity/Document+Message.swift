// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// swift-protobuf's errors in our words, and its bytes the same on every node.
extension Document {
    /// Reads protobuf JSON; unknown fields are an error.
    static func message<M: Message>(from json: [UInt8]) throws(DocumentError) -> M {
        do {
            return try M(jsonUTF8Bytes: json)
        } catch let error as JSONDecodingError {
            throw explained(error)
        } catch {
            throw .malformed("\(error)")
        }
    }

    /// Serializes in a fixed order, so that equal messages are equal bytes.
    static func serialized(_ message: some Message) -> [UInt8] {
        var options = BinaryEncodingOptions()
        options.useDeterministicOrdering = true
        // Fails only for missing required fields and foreign Any payloads; ours have neither.
        guard let bytes: [UInt8] = try? message.serializedBytes(options: options) else {
            preconditionFailure("a proto3 message always serializes")
        }
        return bytes
    }

    private static func explained(_ error: JSONDecodingError) -> DocumentError {
        switch error {
        case .unknownField(let name): .unknownField(name)
        case .malformedTimestamp: .malformed("a time is not RFC 3339")
        case .malformedNumber, .numberRange, .leadingZero: .malformed("a number is not valid")
        case .malformedString: .malformed("a string is not valid")
        case .malformedBool: .malformed("a boolean is not valid")
        case .invalidUTF8: .malformed("not UTF-8")
        case .truncated: .malformed("the text ends before the document does")
        case .trailingGarbage: .malformed("there is more after the end of the document")
        case .schemaMismatch: .malformed("a value has the wrong type")
        case .messageDepthLimit: .malformed("nested too deeply")
        default: .malformed("not JSON (\(error))")
        }
    }
}
