// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// What the command line says, and to whom.
enum Console {
    /// One line on stdout.
    static func line(_ text: String) {
        write(text + "\n", to: STDOUT_FILENO)
    }

    /// One line on stderr.
    static func error(_ text: String) {
        write(text + "\n", to: STDERR_FILENO)
    }

    /// A value as JSON on stdout: sorted keys, two spaces.
    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Writes all of `text`; a closed pipe ends the process quietly, as it does for other tools.
    static func write(_ text: String, to descriptor: Int32) {
        if !writeAll(Array(text.utf8)[...], to: descriptor) {
            Glibc.exit(Code.failure.rawValue)
        }
    }

    /// Writes all of `bytes`; false where that fails.
    static func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        var bytes = bytes
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return false
            }
            bytes = bytes.dropFirst(count)
        }
        return true
    }

    static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }
}

/// A bar on a terminal's stderr; nothing in a pipe.
struct ProgressBar {
    private let label: String
    private let total: UInt64
    private var shownTenths: UInt64 = .max

    /// `total` is in the unit of `advance`.
    init(_ label: String, total: UInt64) {
        self.label = label
        self.total = max(total, 1)
    }

    /// Draws the bar where it has moved by a thousandth or more.
    mutating func show(_ done: UInt64) {
        guard Console.isTerminal else { return }
        let tenths = min(done, total) * 1000 / total
        guard tenths != shownTenths else { return }
        shownTenths = tenths
        let filled = Int(tenths / 40)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 25 - filled)
        Console.write(
            "\r\(label) [\(bar)] \(tenths / 10).\(tenths % 10) %",
            to: STDERR_FILENO
        )
    }

    /// Leaves the line.
    func finish() {
        guard Console.isTerminal else { return }
        Console.write("\r\u{1B}[K", to: STDERR_FILENO)
    }
}
