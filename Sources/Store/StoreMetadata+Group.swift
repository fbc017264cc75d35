// SPDX-License-Identifier: Apache-2.0

import Identity

/// Who is in the group, by numbers and by names.
///
/// INVARIANT: no two members have the same name, and no id comes back.
extension StoreMetadata {
    /// How many changes of the group are remembered.
    ///
    /// More than a log is likely to reach back over; where it does, a restart keeps less of it.
    static let configurationsMax = 8

    /// Takes over a change of the group; whoever left is not known by name any more.
    mutating func adopt(_ configuration: GroupConfiguration) {
        let left = Self.ids(configurations.last).subtracting(Self.ids(configuration))
        members.removeAll { left.contains($0.id) }
        configurations.append(configuration)
        if configurations.count > Self.configurationsMax { configurations.removeFirst() }
        noteIDs(of: configuration)
    }

    /// Begins the group of a new history.
    mutating func found(
        _ configuration: GroupConfiguration,
        _ founders: [GroupMember],
        clusterID: String
    ) {
        configurations = [configuration]
        members = founders.sorted { $0.id < $1.id }
        self.clusterID = clusterID
        noteIDs(of: configuration)
        lastMemberID = max(lastMemberID, members.last?.id ?? 0)
    }

    /// Takes over what is said of a member, new or known; true where that is news.
    ///
    /// A new one may take the name of one that never came into the group, who is forgotten.
    mutating func describe(_ member: GroupMember) throws(CommandError) -> Bool {
        try Self.check(member)
        let group = Self.ids(configurations.last)
        let place = members.firstIndex { $0.id == member.id }
        guard place != nil || member.id > lastMemberID || group.contains(member.id) else {
            throw .notFound(id: "member \(member.id)")
        }
        if place.map({ members[$0].isSame(as: member) }) == true { return false }
        if let namesake = members.first(where: { $0.id != member.id && $0.hasName(member.name) }) {
            guard !group.contains(namesake.id) else { throw .exists(id: member.name) }
            members.removeAll { $0.id == namesake.id }
        }
        members.removeAll { $0.id == member.id }
        guard members.count < Limits.membersMax else {
            throw .tooManyMembers(limit: Limits.membersMax)
        }
        members.insert(member, at: members.firstIndex { $0.id > member.id } ?? members.endIndex)
        lastMemberID = max(lastMemberID, member.id)
        return true
    }

    private static func check(_ member: GroupMember) throws(CommandError) {
        let texts = [
            ("the name", member.name, Limits.memberNameBytesMax),
            ("the address", member.address, Limits.memberAddressBytesMax),
        ]
        for (what, text, limit) in texts where text.utf8.count > limit {
            let id = "\(what) of member \(member.id)"
            throw .tooLarge(id: id, bytes: text.utf8.count, limit: limit)
        }
        // The name is one of a directory; the address is text until somebody connects to it.
        do throws(DocumentError) {
            try RecordID.validate(member.name)
            try RecordID.validate(member.address)
        } catch {
            throw CommandError(error, id: "member \(member.id)")
        }
    }

    mutating func noteIDs(of configuration: GroupConfiguration) {
        lastMemberID = max(lastMemberID, Self.ids(configuration).max() ?? 0)
    }

    private static func ids(_ configuration: GroupConfiguration?) -> Set<UInt64> {
        Set((configuration?.voters ?? []) + (configuration?.learners ?? []))
    }
}

extension GroupMember {
    fileprivate func hasName(_ other: String) -> Bool { name.isSame(as: other) }

    fileprivate func isSame(as other: GroupMember) -> Bool {
        id == other.id && hasName(other.name) && address.isSame(as: other.address)
    }
}

/// The row of the members.
extension StoreMetadata {
    /// Whether the row of the members says the same.
    func hasSameGroup(as other: StoreMetadata) -> Bool {
        clusterID.isSame(as: other.clusterID) && lastMemberID == other.lastMemberID
            && members.elementsEqual(other.members) { $0.isSame(as: $1) }
    }

    mutating func take(_ row: Brokerfs_State_Members) {
        clusterID = row.clusterID
        members = row.members.map { GroupMember($0) }
        lastMemberID = max(lastMemberID, row.lastID)
    }

    var groupRow: Brokerfs_State_Members {
        var row = Brokerfs_State_Members()
        row.clusterID = clusterID
        row.members = members.map(\.message)
        row.lastID = lastMemberID
        return row
    }
}
