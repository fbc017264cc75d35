// SPDX-License-Identifier: Apache-2.0

package import Identity

/// The lines of `events/all.jsonl`: one JSON object a change, the newest at the end.
///
/// Held in pieces, so that copying the log is cheap and appending to a copied log copies one
/// piece at most. Where changes are missing, a line says so: see ``gap(through:)``.
///
/// INVARIANT: every piece ends at the end of a line; all of them hold at most `bytesMax` bytes.
package struct EventLog: Sendable {
    private struct Piece {
        /// Where it begins in the file.
        var start: Int
        /// The first change in it.
        var firstVersion: UInt64
        var bytes: [UInt8]
    }

    private static let pieceBytes = 64 << 10

    private var pieces: [Piece] = []
    private var lastVersion: UInt64 = 0
    private let bytesMax: Int
    /// Goes up when the older half is dropped: the file is another one then, as after a rotation.
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
        if change.version > lastVersion + 1 {
            add(Self.gap(through: change.version - 1), version: change.version)
        }
        let line = Self.line(of: change)
        // A reason may be long; a line that would drop all others is told as a gap.
        let isFit = line.count <= bytesMax / 8
        add(isFit ? line : Self.gap(through: change.version), version: change.version)
        lastVersion = change.version
        modifiedAt = max(modifiedAt, change.at)
    }

    /// At most `count` bytes from `offset` on.
    package func bytes(from offset: UInt64, count: Int) -> [UInt8] {
        guard offset < UInt64(sizeBytes), count > 0 else { return [] }
        let start = Int(offset)
        let end = start + min(count, sizeBytes - start)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(end - start)
        for piece in pieces[indexOfPiece(at: start)...] {
            guard piece.start < end else { break }
            let lower = max(0, start - piece.start)
            let upper = min(piece.bytes.count, end - piece.start)
            bytes.append(contentsOf: piece.bytes[lower..<upper])
        }
        return bytes
    }

    /// All lines at this moment.
    package var bytes: [UInt8] { bytes(from: 0, count: sizeBytes) }

    private func indexOfPiece(at offset: Int) -> Int {
        var (low, high) = (0, pieces.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if pieces[middle].start <= offset { low = middle } else { high = middle }
        }
        return low
    }

    private var pieceSize: Int { min(Self.pieceBytes, bytesMax / 8) }

    private mutating func add(_ line: [UInt8], version: UInt64) {
        if sizeBytes + line.count > bytesMax { dropOlderHalf(next: version) }
        if let last = pieces.last, last.bytes.count + line.count <= pieceSize {
            pieces[pieces.count - 1].bytes.append(contentsOf: line)
        } else {
            pieces.append(Piece(start: sizeBytes, firstVersion: version, bytes: line))
        }
        sizeBytes += line.count
    }

    /// The file begins anew with the newer half, and says in its first line what it lacks.
    private mutating func dropOlderHalf(next: UInt64) {
        let kept = pieces.drop { $0.start + $0.bytes.count <= sizeBytes - bytesMax / 2 }
        let first = kept.first?.firstVersion ?? next
        pieces = []
        sizeBytes = 0
        add(Self.gap(through: first - 1), version: first)
        for var piece in kept {
            piece.start = sizeBytes
            sizeBytes += piece.bytes.count
            pieces.append(piece)
        }
        generation += 1
    }
}

/// What a line says; the same wherever changes are shown.
extension EventLog {
    /// `{"gap":true,"dropped_through":…}`: changes up to this version are not shown.
    ///
    /// Who has seen that version has missed nothing.
    package static func gap(through version: UInt64) -> [UInt8] {
        Array("{\"gap\":true,\"dropped_through\":\(version)}\n".utf8)
    }

    /// `{"version":…,"time":…,"op":…,"type":…,"id":…,"user":…,"reason":…}` and a line feed.
    package static func line(of change: Change) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(192)
        line.append(contentsOf: "{\"version\":\(change.version)".utf8)
        append(",\"time\":\"", change.at.text, to: &line)
        append(",\"op\":\"", change.kind.rawValue, to: &line)
        append(",\"type\":\"", change.type.name, to: &line)
        append(",\"id\":\"", change.id, to: &line)
        if !change.userID.isEmpty { append(",\"user\":\"", change.userID, to: &line) }
        if !change.reason.isEmpty { append(",\"reason\":\"", change.reason, to: &line) }
        line.append(contentsOf: "}\n".utf8)
        return line
    }

    private static func append(_ opening: String, _ value: String, to line: inout [UInt8]) {
        line.append(contentsOf: opening.utf8)
        JSONText.append(value, to: &line)
        line.append(UInt8(ascii: "\""))
    }
}
