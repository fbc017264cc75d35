// SPDX-License-Identifier: Apache-2.0

/// Everything that can go wrong in a key-value store.
///
/// The set is closed: a caller switches over it without a default.
package enum StoreError: Error, Equatable, Sendable {
    /// The operating system or the engine refused; the text is for people.
    case io(String)
    /// The disk is full. Reads go on; the same write may succeed once there is space.
    case noSpace(String)
    /// What is on disk is not what was written there; `path` is the most precise file known.
    case corrupt(path: String, reason: String)
    /// Another store, of this process or another one, has the directory open.
    case locked(path: String)
    /// The store was closed before or during the call.
    case closed
}
