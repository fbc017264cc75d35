// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// The shell in which a demo types its commands, and the screen on which it shows them.
struct DemoShell: Sendable {
    /// What a command printed, on both streams, and its exit code.
    struct Answer: Sendable {
        var text: String
        var status: Int32
    }

    /// Where the commands run.
    let directory: String

    /// Where the executable of this process is.
    static let executable: String = {
        let link = "/proc/self/exe"
        return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) ?? link
    }()

    /// The environment without what would make nodes of a demo share a directory.
    static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("BROKERFS_") }
    }

    /// Runs a command to its end.
    ///
    /// `brokerfs` in it is this program, and the texts of errors are in English.
    func run(_ command: String) throws -> Answer {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", command]
        shell.currentDirectoryURL = URL(fileURLWithPath: directory)
        var environment = Self.environment
        let own = URL(fileURLWithPath: Self.executable).deletingLastPathComponent().path
        environment["PATH"] = environment["PATH"].map { "\(own):\($0)" } ?? own
        environment["LC_ALL"] = "C"
        shell.environment = environment
        shell.standardInput = FileHandle.nullDevice
        let output = Pipe()
        shell.standardOutput = output
        shell.standardError = output
        try shell.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        shell.waitUntilExit()
        return Answer(text: String(decoding: text, as: UTF8.self), status: shell.terminationStatus)
    }

    /// Prints a line; throws where nobody reads, so that the demo ends as it should.
    func say(_ text: String) throws {
        guard Console.writeAll(Array((text + "\n").utf8)[...], to: STDOUT_FILENO) else {
            throw Failure(.failure, "the output: \(String(cString: strerror(errno)))")
        }
    }
}
