// SPDX-License-Identifier: Apache-2.0

/// What is left of a failing list of items.
package struct Shrunk<Item> {
    /// A list that was seen to fail.
    package let items: [Item]
    /// How many runs it took.
    package let runCount: Int
    /// Whether removing or simplifying any one item was seen to end the failure.
    ///
    /// False where the budget was spent before that was known.
    package let isMinimal: Bool
}

extension Shrunk: Sendable where Item: Sendable {}

/// Makes a failing schedule small enough to read.
///
/// Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
/// 2002): remove large pieces while the failure stays, then smaller ones, down to single items. Of
/// the two halves of that method only the removal is used: that a piece fails *by itself* is rare
/// in a schedule, whose failure needs a few items far apart, and costs as many runs again. With two
/// pieces both are the same.
package struct Shrinker: Sendable {
    private let runsMax: Int

    /// - Parameter runsMax: How often the schedule may be run; at least once.
    package init(runsMax: Int) {
        precondition(runsMax >= 1, "without a run nothing is known")
        self.runsMax = runsMax
    }

    /// A small part of the list that still fails, in the same order; nil if the list does not.
    ///
    /// - Parameters:
    ///   - items: the faults and steps of a run.
    ///   - simpler: what an item may be replaced with, the simplest first. Each has to be simpler
    ///     than the item by some measure that has an end, or else only the budget ends the search.
    ///   - fails: runs the list. The same list must always give the same answer.
    package func shrink<Item>(
        _ items: [Item],
        simpler: ((Item) -> [Item])? = nil,
        fails: ([Item]) -> Bool
    ) -> Shrunk<Item>? {
        withoutActuallyEscaping(fails) { fails in
            var shrinking = Shrinking(items, runsMax: runsMax, fails: fails)
            guard shrinking.begins() else { return nil }
            repeat {
                shrinking.remove()
                // What became simpler may have made another item superfluous.
            } while simpler.map { shrinking.simplify($0) } ?? false
            return shrinking.result
        }
    }
}

/// One search for a smaller list.
private struct Shrinking<Item> {
    /// An item, and a number of its own: lists of numbers can be remembered, items perhaps not.
    private struct Numbered {
        var number: Int
        var item: Item
    }

    /// What an item became: the same choice for the same item has the same number again.
    private struct Variant: Hashable {
        var number: Int
        var choice: Int
    }

    private let runsMax: Int
    private let fails: ([Item]) -> Bool
    private var current: [Numbered]
    private var variants: [Variant: Int] = [:]
    private var nextNumber: Int
    /// The lists that were run and did not fail: smaller pieces come by the same lists again.
    private var harmless: Set<[Int]> = []
    private var runCount = 0
    /// Whether a run was refused for want of budget: then "does not fail" means "nobody knows".
    private var isSpent = false

    init(_ items: [Item], runsMax: Int, fails: @escaping ([Item]) -> Bool) {
        self.runsMax = runsMax
        self.fails = fails
        current = items.enumerated().map { Numbered(number: $0.offset, item: $0.element) }
        nextNumber = items.count
    }

    var result: Shrunk<Item> {
        Shrunk(items: current.map(\.item), runCount: runCount, isMinimal: !isSpent)
    }

    /// Whether the whole list fails, without which there is nothing to shrink.
    mutating func begins() -> Bool { accept(current) }

    /// Removes pieces, from halves down to single items, until no single item can go.
    mutating func remove() {
        var size = max(1, (current.count + 1) / 2)
        while !current.isEmpty, !isSpent {
            let hasShrunk = removePieces(of: size)
            if size > 1 {
                size = (min(size, current.count) + 1) / 2
            } else if !hasShrunk {
                return
            }
        }
    }

    /// Replaces items with simpler ones as long as the list fails; says whether any was.
    mutating func simplify(_ simpler: (Item) -> [Item]) -> Bool {
        var hasChanged = false
        var index = 0
        while index < current.count, !isSpent {
            if simplify(at: index, simpler) {
                hasChanged = true
            } else {
                index += 1
            }
        }
        return hasChanged && !isSpent
    }

    private mutating func simplify(at index: Int, _ simpler: (Item) -> [Item]) -> Bool {
        for (choice, item) in simpler(current[index].item).enumerated() {
            var list = current
            let number = number(of: Variant(number: current[index].number, choice: choice))
            list[index] = Numbered(number: number, item: item)
            if accept(list) { return true }
        }
        return false
    }

    private mutating func number(of variant: Variant) -> Int {
        if let number = variants[variant] { return number }
        variants[variant] = nextNumber
        nextNumber += 1
        return nextNumber - 1
    }

    /// From the end to the beginning: what comes after the failure is superfluous as a rule.
    private mutating func removePieces(of size: Int) -> Bool {
        var hasShrunk = false
        var end = current.count
        while end > 0, !isSpent {
            let start = max(0, end - size)
            var list = current
            list.removeSubrange(start..<end)
            if accept(list) { hasShrunk = true }
            end = start
        }
        return hasShrunk
    }

    /// Runs the list, and goes on with it if it fails.
    private mutating func accept(_ list: [Numbered]) -> Bool {
        let numbers = list.map(\.number)
        guard !harmless.contains(numbers) else { return false }
        guard runCount < runsMax else {
            isSpent = true
            return false
        }
        runCount += 1
        guard fails(list.map(\.item)) else {
            harmless.insert(numbers)
            return false
        }
        current = list
        return true
    }
}
