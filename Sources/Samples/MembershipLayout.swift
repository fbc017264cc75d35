// SPDX-License-Identifier: Apache-2.0

/// Who is in which group, found from a user's number alone.
///
/// The groups lie end to end on a line that is wound around a circle of all users: a user is in
/// the groups above their place on the circle. No group is longer than the circle, so nobody is
/// in a group twice. Every fourth group lies inside an earlier one (nested groups, flattened:
/// its members are members of the outer group too). Memory grows with the groups only.
///
/// INVARIANT: ``sizes`` adds up to the memberships asked for; sizes follow Zipf's law (the
/// n-th group has a share of 1/n) as far as no group exceeds the number of users.
struct MembershipLayout {
    /// Members of each group.
    let sizes: [Int]
    /// Whether group 0 has every user.
    let hasEveryone: Bool

    private let users: Int
    private let starts: [Int]
    /// The groups that lie in no other and have members, in the order of their starts.
    private let outer: [Int]
    private let length: Int
    private let stride: Int
    private let shift: Int

    /// Lays `memberships` out; at most `users` * `groups`.
    init(seed: UInt64, users: Int, groups: Int, memberships: Int) {
        self.users = users
        hasEveryone = groups > 0 && users > 0 && memberships >= users
        let first = hasEveryone ? 1 : 0
        sizes =
            (hasEveryone ? [users] : [])
            + Self.zipfSizes(
                count: groups - first,
                total: memberships - first * users,
                sizeMax: users
            )
        var starts = Array(repeating: 0, count: groups)
        var outer: [Int] = []
        var end = 0
        for group in first..<max(groups, first) {
            if let parent = Self.parent(of: group - first).map({ $0 + first }) {
                starts[group] = starts[parent] + (sizes[parent] - sizes[group]) / 2
            } else if sizes[group] > 0 {
                starts[group] = end
                end += sizes[group]
                outer.append(group)
            }
        }
        self.starts = starts
        self.outer = outer
        length = end
        var source = SampleSource(seed: seed, kind: .membership, index: 0)
        var stride = source.random.below(users) | 1
        while Self.commonDivisor(stride, users) != 1 { stride += 2 }
        self.stride = stride
        shift = source.random.below(users)
    }

    /// The groups of a user, outer before nested, each once.
    func groups(ofUser user: Int) -> [Int] {
        var groups = hasEveryone ? [0] : []
        let first = groups.count
        var place = (user * stride + shift) % users
        while place < length {
            var group = outerGroup(at: place)
            while group < sizes.count, covers(group, place) {
                groups.append(group)
                group = Self.child(of: group - first) + first
            }
            place += users
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

    private static func commonDivisor(_ left: Int, _ right: Int) -> Int {
        right == 0 ? left : commonDivisor(right, left % right)
    }
}
