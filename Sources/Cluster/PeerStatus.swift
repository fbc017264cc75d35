// SPDX-License-Identifier: Apache-2.0

package import Identity

/// How the connections to one member are.
package struct PeerStatus: Equatable, Sendable {
    package var member: GroupMember
    /// Whether what is sent goes out at the moment.
    package var isConnected = false
    package var connectedSince: Timestamp?
    /// Whether the member has a connection to this one.
    package var isHeard = false
    /// When something of the member's last came.
    package var heardAt: Timestamp?
    package var messagesSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var messagesReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    /// Messages that were not sent: there was no connection, or too much waited already.
    package var messagesDropped: UInt64 = 0
    /// Why the last connection ended or was not made.
    package var lastError: String?

    /// A member nothing is known of.
    package init(_ member: GroupMember) {
        self.member = member
    }
}
