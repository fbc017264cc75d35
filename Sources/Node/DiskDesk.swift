// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Log
import Logging
import Raft
import Replica

/// What the disk thread is asked for, in order.
enum DiskJob: Sendable {
    /// `state` is where the state of a snapshot in it is.
    case persist(Write, state: String?)
    case discard(through: UInt64)
    /// Nobody may start from this disk again.
    case doubt
}

/// The disk thread: the only owner of what the member keeps beside its state.
final class DiskDesk: @unchecked Sendable {
    // SAFETY: these are used by the disk thread alone after `init`.
    private var storage: MemberStorage<PosixDisk>
    private var isUnsettled = true
    /// What cannot be done until there is room; nothing overtakes it.
    private var backlog: [DiskJob] = []
    private let jobs: Mailbox<DiskJob>
    private let inbox: Mailbox<LocalNode.Inbound>
    private let directories: StateDirectories
    private let logger: Logger

    init(
        storage: consuming MemberStorage<PosixDisk>,
        jobs: Mailbox<DiskJob>,
        inbox: Mailbox<LocalNode.Inbound>,
        directories: StateDirectories,
        logger: Logger
    ) {
        self.directories = directories
        self.storage = storage
        self.jobs = jobs
        self.inbox = inbox
        self.logger = logger
    }

    func run() {
        while let arrived = jobs.takeAll(timeout: .milliseconds(200)) {
            let isIdle = arrived.isEmpty && backlog.isEmpty
            for job in arrived {
                // A doubt needs no room, and must not wait for any.
                if case .doubt = job { backlog.insert(job, at: 0) } else { backlog.append(job) }
            }
            var done = 0
            while done < backlog.count, perform(backlog[done]) { done += 1 }
            backlog.removeFirst(done)
            if isIdle { settle() }
        }
    }

    /// Nobody waits: what the next write would have to do is done now.
    private func settle() {
        guard isUnsettled else { return }
        isUnsettled = false
        do {
            try storage.settle()
        } catch {
            logger.warning("the log could not prepare", metadata: ["error": "\(error)"])
        }
    }

    /// False where it has to be tried again.
    private func perform(_ job: DiskJob) -> Bool {
        switch job {
        case .persist(let write, let state): return persist(write, state)
        case .discard(let index):
            do {
                try storage.discardPrefix(through: index)
            } catch {
                // The entries stay, which costs room and nothing else.
                logger.error("the log was not shortened", metadata: ["error": "\(error)"])
            }
            return true
        case .doubt:
            do {
                try storage.doubt()
            } catch {
                // The next leader that hears of it says so once more.
                logger.critical("the disk is not marked", metadata: ["error": "\(error)"])
            }
            return true
        }
    }

    private func persist(_ write: Write, _ state: String?) -> Bool {
        do throws(LogError) {
            try storage.perform(write) { [directories] () throws(LogError) in
                guard let state else { preconditionFailure("a snapshot comes with its state") }
                try directories.install(state)
            }
            isUnsettled = true
            inbox.send(.event(.persisted(through: write.number)))
            return true
        } catch {
            logger.error("a write was not made", metadata: ["error": "\(error)"])
            if case .noSpace = error {
                inbox.send(.event(.persistFailed(.noSpace)))
                return false
            }
            inbox.send(.event(.persistFailed(.stopped("the log failed: \(error)"))))
            return true
        }
    }
}
