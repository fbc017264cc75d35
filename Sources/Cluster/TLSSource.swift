// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import NIOSSL
import Synchronization

/// The certificates as they are in their files now, made ready for connections.
///
/// Files that cannot be used are logged, once for each content, and the certificates before them
/// stay in use.
final class TLSSource: Sendable {
    /// Both ends of mutual TLS 1.3 from one set of files.
    struct Contexts: Sendable {
        let client: NIOSSLContext
        let server: NIOSSLContext
        /// For whoever may have no certificate yet, while a token is good; the authority's
        /// certificates come with it.
        let admission: NIOSSLContext
        /// Counts the sets of files that were taken.
        let generation: UInt64
    }

    private struct State {
        var contexts: Contexts
        /// Of the files that were looked at last, good or bad.
        var marks: [TLSFiles.Mark]
    }

    private let files: TLSFiles
    private let identity: ClusterIdentity
    private let log: Logger
    private let state: Mutex<State>

    /// Reads the files; throws ``PeersError`` where they cannot be used.
    init(_ files: TLSFiles, identity: ClusterIdentity, log: Logger) throws(PeersError) {
        self.files = files
        self.identity = identity
        self.log = log
        // Marks first: what changes while the files are read is seen as a change afterwards.
        let marks = files.marks
        let contexts = try Self.load(files, identity: identity, generation: 1)
        state = Mutex(State(contexts: contexts, marks: marks))
    }

    /// What connections are made with from now on.
    func current() -> Contexts {
        let marks = files.marks
        return state.withLock { state in
            guard marks != state.marks else { return state.contexts }
            state.marks = marks
            do throws(PeersError) {
                state.contexts = try Self.load(
                    files,
                    identity: identity,
                    generation: state.contexts.generation + 1
                )
                log.notice("certificates renewed")
            } catch {
                log.error(
                    "new certificates cannot be used, the old ones stay in use",
                    metadata: ["error": "\(error)"]
                )
            }
            return state.contexts
        }
    }

    private static func load(
        _ files: TLSFiles,
        identity: ClusterIdentity,
        generation: UInt64
    ) throws(PeersError) -> Contexts {
        let authorities = try certificates(files.authority)
        let chain = try certificates(files.certificate)
        let key: NIOSSLPrivateKey
        do {
            key = try NIOSSLPrivateKey(bytes: try bytes(files.key), format: .pem)
        } catch let error as PeersError {
            throw error
        } catch {
            throw .certificates(path: files.key, reason: "no private key in PEM: \(error)")
        }
        let named = (try? chain[0].toDERBytes()).flatMap { ClusterIdentity(certificate: $0) }
        guard named == identity else {
            let found = named.map { $0.uri } ?? "no member of a cluster"
            throw .certificates(
                path: files.certificate,
                reason: "the certificate names \(found), not \(identity.uri)"
            )
        }
        var server = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(key),
            trustRoots: .certificates(authorities)
        )
        server.minimumTLSVersion = .tlsv13
        var admission = server
        admission.certificateVerification = .optionalVerification
        admission.certificateChain = (chain + authorities).map { .certificate($0) }
        var client = TLSConfiguration.makeClientConfiguration()
        client.minimumTLSVersion = .tlsv13
        client.certificateVerification = .noHostnameVerification
        client.trustRoots = .certificates(authorities)
        client.certificateChain = chain.map { .certificate($0) }
        client.privateKey = .privateKey(key)
        do {
            return Contexts(
                client: try NIOSSLContext(configuration: client),
                server: try NIOSSLContext(configuration: server),
                admission: try NIOSSLContext(configuration: admission),
                generation: generation
            )
        } catch {
            throw .certificates(
                path: files.certificate,
                reason: "certificate and key do not go together: \(error)"
            )
        }
    }

    private static func certificates(_ path: String) throws(PeersError) -> [NIOSSLCertificate] {
        let bytes = try bytes(path)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty
        else { throw .certificates(path: path, reason: "no certificate in PEM") }
        return certificates
    }

    private static func bytes(_ path: String) throws(PeersError) -> [UInt8] {
        do {
            return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw .certificates(path: path, reason: "cannot be read: \(error.localizedDescription)")
        }
    }
}
