// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Log
import Logging
import Replica

/// What the disk thread is asked for, in order.
enum DiskJob: Sendable {
    case append([LogEntry])
    case discard(through: UInt64)
}

/// The disk thread: the only owner of the log.
final class DiskDesk: @unchecked Sendable {
    // SAFETY: `log` and `isUnsettled` are used by the disk thread alone after `init`.
    private var log: DurableLog<PosixDisk>
    private var isUnsettled = true
    private let jobs: Mailbox<DiskJob>
    private let inbox: Mailbox<LocalNode.Inbound>
    private let logger: Logger

    init(
        log: consuming DurableLog<PosixDisk>,
        jobs: Mailbox<DiskJob>,
        inbox: Mailbox<LocalNode.Inbound>,
        logger: Logger
    ) {
        self.log = log
        self.jobs = jobs
        self.inbox = inbox
        self.logger = logger
    }

    func run() {
        while let waiting = jobs.takeAll(timeout: .milliseconds(200)) {
            for job in waiting { perform(job) }
            if waiting.isEmpty { settle() }
        }
    }

    /// Nobody waits: what the next append would have to do is done now.
    private func settle() {
        guard isUnsettled else { return }
        isUnsettled = false
        do {
            try log.settle()
        } catch {
            logger.warning("the log could not prepare", metadata: ["error": "\(error)"])
        }
    }

    private func perform(_ job: DiskJob) {
        switch job {
        case .append(let entries):
            inbox.send(.event(append(entries)))
        case .discard(let index):
            do {
                try log.discardPrefix(through: index)
            } catch {
                // The entries stay, which costs room and nothing else.
                logger.error("the log was not shortened", metadata: ["error": "\(error)"])
            }
        }
    }

    private func append(_ entries: [LogEntry]) -> Event {
        do throws(LogError) {
            try log.append(entries)
            isUnsettled = true
            return .written(through: log.lastIndex)
        } catch {
            logger.error("entries were not logged", metadata: ["error": "\(error)"])
            if case .noSpace = error { return .appendFailed(.noSpace) }
            return .appendFailed(.stopped("the log failed: \(error)"))
        }
    }
}
