// SPDX-License-Identifier: Apache-2.0

import Simulation
import Testing

@Suite("shrinker")
struct ShrinkerTests {
    @Test("what is needed stays, and nothing else", arguments: [[3, 17, 41], [0], [99], [0, 99]])
    func needed(items: [Int]) throws {
        var runCount = 0
        let shrunk = try #require(
            Shrinker(runsMax: 1000).shrink(Array(0..<100)) { list in
                runCount += 1
                return items.allSatisfy(list.contains)
            }
        )
        #expect(shrunk.items == items)
        #expect(shrunk.isMinimal)
        #expect(shrunk.runCount == runCount)
        #expect(runCount < 100, "\(runCount)")
    }

    @Test("a list that does not fail has nothing to shrink; one that always fails shrinks away")
    func extremes() {
        #expect(Shrinker(runsMax: 10).shrink([1, 2, 3]) { _ in false } == nil)
        let shrunk = Shrinker(runsMax: 10).shrink(Array(0..<64)) { _ in true }
        #expect(shrunk?.items == [])
        #expect(shrunk?.isMinimal == true)
        #expect(Shrinker(runsMax: 1).shrink([Int]()) { $0.isEmpty }?.isMinimal == true)
    }

    @Test("the order stays as it was")
    func order() throws {
        var chance = Chance(seed: 7)
        let items = (0..<60).map { _ in chance.below(10) }
        // A 7 somewhere before a 2 somewhere before a 5.
        let fails: ([Int]) -> Bool = { list in
            guard let first = list.firstIndex(of: 7) else { return false }
            guard let second = list[first...].firstIndex(of: 2) else { return false }
            return list[second...].contains(5)
        }
        #expect(fails(items))
        let shrunk = try #require(Shrinker(runsMax: 500).shrink(items, fails: fails))
        #expect(shrunk.items == [7, 2, 5])
    }

    @Test("of a failure that comes and goes something is left that fails, and nothing less does")
    func capricious() throws {
        for seed in UInt64(0)..<200 {
            var chance = Chance(seed: seed)
            let modulus = 3 + chance.below(5)
            let least = chance.below(9)
            let items = (0..<30).map { _ in chance.below(20) }
            // No part of a failing list fails for that reason.
            let fails: ([Int]) -> Bool = { list in
                list.count >= least && list.reduce(0, +) % modulus == items.reduce(0, +) % modulus
            }
            let shrunk = try #require(Shrinker(runsMax: 10_000).shrink(items, fails: fails))
            #expect(shrunk.isMinimal)
            #expect(fails(shrunk.items), "seed \(seed)")
            #expect(Self.isOneMinimal(shrunk.items, fails), "seed \(seed)")
            #expect(Self.isPart(shrunk.items, of: items), "seed \(seed)")
        }
    }

    @Test("the budget is kept, and what comes out of it fails", arguments: [1, 2, 5, 20, 60])
    func budget(runsMax: Int) throws {
        var runCount = 0
        let fails: ([Int]) -> Bool = { list in
            runCount += 1
            return list.count { $0.isMultiple(of: 7) } >= 10
        }
        let items = Array(0..<300)
        let shrunk = try #require(
            Shrinker(runsMax: runsMax).shrink(items, simpler: { [$0 / 7 * 7] }, fails: fails)
        )
        #expect(runCount <= runsMax)
        #expect(shrunk.runCount == runCount)
        #expect(!shrunk.isMinimal)
        #expect(fails(shrunk.items))
    }

    @Test("no list is run twice")
    func noRepetition() {
        var seen: Set<[Int]> = []
        let shrunk = Shrinker(runsMax: 1000).shrink(Array(0..<50)) { list in
            #expect(seen.insert(list).inserted, "\(list)")
            return list.contains(11) && list.contains(32) && list.count % 3 != 0
        }
        #expect(shrunk?.isMinimal == true)
    }

    @Test("items become as simple as they can be, and make others superfluous")
    func simpler() throws {
        // What lasts 40 together fails, if one of them lasts 9 or more.
        let fails: ([Int]) -> Bool = { $0.reduce(0, +) >= 40 && $0.contains { $0 >= 9 } }
        let shrunk = try #require(
            Shrinker(runsMax: 1000).shrink(
                [30, 1, 25, 2, 8, 50],
                simpler: { $0 > 0 ? [0, $0 / 2, $0 - 1] : [] },
                fails: fails
            )
        )
        #expect(shrunk.isMinimal)
        #expect(shrunk.items.count == 2)
        #expect(shrunk.items.reduce(0, +) == 40)
        #expect(fails(shrunk.items))

        let swap = try #require(
            Shrinker(runsMax: 1000).shrink(
                ["cut", "crash", "read"],
                simpler: { $0 == "crash" ? ["stop"] : [] },
                // With the simpler fault the cut is not needed any more.
                fails: { Set($0).isSuperset(of: ["cut", "crash"]) || $0.contains("stop") }
            )
        )
        #expect(swap.items == ["stop"])
    }

    @Test("simplification that goes round in circles ends with the budget")
    func circles() {
        let shrunk = Shrinker(runsMax: 100).shrink([1], simpler: { [3 - $0] }) { !$0.isEmpty }
        #expect(shrunk?.runCount == 100)
        #expect(shrunk?.isMinimal == false)
    }

    private static func isOneMinimal(_ items: [Int], _ fails: ([Int]) -> Bool) -> Bool {
        items.indices.allSatisfy { index in
            var list = items
            list.remove(at: index)
            return !fails(list)
        }
    }

    private static func isPart(_ part: [Int], of items: [Int]) -> Bool {
        var rest = part[...]
        for item in items where item == rest.first { rest.removeFirst() }
        return rest.isEmpty
    }
}
