// SPDX-License-Identifier: Apache-2.0

import Dispatch
import FSMap
package import Identity
import Node
import Replica
import SwiftProtobuf

/// Makes a token for joining; never blocks for long.
package typealias IssueToken =
    @Sendable (Brokerfs_Admin_IssueToken) -> Brokerfs_Admin_Response

/// Answers the requests of the command line.
struct AdminResponder: Sendable {
    typealias Respond = @Sendable (Brokerfs_Admin_Response) -> Void

    let node: LocalNode
    let status: AdminStatus
    let tokens: IssueToken?
    private let loads = DispatchQueue(label: "brokerfs.load")
    private let puts = DispatchQueue(label: "brokerfs.load.put")

    init(node: LocalNode, status: AdminStatus, tokens: IssueToken? = nil) {
        self.node = node
        self.status = status
        self.tokens = tokens
    }

    func respond(to request: Brokerfs_Admin_Request, _ respond: @escaping Respond) {
        switch request.kind {
        case .status: respond(answered { () throws(ViewError) in .status(try currentStatus()) })
        case .propose(let message): propose(message, respond)
        case .isMember(let lookup):
            respond(answered { () throws(ViewError) in try membership(lookup) })
        case .load(let load):
            // In the order they came, and not on the event loop, which has others to serve.
            loads.async {
                let job = LoadJob(load, node: node)
                puts.async { put(job, respond) }
            }
        case .members: respond(.with { $0.members = members() })
        case .changeGroup(let change): changeGroup(change, respond)
        case .transfer(let transfer): self.transfer(transfer, respond)
        case .progress(let question): progress(question, respond)
        case .issueToken(let request):
            respond(tokens?(request) ?? .failure(.invalid, Self.isAlone))
        case .watch: respond(.failure(.invalid, "a watch has a connection of its own"))
        case nil: respond(.failure(.invalid, "an empty request"))
        }
    }

    /// Waits for what is being read of loads; a node that has stopped refuses it at once.
    func finish() {
        loads.sync {}
        puts.sync {}
    }

    /// Waits for the answer: what is put again must not come behind later lines and undo them.
    private func put(_ job: LoadJob, _ respond: @escaping Respond) {
        let answered = DispatchSemaphore(value: 0)
        job.run { response in
            respond(response)
            answered.signal()
        }
        answered.wait()
    }

    private func propose(_ message: Brokerfs_Command_Command, _ respond: @escaping Respond) {
        let kind: Command.Kind
        do {
            kind = try Command(message).kind
        } catch {
            return respond(.failure(.invalid, "\(error)"))
        }
        node.proposeAnywhere(kind) { respond(.init($0)) }
    }

    private func membership(
        _ lookup: Brokerfs_Admin_Lookup
    ) throws(ViewError) -> Brokerfs_Admin_Response.OneOf_Kind {
        let view = node.view()
        let number = try view.number(of: lookup.user, in: .members(ofGroup: lookup.group))
        let group = try view.group(lookup.group)
        // After the reads: what was read is at most as old as a mount may show it.
        guard node.mayShow(now: node.monotonicNanoseconds()) else {
            return .failure(.init(.busy, Self.isStale))
        }
        return .membership(
            .with {
                $0.member = number != nil
                $0.groupExists = group != nil
            }
        )
    }

    private static let isStale = "nobody vouches for what this node has: it hears no leader"

    private func currentStatus() throws(ViewError) -> Brokerfs_Admin_Status {
        let view = node.view()
        let cluster = view.cluster
        let info = try node.information()
        var answer = Brokerfs_Admin_Status()
        answer.node = node.configuration.name
        answer.role = cluster.role
        answer.leader = cluster.leader
        answer.term = cluster.term
        answer.writable = cluster.writable
        answer.clusterID = node.configuration.clusterID
        answer.fresh = node.mayShow(now: node.monotonicNanoseconds())
        answer.lagMs = cluster.lagMilliseconds
        answer.appliedIndex = cluster.applied
        answer.committedIndex = cluster.committed
        answer.serverVersion = info.serverVersion
        answer.recordVersion = info.recordVersion
        answer.reason = info.notWritableReason ?? ""
        answer.storeBytes = info.storeBytes
        let mounts = status.mounts()
        // Whoever takes its paths from here must not come upon tokens unasked.
        answer.mount = mounts.first { $0.kind != .reveal }?.directory ?? ""
        answer.mountRequests = mounts.reduce(0) { $0 + $1.requests }
        answer.cacheableRequests = mounts.reduce(0) { $0 + $1.cacheableRequests }
        answer.mounts = mounts.map { Brokerfs_Admin_Mount($0) }
        answer.version = status.version
        answer.sessions = try count(view, .session)
        answer.users = try count(view, .user)
        answer.groups = try count(view, .directoryGroup)
        answer.serviceAccounts = try count(view, .serviceAccount)
        answer.contextValues = try count(view, .context)
        return answer
    }

    private func count(_ view: any IdentityView, _ type: RecordType) throws(ViewError) -> UInt64 {
        try view.statistics(of: .records(type))?.count ?? 0
    }

    private func answered(
        _ body: () throws(ViewError) -> Brokerfs_Admin_Response.OneOf_Kind
    ) -> Brokerfs_Admin_Response {
        do throws(ViewError) {
            let kind = try body()
            return .with { $0.kind = kind }
        } catch {
            return .failure(.io, "\(error)")
        }
    }
}

extension Brokerfs_Admin_Mount {
    init(_ mount: AdminMount) {
        self = .with {
            $0.directory = mount.directory
            $0.kind = mount.kind.rawValue
            $0.requests = mount.requests
            $0.cacheableRequests = mount.cacheableRequests
            $0.openHandles = UInt64(max(0, mount.openHandles))
            $0.inodes = UInt64(mount.inodes)
        }
    }
}

extension Brokerfs_Admin_Response {
    /// What became of a change.
    init(_ result: Result<Applied, ProposalError>) {
        switch result {
        case .success(let applied): self = .with { $0.applied = .init(applied) }
        case .failure(let error): self = .with { $0.failure = .init(error) }
        }
    }

    /// A failure and what to say of it.
    package static func failure(_ code: Brokerfs_Admin_Failure.Code, _ message: String) -> Self {
        .with {
            $0.failure.code = code
            $0.failure.message = message
        }
    }
}

extension Brokerfs_Admin_Applied {
    init(_ applied: Applied) {
        self = .with {
            $0.count = applied.count
            $0.recordVersion = applied.recordVersion
            guard let receipt = applied.receipt else { return }
            $0.index = receipt.index
            $0.term = receipt.term
            $0.acceptedAt = receipt.acceptedAt.message
        }
    }
}

extension Brokerfs_Admin_Failure {
    /// The one place where a failed proposal gets its code on this wire.
    init(_ error: ProposalError) {
        switch error {
        case .refused(let error): self.init(error)
        case .noSpace: self.init(.noSpace, "the disk is full; revocations still work")
        case .notWritable(let reason): self.init(.notWritable, reason)
        case .timedOut: self.init(.unknownOutcome, "not committed in time; it may still be")
        case .stopped: self.init(.unknownOutcome, "the node is stopping")
        case .busy: self.init(.busy, "too many changes are waiting")
        case .io(let reason): self.init(.io, reason)
        }
    }

    init(_ error: CommandError) {
        switch error {
        case .revoked: self.init(.revoked, "\(error)")
        case .versionMismatch: self.init(.versionMismatch, "\(error)")
        case .notFound: self.init(.notFound, "\(error)")
        case .exists: self.init(.exists, "\(error)")
        case .expired: self.init(.expired, "\(error)")
        case .tooLarge, .undecodable, .tooManyMembers: self.init(.invalid, "\(error)")
        }
    }

    init(_ code: Code, _ message: String) {
        self.init()
        self.code = code
        self.message = message
    }
}
