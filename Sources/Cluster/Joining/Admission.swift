// SPDX-License-Identifier: Apache-2.0

package import Identity
package import Logging
import NIOCore
import NIOPosix
import Node
package import Replica
import Synchronization
import X509

/// Admits machines to the group: makes tokens, and for each one certificate and one member.
///
/// Without a token that is still good, nobody without a certificate gets past TLS.
package final class Admission: Sendable {
    /// What it needs of the node; called on any thread.
    package struct Host: Sendable {
        /// Who is in the group, as far as this node has heard.
        package var group: @Sendable () -> [GroupMember]
        /// Adds a learner under the next free number, through the leader.
        package var add:
            @Sendable (
                GroupMember, @escaping @Sendable (Result<Applied, ProposalError>) -> Void
            ) -> Void

        /// Joins what a node offers.
        package init(
            group: @escaping @Sendable () -> [GroupMember],
            add:
                @escaping @Sendable (
                    GroupMember, @escaping @Sendable (Result<Applied, ProposalError>) -> Void
                ) -> Void
        ) {
            self.group = group
            self.add = add
        }
    }

    /// What a newcomer is told of the group.
    package struct Group: Sendable {
        package var clusterID: String
        package var founders: [GroupMember]
        package var timers: GroupTimers
        /// The file of the authority's certificate, and of its key where this node has it.
        package var authorityPath: String
        package var authorityKeyPath: String?

        /// Joins the parts.
        package init(
            clusterID: String,
            founders: [GroupMember],
            timers: GroupTimers,
            authorityPath: String,
            authorityKeyPath: String?
        ) {
            self.clusterID = clusterID
            self.founders = founders
            self.timers = timers
            self.authorityPath = authorityPath
            self.authorityKeyPath = authorityKeyPath
        }
    }

    /// How long a token may be good, seconds.
    package static let secondsRange: ClosedRange<UInt32> = 1...86_400
    private static let pause = TimeAmount.milliseconds(10)

    private let group: Group
    private let host: Host
    private let log: Logger
    /// How long to wait until this node has heard of a member that the leader has added.
    private let visibleNanoseconds: UInt64
    private let book = Mutex(TokenBook())
    private let eventLoop = MultiThreadedEventLoopGroup.singleton.next()

    /// Makes the desk of a node; no token is good yet.
    package init(
        _ group: Group,
        host: Host,
        log: Logger,
        visibleNanoseconds: UInt64 = 10_000_000_000
    ) {
        self.group = group
        self.host = host
        self.log = log
        self.visibleNanoseconds = visibleNanoseconds
    }

    /// Whether a token is still good.
    var isOpen: Bool { book.withLock { !$0.isEmpty(now: Clock.monotonicNanoseconds()) } }

    // MARK: - Making tokens

    /// Makes a token that admits one machine, of this name where it is not empty.
    ///
    /// `authorityKey` is PEM, or empty for the key that the node is configured with. Throws
    /// ``BootstrapError`` where there is no key, or one that is not that of the authority.
    package func issue(
        name: String,
        seconds: UInt32,
        authorityKey: String
    ) throws(BootstrapError) -> JoinToken {
        guard Self.secondsRange.contains(seconds) else {
            throw .members(reason: "a token is good for 1 second to 1 day")
        }
        if !name.isEmpty { try MemberName.validate(name) }
        let key = authorityKey.isEmpty ? try configuredKey() : authorityKey
        let token = try JoinToken(for: try authority(key: key).certificate)
        let now = Clock.monotonicNanoseconds()
        let isTaken = book.withLock { book in
            book.add(
                token,
                name: name,
                authorityKey: key,
                expiresAt: now + UInt64(seconds) * 1_000_000_000,
                now: now
            )
        }
        guard isTaken else {
            throw .members(
                reason: "\(TokenBook.tokensMax) tokens are good already; let some expire"
            )
        }
        log.notice("a token for joining was made", metadata: ["seconds": "\(seconds)"])
        return token
    }

    private func configuredKey() throws(BootstrapError) -> String {
        guard let path = group.authorityKeyPath else {
            throw .certificate(
                reason: "this node does not have the authority's key; hand it over with --ca-key, "
                    + "or set cluster.tls.ca_key"
            )
        }
        return try DurableFile.text(path)
    }

    private func authority(key: String) throws(BootstrapError) -> CertificateAuthority {
        try CertificateAuthority(
            clusterID: group.clusterID,
            certificates: try DurableFile.text(group.authorityPath),
            key: key
        )
    }

    // MARK: - Admitting

    /// Admits a machine, or says why not; `completion` runs once, on any thread.
    func admit(
        _ request: JoinRequest,
        completion: @escaping @Sendable (Result<JoinGrant, PeerRefusal>) -> Void
    ) {
        let token: TokenBook.Token
        let newcomer: GroupMember
        do throws(PeerRefusal) {
            newcomer = try Self.newcomer(request)
            token = try begin(request)
        } catch {
            return completion(.failure(error))
        }
        if case .done(_, let grant) = token.use { return completion(.success(grant)) }
        let finish: @Sendable (TokenBook.Use, Result<JoinGrant, PeerRefusal>) -> Void = {
            [self] use, result in
            book.withLock { $0.note(use, of: request.secret) }
            completion(result)
        }
        do throws(PeerRefusal) {
            // Before the group is changed: whoever cannot be certified is not added.
            let authority = try Self.refused { () throws(BootstrapError) in
                try self.authority(key: token.authorityKey)
            }
            let isAdded = try isAdded(newcomer, token)
            join(newcomer, isAdded: isAdded) { [self] result in
                switch result {
                case .success(let member): certify(member, request, authority, finish)
                case .failure(let failure): finish(failure.use, .failure(failure.refusal))
                }
            }
        } catch {
            finish(token.use, .failure(error))
        }
    }

    /// Finds the token, and keeps others from using it meanwhile.
    private func begin(_ request: JoinRequest) throws(PeerRefusal) -> TokenBook.Token {
        let now = Clock.monotonicNanoseconds()
        let result = book.withLock { book -> Result<TokenBook.Token, PeerRefusal> in
            guard let token = book.token(request.secret, now: now) else {
                return .failure(.token("the token is not known here, or its time is over"))
            }
            switch token.use {
            case .underWay: return .failure(.token("the token is being used"))
            case .done(let key, _) where key == request.publicKey: return .success(token)
            case .done: return .failure(.token("the token has been used"))
            case .none, .uncertain: break
            }
            guard token.name.isEmpty || token.name == request.name else {
                return .failure(.token("the token is for \(token.name)"))
            }
            book.note(.underWay, of: request.secret)
            return .success(token)
        }
        return try result.get()
    }

    private static func newcomer(_ request: JoinRequest) throws(PeerRefusal) -> GroupMember {
        try refused { () throws(BootstrapError) in
            try MemberName.validate(request.name)
            try CertificateAuthority.check(publicKey: request.publicKey)
            let address = try HostPort(request.address).text
            return GroupMember(id: 0, name: request.name, address: address)
        }
    }

    /// Whether an attempt before has brought the newcomer into the group; refuses one whose name
    /// or address is another's.
    private func isAdded(
        _ newcomer: GroupMember,
        _ token: TokenBook.Token
    ) throws(PeerRefusal) -> Bool {
        let group = host.group()
        if group.contains(where: { $0.isReached(like: newcomer) }),
            token.use == .uncertain(name: newcomer.name, address: newcomer.address)
        {
            return true
        }
        if group.contains(where: { $0.name == newcomer.name }) {
            throw PeerRefusal(
                .newcomer,
                "\(newcomer.name) is a member already; to replace it: brokerfs cluster remove "
                    + newcomer.name
            )
        }
        if let other = group.first(where: { $0.address == newcomer.address }) {
            throw PeerRefusal(.newcomer, "\(newcomer.address) is the address of \(other.name)")
        }
        return false
    }

    /// Why somebody did not get in, and what that makes of the token.
    private struct JoinFailure: Error {
        var use: TokenBook.Use
        var refusal: PeerRefusal
    }

    private func join(
        _ newcomer: GroupMember,
        isAdded: Bool,
        completion: @escaping @Sendable (Result<GroupMember, JoinFailure>) -> Void
    ) {
        let end = Clock.monotonicNanoseconds() + visibleNanoseconds
        guard !isAdded else { return awaitMember(newcomer, until: end, completion) }
        host.add(newcomer) { [self] result in
            switch result {
            case .success, .failure(.timedOut), .failure(.stopped):
                awaitMember(newcomer, until: end, completion)
            case .failure(let error):
                let reason = if case .notWritable(let reason) = error { reason } else { "\(error)" }
                let refusal = PeerRefusal(.busy, "the group did not take it: \(reason)")
                completion(.failure(JoinFailure(use: .none, refusal: refusal)))
            }
        }
    }

    /// Waits until this node has heard which number the newcomer got.
    private func awaitMember(
        _ newcomer: GroupMember,
        until end: UInt64,
        _ completion: @escaping @Sendable (Result<GroupMember, JoinFailure>) -> Void
    ) {
        if let member = host.group().first(where: { $0.isReached(like: newcomer) }) {
            return completion(.success(member))
        }
        guard Clock.monotonicNanoseconds() < end else {
            let failure = JoinFailure(
                use: .uncertain(name: newcomer.name, address: newcomer.address),
                refusal: PeerRefusal(
                    .busy,
                    "the group did not answer in time; try the same again, to find out"
                )
            )
            return completion(.failure(failure))
        }
        eventLoop.scheduleTask(in: Self.pause) { [self] in
            awaitMember(newcomer, until: end, completion)
        }
    }

    private func certify(
        _ member: GroupMember,
        _ request: JoinRequest,
        _ authority: CertificateAuthority,
        _ finish: (TokenBook.Use, Result<JoinGrant, PeerRefusal>) -> Void
    ) {
        let identity = ClusterIdentity(
            clusterID: group.clusterID,
            member: member.id,
            name: member.name
        )
        do throws(PeerRefusal) {
            let grant = try Self.refused { () throws(BootstrapError) in
                JoinGrant(
                    identity: identity,
                    authority: try DurableFile.text(group.authorityPath),
                    certificate: try authority.issue(
                        identity,
                        host: try HostPort(member.address).host,
                        publicKey: request.publicKey,
                        now: Clock.wall()
                    ),
                    founders: group.founders,
                    group: host.group(),
                    timers: group.timers
                )
            }
            log.notice(
                "admitted",
                metadata: ["member": "\(member.name)", "address": "\(member.address)"]
            )
            finish(.done(publicKey: request.publicKey, grant), .success(grant))
        } catch {
            let use = TokenBook.Use.uncertain(name: member.name, address: member.address)
            finish(use, .failure(error))
        }
    }

    private static func refused<T>(
        _ body: () throws(BootstrapError) -> T
    ) throws(PeerRefusal) -> T {
        do {
            return try body()
        } catch {
            throw PeerRefusal(.newcomer, "\(error)")
        }
    }
}

extension PeerRefusal {
    fileprivate static func token(_ text: String) -> PeerRefusal { PeerRefusal(.token, text) }
}

extension GroupMember {
    fileprivate func isReached(like other: GroupMember) -> Bool {
        name == other.name && address == other.address
    }
}
