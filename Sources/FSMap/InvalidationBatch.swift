// SPDX-License-Identifier: Apache-2.0

/// Collects invalidations: each once, content apart from names.
struct InvalidationBatch {
    private let namesMax: Int
    private var seen: Set<Touch> = []
    private var known: Set<Invalidation> = []
    private var content: [Invalidation] = []
    private var names: [Invalidation] = []
    private var listings: [Invalidation] = []
    private var isEverything = false

    init(namesMax: Int) {
        self.namesMax = namesMax
    }

    /// Whether a touch has not been seen in this batch.
    mutating func isNew(_ touch: Touch) -> Bool {
        seen.insert(touch).inserted
    }

    mutating func add(_ invalidation: Invalidation) {
        guard known.insert(invalidation).inserted else { return }
        switch invalidation {
        case .content, .attributes: content.append(invalidation)
        case .listing: listings.append(invalidation)
        case .entry, .delete, .unused: names.append(invalidation)
        case .everything: isEverything = true
        }
    }

    mutating func addEverything() {
        isEverything = true
    }

    /// Content, and names in the order they changed, with the listings behind them.
    var result: (content: [Invalidation], names: [Invalidation]) {
        let isBulk = isEverything || names.count > namesMax
        return (content, (isBulk ? [.everything] : names) + listings)
    }

    /// The same invalidations, each once.
    static func unique(_ invalidations: [Invalidation]) -> [Invalidation] {
        var seen: Set<Invalidation> = []
        return invalidations.filter { seen.insert($0).inserted }
    }
}
