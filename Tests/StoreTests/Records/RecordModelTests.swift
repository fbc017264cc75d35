// SPDX-License-Identifier: Apache-2.0

import Identity
import Testing

@testable import Store

/// Random commands against a model that recomputes everything from its table of records.
@Suite("record store model")
struct RecordModelTests {
    @Test(
        "the store shows what the model shows, and effects tell every difference",
        arguments: 0..<26
    )
    func memory(block: Int) throws {
        for seed in UInt64(block * 8)..<UInt64(block * 8 + 8) { try run(.memory, seed) }
    }

    @Test("RocksDB shows what the model shows", arguments: 0..<3)
    func rocks(block: Int) throws {
        for seed in UInt64(1000 + block * 5)..<UInt64(1005 + block * 5) { try run(.rocks, seed) }
    }

    @Test("the random commands do what they say often enough to mean something")
    func coverage() throws {
        var counts: [String: Int] = [:]
        for seed in 0..<208 as Range<UInt64> {
            var random = RandomCommands(seed: seed)
            var model = RecordModel()
            for _ in 1...30 {
                let command = try random.next()
                guard case .success(let count) = model.apply(command), count > 0 else { continue }
                let verb =
                    if case .revoke(let target, _) = command.kind { "\(target)" } else {
                        "\(command.kind)"
                    }
                counts[String(verb.prefix { $0 != "(" }), default: 0] += 1
            }
            for change in model.changes { counts["change \(change.kind)", default: 0] += 1 }
        }
        let verbs = [
            "put", "patch", "session", "user", "group", "serviceAccount", "changeMembers",
            "deleteGroup", "setOptions", "maintain", "describeMember", "change evict",
            "change expire",
            "change revoke", "change delete",
        ]
        for verb in verbs {
            #expect(counts[verb, default: 0] >= 20, "\(verb): \(counts[verb] ?? 0)")
        }
    }

    private func run(_ engine: Engine, _ seed: UInt64) throws {
        try RecordRig.with(engine) { rig in
            var run = ModelRun(rig: rig)
            var random = RandomCommands(seed: seed)
            var trace: [String] = []
            for step in 1...30 {
                let command = try random.next()
                trace.append("\(step): \(command)")
                do {
                    try run.step(command)
                } catch {
                    let story = trace.joined(separator: "\n")
                    Issue.record("seed \(seed), step \(step): \(error)\n\(story)")
                    return
                }
            }
            let keys = try KeyspaceCount(of: rig.store.base)
            #expect(keys == KeyspaceCount(of: run.model), "seed \(seed)")
        }
    }
}

/// A store and its model in lockstep.
private struct ModelRun {
    private struct Difference: Error, CustomStringConvertible {
        let description: String

        init(_ description: String) { self.description = description }
    }

    let rig: RecordRig
    private(set) var model = RecordModel()
    private var view: RecordView = RecordModel().view()
    private var numbers: [String: UInt64] = [:]

    init(rig: RecordRig) { self.rig = rig }

    mutating func step(_ command: Command) throws {
        let highest = rig.store.metadata.lastNumber
        let index = rig.store.metadata.appliedIndex + 1
        let changesBefore = model.changes.count
        let position = RecordStore.Position(term: 1, index: index)
        let outcome = try rig.store.apply(.init(command, at: position))
        let expected = model.apply(command)
        guard outcome.result.map(\.count) == expected else {
            throw Difference("the store says \(outcome.result), the model \(expected)")
        }
        var numbersAfter: [String: UInt64] = [:]
        let after = try rig.reader.view(numbers: &numbersAfter)
        try compare(after, model.view())
        let silent = EffectCheck.unexplained(before: view, after: after, effects: outcome.effects)
        guard silent.isEmpty else {
            throw Difference("no effect tells of \(silent)\n\(outcome.effects)")
        }
        guard outcome.changes == Array(model.changes[changesBefore...]) else {
            throw Difference("the outcome's changes are \(outcome.changes)")
        }
        let metadata = try rig.reader.metadata()
        guard metadata == rig.store.metadata, metadata.appliedIndex == index else {
            throw Difference("the metadata in memory and in the store differ")
        }
        try compareNumbers(numbersAfter, highest)
        try compareListedSessions()
        (view, numbers) = (after, numbersAfter)
    }

    private func compare(_ store: RecordView, _ model: RecordView) throws {
        let keys = Set(store.keys).union(model.keys).filter { store[$0] != model[$0] }
        guard let key = keys.sorted().first else { return }
        throw Difference("\(key): store \(store[key] ?? "-"), model \(model[key] ?? "-")")
    }

    /// What a listing says of a session is what its header says.
    private func compareListedSessions() throws {
        for user in Universe.users + ["bot"] {
            for listed in try rig.reader.sessions(of: user) {
                let header = try rig.reader.header(.session, listed.id)
                guard let header, listed == ListedSession(listed.id, header) else {
                    throw Difference("\(plain(user)) lists \(listed), its header is not that")
                }
            }
        }
    }

    /// A name that stays keeps its number or gets a new one; no number comes back.
    private func compareNumbers(_ after: [String: UInt64], _ highest: UInt64) throws {
        for (name, number) in after.sorted(by: { $0.value < $1.value }) {
            // A receipt has the index of its entry.
            if numbers[name] == number || name.hasPrefix("listed|v|") { continue }
            // A session keeps its number when it goes to another principal's listing.
            let isMoved = name.hasPrefix("listed|s|") && numbers.values.contains(number)
            guard number > highest || isMoved else {
                throw Difference("\(name) got the old number \(number)")
            }
        }
    }
}

/// How many keys each keyspace has: an index row that leads nowhere is one too many.
struct KeyspaceCount: Equatable {
    private var counts: [UInt8: Int] = [:]

    init(of store: some KeyValueReader) throws {
        for key in try store.keys() { counts[key[0], default: 0] += 1 }
    }

    init(of model: RecordModel) {
        let view = model.view()
        func lines(_ kind: String) -> Int { view.keys.count { $0.hasPrefix("\(kind)|") } }
        let records = model.records.values
        counts[1] = 1
        counts[2] = records.count
        counts[3] = records.count
        counts[4] = lines("change")
        counts[5] = lines("listed") - model.revocations.count
        counts[19] = model.revocations.count
        counts[20] = model.revocations.count
        counts[6] = records.reduce(0) { $0 + $1.facts.groupIDs.count }
        counts[7] = lines("suffix")
        counts[8] = lines("principal")
        counts[9] = lines("group")
        // The receipts have none.
        counts[10] = lines("statistics") - 1
        counts[11] = lines("options")
        counts[12] = model.tombstones.count
        counts[13] = records.count {
            ($0.record.type == .session || $0.record.type == .context) && $0.facts.expiresAt != nil
        }
        counts[14] = records.count { model.options(of: $0.record.type) != nil }
        counts[16] = model.lastMemberID > 0 ? 1 : 0
        counts[15] = model.tombstones.values.count { $0.keepUntil != nil }
        counts = counts.filter { $0.value > 0 }
    }
}
