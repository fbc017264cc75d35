// SPDX-License-Identifier: Apache-2.0

package import FSMap
package import Identity
import Log
package import Logging
package import Replica
import Store
import Synchronization

/// A mount, or whoever else is told of every change.
package protocol MountObserver: AnyObject, Sendable {
    /// On the replica thread, before the state changes: notes what will be stale. Never blocks.
    func willApply(_ effects: [Effect])
    /// On the reply thread, after the state has changed and before the replies go out.
    ///
    /// Invalidates cached content now, and returns what queues the cached names, called after the
    /// replies. That function must not block.
    func didApply(_ effects: [Effect]) -> @Sendable () -> Void

    /// On the replica thread, before another state takes the place of the shown one. Never blocks.
    func willReplace()
    /// On the reply thread, after it has; the rest is as with ``didApply(_:)``.
    func didReplace() -> @Sendable () -> Void
    /// On the replica thread: nobody vouches any more for what is shown, or somebody does again.
    ///
    /// Never blocks.
    func gateChanged(isOpen: Bool)
    /// On the reply thread: `cluster/` shows something else, its counters apart.
    func clusterChanged(_ before: ClusterState, _ after: ClusterState)
    /// Calls `body` once the caches have forgotten all that they were told to so far.
    ///
    /// On the reply thread; does not wait for it.
    func afterForgetting(_ body: @escaping @Sendable () -> Void)
}

/// What most observers, which keep nothing, have to do.
extension MountObserver {
    /// Nothing is kept.
    package func willReplace() {}
    /// Nothing is kept.
    package func didReplace() -> @Sendable () -> Void { {} }
    /// Nothing is shown.
    package func gateChanged(isOpen: Bool) {}
    /// Nobody is told.
    package func clusterChanged(_ before: ClusterState, _ after: ClusterState) {}
    /// Nothing is cached.
    package func afterForgetting(_ body: @escaping @Sendable () -> Void) { body() }
}

/// The machine room: a replica with its threads, clocks and files.
///
/// LOCK ORDER: none of the locks here is held while another one, or an observer, is called; but
/// `eventLog` is held while `unwritten` is emptied into it.
/// Threads: `replica` owns the ``Replica``; `disk` makes entries durable; `flush` writes the
/// state's own files; `reply` tells the mounts and answers.
package final class LocalNode: Sendable {
    package let configuration: NodeConfiguration
    let shown: ShownState
    let log: Logger
    let shared: SharedState
    let inbox: Mailbox<Inbound>
    /// The others; nil for a node on its own.
    let links: (any PeerLinks)?
    let forwarder = Forwarder()
    private let threads: Mutex<[WorkerThread]>
    private let lock: DirectoryLock

    /// What reaches the replica thread.
    enum Inbound: Sendable {
        case propose(Proposal)
        case event(Event)
        case arrived(Arrival)
        case shutdown
    }

    /// Opens the directory, starts the threads and waits until the log is applied.
    ///
    /// A node of a group does not wait: whether changes are taken anywhere is up to the group.
    ///
    /// Throws ``NodeError`` and leaves nothing running where the directory is in use, damaged or
    /// incomplete.
    package init(
        _ configuration: NodeConfiguration,
        links: (any PeerLinks)? = nil,
        log: Logger
    ) throws(NodeError) {
        self.configuration = configuration
        self.links = links
        self.log = log
        lock = try DirectoryLock(configuration.dataDirectory)
        let opened: OpenedFiles
        do throws(NodeError) {
            opened = try OpenedFiles(configuration, log: log)
        } catch {
            lock.release()
            throw error
        }
        shared = SharedState(
            name: configuration.name,
            isInGroup: configuration.isInGroup,
            stalenessMaxNanoseconds: configuration.stalenessMaxNanoseconds
        )
        shown = ShownState(opened.store, shared: shared)
        inbox = Mailbox()
        threads = Mutex([])
        let replica = Replica(
            opened.records,
            member: configuration.member,
            recovery: opened.recovery,
            options: configuration.raft,
            limits: configuration.replica,
            seed: .random(in: 0...(.max)),
            now: Clock.monotonicNanoseconds()
        )
        shared.loadEvents(
            from: opened.records.reader,
            bytesMax: configuration.eventBytesMax,
            log: log
        )
        shared.begin(at: replica.appliedIndex)
        start(replica, opened.storage)
        if links != nil { scout() }
        if !configuration.isInGroup, let reason = shared.waitUntilReady() {
            shutdown()
            throw .notReady(reason: reason)
        }
    }

    private func start(
        _ replica: consuming Replica,
        _ storage: consuming MemberStorage<PosixDisk>
    ) {
        let replies = Mailbox<ReplyJob>()
        let disk = Mailbox<DiskJob>()
        let flushes = Mailbox<UInt64>()
        let desk = ReplicaDesk(
            replica: replica,
            node: self,
            disk: disk,
            replies: replies,
            flushes: flushes
        )
        let shelf = DiskDesk(
            storage: storage,
            jobs: disk,
            inbox: inbox,
            directories: StateDirectories(data: configuration.dataDirectory),
            logger: log
        )
        let (shown, inbox, shared, logger) = (shown, inbox, shared, log)
        threads.withLock {
            $0 = [
                WorkerThread("replica") { desk.run() },
                WorkerThread("disk") { shelf.run() },
                WorkerThread("flush") { flushStore(shown, flushes, inbox, logger) },
                WorkerThread("reply") { runReplies(replies, shared) },
            ]
        }
    }

    /// The current state, readable from any thread.
    package func view() -> StateView { shown.view }

    /// One moment of the state: what is read from it belongs together.
    package func snapshot() throws(ViewError) -> StateView {
        let shared = shared
        do throws(StoreError) {
            let snapshot = try shown.store.snapshot()
            return StateView(
                snapshot,
                isMoment: true,
                cluster: { shared.cluster },
                events: { shared.events },
                progress: { shared.receipts.nodes(of: $0) }
            )
        } catch {
            throw .io("\(error)")
        }
    }

    /// Stamps, logs and applies a change.
    ///
    /// `completion` runs once, on the reply thread, when the entry is durable and applied and the
    /// mounts have dropped the content it changed, or when that is refused or late.
    package func propose(
        _ kind: Command.Kind,
        origin: RequestOrigin? = nil,
        completion: @escaping @Sendable (Result<Applied, ProposalError>) -> Void
    ) {
        if let refusal = shared.refusal(of: kind) { return completion(.failure(refusal)) }
        let id = shared.register(completion)
        guard inbox.send(.propose(Proposal(id: id, kind: kind, origin: origin))) else {
            return shared.take(id)?(.failure(.stopped)) ?? ()
        }
    }

    /// The same, for callers that may block; never from a FUSE or reply thread.
    package func proposeAndWait(_ kind: Command.Kind) -> Result<Applied, ProposalError> {
        let answer = Answer<Result<Applied, ProposalError>>()
        propose(kind) { answer.set($0) }
        return answer.wait()
    }

    /// Tells a mount of every change from now on.
    package func add(_ observer: any MountObserver) {
        shared.observers.withLock { $0.append(observer) }
    }

    /// Ends that.
    package func remove(_ observer: any MountObserver) {
        shared.observers.withLock { $0.removeAll { $0 === observer } }
    }

    /// The clock for deadlines and caches.
    package func monotonicNanoseconds() -> UInt64 { Clock.monotonicNanoseconds() }

    /// Answers what is in flight, writes the state out and ends the threads.
    ///
    /// Idempotent.
    package func shutdown() {
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        guard !running.isEmpty else { return }
        shared.close()
        inbox.send(.shutdown)
        for thread in running { thread.join() }
        shown.close()
        lock.release()
    }
}

/// What `status` shows beyond `cluster/`.
package struct NodeInformation: Sendable {
    package var serverVersion: UInt64
    package var recordVersion: UInt64
    package var storeBytes: UInt64
    /// Why writes are refused; nil while they are not.
    package var notWritableReason: String?
}

extension LocalNode {
    /// Where the history stands and what it occupies.
    package func information() throws(ViewError) -> NodeInformation {
        do throws(StoreError) {
            let store = shown.store
            let metadata = try RecordReader(store).metadata()
            return NodeInformation(
                serverVersion: metadata.serverVersion,
                recordVersion: metadata.recordVersion,
                storeBytes: try store.statistics().approximateBytes,
                notWritableReason: shared.notWritableReason
            )
        } catch {
            throw .io("\(error)")
        }
    }
}
