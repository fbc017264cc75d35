// SPDX-License-Identifier: Apache-2.0

package import Identity

/// Synthetic identity state of any size, as the JSON lines that `brokerfs load` takes.
///
/// The shape follows the databroker contract: ids as identity providers make them, few large
/// groups and many small ones, some nested, sessions of about 0.5, 3 and 10 KB (70, 25 and 5 in
/// 100), all alive at the given time. Groups come first, then users, their directory entries,
/// service accounts, sessions and external context.
///
/// INVARIANT: the same arguments give the same bytes; every line is made from its own number
/// alone, so memory grows with the number of groups and with nothing else.
package struct Generator: Sequence, Sendable {
    /// The number of lines.
    package let count: Int

    let seed: UInt64
    let users: Int
    let groups: Int
    let serviceAccounts: Int
    let sessions: Int
    let contextValues: Int
    let now: Timestamp
    let fixedExpiry: Timestamp?
    let layout: MembershipLayout

    /// Checks the numbers and prepares the groups; no line is made yet.
    ///
    /// With at least as many memberships as users, the first group is `everyone` and has them
    /// all. Sessions are issued within the 13 hours before `now` and last 14 hours, or all end
    /// at `expiresAt`, which should lie after `now`. The memberships are at
    /// most `users` * `groups`, every other number is at most ``GeneratorError/numberMax``.
    package init(
        seed: UInt64,
        sessions: Int,
        users: Int,
        groups: Int,
        memberships: Int,
        now: Timestamp,
        contextValues: Int = 0,
        serviceAccounts: Int = 0,
        expiresAt: Timestamp? = nil
    ) throws(GeneratorError) {
        for number in [sessions, users, groups, contextValues, serviceAccounts] {
            guard (0...GeneratorError.numberMax).contains(number) else {
                throw .outOfRange(number)
            }
        }
        guard memberships >= 0 else { throw .outOfRange(memberships) }
        guard users > 0 || sessions + serviceAccounts + contextValues == 0 else { throw .noUsers }
        guard memberships <= users * groups else {
            throw .tooManyMemberships(memberships, max: users * groups)
        }
        self.seed = seed
        self.users = users
        self.groups = groups
        self.serviceAccounts = serviceAccounts
        self.sessions = sessions
        self.contextValues = contextValues
        self.now = Timestamp(seconds: now.seconds)
        fixedExpiry = expiresAt
        layout = MembershipLayout(
            seed: seed,
            users: users,
            groups: groups,
            memberships: memberships
        )
        count = groups + 2 * users + serviceAccounts + sessions + contextValues
    }

    package var underestimatedCount: Int { count }

    package func makeIterator() -> Iterator {
        Iterator(generator: self)
    }

    /// Makes one line after the other.
    package struct Iterator: IteratorProtocol {
        fileprivate let generator: Generator
        private var position = 0

        fileprivate init(generator: Generator) {
            self.generator = generator
        }

        package mutating func next() -> String? {
            guard position < generator.count else { return nil }
            defer { position += 1 }
            return generator.line(at: position)
        }
    }

    /// The line at a position from 0 to ``count`` - 1.
    func line(at position: Int) -> String {
        var index = position
        if index < groups { return groupLine(index) }
        index -= groups
        if index < users { return userLine(index) }
        index -= users
        if index < users { return directoryUserLine(index) }
        index -= users
        if index < serviceAccounts { return serviceAccountLine(index) }
        index -= serviceAccounts
        if index < sessions { return sessionLine(index) }
        return contextLine(index - sessions)
    }
}

/// Why no state of the asked-for shape exists.
package enum GeneratorError: Error, Equatable, Sendable {
    /// Negative, or more records than ``numberMax``.
    case outOfRange(Int)
    /// Sessions, service accounts and context belong to users.
    case noUsers
    /// Nobody is in a group twice.
    case tooManyMemberships(Int, max: Int)

    /// The most records of each kind, 2^30.
    package static let numberMax = 1 << 30
}

extension GeneratorError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .outOfRange(let number): "\(number) is not between 0 and \(Self.numberMax)"
        case .noUsers: "sessions, service accounts and context need at least one user"
        case .tooManyMemberships(let number, let max):
            "\(number) memberships do not fit, users * groups is \(max)"
        }
    }
}
