// SPDX-License-Identifier: Apache-2.0

/// Lays out one compact JSON object for people: two-space indent, one member a line.
///
/// Nested values stay on their line, with a space after each comma and colon. The input is what
/// swift-protobuf wrote, so it is known to be valid JSON; this is a layout, not a parser.
enum JSONLayout {
    /// Orders the members by `order` (others follow as they came) and lays the object out.
    ///
    /// Inside of the members of `sorting`, objects have their members sorted.
    static func layOut(
        _ compact: [UInt8],
        order: [String] = [],
        sorting: [String] = []
    ) -> [UInt8] {
        var rest = members(of: compact[...])
        guard !rest.isEmpty else { return Array("{}\n".utf8) }
        var output: [UInt8] = []
        output.reserveCapacity(compact.count + compact.count / 8 + 64)
        output.append(contentsOf: "{\n".utf8)
        let sorting = sorting.map(prefix(ofMember:))
        for key in order.map(prefix(ofMember:)) {
            guard let index = rest.firstIndex(where: { $0.starts(with: key) }) else { continue }
            let member = rest.remove(at: index)
            appendLine(sorting.contains(key) ? sortedMember(member, key) : member, to: &output)
        }
        for member in rest {
            let key = sorting.first { member.starts(with: $0) }
            appendLine(key.map { sortedMember(member, $0) } ?? member, to: &output)
        }
        output.removeLast(2)
        output.append(contentsOf: "\n}\n".utf8)
        return output
    }

    private static func prefix(ofMember key: String) -> [UInt8] { Array("\"\(key)\":".utf8) }

    private static func sortedMember(
        _ member: ArraySlice<UInt8>,
        _ key: [UInt8]
    )
        -> ArraySlice<UInt8>
    {
        var output = key
        appendSorted(member.dropFirst(key.count), to: &output)
        return output[...]
    }

    /// Sorts the members of every object in `value` by the bytes of their keys.
    ///
    /// swift-protobuf writes a `google.protobuf.Struct` in the order of a dictionary, which is
    /// another one in every process; a document has one text.
    static func sorted(_ value: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(value.count)
        appendSorted(value, to: &output)
        return output
    }

    private static func appendSorted(_ value: ArraySlice<UInt8>, to output: inout [UInt8]) {
        guard let first = value.first, let last = value.last else { return }
        guard first == openBrace || first == openBracket else {
            // Every number of a Struct is a double; a whole one is shown as it was written.
            let isWhole = first != quote && value.suffix(2).elementsEqual(".0".utf8)
            return output.append(contentsOf: isWhole ? value.dropLast(2) : value)
        }
        var parts = members(of: value).map { part in
            (part: part, valueStart: first == openBrace ? keyEnd(of: part) : part.startIndex)
        }
        if first == openBrace {
            parts.sort {
                $0.part[..<$0.valueStart].lexicographicallyPrecedes($1.part[..<$1.valueStart])
            }
        }
        output.append(first)
        for (part, valueStart) in parts {
            output.append(contentsOf: part[..<valueStart])
            appendSorted(part[valueStart...], to: &output)
            output.append(comma)
        }
        if !parts.isEmpty { output.removeLast() }
        output.append(last)
    }

    /// Where the value of a member begins: after the colon that ends its key.
    private static func keyEnd(of member: ArraySlice<UInt8>) -> Int {
        endOfString(in: member, from: member.startIndex) + 1
    }

    /// The members of the outermost object, each with its key, or the elements of an array.
    static func members(of compact: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var members: [ArraySlice<UInt8>] = []
        var depth = 0
        var start = compact.startIndex + 1
        var index = compact.startIndex
        while index < compact.endIndex {
            switch compact[index] {
            case quote:
                index = endOfString(in: compact, from: index)
                continue
            case openBrace, openBracket: depth += 1
            case closeBrace, closeBracket:
                depth -= 1
                if depth == 0, index > start { members.append(compact[start..<index]) }
            case comma where depth == 1:
                members.append(compact[start..<index])
                start = index + 1
            default: break
            }
            index += 1
        }
        return members
    }

    private static func appendLine(_ member: ArraySlice<UInt8>, to output: inout [UInt8]) {
        output.append(contentsOf: "  ".utf8)
        var copied = member.startIndex
        var index = member.startIndex
        while index < member.endIndex {
            let byte = member[index]
            guard byte != quote else {
                index = endOfString(in: member, from: index)
                continue
            }
            index += 1
            if byte == comma || byte == colon {
                output.append(contentsOf: member[copied..<index])
                output.append(UInt8(ascii: " "))
                copied = index
            }
        }
        output.append(contentsOf: member[copied...])
        output.append(contentsOf: ",\n".utf8)
    }

    /// The index after the closing quote of the string that opens at `start`.
    private static func endOfString(in text: ArraySlice<UInt8>, from start: Int) -> Int {
        var index = start + 1
        while text[index] != quote {
            index += text[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return index + 1
    }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
    private static let colon = UInt8(ascii: ":")
    private static let openBrace = UInt8(ascii: "{")
    private static let closeBrace = UInt8(ascii: "}")
    private static let openBracket = UInt8(ascii: "[")
    private static let closeBracket = UInt8(ascii: "]")
}
