// SPDX-License-Identifier: Apache-2.0

/// The writes of one command before they are one batch: reads see them, nobody else does.
///
/// Throwing a transaction away undoes the command; committing it is one atomic write.
struct Transaction<Base: KeyValueReader>: KeyValueReader {
    private let base: Base
    /// What the command wrote, by key; an absent value is a deletion.
    private var overlay: [[UInt8]: [UInt8]?] = [:]
    private(set) var batch = WriteBatch()

    init(over base: Base) {
        self.base = base
    }

    mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        overlay[key] = .some(value)
        batch.put(key, value)
    }

    mutating func delete(_ key: [UInt8]) {
        overlay[key] = .some(nil)
        batch.delete(key)
    }

    /// Takes over what a transaction over this one wrote.
    mutating func merge(_ inner: WriteBatch) {
        for operation in inner.operations {
            switch operation {
            case .put(let key, let value): put(key, value)
            case .delete(let key): delete(key)
            }
        }
    }

    func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        if let written = overlay[key] { return written }
        return try base.get(key)
    }

    func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        guard let written = overlay[key] else { return try base.withValue(of: key, body) }
        guard let value = written else { return nil }
        return body(value.span)
    }

    func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        // The dictionary's order cannot be seen: the keys are sorted before they are used.
        let written = overlay.keys
            .filter { !$0.lexicographicallyPrecedes(lower) && $0.lexicographicallyPrecedes(upper) }
            .sorted { $0.lexicographicallyPrecedes($1) }
        var next = 0
        var goOn = true
        func give(_ key: [UInt8]) -> Bool {
            guard case .some(.some(let value)) = overlay[key] else { return true }
            return body(key.span, value.span)
        }
        try base.scan(from: lower, below: upper) { key, value in
            let stored = [UInt8](copying: key)
            while next < written.count, written[next].lexicographicallyPrecedes(stored) {
                goOn = give(written[next])
                next += 1
                if !goOn { return false }
            }
            if next < written.count, written[next] == stored {
                goOn = give(stored)
                next += 1
            } else {
                goOn = body(key, value)
            }
            return goOn
        }
        while goOn, next < written.count {
            goOn = give(written[next])
            next += 1
        }
    }
}

extension [UInt8] {
    /// Copies what a store lends for the length of a call.
    init(copying span: Span<UInt8>) {
        self = []
        reserveCapacity(span.count)
        for index in span.indices { append(span[index]) }
    }
}
