// SPDX-License-Identifier: Apache-2.0

import Identity

/// The numbers that `stat` shows.
///
/// INVARIANT: no two live nodes share a number; a number is never given to another object.
extension Node {
    /// Which view of an object the node is; below 64.
    ///
    /// Fixed nodes have no object, only a facet.
    var facet: UInt64 {
        switch self {
        case .root: 1
        case .readme: 2
        case .sessions: 3
        case .users: 4
        case .serviceAccounts: 5
        case .groups: 6
        case .context: 7
        case .records: 8
        case .events: 9
        case .allEvents: 10
        case .cluster: 11
        case .clusterNodes: 12
        case .clusterFile(let file): 13 + position(of: file)
        case .session: 20
        case .user: 21
        case .userFile(_, let file): 22 + position(of: file)
        case .userSessions: 26
        case .serviceAccount: 27
        case .serviceAccountFile(_, let file): 28 + position(of: file)
        case .serviceAccountSessions: 31
        case .group: 32
        case .groupFile(_, let file): 33 + position(of: file)
        case .groupMembers: 37
        case .member: 38
        case .groupSessions: 39
        case .contextSource: 40
        case .contextValue: 41
        case .recordType: 42
        case .record: 43
        case .clusterNode: 44
        case .clusterNodeFile(_, let file): 45 + position(of: file)
        case .scratch: 49
        case .revocations: 50
        case .revocation: 51
        }
    }

    private func position<File: CaseIterable & Equatable>(of file: File) -> UInt64 {
        UInt64(Array(File.allCases).firstIndex(of: file) ?? 0)
    }

    /// The number of a fixed node.
    var fixedNumber: UInt64 { facet }

    /// The number of this view of the object with the number `object`.
    func number(ofObject object: UInt64) -> UInt64 {
        object << 6 | facet
    }

    /// The number of something this mount alone knows, the `count`th of its kind.
    func number(ofLocal count: UInt64) -> UInt64 {
        Self.localBase | count << 6 | facet
    }

    /// The number of this generation of a file that is started anew now and then.
    func number(ofGeneration generation: UInt64) -> UInt64 {
        Self.generationBase | generation << 6 | facet
    }

    /// The number of something that has a name and no object.
    func number(ofName name: String) -> UInt64 {
        let prefix = Digest.sha256(name.utf8).prefix(6)
        return Self.nameBase | prefix.reduce(0) { $0 << 8 | UInt64($1) } << 6 | facet
    }

    /// Whether the number says that the object does not exist for others yet.
    static func isLocal(_ number: UInt64) -> Bool { number & kindMask == localBase }

    /// Whether the number is one of a file that is started anew and stays the same file.
    static func isGeneration(_ number: UInt64) -> Bool { number & kindMask == generationBase }

    private static let kindMask: UInt64 = 3 << 60
    private static let generationBase: UInt64 = 1 << 60
    private static let localBase: UInt64 = 2 << 60
    private static let nameBase: UInt64 = 3 << 60
}
