// SPDX-License-Identifier: Apache-2.0

import AdminSocket
import Foundation
import Glibc
import Identity
import Testing

/// What a command says when its node does not answer.
@Suite struct AdminClientTests {
    private let path = FileManager.default.temporaryDirectory
        .appendingPathComponent("admin-\(UUID().uuidString.prefix(8))").path

    /// Listens, as a node would.
    private func listen() throws -> Int32 {
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0 && Glibc.listen(listener, 1) == 0)
        return listener
    }

    @Test("a node that is killed has closed the connection, and the outcome is unknown")
    func reset() async throws {
        let listener = try listen()
        defer {
            close(listener)
            unlink(path)
        }
        let node = Task.detached {
            let connection = accept(listener, nil, nil)
            var request = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
            poll(&request, 1, 10_000)
            // With a request that was not read, the other end is told of a reset.
            close(connection)
        }
        await #expect {
            _ = try await AdminClient.ask(path: path, timeoutSeconds: 10, Brokerfs_Admin_Request())
        } throws: { error in
            guard case .closed? = error as? AdminClientError else { return false }
            return true
        }
        await node.value
    }

    @Test("where nobody listens there is no node")
    func nobody() async throws {
        await #expect {
            _ = try await AdminClient.ask(path: path, timeoutSeconds: 10, Brokerfs_Admin_Request())
        } throws: { error in
            guard case .noNode? = error as? AdminClientError else { return false }
            return true
        }
    }
}
