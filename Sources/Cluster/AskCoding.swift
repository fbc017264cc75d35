// SPDX-License-Identifier: Apache-2.0

package import Identity
package import Node

/// What members ask each other, as frames; Protos/brokerfs/peer.proto.
extension Brokerfs_Peer_Ask {
    /// The protobuf form.
    package init(_ request: PeerRequest, number: UInt64) {
        self.init()
        self.number = number
        switch request {
        case .propose(let kind, let origin):
            propose.command = Command(at: .epoch, kind: kind).message
            propose.client = origin.client
            propose.sequence = origin.sequence
        case .progress(let index): progress = index
        case .changeGroup(let change): changeGroup = Brokerfs_Peer_GroupChange(change)
        case .transferLeadership(let target):
            transfer = Brokerfs_Peer_Ask.Transfer()
            if let target { transfer.to = target }
        }
    }
}

extension PeerRequest {
    /// Reads what a member asked.
    ///
    /// Ids and sizes are those the doors let in. Throws ``PeerCodingError`` for all else.
    package init(_ message: Brokerfs_Peer_Ask) throws(PeerCodingError) {
        switch message.request {
        case .propose(let propose):
            self = .propose(
                try Self.kind(propose.command),
                origin: RequestOrigin(client: propose.client, sequence: propose.sequence)
            )
        case .progress(let index):
            self = .progress(index: try PeerBounds.count(index, "index"))
        case .changeGroup(let change): self = .changeGroup(try GroupChange(change))
        case .transfer(let transfer):
            let target = transfer.hasTo ? try PeerBounds.member(transfer.to) : nil
            self = .transferLeadership(to: target)
        case nil: throw .missing("request")
        }
    }

    /// A command that a member may want on behalf of somebody.
    ///
    /// A new history is begun, and the state maintained, by a leader of its own accord; who is in
    /// the group is another question.
    private static func kind(
        _ message: Brokerfs_Command_Command
    ) throws(PeerCodingError) -> Command.Kind {
        let kind: Command.Kind
        do throws(DocumentError) {
            kind = try Command(message).kind
            switch kind {
            case .put(let writes), .patch(let writes, _):
                for write in writes {
                    try RecordID.validate(write.type.url)
                    try RecordID.validate(write.id)
                }
            case .revoke(let target, _): try RecordID.validate(target.id)
            case .changeMembers(let change):
                for id in [change.group] + change.add + change.remove {
                    try RecordID.validate(id)
                }
            case .deleteGroup(let group): try RecordID.validate(group)
            case .setOptions(let type, _): try RecordID.validate(type.url)
            case .maintain, .beginHistory, .describeMember: throw .undecodable(type: "command")
            }
        } catch {
            throw .malformed("command")
        }
        if case .put(let writes) = kind, writes.contains(where: \.isTooLarge) {
            throw .malformed("command")
        }
        return kind
    }
}

extension RevocationTarget {
    fileprivate var id: String {
        switch self {
        case .session(let id), .user(let id), .group(let id), .serviceAccount(let id): id
        }
    }
}

extension RecordWrite {
    fileprivate var isTooLarge: Bool { (record?.payload.count ?? 0) > Limits.recordBytesMax }
}

extension Brokerfs_Peer_GroupChange {
    fileprivate init(_ change: GroupChange) {
        self.init()
        switch change {
        case .add(let member): add = Brokerfs_Peer_Member(member)
        case .promote(let id): promote = id
        case .remove(let id): remove = id
        }
    }
}

extension GroupChange {
    fileprivate init(_ message: Brokerfs_Peer_GroupChange) throws(PeerCodingError) {
        switch message.change {
        case .add(let member): self = .add(try GroupMember(member))
        case .promote(let id): self = .promote(try PeerBounds.member(id))
        case .remove(let id): self = .remove(try PeerBounds.member(id))
        case nil: throw .missing("change of the group")
        }
    }
}
