// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import Identity
import Logging
import Node
import Samples
import Synchronization

/// Durable record puts per second with 1, 8 and 64 writers, through the whole of a node.
///
/// Prints one JSON line per round: `{"writers":…,"puts":…,"ns_per_put":…}`.
/// Usage: putbench DIR [ROUNDS [SECONDS [WRITERS]]]. A writer waits for each put before it makes
/// the next, as `rm` does.
@main
struct PutBench {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 2 else {
            print("usage: putbench DIR [ROUNDS [SECONDS [WRITERS]]]")
            exit(1)
        }
        let rounds = arguments.count > 2 ? Int(arguments[2]) ?? 3 : 3
        let seconds = arguments.count > 3 ? Double(arguments[3]) ?? 2 : 2
        let writers = arguments.count > 4 ? Int(arguments[4]).map { [$0] } : nil
        try measure(arguments[1], rounds, seconds, writers ?? [1, 8, 64])
    }
}

/// Not on the main actor: it is called from the writers' threads.
private nonisolated func measure(
    _ directory: String,
    _ rounds: Int,
    _ seconds: Double,
    _ writerCounts: [Int]
) throws {
    var log = Logger(label: "putbench")
    log.logLevel = .error
    let node = try LocalNode(NodeConfiguration(dataDirectory: directory, name: "bench"), log: log)
    defer { node.shutdown() }
    let payloads = try samplePayloads()
    for round in 0..<rounds {
        for writers in writerCounts {
            let limit = UInt64(seconds * 1_000_000_000)
            let start = Clock.monotonicNanoseconds()
            let puts = Atomic<Int>(0)
            let group = DispatchGroup()
            for writer in 0..<writers {
                group.enter()
                let thread = Writer {
                    defer { group.leave() }
                    var number = 0
                    while Clock.monotonicNanoseconds() - start < limit {
                        let record = payloads[number % payloads.count]
                        let id = "r\(round)-w\(writers)-\(writer)-\(number)"
                        guard put(record, id: id, on: node) else { return }
                        number += 1
                    }
                    puts.add(number, ordering: .relaxed)
                }
                thread.start()
            }
            group.wait()
            let elapsed = Clock.monotonicNanoseconds() - start
            let count = puts.load(ordering: .relaxed)
            print(
                #"{"writers":\#(writers),"round":\#(round),"puts":\#(count),"#
                    + #""ns_per_put":\#(elapsed / UInt64(max(count, 1)))}"#
            )
        }
    }
}

/// Checks, measures and puts a record of about 1 KB, as a door does.
private nonisolated func put(_ sample: Record, id: String, on node: LocalNode) -> Bool {
    var record = sample
    record.id = id
    guard let write = try? Document.write(record) else { return false }
    guard case .success = node.proposeAndWait(.put([write])) else { return false }
    return true
}

private nonisolated func samplePayloads() throws -> [Record] {
    let generator = try Generator(
        seed: 7,
        sessions: 200,
        users: 50,
        groups: 5,
        memberships: 50,
        now: Clock.wall()
    )
    return generator.compactMap { line in
        guard let write = try? LoadLine.parse(line), write.type == .session else { return nil }
        guard let record = write.record, record.payload.count < 2000 else { return nil }
        return record
    }
}

/// A thread of its own: the pool of Dispatch would not give 64.
private final class Writer: Sendable {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func start() {
        var id = pthread_t()
        let argument = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &id,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Writer>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            argument
        )
        precondition(status == 0, "no thread can be started")
        pthread_detach(id)
    }
}
