// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import Glibc
import Log

/// The subcommand `log`: a look at the durable log of a data directory, without its node.
struct LogCommand: ParsableCommand {
    static let name = "log"

    static let configuration = CommandConfiguration(
        commandName: name,
        abstract: "Look at the durable log of a data directory; changes nothing.",
        discussion: """
            Works on the directory of a stopped node, of a running one, and on a damaged one. \
            Exits 0 where the log is sound, 1 where it is damaged, 2 on a usage error and where \
            there is no log to look at.
            """,
        subcommands: [LogCheck.self, LogDump.self]
    )

    /// Looks at the log; where there is none to look at, that is not damage.
    static func look(at data: String) throws -> LogInspection<PosixDisk> {
        do throws(LogError) {
            return try LogInspection(of: data + "/log", on: .readOnly)
        } catch {
            throw Failure(.cannotTell, error.text)
        }
    }
}

/// The subcommand `log check`.
struct LogCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say what is in the log and whether it is sound.",
        discussion: """
            Exits 0 where it is sound, 1 where it is damaged (the file, the byte and the reason \
            are named), 2 where there is no log to look at. An unfinished write at the end is \
            sound: nobody was told that it was done.

            Example: brokerfs log check /var/lib/brokerfs
            """
    )

    @Argument(help: "The node's data directory.") var dataDirectory: String
    @Flag(help: "Print JSON.") var json = false

    func run() throws {
        let log = try LogCommand.look(at: dataDirectory)
        let member: MemberInspection?
        do throws(LogError) {
            member = try MemberInspection(of: dataDirectory + "/log", on: PosixDisk.readOnly)
        } catch {
            throw Failure(.cannotTell, error.text)
        }
        var faults = [log.fault, member?.fault].compactMap(\.self).map(\.text)
        if let member, let state = member.state, log.fault == nil, state.term > 0,
            log.segments.isEmpty
        {
            faults.append("the log is gone: the member knows of term \(state.term)")
        }
        if json {
            try Console.json(LogReport(log, member, faults: faults))
        } else {
            show(log)
            if let member { show(member) }
            show(faults, log)
        }
        if !faults.isEmpty { throw Failure(.failure) }
    }

    private func show(_ faults: [String], _ log: LogInspection<PosixDisk>) {
        guard !faults.isEmpty else { return Console.line("sound") }
        for fault in faults { Console.line("DAMAGED  \(fault)") }
        if log.fault != nil { Console.line("         entries before it: \(Self.entries(of: log))") }
        Console.line(
            """
                     mend: keep the directory as it is and look at the disk (dmesg, SMART); then \
            restore a backup. Do not delete segments.
            """
        )
    }

    private func show(_ log: LogInspection<PosixDisk>) {
        Console.line("log      \(dataDirectory)/log")
        Console.line("entries  \(Self.entries(of: log)), last term \(log.lastTerm)")
        let leftovers = log.leftoverCount == 0 ? "" : ", \(log.leftoverCount) left over"
        Console.line("segments \(log.segments.count), \(log.spareCount) spare" + leftovers)
        for segment in log.segments {
            let range =
                segment.firstIndex > segment.lastIndex
                ? "no entries" : "entries \(segment.firstIndex) to \(segment.lastIndex)"
            Console.line(
                """
                  \(Self.name(segment.path)): \(range), last term \(segment.lastTerm), \
                \(segment.usedBytes) of \(segment.sizeBytes) bytes, \
                \(segment.isSealed ? "sealed" : "open")
                """
            )
        }
        guard let torn = log.tornTail else { return }
        Console.line(
            """
            end      an unfinished write at byte \(torn.offsetBytes) of \(Self.name(torn.path)), \
            \(torn.sizeBytes) bytes: nobody was told that it was done; the next start cuts it off
            """
        )
    }

    private func show(_ member: MemberInspection) {
        guard let state = member.state else { return }
        let vote = state.vote.map { ", voted for \($0)" } ?? ", no vote"
        let installing = state.installing.map { ", installing a snapshot of \($0.index)" } ?? ""
        Console.line(
            """
            member   \(state.member), incarnation \(state.incarnation), \
            term \(state.term)\(vote)\(installing)
            """
        )
        if state.isDoubted {
            Console.line("         the disk has lost what it acknowledged: it is not started again")
        }
        for (number, copy) in member.copies.enumerated() {
            guard case .damaged(let reason) = copy else { continue }
            let text = "copy \(number + 1) of 2: \(reason); the next start makes it again"
            Console.line("         \(text)")
        }
    }

    private static func entries(of log: LogInspection<PosixDisk>) -> String {
        guard log.entryCount > 0 else { return "none, the next is \(log.firstIndex)" }
        return "\(log.firstIndex) to \(log.lastIndex) (\(log.entryCount))"
    }

    private static func name(_ path: String) -> String {
        String(path.split(separator: "/").last ?? "")
    }
}

/// The subcommand `log dump`.
struct LogDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print the entries of the log, one a line, oldest first.",
        discussion: """
            A line is index, term, kind and what the entry does. The contents of records are not \
            shown. Exits 0 when all was printed, 1 where the log is damaged (after the entries \
            before the damage), 2 where there is no log to look at.

            Example: brokerfs log dump /var/lib/brokerfs --from 4711 --to 4720
            """
    )

    @Argument(help: "The node's data directory.") var dataDirectory: String
    @Option(help: "Begin with this index. Default: the oldest entry there is.") var from: UInt64?
    @Option(help: "End with this index. Default: the newest entry.") var to: UInt64?
    @Flag(help: "Print an object of JSON for each entry.") var json = false

    /// Bytes of entries read at a time.
    private static var readBytes: Int { 1 << 20 }

    func validate() throws {
        guard (from ?? 0) <= (to ?? .max) else {
            throw ValidationError("--from is not beyond --to")
        }
    }

    func run() throws {
        let log = try LogCommand.look(at: dataDirectory)
        let last = min(to ?? .max, log.lastIndex)
        if let from, from < log.firstIndex {
            Console.error("brokerfs: the log begins at \(log.firstIndex)")
        }
        do {
            try print(log, from: max(from ?? 0, log.firstIndex), to: last)
        } catch LogError.outOfRange(let index, _, _) {
            let text = "the node has discarded entry \(index) meanwhile; run it again"
            throw Failure(.cannotTell, text)
        } catch let error as LogError {
            throw Failure(.failure, "the log is damaged: \(error.text)")
        }
        if let fault = log.fault, (to ?? .max) > log.lastIndex {
            throw Failure(.failure, "the log is damaged: \(fault.text)")
        }
    }

    private func print(
        _ log: LogInspection<PosixDisk>,
        from first: UInt64,
        to last: UInt64
    ) throws {
        var next = first
        while next <= last {
            let part = try log.entries(from: next, bytesMax: Self.readBytes)
            let lines = try part.prefix { $0.index <= last }.map { entry in
                let line = LogLine(entry)
                return json ? try line.json : line.text
            }
            Console.line(lines.joined(separator: "\n"))
            next += UInt64(part.count)
        }
    }
}

extension LogError {
    /// What the command line says of it.
    fileprivate var text: String {
        switch self {
        case .corrupt(let path, let offset, let reason): "\(path) at byte \(offset): \(reason)"
        case .io(let operation, let path, let errno):
            "\(path): \(operation.rawValue): \(String(cString: strerror(errno)))"
        default: "\(self)"
        }
    }
}
