// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Log

/// An entry of the log as `log dump` shows it: what it does, and nothing of what records hold.
struct LogLine: Encodable {
    /// One record that a command puts or deletes.
    struct Write: Encodable {
        var op: String
        var type: String
        var id: String
    }

    private var index: UInt64
    private var term: UInt64
    private var kind: String
    private var bytes: Int
    private var time: String?
    private var op: String?
    private var type: String?
    private var id: String?
    private var reason: String?
    private var writes: [Write]?
    private var paths: [String]?
    private var add: [String]?
    private var remove: [String]?
    private var replace: Bool?
    // Not a number: readers that take numbers for doubles would change it.
    private var history: String?
    private var name: String?
    private var address: String?
    private var error: String?
    /// Not part of the JSON, which says the same in pieces.
    private var what = ""

    private enum CodingKeys: String, CodingKey {
        case index, term, kind, bytes, time, op, type, id, reason, writes, paths, add, remove
        case replace, history, name, address, error
    }

    init(_ entry: LogEntry) {
        index = entry.index
        term = entry.term
        bytes = entry.payload.count
        switch entry.tag {
        case 0:
            kind = "command"
            do {
                describe(try Command(decoding: entry.payload))
            } catch {
                self.error = "\(error)"
                what = "no command of this version, \(bytes) bytes: \(error)"
            }
        case 1: kind = "empty"
        case 2:
            kind = "configuration"
            what = "\(bytes) bytes"
        default:
            kind = "tag \(entry.tag)"
            what = "\(bytes) bytes"
        }
    }

    /// `index term kind what`.
    var text: String {
        "\(index) \(term) \(kind)" + (what.isEmpty ? "" : " " + what)
    }

    /// The entry as one line of JSON, keys sorted.
    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    private mutating func describe(_ command: Command) {
        time = command.at.text
        let verb: String
        switch command.kind {
        case .put(let writes):
            (op, verb) = ("put", describe(writes))
        case .patch(let writes, let paths):
            self.paths = paths
            verb = "patch of \(Self.list(paths)): " + describe(writes)
            op = "patch"
        case .revoke(let target, let reason):
            verb = describe(target, reason)
        case .changeMembers(let change):
            verb = describe(change)
        case .deleteGroup(let group):
            (op, id) = ("delete-group", group)
            verb = "delete group \(Self.word(group))"
        case .setOptions(let type, _):
            (op, self.type) = ("set-options", type.name)
            verb = "set options of \(Self.word(type.name))"
        case .maintain(let retention, let recordsMax):
            op = "maintain"
            verb = "maintain: \(retention) s of changes, at most \(recordsMax) records at once"
        case .beginHistory(let serverVersion):
            (op, history) = ("begin-history", "\(serverVersion)")
            verb = "begin history \(serverVersion)"
        case .describeMember(let member):
            (op, id) = ("describe-member", "\(member.id)")
            (name, address) = (member.name, member.address)
            verb =
                "member \(member.id) is \(Self.word(member.name))"
                + " at \(Self.word(member.address))"
        }
        what = "\(command.at.text) \(verb)"
    }

    private mutating func describe(_ writes: [RecordWrite]) -> String {
        self.writes = writes.map { write in
            let op = write.record == nil ? "delete" : "put"
            return Write(op: op, type: write.type.name, id: write.id)
        }
        let parts = ["put", "delete"].compactMap { op -> String? in
            let some = (self.writes ?? []).filter { $0.op == op }
            guard !some.isEmpty else { return nil }
            let records = some.count == 1 ? "1 record" : "\(some.count) records"
            let names = some.map { "\(Self.word($0.type)) \(Self.word($0.id))" }
            return "\(op) \(records) (\(Self.list(names, escaped: true)))"
        }
        return parts.isEmpty ? "put no records" : parts.joined(separator: ", ")
    }

    private mutating func describe(_ target: RevocationTarget, _ reason: String) -> String {
        let (kind, id) =
            switch target {
            case .session(let id): ("session", id)
            case .user(let id): ("user", id)
            case .group(let id): ("group", id)
            case .serviceAccount(let id): ("service-account", id)
            }
        (op, type, self.id, self.reason) = ("revoke", kind, id, reason)
        let because = reason.isEmpty ? "" : " reason \(Self.word(reason))"
        return "revoke \(kind) \(Self.word(id))" + because
    }

    private mutating func describe(_ change: MembershipChange) -> String {
        (op, id) = ("change-members", change.group)
        (add, remove, replace) = (change.add, change.remove, change.replace)
        var verb = "members of \(Self.word(change.group)):"
        if change.replace {
            return verb + " become \(change.add.count) (\(Self.list(change.add)))"
        }
        if !change.add.isEmpty { verb += " add \(change.add.count) (\(Self.list(change.add)))" }
        if !change.remove.isEmpty {
            verb += " remove \(change.remove.count) (\(Self.list(change.remove)))"
        }
        return verb
    }

    /// The first of them: a command may name very many.
    private static func list(_ names: [String], escaped: Bool = false) -> String {
        let shown = names.prefix(8).map { escaped ? $0 : word($0) }
        let rest = names.count - shown.count
        return shown.joined(separator: ", ") + (rest > 0 ? ", and \(rest) more" : "")
    }

    /// Text that others chose, so that it neither ends the line nor speaks to the terminal.
    static func word(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x21...0x7E).contains(byte) && !"\"\\(),".utf8.contains(byte)
        }
        guard !isPlain || text.isEmpty else { return text }
        let hidden: [Unicode.GeneralCategory] = [
            .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned,
        ]
        var quoted = "\""
        for scalar in text.unicodeScalars {
            let isHidden = hidden.contains(scalar.properties.generalCategory)
            let isShown = scalar == "'"
            quoted += isShown ? "'" : scalar.escaped(asASCII: isHidden)
        }
        return quoted + "\""
    }
}
