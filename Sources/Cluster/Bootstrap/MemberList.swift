// SPDX-License-Identifier: Apache-2.0

package import Identity

/// Members as they are typed and configured: `n1=HOST:PORT,n2=HOST:PORT`.
package enum MemberList {
    /// How many voters a cluster may begin with; more make every write wait for more disks.
    package static let foundersMax = 9
    /// How many members, learners included, a list may name.
    package static let membersMax = 256

    /// Reads a list; the members are numbered in its order, from 1 on.
    ///
    /// Throws ``BootstrapError`` for a bad name or address, and where one is there twice.
    package static func parse(
        _ text: String,
        countMax: Int = membersMax
    ) throws(BootstrapError) -> [GroupMember] {
        var members: [GroupMember] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            var member = try parse(one: String(part.drop { $0 == " " }))
            member.id = UInt64(members.count + 1)
            members.append(member)
        }
        guard members.count <= countMax else {
            throw .members(reason: "\(members.count) members; at most \(countMax) are possible")
        }
        try checkUnique(members)
        return members
    }

    /// Reads one `NAME=HOST:PORT`; its number is 0, the next free one.
    package static func parse(one text: String) throws(BootstrapError) -> GroupMember {
        guard let equals = text.firstIndex(of: "=") else {
            throw .members(reason: "\"\(text)\" is not NAME=HOST:PORT")
        }
        let name = String(text[..<equals])
        try MemberName.validate(name)
        let address = try HostPort(String(text[text.index(after: equals)...]))
        return GroupMember(id: 0, name: name, address: address.text)
    }

    /// Writes what ``parse(_:countMax:)`` reads.
    package static func text(_ members: [GroupMember]) -> String {
        members.map { "\($0.name)=\($0.address)" }.joined(separator: ",")
    }

    private static func checkUnique(_ members: [GroupMember]) throws(BootstrapError) {
        for (index, member) in members.enumerated() {
            let earlier = members[..<index]
            if earlier.contains(where: { $0.name == member.name }) {
                throw .name(member.name, reason: "is there twice")
            }
            if earlier.contains(where: { $0.address == member.address }) {
                throw .address(member.address, reason: "is there twice")
            }
        }
    }
}
