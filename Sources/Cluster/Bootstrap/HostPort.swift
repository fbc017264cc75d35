// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where somebody listens: a host and a TCP port, written `host:port` or `[ipv6]:port`.
package struct HostPort: Equatable, Sendable {
    /// A name or an IP address, without brackets.
    package let host: String
    package let port: Int

    /// Reads `host:port`.
    ///
    /// Throws ``BootstrapError/address(_:reason:)``, and for a place nobody can dial, like
    /// `0.0.0.0`, unless `isListening`.
    package init(_ text: String, isListening: Bool = false) throws(BootstrapError) {
        guard let colon = text.lastIndex(of: ":") else {
            throw .address(text, reason: "has no port: HOST:PORT is expected")
        }
        let port = text[text.index(after: colon)...]
        guard port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(port), (1...65_535).contains(number)
        else {
            throw .address(text, reason: "has no port from 1 to 65535")
        }
        var host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if isBracketed { host = host.dropFirst().dropLast() }
        self.host = String(host)
        self.port = number
        guard isBracketed ? family == .v6 : family != .v6 && isHostName else {
            throw .address(text, reason: "has no host: a name, an IPv4 address or [IPv6] is wanted")
        }
        guard isListening || !isAnywhere else {
            throw .address(text, reason: "is none that the other members can dial")
        }
    }

    /// How it is written.
    package var text: String { family == .v6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Where to listen for connections to this address, whatever the interface.
    package var anywhere: String { family == .v6 ? "[::]:\(port)" : "0.0.0.0:\(port)" }

    private enum Family { case v4, v6, name }

    private var family: Family {
        switch ipBytes?.count {
        case 4: .v4
        case 16: .v6
        default: .name
        }
    }

    /// The bytes of an IP address in network order; nil for a name.
    var ipBytes: [UInt8]? {
        var v4 = in_addr()
        if inet_pton(AF_INET, host, &v4) == 1 { return withUnsafeBytes(of: &v4) { Array($0) } }
        var v6 = in6_addr()
        if inet_pton(AF_INET6, host, &v6) == 1 { return withUnsafeBytes(of: &v6) { Array($0) } }
        return nil
    }

    private var isAnywhere: Bool { ipBytes?.allSatisfy { $0 == 0 } ?? false }

    /// Letters, digits, hyphens and dots (RFC 1123), which is all a certificate can vouch for.
    private var isHostName: Bool {
        guard host.utf8.count <= 253 else { return false }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { $0 < 0x80 }
                && label.allSatisfy { $0.isLetter || $0.isNumber || $0 == "-" }
        }
    }
}
