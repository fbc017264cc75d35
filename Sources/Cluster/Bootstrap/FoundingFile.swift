// SPDX-License-Identifier: Apache-2.0

/// The founding file, the record in the data directory, and how the one becomes the other.
///
/// INVARIANT: the founding file goes only after the member's file is there. A crash before leaves
/// it where it was, and the next start begins again.
package struct FoundingFile: Sendable {
    package let path: String?
    package let dataDirectory: String

    /// Names the places; `path` nil where no founding file is configured.
    package init(path: String?, dataDirectory: String) {
        self.path = path
        self.dataDirectory = dataDirectory
    }

    /// What is there.
    package func facts() throws(BootstrapError) -> StartDecision.Facts {
        .init(
            record: try Self.read(recordPath),
            hasMemberFile: try DurableFile.exists(memberPath),
            founding: try path.flatMap { path throws(BootstrapError) in try Self.read(path) }
        )
    }

    /// Says in the data directory whose it is, before anything else is made there.
    package func record(_ founding: Founding) throws(BootstrapError) {
        try DurableFile.makeDirectory(dataDirectory, mode: 0o700)
        try DurableFile.syncDirectory(DurableFile.parent(of: dataDirectory))
        try DurableFile.replace(recordPath, founding.encoded(), mode: DurableFile.publicMode)
    }

    /// Uses the founding file up: it becomes `founding.used`.
    ///
    /// Throws where the member's file is not there, or the file cannot be renamed: then the node
    /// must not go on, or a lost directory would be founded a second time.
    package func use() throws(BootstrapError) {
        guard let path, try DurableFile.exists(path) else { return }
        guard try DurableFile.exists(memberPath) else {
            throw .file(path: memberPath, reason: "is missing; the founding file is kept")
        }
        try DurableFile.rename(path, to: path + ".used")
    }

    private var recordPath: String { dataDirectory + "/cluster" }
    private var memberPath: String { dataDirectory + "/log/member" }

    private static func read(_ path: String) throws(BootstrapError) -> Founding? {
        guard let bytes = try DurableFile.read(path) else { return nil }
        return try Founding(decoding: bytes, at: path)
    }
}
