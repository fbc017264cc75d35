// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Identity
import Node
import Samples

/// The subcommand `generate`.
struct Generate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write synthetic identity state of any size as JSON lines for load.",
        discussion: "The same seed and sizes give the same lines, but for their times."
    )

    @Option(help: "Sessions of 0.5 to 10 KB.") var sessions = 1000
    @Option(help: "Users, each with a directory record.") var users = 100
    @Option(help: "Groups.") var groups = 20
    @Option(help: "Memberships in all groups together.") var memberships = 500
    @Option(help: "The seed of all chance.") var seed: UInt64 = 1

    func validate() throws {
        let sizes = [sessions, users, groups, memberships]
        guard sizes.allSatisfy({ $0 >= 0 }) else {
            throw ValidationError("sizes cannot be negative")
        }
        guard users > 0 || sessions + memberships == 0 else {
            throw ValidationError("sessions and memberships need users")
        }
    }

    func run() throws {
        let generator = try Generator(
            seed: seed,
            sessions: sessions,
            users: users,
            groups: groups,
            memberships: memberships,
            now: Clock.wall()
        )
        var bar = ProgressBar("generate", total: UInt64(generator.count))
        var output = ""
        for (index, line) in generator.enumerated() {
            output += line
            output += "\n"
            guard output.utf8.count >= 1 << 20 else { continue }
            Console.write(output, to: STDOUT_FILENO)
            output = ""
            bar.show(UInt64(index))
        }
        Console.write(output, to: STDOUT_FILENO)
        bar.finish()
    }
}
