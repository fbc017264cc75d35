// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What `brokerfs doctor` asks of this room.
extension MountPoint {
    /// The directories in the mount table where a brokerfs is mounted, alive or dead.
    package static func brokerfsMounts() -> [String] {
        readText("/proc/self/mountinfo").split(separator: "\n")
            .compactMap { MountTableLine($0) }
            .filter { $0.type == brokerfsType }
            .map { $0.directory }
    }

    /// What a mount of the user who asks goes without; empty for root.
    package static func limitations() -> [String] {
        guard geteuid() != 0 else { return [] }
        let options = MountOptions(directory: "/")
        return Attachment(directory: "/", options: options).limitations + [
            "Cold lookups in one directory wait for each other (libfuse 3.14 does not ask for "
                + "parallel directory operations)."
        ]
    }
}
