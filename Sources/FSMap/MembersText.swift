// SPDX-License-Identifier: Apache-2.0

import Identity

/// The content of a `members` file, made piece by piece: a group may have a million members.
///
/// Nothing but a few places in the text is remembered, so that an open file costs the same
/// whatever the size of its group.
struct MembersText: Sendable {
    /// The member that comes before a place in the text.
    struct Mark: Sendable {
        var offset: Int
        var after: String?
    }

    let group: String
    /// The moment the file was opened.
    let view: any IdentityView

    private static let markBytes = 64 << 10
    private static let start = Mark(offset: 0, after: nil)

    /// The bytes from `offset` on, at most `count`; adds the places it came by to `marks`.
    func read(
        offset: UInt64,
        count: Int,
        marks: inout [Mark]
    ) throws(FSError) -> [UInt8] {
        let offset = Int(clamping: offset)
        var position = marks.last { $0.offset <= offset } ?? Self.start
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(count, 1 << 20))
        while bytes.count < count {
            let (group, after) = (group, position.after)
            let page = try Tree.ask { () throws(ViewError) in
                try view.members(of: group, after: after, limit: Tree.pageEntries)
            }
            for user in page {
                append(user, at: position.offset, from: offset, count: count, to: &bytes)
                position.offset += user.utf8.count + 1
            }
            position.after = page.last
            guard page.count == Tree.pageEntries else { break }
            let lastMark = marks.last?.offset ?? 0
            if position.offset >= lastMark + Self.markBytes { marks.append(position) }
        }
        return bytes
    }

    /// What a reader from `offset` on sees of one line.
    private func append(
        _ user: String,
        at start: Int,
        from offset: Int,
        count: Int,
        to bytes: inout [UInt8]
    ) {
        let length = user.utf8.count + 1
        guard start + length > offset, bytes.count < count else { return }
        let skipped = max(0, offset - start)
        let room = count - bytes.count
        bytes.append(contentsOf: user.utf8.dropFirst(skipped).prefix(room))
        if bytes.count < count { bytes.append(UInt8(ascii: "\n")) }
    }
}
