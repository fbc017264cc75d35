// SPDX-License-Identifier: Apache-2.0

import Foundation

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

    /// What tells one content of a file from the next without reading it; through links, which is
    /// how some place certificates.
    ///
    /// Empty where there is no such file.
    struct Mark: Equatable, Sendable {
        var device: Int?
        var inode: Int?
        var size: Int?
        var modified: Date?

        init(_ path: String) {
            let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let attributes = try? FileManager.default.attributesOfItem(atPath: file)
            device = attributes?[.systemNumber] as? Int
            inode = attributes?[.systemFileNumber] as? Int
            size = attributes?[.size] as? Int
            modified = attributes?[.modificationDate] as? Date
        }
    }

    var marks: [Mark] { paths.map { Mark($0) } }
}
