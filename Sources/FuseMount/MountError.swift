// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Why a directory cannot be mounted, with what mends it.
package enum MountError: Error, Equatable, Sendable {
    /// There is no FUSE device at this path.
    case noDevice(String)
    /// An ordinary user needs fusermount3(1).
    case noFusermount
    /// What was refused.
    case permission(String)
    /// The path does not exist.
    case missing(String)
    case notADirectory(String)
    case notEmpty(String)
    case alreadyMounted(String, type: String)
    /// A mount whose daemon is gone could not be taken off.
    case deadMount(String)
    case failed(String, errno: Int32)
}

extension MountError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noDevice(let path):
            "\(path) is missing: load the kernel's module (modprobe fuse), or in a container "
                + "pass the device in (--device \(path))"
        case .noFusermount:
            "fusermount3 is missing: install the package fuse3, or run as root"
        case .permission(let what):
            "\(what): run as root (in a container with CAP_SYS_ADMIN), or mount as a user on a "
                + "directory of your own"
        case .missing(let directory):
            "\(directory) does not exist: make it with mkdir -p"
        case .notADirectory(let directory):
            "\(directory) is not a directory"
        case .notEmpty(let directory):
            "\(directory) is not empty: its files would be hidden; mount on an empty directory"
        case .alreadyMounted(let directory, let type):
            "\(directory) is a mount point already (\(type)): unmount it (umount \(directory)) "
                + "or choose another directory"
        case .deadMount(let directory):
            "\(directory) is a mount without its daemon and could not be taken off: as root, "
                + "umount -l \(directory)"
        case .failed(let what, let number):
            "\(what): \(String(cString: strerror(number)))"
        }
    }
}
