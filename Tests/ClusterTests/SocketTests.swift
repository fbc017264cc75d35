// SPDX-License-Identifier: Apache-2.0

import Cluster
import Foundation
import Glibc
import Testing

/// How sockets are set, as the kernel sees it.
@Suite struct SocketTests {
    @Test("no program that is started inherits a connection or the listening socket")
    func closeOnExec() throws {
        let group = try TestGroup.connected(2)
        defer { group.end() }
        let ports = try (1...2).map { try #require(try group.peers($0).listeningPort) }
        var (found, inherited) = (0, 0)
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            guard let descriptor = CInt(name),
                [port(descriptor, getsockname), port(descriptor, getpeername)]
                    .contains(where: { port in port.map { ports.contains($0) } ?? false })
            else { continue }
            found += 1
            if fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0 { inherited += 1 }
        }
        // Two listen, and both ends of two connections are ours.
        #expect(found >= 6)
        #expect(inherited == 0)
    }

    private typealias NameCall = (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt

    private func port(_ descriptor: CInt, _ call: NameCall) -> Int? {
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call(descriptor, $0, &size)
            }
        }
        guard status == 0, address.sin_family == sa_family_t(AF_INET) else { return nil }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}
