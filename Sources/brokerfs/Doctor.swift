// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FuseMount
import Glibc
import Identity
import SwiftProtobuf

/// The subcommand `doctor`.
struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is wrong with this machine for brokerfs, and how to mend it.",
        discussion: """
            Exits 0 where nothing is wrong, 1 otherwise. With --mount it looks at one mount only: \
            0 it answers (or was cleared), 1 it is dead or hangs, 2 no brokerfs is mounted there, \
            3 cleared in part, 5 --fix on a mount that is not brokerfs, 6 no such directory.
            """
    )

    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false
    @Option(help: "Look at the mount on this directory only; never hangs on it.")
    var mount: String?
    @Flag(help: "With --mount: take it off if it is dead or hangs; who waits on it gets an error.")
    var fix = false
    /// Ends with the errno value of an access; what `--mount` runs beside itself.
    @Option(help: .hidden) var probe: String?

    func validate() throws {
        guard !fix || mount != nil else { throw ValidationError("--fix needs --mount DIR") }
    }

    func run() async throws {
        if let probe { Glibc.exit(MountPoint.answer(of: probe)) }
        if let mount { return try examine(mount) }
        var findings = [
            Examination.device(), Examination.mountHelper(), Examination.privileges(),
            Examination.space(of: node.directory),
        ]
        findings += Examination.mounts()
        findings.append(await examineNode())
        if json {
            try Console.json(findings)
        } else {
            for finding in findings { show(finding) }
        }
        if findings.contains(where: { $0.state == .wrong }) { throw Failure(.failure) }
    }

    private func examine(_ mount: String) throws {
        let doctor = MountDoctor(directory: mount)
        let report = fix ? doctor.fix() : doctor.examine()
        if json {
            try Console.json(report)
        } else {
            Console.line("mount \(mount): \(report.text)")
            if let mend = report.mend { Console.line("        mend: \(mend)") }
        }
        guard let code = Code(rawValue: report.code), code != .ok else { return }
        throw Failure(code)
    }

    private func examineNode() async -> Finding {
        guard access(node.directory, F_OK) == 0 else {
            return Finding("node", .note, "no node has used \(node.directory) yet")
        }
        guard let status = try? await node.ask(.with { $0.status = true }).status else {
            return Finding(
                "node",
                .note,
                "no node answers on \(node.socket)",
                mend: "start one: brokerfs mount DIR --data \(node.directory)"
            )
        }
        guard status.reason.isEmpty else {
            return Finding("node", .wrong, "writes are refused: \(status.reason)")
        }
        let mounts = status.mounts.map(\.directory).joined(separator: ", ")
        let place = mounts.isEmpty ? "not mounted" : "mounted on \(mounts)"
        return Finding("node", .ok, "\(status.node) is \(status.role), \(place)")
    }

    private func show(_ finding: Finding) {
        let mark =
            switch finding.state {
            case .ok: "ok   "
            case .note: "note "
            case .wrong: "WRONG"
            }
        Console.line("\(mark) \(finding.subject): \(finding.text)")
        if let mend = finding.mend { Console.line("        mend: \(mend)") }
    }
}

/// One thing the doctor looked at.
struct Finding: Encodable {
    enum State: String, Encodable {
        case ok, note, wrong
    }

    var subject: String
    var state: State
    var text: String
    var mend: String?

    init(_ subject: String, _ state: State, _ text: String, mend: String? = nil) {
        self.subject = subject
        self.state = state
        self.text = text
        self.mend = mend
    }
}

/// What the doctor looks at.
///
/// Nothing here can hang on a dead mount.
enum Examination {
    static func device() -> Finding {
        guard access("/dev/fuse", F_OK) == 0 else {
            return Finding(
                "/dev/fuse",
                .wrong,
                "missing",
                mend: "modprobe fuse; in a container add --device /dev/fuse --cap-add SYS_ADMIN"
            )
        }
        guard access("/dev/fuse", R_OK | W_OK) == 0 else {
            return Finding(
                "/dev/fuse",
                .wrong,
                "not accessible to uid \(getuid())",
                mend: "run as root, or chmod 0666 /dev/fuse"
            )
        }
        return Finding("/dev/fuse", .ok, "there")
    }

    static func mountHelper() -> Finding {
        let directories = (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin")
            .split(separator: ":")
        let found = directories.first { access("\($0)/fusermount3", X_OK) == 0 }
        if let found { return Finding("fusermount3", .ok, "\(found)/fusermount3") }
        return Finding(
            "fusermount3",
            geteuid() == 0 ? .note : .wrong,
            geteuid() == 0 ? "missing; only ordinary users need it" : "missing",
            mend: "apt-get install fuse3"
        )
    }

    static func privileges() -> Finding {
        guard geteuid() != 0 else { return Finding("privileges", .ok, "root") }
        let limitations = MountPoint.limitations()
        return Finding(
            "privileges",
            .note,
            "an ordinary user's mount goes without: \(limitations.joined(separator: " "))",
            mend: "run as root for a mount without limitations"
        )
    }

    static func space(of directory: String) -> Finding {
        var path = directory
        while access(path, F_OK) != 0, let slash = path.lastIndex(of: "/"), slash > path.startIndex
        {
            path = String(path[..<slash])
        }
        var information = statvfs()
        guard statvfs(path, &information) == 0 else {
            return Finding("disk", .wrong, "\(path): \(String(cString: strerror(errno)))")
        }
        let free = UInt64(information.f_bavail) * UInt64(information.f_frsize) >> 20
        let text = "\(free) MiB free for \(directory)"
        guard free >= UInt64(Settings().diskReserveMiB) else {
            return Finding(
                "disk",
                .wrong,
                text + ": only revocations are accepted",
                mend: "free some space; the node goes on by itself"
            )
        }
        return Finding("disk", .ok, text)
    }

    /// Every brokerfs mount in the mount table.
    static func mounts() -> [Finding] {
        MountPoint.brokerfsMounts().map { directory in
            let report = MountDoctor(directory: directory).examine()
            // Not to be allowed in, on a mount of another user, is as it should be.
            let state: Finding.State =
                switch report.state {
                case "healthy": .ok
                case "dead", "hung": .wrong
                default: .note
                }
            return Finding("mount \(directory)", state, report.text, mend: report.mend)
        }
    }
}
