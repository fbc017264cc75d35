// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc
import Synchronization

/// The requests that wait for a commit, by number; fuse_req_interrupt_func of libfuse.
///
/// INVARIANT: whoever takes a request out of the table answers it, so exactly one of the commit,
///            the interrupt and the unmount does.
/// INVARIANT: libfuse is given the number and no pointer: an interrupt that comes late finds
///            nothing. libfuse 3.14 calls it with a request that has just been answered.
/// INVARIANT: a request is not answered while its interrupt function is being registered, because
///            libfuse goes on using it after the function has returned.
final class PendingRequests: Sendable {
    /// Names a waiting request; never used twice.
    struct Ticket: Sendable {
        fileprivate let number: UInt
        /// On whose behalf the kernel asks.
        let uid: UInt32
    }

    // SAFETY: libfuse's requests may be answered on any thread; the table hands each out once.
    private struct Waiting: @unchecked Sendable {
        var request: fuse_req_t?
        var isRegistering = true
        var isInterrupted = false
    }

    private struct Table {
        var waiting: [UInt: Waiting] = [:]
        var nextNumber: UInt = 1
        var isClosed = false
    }

    private let table = Mutex(Table())
    private let requestsMax: Int

    /// At most so many wait at once.
    init(requestsMax: Int) {
        self.requestsMax = requestsMax
    }

    /// How many wait.
    var count: Int { table.withLock { $0.waiting.count } }

    /// Takes a request in.
    ///
    /// Nil: it has been answered, with EBUSY when too many wait, EIO during an unmount and EINTR
    /// when it was interrupted already.
    func admit(_ reply: consuming Reply) -> Ticket? {
        let uid = reply.caller.uid
        let waiting = Waiting(request: reply.surrender())
        let admission = table.withLock { table -> Result<UInt, FSError> in
            guard !table.isClosed else { return .failure(.io("the mount is going away")) }
            guard table.waiting.count < requestsMax else { return .failure(.busy) }
            let number = table.nextNumber
            table.nextNumber += 1
            table.waiting[number] = waiting
            return .success(number)
        }
        switch admission {
        case .failure(let error):
            Reply(waiting.request).error(error)
            return nil
        case .success(let number):
            return register(Ticket(number: number, uid: uid), waiting)
        }
    }

    private func register(_ ticket: Ticket, _ waiting: Waiting) -> Ticket? {
        fuse_req_interrupt_func(
            waiting.request,
            requestInterrupted,
            UnsafeMutableRawPointer(bitPattern: ticket.number)
        )
        let isInterrupted = table.withLock { table -> Bool in
            table.waiting[ticket.number]?.isRegistering = false
            return table.waiting[ticket.number]?.isInterrupted == true
        }
        guard isInterrupted else { return ticket }
        take(ticket)?.error(.interrupted)
        return nil
    }

    /// Takes a request out, to answer it.
    ///
    /// Nil: somebody else has.
    func take(_ ticket: Ticket) -> Reply? {
        guard let waiting = table.withLock({ $0.waiting.removeValue(forKey: ticket.number) })
        else { return nil }
        return Reply(waiting.request)
    }

    /// The caller was signalled: the wait ends now, the outcome of the change stays unknown to it.
    fileprivate func interrupt(number: UInt) {
        let waiting = table.withLock { table -> Waiting? in
            guard let waiting = table.waiting[number] else { return nil }
            guard !waiting.isRegistering else {
                table.waiting[number]?.isInterrupted = true
                return nil
            }
            return table.waiting.removeValue(forKey: number)
        }
        if let waiting { Reply(waiting.request).error(.interrupted) }
    }

    /// Answers everything that waits with EIO and admits nothing more.
    ///
    /// A request that is being registered meanwhile is answered by the thread that registers it.
    func close() {
        let waiting = table.withLock { table -> [Waiting] in
            table.isClosed = true
            for number in table.waiting.keys where table.waiting[number]?.isRegistering == true {
                table.waiting[number]?.isInterrupted = true
            }
            let waiting = table.waiting.filter { !$0.value.isRegistering }
            for number in waiting.keys { table.waiting[number] = nil }
            return waiting.sorted { $0.key < $1.key }.map(\.value)
        }
        for one in waiting { Reply(one.request).error(.io("the mount is going away")) }
    }
}

/// libfuse calls this with the number that ``PendingRequests`` registered.
private func requestInterrupted(_ request: fuse_req_t?, _ data: UnsafeMutableRawPointer?) {
    guard !isOnlyNews(forThread: fuse_req_ctx(request)?.pointee.pid ?? 0) else { return }
    FuseServer.serving(request).pending.interrupt(number: UInt(bitPattern: data))
}
