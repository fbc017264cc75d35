// SPDX-License-Identifier: Apache-2.0

/// What a member may be called.
///
/// The name is a folder, a directory of `cluster/nodes/`, a part of a URI in a certificate and a
/// word in `n1=HOST:PORT,n2=…`, so it has only what means nothing in any of them.
package enum MemberName {
    private static let bytesMax = 63

    /// Throws ``BootstrapError/name(_:reason:)`` for what is no name.
    package static func validate(_ name: String) throws(BootstrapError) {
        guard !name.isEmpty else { throw .name(name, reason: "is empty") }
        guard name.utf8.count <= bytesMax else {
            throw .name(name, reason: "is longer than \(bytesMax) bytes")
        }
        guard name.utf8.allSatisfy(isAllowed) else {
            throw .name(name, reason: "may have letters, digits, _, . and - only")
        }
        guard let first = name.utf8.first, first != dot, first != dash else {
            throw .name(name, reason: "begins with . or -")
        }
    }

    private static let dot = UInt8(ascii: ".")
    private static let dash = UInt8(ascii: "-")

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), dot, dash:
            true
        default: false
        }
    }
}
