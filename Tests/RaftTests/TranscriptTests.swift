// SPDX-License-Identifier: Apache-2.0

import Foundation
import Raft
import Testing

/// Plays of several members, compared line by line with what happened before.
///
/// `BROKERFS_REWRITE=1` writes the expected lines anew; commit only what you understand.
@Suite("transcripts")
struct TranscriptTests {
    private static let directory =
        URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .appendingPathComponent("testdata").path

    static let names: [String] =
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
        .filter { $0.hasSuffix(".txt") }.sorted()

    @Test("there are plays") func plays() {
        #expect(Self.names.count >= 35)
    }

    @Test("a play goes as it is written", arguments: names)
    func play(name: String) throws {
        let path = Self.directory + "/" + name
        let written = try String(contentsOfFile: path, encoding: .utf8)
        let played = try Self.play(written)
        if ProcessInfo.processInfo.environment["BROKERFS_REWRITE"] == "1" {
            try played.write(toFile: path, atomically: true, encoding: .utf8)
        } else {
            #expect(played == written, "\(name) goes otherwise")
        }
    }

    /// The text with what happens now behind each `----`.
    private static func play(_ text: String) throws -> String {
        var stage = Stage()
        var result: [String] = []
        var commands: [String] = []
        var isExpectation = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line == "----" {
                result.append(line)
                for command in commands { result += try stage.run(command) }
                commands = []
                isExpectation = true
            } else if line.isEmpty {
                isExpectation = false
                result.append(line)
            } else if !isExpectation {
                if !line.hasPrefix("#") { commands.append(line) }
                result.append(line)
            }
        }
        guard commands.isEmpty else {
            throw Stage.UnknownCommand(description: "no ---- after \(commands)")
        }
        try stage.trace?.check()
        return result.joined(separator: "\n")
    }
}
