// SPDX-License-Identifier: Apache-2.0

import Glibc

/// One line of /proc/self/mountinfo; proc_pid_mountinfo(5).
struct MountTableLine: Equatable, Sendable {
    /// Of `st_dev`; names the connection in /sys/fs/fuse/connections.
    var deviceMinor: UInt32
    var directory: String
    var type: String

    /// Parses a line.
    ///
    /// Nil: it is not one.
    init?(_ line: Substring) {
        let halves = line.split(separator: " - ", maxSplits: 1)
        guard halves.count == 2 else { return nil }
        let fields = halves[0].split(separator: " ")
        let rest = halves[1].split(separator: " ", omittingEmptySubsequences: false)
        guard fields.count >= 5, let type = rest.first else { return nil }
        guard let minor = fields[2].split(separator: ":").last.flatMap({ UInt32($0) }) else {
            return nil
        }
        deviceMinor = minor
        directory = Self.unescaped(fields[4])
        self.type = String(type)
    }

    /// Space, tab, newline and backslash are written as octal.
    private static func unescaped(_ text: Substring) -> String {
        guard text.contains("\\") else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What is mounted on a directory, the topmost of it.
    ///
    /// The path must be canonical.
    ///
    /// Reads only /proc, so it works on mounts that hang.
    static func topmost(on directory: String) -> MountTableLine? {
        readText("/proc/self/mountinfo").split(separator: "\n").reversed().lazy
            .compactMap { MountTableLine($0) }
            .first { $0.directory == directory }
    }
}

/// The text of a small file; empty where it cannot be read.
func readText(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        guard count > 0 else { break }
        text += buffer[..<count]
    }
    return String(decoding: text, as: UTF8.self)
}
