// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing

/// A committed file below `examples/data` and what makes it.
struct ExampleFile {
    /// The name below `examples/data`.
    let name: String

    private var path: String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(root)/examples/data/\(name)"
    }

    /// Compares the file with `lines`, or writes it where `BROKERFS_REWRITE=1` is set.
    func expect(_ lines: [String]) throws {
        let content = lines.map { $0 + "\n" }.joined()
        if ProcessInfo.processInfo.environment["BROKERFS_REWRITE"] == "1" {
            try content.write(toFile: path, atomically: true, encoding: .utf8)
        }
        let committed = try String(contentsOfFile: path, encoding: .utf8)
        let old = committed.split(separator: "\n")
        for (number, pair) in zip(old, lines).enumerated() where pair.0 != pair.1 {
            Issue.record("\(name) differs in line \(number + 1); BROKERFS_REWRITE=1 rewrites it")
            return
        }
        #expect(committed == content, "\(name) has \(old.count) lines, \(lines.count) are made")
    }
}
