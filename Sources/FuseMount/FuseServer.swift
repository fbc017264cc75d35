// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Identity
import Logging
import Node
import Replica
import Synchronization

/// What the kernel's requests are answered from; the userdata of the libfuse session.
///
/// INVARIANT: no lock is held while the kernel, the node or the file system is called.
/// INVARIANT: no request waits on a thread of the mount: reads are answered at once from the
///            view, changes by the completion of their commit.
final class FuseServer: Sendable {
    let node: LocalNode
    let files: FileSystem
    let kind: MountKind
    let log: Logger
    let pending: PendingRequests
    let notifier: Notifier
    let replayer: Replayer
    let polls = PollTable()
    let gate = SessionGate()
    let followerWrites: FollowerWrites
    private let allowance: Mutex<ChangeAllowance>
    let requests = RequestCounts()
    let openHandles = Atomic<Int>(0)
    private let brakeNotice = OncePerSecond()
    /// Set once the kernel has taken the INIT reply.
    let isInitialized = Atomic<Bool>(false)
    let initialized = Semaphore()
    /// The states before the last changes, oldest first; only where files are not opened.
    let before = Mutex<[any IdentityView]>([])

    init(node: LocalNode, files: FileSystem, options: MountOptions, log: Logger) {
        self.node = node
        self.files = files
        kind = options.kind
        followerWrites = options.followerWrites
        self.log = log
        allowance = Mutex(
            ChangeAllowance(perSecond: options.changesPerSecond, burst: options.changesBurst)
        )
        pending = PendingRequests(requestsMax: options.requestsMax)
        notifier = Notifier(notificationsMax: options.notificationsMax, log: log)
        replayer = Replayer(options: options, log: log)
    }

    /// The server of a request's session.
    static func serving(_ request: fuse_req_t?) -> FuseServer {
        server(fuse_req_userdata(request))
    }

    /// The server that a session's userdata stands for.
    static func server(_ userdata: UnsafeMutableRawPointer?) -> FuseServer {
        guard let userdata else { preconditionFailure("a session without its server") }
        return Unmanaged<FuseServer>.fromOpaque(userdata).takeUnretainedValue()
    }

    /// One moment of the state, for an open file: what it shows belongs together.
    func snapshot() throws(FSError) -> any IdentityView {
        do throws(ViewError) {
            return try node.snapshot()
        } catch {
            throw FSError(error)
        }
    }

    /// The state that names and attributes are answered from.
    ///
    /// Where files are not opened, one moment: the version it tells is the one that is read.
    func view() throws(FSError) -> any IdentityView {
        kind.isOpenless ? try snapshot() : node.view()
    }

    private static let statesBeforeMax = 4

    /// Keeps the state as it is before a change.
    ///
    /// The kernel learns of the change later, and reads by what it knows until then.
    func keepBefore() {
        guard kind.isOpenless else { return }
        do throws(FSError) {
            let view = try snapshot()
            before.withLock { before in
                if before.count == Self.statesBeforeMax { before.removeFirst() }
                before.append(view)
            }
        } catch {
            log.error("the state before a change is not kept: \(reason(of: error))")
        }
    }

    /// Proposes a change for a waiting request and returns at once.
    ///
    /// `answer` runs on the thread that commits, unless the request was answered meanwhile. A file
    /// that staged the change is told how it went in any case. `own` is what the kernel tells
    /// its watchers by itself.
    func commit(
        _ kind: Command.Kind,
        for ticket: PendingRequests.Ticket,
        _ change: Change,
        answer: @escaping @Sendable (FuseServer, consuming Reply) -> Void
    ) {
        if let refusal = refusal(of: kind) ?? (mayChange(ticket.uid) ? nil : .busy) {
            if let handle = change.handle { files.commitFailed(handle) }
            return refuse(ticket, refusal, change.operation, change.place)
        }
        replayer.begin(change.own)
        propose(kind) { [self] result in
            replayer.end(change.own)
            var refusal: FSError?
            switch result {
            case .success: if let handle = change.handle { files.committed(handle) }
            case .failure(let error):
                if let handle = change.handle { files.commitFailed(handle) }
                refusal = FSError(error)
            }
            guard gate.enter() else { return }
            defer { gate.leave() }
            guard let reply = pending.take(ticket) else { return }
            if let refusal {
                refuse(reply, refusal, change.operation, change.place)
            } else {
                answer(self, reply)
            }
        }
    }

    /// Says in the log who is about to read secrets.
    func noteReveal(of inode: UInt64, to reply: borrowing Reply) {
        guard kind == .reveal else { return }
        log.notice(
            "revealed",
            metadata: [
                "uid": "\(reply.caller.uid)",
                "pid": "\(reply.callerPID)",
                "path": "\(files.path(of: inode) ?? "")",
            ]
        )
    }

    /// Whether a user has not asked for too many changes; says so in the log where that is due.
    private func mayChange(_ uid: UInt32) -> Bool {
        let now = node.monotonicNanoseconds()
        let answer = allowance.withLock { $0.take(uid, now: now) }
        guard case .refused(let count) = answer else { return true }
        if let count {
            log.warning(
                "a user asks for more changes than limits.changes_per_second allows",
                metadata: ["uid": "\(uid)", "refused": "\(count)"]
            )
        }
        return false
    }

    /// Answers a waiting request for which there was nothing to commit.
    func answer(
        _ ticket: PendingRequests.Ticket,
        _ body: (consuming Reply) -> Void
    ) {
        guard let reply = pending.take(ticket) else { return }
        body(reply)
    }

    /// Refuses a waiting change.
    func refuse(
        _ ticket: PendingRequests.Ticket,
        _ error: FSError,
        _ operation: StaticString,
        _ place: Change.Place
    ) {
        guard let reply = pending.take(ticket) else { return }
        refuse(reply, error, operation, place)
    }

    /// Refuses a change and says why in the log, and in the directory to whoever wanted it.
    func refuse(
        _ reply: consuming Reply,
        _ error: FSError,
        _ operation: StaticString,
        _ place: Change.Place
    ) {
        let reason = reason(of: error)
        let uid = reply.caller.uid
        switch place {
        case .directory(let inode): files.noteRefusal(reason, to: uid, in: inode)
        case .file(let inode): files.noteRefusal(reason, to: uid, of: inode)
        }
        log.log(
            level: error == .braked && brakeNotice.isDue(node.monotonicNanoseconds())
                ? .warning : .debug,
            "refused",
            metadata: ["operation": "\(operation)", "uid": "\(uid)", "reason": "\(reason)"]
        )
        reply.error(error)
    }

    /// After lookups: lets the kernel forget the oldest where it knows too many.
    func trim(after lookups: Int) {
        if let surplus = files.surplus(after: lookups) { notifier.enqueue([surplus]) }
    }

    /// After a reply was sent: what changed between the mark and the reply is invalidated again,
    /// because the kernel may have stored the older answer after the invalidation.
    func settle(_ mark: CacheMark, inode: UInt64) {
        notifier.enqueue(files.raced(since: mark, inode: inode))
    }

    /// The same, for an answer about attributes alone.
    func settleAttributes(_ mark: CacheMark, inode: UInt64) {
        notifier.enqueue(files.racedAttributes(since: mark, inode: inode))
    }

    /// The same, for an answer about a name.
    func settle(_ mark: CacheMark, name: String, in parent: UInt64) {
        notifier.enqueue(files.raced(since: mark, name: name, in: parent))
    }
}

/// A change that a request waits for.
struct Change: Sendable {
    /// Where the reason of a refusal is left.
    enum Place: Sendable {
        case directory(UInt64)
        case file(UInt64)
    }

    var operation: StaticString
    var place: Place
    /// The open file that staged it.
    var handle: UInt64?
    /// What the kernel tells its watchers by itself.
    var own: OwnChange?
}

/// Keeps something that many may say at once from being said more often than every second.
final class OncePerSecond: Sendable {
    private let last = Atomic<UInt64>(0)

    /// Whether the caller is the first of this second.
    func isDue(_ now: UInt64) -> Bool {
        let before = last.load(ordering: .relaxed)
        guard before == 0 || now >= before + 1_000_000_000 else { return false }
        return last.compareExchange(expected: before, desired: now, ordering: .relaxed).exchanged
    }
}

/// Counts who uses the session from outside its own threads, so that it is not freed under them.
final class SessionGate: Sendable {
    private struct State {
        var users = 0
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Whether the session may be used until ``leave()``.
    func enter() -> Bool {
        state.withLock { state in
            guard !state.isClosed else { return false }
            state.users += 1
            return true
        }
    }

    /// Ends a use.
    func leave() {
        state.withLock { $0.users -= 1 }
    }

    /// Lets nobody in any more; whether everybody has left within the time.
    func close(milliseconds: Int) -> Bool {
        let deadline = Deadline(milliseconds: milliseconds)
        while true {
            let users = state.withLock { state -> Int in
                state.isClosed = true
                return state.users
            }
            guard users > 0 else { return true }
            guard !deadline.hasPassed else { return false }
            usleep(1000)
        }
    }
}
