// SPDX-License-Identifier: Apache-2.0

package import FSMap
import Glibc

/// The one translation of a refused file operation into an errno(3).
///
/// INVARIANT: total; a new ``FSError`` case does not compile until its errno is chosen here.
package func errnoValue(for error: FSError) -> Int32 {
    switch error {
    case .notFound: ENOENT  // No such file or directory.
    case .notPermitted: EPERM  // Operation not permitted.
    case .accessDenied: EACCES  // Permission denied.
    case .exists: EEXIST  // File exists.
    case .notDirectory: ENOTDIR  // Not a directory.
    case .isDirectory: EISDIR  // Is a directory.
    case .notEmpty: ENOTEMPTY  // Directory not empty.
    case .invalid: EINVAL  // Invalid argument.
    case .revoked: EKEYREVOKED  // Key has been revoked.
    case .readOnly: EROFS  // Read-only filesystem.
    case .noSpace: ENOSPC  // No space left on device.
    case .nameTooLong: ENAMETOOLONG  // Filename too long.
    case .tooLarge: EFBIG  // File too large.
    case .badHandle: EBADF  // Bad file descriptor.
    case .interrupted: EINTR  // Interrupted function call.
    case .timedOut: ETIMEDOUT  // Connection timed out: the outcome is unknown.
    case .io: EIO  // Input/output error.
    case .noAttribute: ENODATA  // The named attribute does not exist.
    case .unsupported: EOPNOTSUPP  // Operation not supported.
    case .stale: ESTALE  // Stale file handle.
    case .busy, .braked: EBUSY  // Device or resource busy.
    case .tooManyOpen: ENFILE  // Too many open files in system.
    case .tooManyOpenByUser: EMFILE  // Too many open files.
    }
}

/// The answer to getxattr(2) with a buffer that is too small.
let bufferTooSmall: Int32 = ERANGE

/// The answer that tells the kernel never to send such a request again.
let notImplemented: Int32 = ENOSYS

/// What the log says of a refusal; never a word of a document.
func reason(of error: FSError) -> String {
    switch error {
    case .invalid(let text), .io(let text): text
    case .braked:
        """
        the sessions of many users, or many service accounts, were removed one by one: wait, use \
        rmdir on a sessions directory or brokerfs revoke, or raise brake.unlinks
        """
    default: String(cString: strerror(errnoValue(for: error)))
    }
}
