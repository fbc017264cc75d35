// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import ArgumentParser
import Glibc
import Identity
import SwiftProtobuf

/// The subcommand `load`.
struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put records into the running node from JSON lines.",
        discussion: """
            A line is {"type":…,"id":…,"data":{…}} or {"type":…,"id":…,"deleted":true}. Lines that \
            are refused are named on stderr, the others are loaded; then the exit code is 3. So it \
            is where the file cannot be read to its end; with nothing loaded at all it is 1.
            """
    )

    @Argument(help: "A file of JSON lines, or - for standard input.") var file: String
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        guard let stream = file == "-" ? fdopen(STDIN_FILENO, "r") : fopen(file, "r") else {
            throw Failure(.failure, "\(file): \(String(cString: strerror(errno)))")
        }
        defer { fclose(stream) }
        var input = LineReader(stream)
        var bar = ProgressBar("load", total: size(of: stream))
        var loaded: UInt64 = 0
        var refusals: UInt64 = 0
        do {
            try await AdminClient.exchange(
                path: node.socket,
                timeoutSeconds: node.timeout,
                next: {
                    bar.show(input.bytesRead)
                    return input.nextRequest()
                },
                answer: { response in
                    if case .failure(let failure)? = response.kind { throw Failure(failure) }
                    loaded += response.loaded.count
                    refusals += UInt64(response.loaded.refusals.count)
                    report(response.loaded.refusals)
                }
            )
        } catch let error as AdminClientError {
            throw Failure(error.code, error.description)
        }
        bar.finish()
        if json {
            try Console.json(["loaded": loaded, "refused": refusals])
        } else {
            Console.line("loaded \(loaded) records" + (refusals > 0 ? ", refused \(refusals)" : ""))
        }
        // An input that breaks off is no shorter input.
        if let reason = input.failure {
            throw Failure(loaded > 0 ? .partial : .failure, "\(file): \(reason)")
        }
        if refusals > 0 { throw Failure(loaded > 0 ? .partial : .failure) }
    }

    private func report(_ refusals: [Brokerfs_Admin_Loaded.Refusal]) {
        for refusal in refusals {
            let printable = refusal.failure.message.unicodeScalars.map {
                // Ids come from the input: control characters stay off the terminal.
                $0.value < 0x20 || $0.value == 0x7F ? "?" : String($0)
            }
            Console.error("\(file):\(refusal.lineNumber): \(printable.joined())")
        }
    }

    /// The size of a regular file, for the bar; 0 for a pipe.
    private func size(of stream: UnsafeMutablePointer<FILE>) -> UInt64 {
        var attributes = stat()
        guard fstat(fileno(stream), &attributes) == 0 else { return 0 }
        return UInt64(max(0, attributes.st_size))
    }
}

/// Reads lines and packs them into requests.
private struct LineReader {
    private let stream: UnsafeMutablePointer<FILE>
    private var lineNumber: UInt64 = 1
    private(set) var bytesRead: UInt64 = 0
    /// Why the input could not be read to its end; nil where it was, or has not been yet.
    private(set) var failure: String?
    private static let requestBytes = 1 << 20
    /// A longer line cannot hold a record within the limits; it is sent as one that is refused.
    private static let lineBytesMax = 4 << 20

    init(_ stream: UnsafeMutablePointer<FILE>) {
        self.stream = stream
    }

    /// At most ``Limits/loadLinesMax`` lines or about a mebibyte; nil at the end.
    mutating func nextRequest() -> Brokerfs_Admin_Request? {
        var load = Brokerfs_Admin_Load()
        load.firstLineNumber = lineNumber
        var bytes = 0
        while load.lines.count < Limits.loadLinesMax, bytes < Self.requestBytes,
            let line = nextLine()
        {
            bytes += line.utf8.count
            load.lines.append(line)
            lineNumber += 1
        }
        guard !load.lines.isEmpty else { return nil }
        return .with { $0.load = load }
    }

    private mutating func nextLine() -> String? {
        var buffer: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(buffer) }
        let count = getline(&buffer, &capacity, stream)
        if ferror(stream) != 0 {
            // A line that the error cut off is not what somebody wrote.
            if failure == nil { failure = String(cString: strerror(errno)) }
            return nil
        }
        guard count > 0, let buffer else { return nil }
        bytesRead += UInt64(count)
        guard count <= Self.lineBytesMax else { return "a line of \(count) bytes" }
        // What is no text is no JSON either: the node refuses this line by its number.
        let bytes = UnsafeBufferPointer(start: buffer, count: count)
        return String(validating: bytes, as: UTF8.self) ?? "not UTF-8"
    }
}
