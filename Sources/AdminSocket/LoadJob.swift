// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Identity
import Node
import Replica
import SwiftProtobuf
import Synchronization

/// Puts the lines of one `load` request: all in one command, or one by one where one is refused.
struct LoadJob: Sendable {
    private struct Line: Sendable {
        var number: UInt64
        var write: RecordWrite
    }

    private enum Parsed: Sendable {
        case success(Line)
        case failure(Brokerfs_Admin_Loaded.Refusal)
    }

    /// How many lines one core reads before it looks for more.
    private static let linesTogether = 16
    /// How often a put may be late, each time by ``ReplicaLimits/commitTimeoutNanoseconds``.
    private static let attemptsMax = 30

    private let node: LocalNode
    private let lines: [Line]
    private let unreadable: [Brokerfs_Admin_Loaded.Refusal]

    /// Reads and checks the lines, on every core; blank lines are passed over.
    ///
    /// Blocks until that is done.
    init(_ load: Brokerfs_Admin_Load, node: LocalNode) {
        self.node = node
        let parts = (load.lines.count + Self.linesTogether - 1) / Self.linesTogether
        let parsed = Mutex<[Int: [Parsed]]>([:])
        DispatchQueue.concurrentPerform(iterations: parts) { part in
            let start = part * Self.linesTogether
            let indexes = start..<min(start + Self.linesTogether, load.lines.count)
            let lines = indexes.compactMap { Self.parse(load, $0) }
            parsed.withLock { $0[part] = lines }
        }
        var lines: [Line] = []
        var unreadable: [Brokerfs_Admin_Loaded.Refusal] = []
        let all = parsed.withLock { $0 }
        for line in (0..<parts).flatMap({ all[$0] ?? [] }) {
            switch line {
            case .success(let line): lines.append(line)
            case .failure(let refusal): unreadable.append(refusal)
            }
        }
        self.lines = lines
        self.unreadable = unreadable
    }

    private static func parse(_ load: Brokerfs_Admin_Load, _ index: Int) -> Parsed? {
        let text = load.lines[index]
        guard !text.allSatisfy(\.isWhitespace) else { return nil }
        let number = load.firstLineNumber + UInt64(index)
        do {
            return .success(Line(number: number, write: try LoadLine.parse(text)))
        } catch {
            let failure = Brokerfs_Admin_Failure(.invalid, "\(error)")
            return .failure(
                .with {
                    $0.lineNumber = number
                    $0.failure = failure
                }
            )
        }
    }

    func run(_ respond: @escaping AdminResponder.Respond) {
        guard !lines.isEmpty else { return respond(loaded(0, unreadable)) }
        put(lines) { result in
            switch result {
            case .success(let applied): respond(loaded(applied.count, unreadable))
            case .failure(.refused): putOneByOne(from: 0, count: 0, unreadable, respond)
            case .failure(let error): respond(.with { $0.failure = .init(error) })
            }
        }
    }

    /// A bulk outruns a disk that is busy for a while: what was late is put again.
    ///
    /// The first may come late or not at all. No later line of a load is put before this one is
    /// answered, so the order of the lines is kept either way.
    private func put(
        _ lines: [Line],
        attemptsLeft: Int = attemptsMax,
        _ completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        node.proposeAnywhere(.put(lines.map(\.write))) { result in
            guard case .failure(.timedOut) = result, attemptsLeft > 1 else {
                return completion(result)
            }
            put(lines, attemptsLeft: attemptsLeft - 1, completion)
        }
    }

    private func putOneByOne(
        from index: Int,
        count: UInt64,
        _ refusals: [Brokerfs_Admin_Loaded.Refusal],
        _ respond: @escaping AdminResponder.Respond
    ) {
        guard index < lines.count else { return respond(loaded(count, refusals)) }
        let line = lines[index]
        put([line]) { result in
            switch result {
            case .success(let applied):
                putOneByOne(from: index + 1, count: count + applied.count, refusals, respond)
            case .failure(.refused(let error)):
                let refusal = Brokerfs_Admin_Loaded.Refusal.with {
                    $0.lineNumber = line.number
                    $0.failure = .init(error)
                }
                putOneByOne(from: index + 1, count: count, refusals + [refusal], respond)
            case .failure(let error): respond(.with { $0.failure = .init(error) })
            }
        }
    }

    private func loaded(
        _ count: UInt64,
        _ refusals: [Brokerfs_Admin_Loaded.Refusal]
    ) -> Brokerfs_Admin_Response {
        .with {
            $0.loaded.count = count
            $0.loaded.refusals = refusals.sorted { $0.lineNumber < $1.lineNumber }
        }
    }
}
