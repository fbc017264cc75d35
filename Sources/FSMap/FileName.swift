// SPDX-License-Identifier: Apache-2.0

import Identity

/// What an id is called in a directory, and which id a name stands for.
///
/// Source: PRODUCT section 3. `[A-Za-z0-9_+@=,:.-]` stands for itself (not a leading `.`), every
/// other byte is `%XX` in upper case. Names over 200 bytes are cut to 160, `~` and a digest.
///
/// INVARIANT: each id has exactly one name; a name that is not the one of an id does not exist.
package enum FileName {
    static let bytesMax = 200
    static let cutBytesMax = 160
    static let suffixBytes = 26
    private static let cutMark = UInt8(ascii: "~")

    /// What a name says about its id.
    package enum Decoded: Equatable, Sendable {
        case id(String)
        /// The id was too long for a name: it is the one whose ``Digest/nameSuffix(of:)`` this is.
        case cut(suffix: String)
    }

    /// The one name of an id: printable ASCII, at most 200 bytes.
    package static func encode(_ id: String) -> String {
        isItsOwnName(id) ? id : escape(id)
    }

    /// Whether nothing of an id is escaped or cut: most ids are like that, and most names.
    private static func isItsOwnName(_ id: String) -> Bool {
        id.utf8.count <= bytesMax && id.utf8.first != UInt8(ascii: ".")
            && id.utf8.allSatisfy { isPlain($0, at: 1) }
    }

    private static func escape(_ id: String) -> String {
        var name: [UInt8] = []
        var cut = 0
        for (index, byte) in id.utf8.enumerated() {
            if isPlain(byte, at: index) {
                name.append(byte)
            } else {
                name.append(UInt8(ascii: "%"))
                name.append(digits[Int(byte >> 4)])
                name.append(digits[Int(byte & 15)])
            }
            if name.count <= cutBytesMax { cut = name.count }
        }
        guard name.count > bytesMax else { return String(decoding: name, as: UTF8.self) }
        let prefix = String(decoding: name[..<cut], as: UTF8.self)
        return "\(prefix)~\(Digest.nameSuffix(of: id))"
    }

    /// Reads a name; nil where it is the name of nothing.
    ///
    /// The id of a cut name has to be looked up and its ``encode(_:)`` compared with the name.
    package static func decode(_ name: String) -> Decoded? {
        guard !name.isEmpty, name.utf8.count <= bytesMax else { return nil }
        if isItsOwnName(name) { return .id(name) }
        let bytes = Array(name.utf8)
        if let mark = bytes.firstIndex(of: cutMark) { return decodeCut(bytes, mark: mark) }
        guard let id = unescape(bytes[...]) else { return nil }
        return String(validating: id, as: UTF8.self).map { .id($0) }
    }

    private static func decodeCut(_ bytes: [UInt8], mark: Int) -> Decoded? {
        let suffix = bytes[(mark + 1)...]
        guard (cutBytesMax - 2...cutBytesMax).contains(mark), suffix.count == suffixBytes,
            suffix.allSatisfy(isBase32), unescape(bytes[..<mark]) != nil
        else { return nil }
        return .cut(suffix: String(decoding: suffix, as: UTF8.self))
    }

    /// The bytes behind the escapes; nil where a byte is not written in its one way.
    private static func unescape(_ name: ArraySlice<UInt8>) -> [UInt8]? {
        var id: [UInt8] = []
        id.reserveCapacity(name.count)
        var index = name.startIndex
        while index < name.endIndex {
            let byte = name[index]
            if isPlain(byte, at: id.count) {
                id.append(byte)
                index += 1
                continue
            }
            guard byte == UInt8(ascii: "%"), index + 2 < name.endIndex,
                let high = digits.firstIndex(of: name[index + 1]),
                let low = digits.firstIndex(of: name[index + 2])
            else { return nil }
            let escaped = UInt8(high << 4 | low)
            guard !isPlain(escaped, at: id.count) else { return nil }
            id.append(escaped)
            index += 3
        }
        return id
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    private static func isBase32(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "2")...UInt8(ascii: "7"): true
        default: false
        }
    }

    private static func isPlain(_ byte: UInt8, at index: Int) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"),
            UInt8(ascii: "@"), UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: ":"),
            UInt8(ascii: "-"):
            true
        case UInt8(ascii: "."): index > 0
        default: false
        }
    }
}
