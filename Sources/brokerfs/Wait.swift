// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import ArgumentParser
import Identity
import SwiftProtobuf

/// The subcommand `wait`.
struct Wait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Wait until the node has come somewhere; for scripts.",
        discussion: """
            Exits 0 when it has, 4 when the time is over and it has not, 2 when the node did not \
            answer at the end. A node that is not there yet is waited for.
            """
    )

    @Option(help: "Until the mounts show everything up to this entry of the log.")
    var applied: UInt64?
    @Flag(help: "Until the mounts may show what they have: it is fresh.") var ready = false
    @Flag(help: "Until this node's mounts take changes.") var writable = false
    @Option(help: "The node's data directory (BROKERFS_DATA; default /var/lib/brokerfs).")
    var data: String?
    @Option(help: "Seconds to wait at most.") var timeout = 30

    func validate() throws {
        let count = (applied == nil ? 0 : 1) + (ready ? 1 : 0) + (writable ? 1 : 0)
        guard count == 1 else {
            throw ValidationError("one of --applied INDEX, --ready and --writable is needed")
        }
        guard (0...86_400).contains(timeout) else {
            throw ValidationError("--timeout is between 0 and 86400 seconds")
        }
    }

    func run() async throws {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: .seconds(timeout))
        var last: Outcome
        repeat {
            last = try await look(until: end, clock)
            if case .reached = last { return }
            try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds))
        } while clock.now < end
        switch last {
        case .reached: return
        case .pending(let reason): throw Failure(.pending, "not within \(timeout) s: \(reason)")
        case .silent(let error): throw Failure(.cannotTell, error.description)
        }
    }

    private static let pauseMilliseconds = 20
    /// A question is asked anew now and then, in case the node was started anew.
    private static let questionSecondsMax = 5

    private enum Outcome {
        case reached
        case pending(String)
        case silent(AdminClientError)
    }

    private func look(
        until end: ContinuousClock.Instant,
        _ clock: ContinuousClock
    ) async throws -> Outcome {
        let left = max(0, (end - clock.now).components.seconds)
        let seconds = min(Int(left), Self.questionSecondsMax)
        let response: Brokerfs_Admin_Response
        do {
            response = try await AdminClient.ask(
                path: NodeOptions.socket(data: data),
                timeoutSeconds: seconds + 1,
                question(seconds: seconds)
            )
        } catch let error as AdminClientError {
            return .silent(error)
        }
        switch response.kind {
        case .status(let status): return outcome(of: status)
        case .progressed(let progressed):
            guard progressed.members.contains(where: \.reached) else {
                return .pending("entry \(applied ?? 0) is not applied")
            }
            return .reached
        case .failure(let failure): throw Failure(failure)
        default: throw Failure(.failure, "an answer to another question")
        }
    }

    private func question(seconds: Int) -> Brokerfs_Admin_Request {
        .with {
            guard let applied else { return $0.status = true }
            $0.progress.index = applied
            $0.progress.timeoutMs = UInt32(seconds) * 1000
            $0.progress.ownOnly = true
        }
    }

    private func outcome(of status: Brokerfs_Admin_Status) -> Outcome {
        if ready {
            return status.fresh ? .reached : .pending("no leader vouches for what the node has")
        }
        guard !status.writable else { return .reached }
        let leader = status.leader.isEmpty ? "no member leads" : "\(status.leader) leads"
        return .pending(status.reason.isEmpty ? leader : status.reason)
    }
}
