// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How often the kernel asked, and how often for what it might have remembered.
///
/// The second number stands still while the kernel's cache is warm; a test can see that it is.
final class RequestCounts: Sendable {
    let all = Atomic<UInt64>(0)
    let cacheable = Atomic<UInt64>(0)

    /// LOOKUP, GETATTR, READLINK, READ, READDIR and READDIRPLUS of `enum fuse_opcode`, fuse(4).
    private static let cacheableOpcodes: [UInt32] = [1, 3, 5, 15, 28, 44]

    /// Counts one request.
    func count(opcode: UInt32) {
        all.add(1, ordering: .relaxed)
        if Self.cacheableOpcodes.contains(opcode) { cacheable.add(1, ordering: .relaxed) }
    }
}
