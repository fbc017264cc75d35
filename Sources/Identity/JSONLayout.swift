// SPDX-License-Identifier: Apache-2.0

/// Lays out one compact JSON object for people: two-space indent, one member a line.
///
/// Nested values stay on their line, with a space after each comma and colon. The input is what
/// swift-protobuf wrote, so it is known to be valid JSON; this is a layout, not a parser.
enum JSONLayout {
    /// Orders the members by `order` (others follow as they came) and lays the object out.
    static func layOut(_ compact: [UInt8], order: [String] = []) -> [UInt8] {
        let members = members(of: compact[...])
        guard !members.isEmpty else { return Array("{}\n".utf8) }
        var output: [UInt8] = []
        output.reserveCapacity(compact.count + compact.count / 4 + 16)
        output.append(contentsOf: "{\n".utf8)
        let keys = order.map { Array("\"\($0)\":".utf8) }
        var rest = members
        for key in keys {
            guard let index = rest.firstIndex(where: { $0.starts(with: key) }) else { continue }
            appendMember(rest.remove(at: index), to: &output)
        }
        for member in rest {
            appendMember(member, to: &output)
        }
        output.removeLast(2)
        output.append(contentsOf: "\n}\n".utf8)
        return output
    }

    /// Sorts the members of every object in `value` by the bytes of their keys.
    ///
    /// swift-protobuf writes a `google.protobuf.Struct` in the order of a dictionary, which is
    /// another one in every process; a document has one text.
    static func sorted(_ value: ArraySlice<UInt8>) -> [UInt8] {
        guard let first = value.first, let last = value.last else { return [] }
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            // Every number of a Struct is a double; a whole one is shown as it was written.
            let isWhole = first != UInt8(ascii: "\"") && value.suffix(2) == ArraySlice(".0".utf8)
            return Array(isWhole ? value.dropLast(2) : value)
        }
        var parts = members(of: value).map { part in
            guard first == UInt8(ascii: "{") else {
                return (key: part[..<part.startIndex], value: part)
            }
            let end = keyEnd(of: part)
            return (key: part[..<end], value: part[end...])
        }
        parts.sort { $0.key.lexicographicallyPrecedes($1.key) }
        let texts = parts.map { Array($0.key) + sorted($0.value) }
        return [first] + texts.joined(separator: [UInt8(ascii: ",")]) + [last]
    }

    /// Sorts everything inside of one member of an object.
    static func sortMembers(of key: String, in compact: [UInt8]) -> [UInt8] {
        let prefix = Array("\"\(key)\":".utf8)
        guard let member = members(of: compact[...]).first(where: { $0.starts(with: prefix) })
        else {
            return compact
        }
        let value = member.dropFirst(prefix.count)
        return Array(compact[..<value.startIndex]) + sorted(value)
            + Array(compact[value.endIndex...])
    }

    /// Where the value of a member begins: after the colon that ends its key.
    private static func keyEnd(of member: ArraySlice<UInt8>) -> Int {
        var scanner = StringScanner()
        for index in member.indices where !scanner.isInString(after: member[index]) {
            return index + 1
        }
        return member.endIndex
    }

    /// The members of the outermost object, each with its key, or the elements of an array.
    static func members(of compact: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var members: [ArraySlice<UInt8>] = []
        var scanner = StringScanner()
        var depth = 0
        var start = compact.startIndex + 1
        for index in compact.indices {
            let byte = compact[index]
            guard !scanner.isInString(after: byte) else { continue }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 0, index > start { members.append(compact[start..<index]) }
            case UInt8(ascii: ",") where depth == 1:
                members.append(compact[start..<index])
                start = index + 1
            default: break
            }
        }
        return members
    }

    private static func appendMember(_ member: ArraySlice<UInt8>, to output: inout [UInt8]) {
        output.append(contentsOf: "  ".utf8)
        var scanner = StringScanner()
        for byte in member {
            output.append(byte)
            guard !scanner.isInString(after: byte) else { continue }
            if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") {
                output.append(UInt8(ascii: " "))
            }
        }
        output.append(contentsOf: ",\n".utf8)
    }

    /// Knows whether the byte just seen belongs to a string.
    private struct StringScanner {
        private var inString = false
        private var escaped = false

        mutating func isInString(after byte: UInt8) -> Bool {
            guard inString else {
                inString = byte == UInt8(ascii: "\"")
                return inString
            }
            if escaped {
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else if byte == UInt8(ascii: "\"") {
                inString = false
            }
            return true
        }
    }
}
