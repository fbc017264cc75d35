// SPDX-License-Identifier: Apache-2.0

/// What a mount is for; the names are those of the configuration.
package enum MountKind: String, CaseIterable, Sendable {
    /// Shows everything but secrets, and takes changes.
    case ordinary
    /// For programs that only read: nothing changes through it, and a warm file is opened, read
    /// and closed by the kernel alone.
    case readOnly = "read-only"
    /// Shows secrets to root: read only, never cached, every open logged.
    case reveal

    /// Whether every change is refused.
    package var isReadOnly: Bool { self != .ordinary }

    /// Whether files are read without having been opened (FUSE_NO_OPEN_SUPPORT).
    ///
    /// There is no handle then that could keep the content of one moment.
    package var isOpenless: Bool { self == .readOnly }
}
