// SPDX-License-Identifier: Apache-2.0

/// Who is in which group, found from a user's number alone.
///
/// The groups lie side by side in rows that are as long as there are users. Each user has one
/// place in each row and is in the group that lies there; every row has an order of users of its
/// own. No group reaches into a second row, so nobody is in a group twice. Every fourth group
/// lies inside an earlier one (nested groups, flattened: its members are members of the outer
/// group too). Memory grows with the groups only.
///
/// INVARIANT: ``sizes`` adds up to the memberships asked for; sizes follow Zipf's law (the
/// n-th group has a share of 1/n), cut where a group would exceed half of the users.
struct MembershipLayout {
    /// Members of each group.
    let sizes: [Int]
    /// Whether group 0 has every user.
    let hasEveryone: Bool

    private let users: Int
    private let starts: [Int]
    /// The groups that lie in no other and have members, in the order of their starts.
    private let outer: [Int]
    private let rows: [Row]

    /// The order of users in one row: user u stands at (u * stride + shift) modulo the users.
    private struct Row {
        let stride: Int
        let shift: Int

        init(seed: UInt64, index: Int, users: Int) {
            var source = SampleSource(seed: seed, kind: .membership, index: index)
            var stride = source.random.below(users) | 1
            while MembershipLayout.commonDivisor(stride, users) != 1 { stride += 2 }
            self.stride = stride
            shift = source.random.below(users)
        }
    }

    /// Lays `memberships` out; at most `users` * `groups`.
    init(seed: UInt64, users: Int, groups: Int, memberships: Int) {
        self.users = users
        hasEveryone = groups > 0 && users > 0 && memberships >= users
        let first = hasEveryone ? 1 : 0
        let others = groups - first
        let rest = memberships - first * users
        // A second group of everybody would be odd; it is made only where nothing else fits.
        let sizeMax = others > 0 ? max(users / 2, (rest + others - 1) / others) : 0
        sizes =
            (hasEveryone ? [users] : [])
            + Self.zipfSizes(count: others, total: rest, sizeMax: sizeMax)
        var starts = Array(repeating: 0, count: groups)
        var outer: [Int] = []
        var end = 0
        for group in first..<max(groups, first) {
            if let parent = Self.parent(of: group - first).map({ $0 + first }) {
                starts[group] = starts[parent] + (sizes[parent] - sizes[group]) / 2
            } else if sizes[group] > 0 {
                if end % users + sizes[group] > users { end += users - end % users }
                starts[group] = end
                end += sizes[group]
                outer.append(group)
            }
        }
        self.starts = starts
        self.outer = outer
        let rowCount = end == 0 ? 0 : (end - 1) / users + 1
        rows = (0..<rowCount).map { Row(seed: seed, index: $0, users: users) }
    }

    /// The groups of a user, outer before nested, each once.
    func groups(ofUser user: Int) -> [Int] {
        var groups = hasEveryone ? [0] : []
        let first = groups.count
        for (index, row) in rows.enumerated() {
            let place = index * users + (user * row.stride + row.shift) % users
            var group = outerGroup(at: place)
            while group < sizes.count, covers(group, place) {
                groups.append(group)
                group = Self.child(of: group - first) + first
            }
        }
        return groups
    }

    /// How deep a group is nested, and the outermost group around it (or itself).
    func nesting(ofGroup group: Int) -> (outermost: Int, depth: Int) {
        let first = hasEveryone ? 1 : 0
        guard group >= first else { return (group, 0) }
        var place = group - first
        var depth = 0
        while let parent = Self.parent(of: place) {
            place = parent
            depth += 1
        }
        return (place + first, depth)
    }

    private func covers(_ group: Int, _ place: Int) -> Bool {
        place >= starts[group] && place < starts[group] + sizes[group]
    }

    /// The last outer group that starts at or before `place`.
    private func outerGroup(at place: Int) -> Int {
        var low = 0
        var high = outer.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[outer[middle]] <= place { low = middle } else { high = middle }
        }
        return outer[low]
    }

    /// Each group has at most one nested group; every fourth is nested.
    private static func child(of group: Int) -> Int { 4 * group + 3 }

    private static func parent(of group: Int) -> Int? {
        group % 4 == 3 ? (group - 3) / 4 : nil
    }

    /// Sizes in falling order that add up to `total`, none above `sizeMax`.
    private static func zipfSizes(count: Int, total: Int, sizeMax: Int) -> [Int] {
        let weights = (0..<max(count, 0)).map { UInt64(1 << 32) / UInt64($0 + 1) }
        var weightLeft = weights.reduce(0, +)
        var left = UInt64(total)
        var sizes: [Int] = []
        for weight in weights {
            let share = left.multipliedFullWidth(by: weight)
            let size = min(UInt64(sizeMax), weightLeft.dividingFullWidth(share).quotient)
            sizes.append(Int(size))
            left -= size
            weightLeft -= weight
        }
        precondition(left == 0, "the memberships fit into the groups")
        return sizes.sorted(by: >)
    }

    fileprivate static func commonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : commonDivisor(right, left % right)
    }
}
