// SPDX-License-Identifier: Apache-2.0

package import Identity

/// The lines of `events/all.jsonl`: one JSON object a change, the newest at the end.
///
/// Held in pieces, so that copying the log is cheap and appending to a copied log copies one
/// piece at most.
///
/// INVARIANT: every piece ends at the end of a line; all of them hold at most `bytesMax` bytes.
package struct EventLog: Sendable {
    private static let pieceBytes = 64 << 10

    private var pieces: [[UInt8]] = []
    private let bytesMax: Int
    package private(set) var generation: UInt64
    package private(set) var sizeBytes = 0
    package private(set) var modifiedAt = Timestamp.epoch

    /// An empty log.
    ///
    /// A later process should start with another generation than an earlier one.
    package init(generation: UInt64 = 1, bytesMax: Int = Limits.eventBytesMax) {
        self.generation = generation
        self.bytesMax = bytesMax
    }

    /// Appends the line of a change; drops the older half where there is no room for it.
    package mutating func append(_ change: Change) {
        let line = Self.line(of: change)
        if sizeBytes + line.count > bytesMax { dropOlderHalf() }
        if let last = pieces.last, last.count + line.count <= pieceSize {
            pieces[pieces.count - 1].append(contentsOf: line)
        } else {
            pieces.append(line)
        }
        sizeBytes += line.count
        modifiedAt = max(modifiedAt, change.at)
    }

    /// All lines at this moment.
    package var text: EventText {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(sizeBytes)
        for piece in pieces { bytes.append(contentsOf: piece) }
        return EventText(generation: generation, bytes: bytes, modifiedAt: modifiedAt)
    }

    private var pieceSize: Int { min(Self.pieceBytes, bytesMax / 8) }

    private mutating func dropOlderHalf() {
        var dropped = 0
        while dropped < pieces.count, sizeBytes > bytesMax / 2 {
            sizeBytes -= pieces[dropped].count
            dropped += 1
        }
        pieces.removeFirst(dropped)
        generation += 1
    }

    /// `{"version":…,"time":…,"op":…,"type":…,"id":…,"user":…,"reason":…}` and a line feed.
    static func line(of change: Change) -> [UInt8] {
        var line = Array("{\"version\":\(change.version)".utf8)
        append("time", change.at.text, to: &line)
        append("op", change.kind.rawValue, to: &line)
        append("type", change.type.name, to: &line)
        append("id", change.id, to: &line)
        if !change.userID.isEmpty { append("user", change.userID, to: &line) }
        if !change.reason.isEmpty { append("reason", change.reason, to: &line) }
        line.append(contentsOf: "}\n".utf8)
        return line
    }

    private static func append(_ key: String, _ value: String, to line: inout [UInt8]) {
        line.append(contentsOf: ",\"\(key)\":\"".utf8)
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            case UInt8(ascii: "\n"): line.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\t"): line.append(contentsOf: "\\t".utf8)
            case UInt8(ascii: "\r"): line.append(contentsOf: "\\r".utf8)
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                line.append(contentsOf: "\\u00".utf8)
                line.append(digits[Int(byte >> 4)])
                line.append(digits[Int(byte & 15)])
            default: line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}
