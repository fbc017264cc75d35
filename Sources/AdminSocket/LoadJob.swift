// SPDX-License-Identifier: Apache-2.0

import Identity
import Node
import Replica
import SwiftProtobuf

/// Puts the lines of one `load` request: all in one command, or one by one where one is refused.
struct LoadJob: Sendable {
    private struct Line: Sendable {
        var number: UInt64
        var write: RecordWrite
    }

    private let node: LocalNode
    private let lines: [Line]
    private let unreadable: [Brokerfs_Admin_Loaded.Refusal]

    /// Reads and checks the lines; blank lines are passed over.
    init(_ load: Brokerfs_Admin_Load, node: LocalNode) {
        self.node = node
        var lines: [Line] = []
        var unreadable: [Brokerfs_Admin_Loaded.Refusal] = []
        for (offset, text) in load.lines.enumerated() where !text.allSatisfy(\.isWhitespace) {
            let number = load.firstLineNumber + UInt64(offset)
            do {
                lines.append(Line(number: number, write: try LoadLine.parse(text)))
            } catch {
                let failure = Brokerfs_Admin_Failure(.invalid, "\(error)")
                unreadable.append(
                    .with {
                        $0.lineNumber = number
                        $0.failure = failure
                    }
                )
            }
        }
        self.lines = lines
        self.unreadable = unreadable
    }

    func run(_ respond: @escaping AdminResponder.Respond) {
        guard !lines.isEmpty else { return respond(loaded(0, unreadable)) }
        node.propose(.put(lines.map(\.write))) { result in
            switch result {
            case .success(let applied): respond(loaded(applied.count, unreadable))
            case .failure(.refused): putOneByOne(from: 0, count: 0, unreadable, respond)
            case .failure(let error): respond(.with { $0.failure = .init(error) })
            }
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
        node.propose(.put([line.write])) { result in
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
