// SPDX-License-Identifier: Apache-2.0

/// One member of the Raft group as people know it.
package struct GroupMember: Equatable, Hashable, Sendable {
    /// The number that stands in the log; never used again, not even for the same machine.
    package var id: UInt64
    /// The name in `cluster/nodes/<name>`; unique in the group.
    package var name: String
    /// Where the others reach it: `host:port`.
    package var address: String

    /// Joins a number, a name and an address.
    package init(id: UInt64, name: String, address: String) {
        self.id = id
        self.name = name
        self.address = address
    }
}

extension GroupMember {
    /// Reads the protobuf form.
    package init(_ message: Brokerfs_State_Member) {
        self.init(id: message.id, name: message.name, address: message.address)
    }

    /// The protobuf form.
    package var message: Brokerfs_State_Member {
        var message = Brokerfs_State_Member()
        message.id = id
        message.name = name
        message.address = address
        return message
    }
}
