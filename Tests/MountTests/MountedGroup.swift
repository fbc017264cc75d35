// SPDX-License-Identifier: Apache-2.0

import FSMap
import Foundation
import FuseMount
import GroupHarness
import Identity
import Logging
import Node
import Raft
import Replica
import Testing

/// Nodes of a group in this process, each with a real mount; everything goes with ``end()``.
///
/// The mounts' clients are child processes with a time limit, as with ``MountedNode``.
final class MountedGroup {
    let group: MemoryGroup
    let root: String
    private var mounts: [MemberID: Mount] = [:]

    init(
        count: Int = 3,
        kind: MountKind = .ordinary,
        followerWrites: FollowerWrites = .refuse,
        adapt: @escaping (inout NodeConfiguration) -> Void = { _ in }
    ) throws {
        root = try MountedNode.temporaryDirectory()
        group = try MemoryGroup(count: count, adapt: adapt)
        do {
            for member in group.nodes.keys.sorted() { try mount(member, kind, followerWrites) }
        } catch {
            end()
            throw error
        }
    }

    private func mount(
        _ member: MemberID,
        _ kind: MountKind,
        _ followerWrites: FollowerWrites
    ) throws {
        let directory = directory(of: member)
        try Shell.check("mkdir \(directory)")
        let node = try #require(group.nodes[member])
        var options = FileSystemOptions()
        options.kind = kind
        options.mountedAt = Clock.wall()
        options.mountedNanoseconds = Clock.monotonicNanoseconds()
        let files = FileSystem(owners: .everything(user: 0, group: 0), options: options)
        var mountOptions = MountOptions(directory: directory, kind: kind, threads: 2)
        mountOptions.followerWrites = followerWrites
        mounts[member] = try Mount.mount(
            node,
            files: files,
            options: mountOptions,
            log: Logger(label: "mount") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    /// Unmounts, ends the nodes and removes what there was.
    func end() {
        Mount.unmount(Array(mounts.values))
        let directories = mounts.keys.sorted().map(directory).joined(separator: " ")
        mounts = [:]
        group.end()
        _ = Shell.run("for m in \(directories); do fusermount3 -uz $m; umount -l $m; done")
        _ = Shell.run("rmdir \(directories); rm -rf --one-file-system \(root)")
    }

    var members: [MemberID] { group.nodes.keys.sorted() }

    func directory(of member: MemberID) -> String { "\(root)/n\(member)" }

    /// The one whose mount takes changes, and the others.
    func roles() throws -> (leader: MemberID, followers: [MemberID]) {
        let leader = try #require(group.leader()).configuration.member
        return (leader, members.filter { $0 != leader })
    }

    func mount(_ member: MemberID) throws -> Mount { try #require(mounts[member]) }

    func node(_ member: MemberID) throws -> LocalNode { try #require(group.nodes[member]) }

    /// Runs a command in a mount, whatever comes of it.
    func attempt(_ member: MemberID, _ command: String) -> Shell.Result {
        Shell.run("cd \(directory(of: member)) && \(command)")
    }

    /// Runs a command in a mount and expects success; returns what it printed, without white space
    /// around it.
    @discardableResult
    func sh(_ member: MemberID, _ command: String) throws -> String {
        try Shell.check("cd \(directory(of: member)) && \(command)").trimmed
    }

    /// Runs a Python script in a mount; it has to end well.
    @discardableResult
    func python(_ member: MemberID, _ script: String, name: String = "script") throws -> String {
        let file = "\(root)/\(name)-\(member).py"
        try script.write(toFile: file, atomically: true, encoding: .utf8)
        return try sh(member, "timeout 60 python3 \(file)")
    }

    /// Whether something comes true on a mount; asked again and again, for long.
    func comesTrue(_ member: MemberID, _ condition: String) -> Bool {
        let loop = "until \(condition); do sleep 0.02; done 2>/dev/null"
        return attempt(member, "timeout 25 bash -c '\(loop)'").status == 0
    }

    /// Puts a record through whoever leads; again while nobody does.
    func put(_ type: RecordType, _ id: String, _ json: String) throws {
        let write = try Document.parse(Array(json.utf8), type: type, id: id)
        try change(.put([write]))
    }

    func putSession(_ id: String, user: String = "alice") throws {
        try put(.session, id, #"{"user_id":"\#(user)"}"#)
    }

    func change(_ kind: Command.Kind) throws {
        let applied: Applied? = group.wait {
            guard let leader = group.leader() else { return nil }
            return try? leader.proposeAndWait(kind).get()
        }
        _ = try #require(applied)
    }
}

/// A Python program in the background, which is told to go on by lines and says where it is.
///
/// Killed when it is let go of.
final class Conversation {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var unread = ""

    init(_ group: MountedGroup, _ member: MemberID, _ name: String, _ script: String) throws {
        let file = "\(group.root)/\(name).py"
        try script.write(toFile: file, atomically: true, encoding: .utf8)
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        let directory = group.directory(of: member)
        process.arguments = ["-c", "cd \(directory) && exec timeout 60 python3 -u \(file) 2>&1"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
    }

    deinit {
        try? input.fileHandleForWriting.close()
        if process.isRunning {
            kill(process.processIdentifier, SIGTERM)
            process.waitUntilExit()
        }
    }

    /// Lets it go on by one line.
    func tell(_ line: String = "") {
        try? input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    /// The next line that it prints; what there is of one at its end.
    func line() -> String {
        while !unread.contains("\n") {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { break }
            unread += String(decoding: data, as: UTF8.self)
        }
        let line = unread.prefix { $0 != "\n" }
        unread = String(unread.dropFirst(line.count + 1))
        return String(line)
    }
}
