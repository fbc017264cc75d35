// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where the certificates of a member are, as PEM.
package struct TLSFiles: Equatable, Sendable {
    /// Whom to trust: one certificate or several.
    package var authority: String
    /// The member's own certificate, and intermediate ones behind it.
    package var certificate: String
    /// The key of the member's certificate.
    package var key: String

    /// Joins three paths.
    package init(authority: String, certificate: String, key: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }

    var paths: [String] { [authority, certificate, key] }

    /// What tells one content of a file from the next without reading it.
    struct Mark: Equatable, Sendable {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var size: Int64 = 0
        var seconds: Int = 0
        var nanoseconds: Int = 0

        /// All zeros where there is no such file.
        init(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
        }
    }

    var marks: [Mark] { paths.map { Mark($0) } }
}
