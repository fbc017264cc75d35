// SPDX-License-Identifier: Apache-2.0

package import Identity

/// Why a file operation is refused; becomes an errno in one function of the mount.
package enum FSError: Error, Equatable, Sendable {
    /// ENOENT
    case notFound
    /// EPERM: the contract does not have this operation on this file.
    case notPermitted
    /// EACCES
    case accessDenied
    /// EEXIST
    case exists
    /// ENOTDIR
    case notDirectory
    /// EISDIR
    case isDirectory
    /// ENOTEMPTY
    case notEmpty
    /// EINVAL, with the reason for the log.
    case invalid(String)
    /// EKEYREVOKED
    case revoked
    /// EROFS
    case readOnly
    /// ENOSPC
    case noSpace
    /// ENAMETOOLONG
    case nameTooLong
    /// EFBIG
    case tooLarge
    /// EBADF
    case badHandle
    /// EINTR
    case interrupted
    /// ETIMEDOUT: the outcome is unknown.
    case timedOut
    /// EIO
    case io(String)
    /// ENODATA
    case noAttribute
    /// EOPNOTSUPP
    case unsupported
    /// ESTALE: compare-and-set against an older version, or an inode that is gone.
    case stale
    /// EBUSY
    case busy
    /// EBUSY: sessions of too many principals, or too many accounts, were removed one by one.
    case braked
    /// ENFILE: in all.
    case tooManyOpen
    /// EMFILE: of one user.
    case tooManyOpenByUser
}

extension FSError {
    /// A failed read of the state.
    package init(_ error: ViewError) {
        switch error {
        case .io(let reason): self = .io(reason)
        }
    }

    /// A refused document.
    package init(_ error: DocumentError) {
        switch error {
        case .tooLarge: self = .tooLarge
        default: self = .invalid(error.description)
        }
    }

    /// A command that changed nothing.
    package init(_ error: CommandError) {
        switch error {
        case .revoked: self = .revoked
        case .versionMismatch: self = .stale
        case .notFound: self = .notFound
        case .exists: self = .exists
        case .expired, .undecodable: self = .invalid(error.description)
        case .tooLarge: self = .tooLarge
        case .tooManyMembers: self = .noSpace
        }
    }
}
