// SPDX-License-Identifier: Apache-2.0

import Identity
import SwiftProtobuf

/// What a peer sent that no member of this version says.
package enum PeerCodingError: Error, Equatable, Sendable {
    /// The bytes are no frame.
    case undecodable
    /// A part that must be there is not, or is of a kind that is not known.
    case missing(String)
    /// A number no group ever gets near, so that there is room to count on from it.
    case outOfBounds(String)
    /// A text that is too long, or no name, address or id.
    case malformed(String)
    /// It speaks for another member than the certificate names, or to another than this one.
    case wrongMember(UInt64)
    /// A frame that has no place here, at this moment of the connection.
    case unexpected(String)
    case tooLarge(bytes: Int)
}

/// What keeps decoded values in bounds, whoever sent them.
enum PeerBounds {
    /// Raft counts on from indexes and terms; no group ever gets near this.
    static let countMax = UInt64.max / 2
    /// Voters and learners of one group.
    static let membersMax = 1024
    /// Entries of one message; more than fit into the core's bound on bytes.
    static let entriesMax = 1 << 17
    /// A reason that is shown to people.
    static let textBytesMax = 4096
    static let addressBytesMax = 256
    static let nameBytesMax = 64

    static func count(
        _ value: UInt64,
        _ what: String
    ) throws(PeerCodingError) -> UInt64 {
        guard value <= countMax else { throw .outOfBounds(what) }
        return value
    }

    static func text(_ value: String, _ what: String) throws(PeerCodingError) -> String {
        guard value.utf8.count <= textBytesMax else { throw .malformed(what) }
        return value
    }

    /// A text cut so that the other side takes it.
    static func shortened(_ text: String) -> String {
        guard text.utf8.count > textBytesMax else { return text }
        // A character that is cut becomes a replacement character of three bytes.
        return String(decoding: text.utf8.prefix(textBytesMax - 4), as: UTF8.self)
    }

    /// A number that stands for a member; 0 stands for none.
    static func member(_ value: UInt64) throws(PeerCodingError) -> UInt64 {
        guard value != 0, value <= countMax else { throw .outOfBounds("member") }
        return value
    }

    static func timestamp(
        _ message: Google_Protobuf_Timestamp
    ) throws(PeerCodingError) -> Timestamp {
        guard (0..<1_000_000_000).contains(message.nanos) else { throw .outOfBounds("time") }
        return Timestamp(message)
    }
}
