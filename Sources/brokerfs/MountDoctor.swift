// SPDX-License-Identifier: Apache-2.0

import FuseMount
import Glibc

/// What `doctor --mount` says of one mount, and does about it.
struct MountDoctor {
    let directory: String

    private static let probeMillisecondsMax = 2000

    /// What was found; `code` is the exit code.
    struct Report: Encodable {
        var directory: String
        var state: String
        /// Requests in the kernel's queue, for a mount that hangs.
        var waiting: Int?
        var text: String
        var mend: String?
        var code: Int32

        enum CodingKeys: String, CodingKey { case directory, state, waiting, text, mend }
    }

    /// Looks, and changes nothing.
    func examine() -> Report {
        let health = MountPoint.health(of: directory, probe: Self.probe)
        var report = Report(directory: directory, state: "", text: "", code: 0)
        (report.state, report.text) = Self.words(for: health)
        switch health {
        case .healthy: break
        case .dead:
            report.code = Code.failure.rawValue
            report.mend = "start the node, it clears the mount by itself; without: add --fix"
        case .hung(let waiting):
            report.code = Code.failure.rawValue
            report.waiting = waiting
            report.mend =
                "look at the node (its log, its disk); to fail what waits and take the "
                + "mount off: add --fix"
        case .foreign, .notMounted: report.code = Code.cannotTell.rawValue
        case .missing: report.code = Code.notFound.rawValue
        }
        return report
    }

    /// Takes a dead or hung mount off; a healthy one and what is not brokerfs stay.
    func fix() -> Report {
        var report = examine()
        guard report.code == Code.failure.rawValue else {
            if report.state == "foreign" { report.code = Code.refused.rawValue }
            return report
        }
        do throws(MountError) {
            let isAborted = try MountPoint.clear(directory)
            let isWhole = isAborted || report.state == "dead"
            report.code = (isWhole ? Code.ok : Code.partial).rawValue
            report.mend =
                isWhole
                ? nil
                : "who waits on it still does: mount -t fusectl none /sys/fs/fuse/connections, "
                    + "or end the node with kill -9"
            report.text += isWhole ? "; taken off" : "; taken off, but its requests still wait"
            report.state = "cleared"
        } catch {
            report.code = Code.failure.rawValue
            report.text += "; it could not be taken off: \(error)"
        }
        return report
    }

    private static func words(for health: MountHealth) -> (state: String, text: String) {
        switch health {
        case .healthy: ("healthy", "answers")
        case .dead: ("dead", "dead: its daemon is gone")
        case .hung(let waiting):
            (
                "hung",
                "hung: no answer in \(probeMillisecondsMax / 1000) s"
                    + (waiting.map { ", \($0) requests wait" } ?? "")
            )
        case .foreign(let type): ("foreign", "not a brokerfs mount (\(type)): left alone")
        case .notMounted: ("none", "nothing is mounted there")
        case .missing: ("missing", "there is no such directory")
        }
    }

    /// Asks the mount in another process, which is left behind where the kernel keeps it.
    private static func probe(_ path: String) -> Int32? {
        let arguments = ["brokerfs", "doctor", "--probe", path]
        var values: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for value in values { free(value) } }
        var child = pid_t()
        guard posix_spawn(&child, "/proc/self/exe", nil, nil, &values, environ) == 0 else {
            return nil
        }
        for _ in 0..<probeMillisecondsMax / 10 {
            var status: Int32 = 0
            // The low seven bits are the signal that ended it, the next eight its exit code.
            if waitpid(child, &status, WNOHANG) == child {
                return status & 0x7F == 0 ? status >> 8 & 0xFF : nil
            }
            usleep(10_000)
        }
        kill(child, SIGKILL)
        return nil
    }
}
