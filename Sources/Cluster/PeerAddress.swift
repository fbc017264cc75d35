// SPDX-License-Identifier: Apache-2.0

/// A host and a port: `name:7400`, `192.0.2.1:7400` or `[2001:db8::1]:7400`.
package struct PeerAddress: Equatable, Sendable {
    /// A name or an address, without brackets.
    package var host: String
    package var port: Int

    /// Reads an address; nil where host or port is missing or no port.
    package init?(_ text: String) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text[text.utf8.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.utf8.contains(UInt8(ascii: ":")) {
            return nil
        }
        guard !host.isEmpty, !host.utf8.contains(where: { $0 <= 32 || $0 == 127 }) else {
            return nil
        }
        self.host = String(host)
        self.port = Int(port)
    }
}
