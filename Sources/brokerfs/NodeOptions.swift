// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import ArgumentParser
import Foundation
import Identity
import SwiftProtobuf

/// Where the node is that a command talks to.
struct NodeOptions: ParsableArguments {
    @Option(help: "The node's data directory (BROKERFS_DATA; default /var/lib/brokerfs).")
    var data: String?

    @Option(help: "Seconds to wait for each answer of the node.")
    var timeout = 10

    func validate() throws {
        guard (1...3600).contains(timeout) else {
            throw ValidationError("--timeout is between 1 and 3600 seconds")
        }
    }

    var directory: String { Self.directory(data: data) }

    var socket: String { Self.socket(data: data) }

    /// The flag over the environment over the default.
    static func directory(data: String?) -> String {
        data ?? ProcessInfo.processInfo.environment["BROKERFS_DATA"] ?? Settings.defaultData
    }

    /// Where the node of a data directory listens.
    static func socket(data: String?) -> String {
        AdminServer.path(inData: directory(data: data))
    }

    /// Asks the node one thing; a failure it names becomes this command's exit code.
    func ask(_ request: Brokerfs_Admin_Request) async throws -> Brokerfs_Admin_Response {
        let response: Brokerfs_Admin_Response
        do {
            response = try await AdminClient.ask(
                path: socket,
                timeoutSeconds: timeout,
                request
            )
        } catch let error as AdminClientError {
            // Who only asks learns nothing; who changes something does not know what came of it.
            throw Failure(request.isChange ? error.code : .cannotTell, error.description)
        }
        if case .failure(let failure)? = response.kind { throw Failure(failure) }
        return response
    }

    /// Where the node is mounted; empty where it is not or does not answer.
    func mountPoint() async -> String {
        let response = try? await AdminClient.ask(
            path: socket,
            timeoutSeconds: timeout,
            .with { $0.status = true }
        )
        return response?.status.mount ?? ""
    }
}

extension Brokerfs_Admin_Request {
    /// Whether it changes something.
    fileprivate var isChange: Bool {
        switch kind {
        case .propose, .load, .changeGroup, .transfer: true
        case .issueToken: false
        case .status, .isMember, .members, .progress, .watch, nil: false
        }
    }
}

extension AdminClientError {
    /// No node: cannot tell.
    ///
    /// A node that went away meanwhile, or hangs: the outcome is unknown.
    var code: Code {
        switch self {
        case .noNode: .cannotTell
        case .closed, .silent: .pending
        }
    }
}

extension Failure {
    /// The one place where the node's answers get exit codes.
    init(_ failure: Brokerfs_Admin_Failure) {
        let code: Code =
            switch failure.code {
            case .notFound: .notFound
            case .unknownOutcome: .pending
            case .revoked, .unsafe: .refused
            case .notWritable, .busy: .failure
            case .invalid, .versionMismatch, .noSpace, .io, .exists, .expired: .failure
            case .unspecified, .UNRECOGNIZED: .failure
            }
        self.init(code, failure.message)
    }
}
