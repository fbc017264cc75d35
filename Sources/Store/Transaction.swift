// SPDX-License-Identifier: Apache-2.0

/// The writes of some commands before they are one batch: reads see them, nobody else does.
///
/// Throwing a transaction away undoes all of it, rolling back what was written since the last
/// savepoint; committing it is one atomic write.
///
/// INVARIANT: each key stands once in `writes`.
struct Transaction: KeyValueReader {
    private let base: any KeyValueReader
    private var writes: [Write] = []
    /// Where in `writes` a key stands.
    private var places: [HashedKey: Int] = [:]
    /// What undoes the writes since the last savepoint, oldest first.
    private var undo: [Undo] = []

    private struct Write {
        var key: HashedKey
        /// Absent: the key is deleted.
        var value: [UInt8]?
    }

    private enum Undo {
        /// The last of `writes` was not there.
        case append
        case replace(place: Int, value: [UInt8]?)
    }

    init(over base: any KeyValueReader) {
        self.base = base
    }

    /// Everything written, as one batch in the order of the keys.
    ///
    /// A store finds the place of a key faster next to that of the key before it. Keys are sorted
    /// apart by their first byte: those of one keyspace often come in order already.
    var batch: WriteBatch {
        var batch = WriteBatch(capacity: writes.count)
        var spaces: [[Int]] = Array(repeating: [], count: 256)
        for (place, write) in writes.enumerated() {
            spaces[Int(write.key.bytes.first ?? 0)].append(place)
        }
        for var places in spaces where !places.isEmpty {
            places.sort { writes[$0].key < writes[$1].key }
            for place in places {
                let write = writes[place]
                if let value = write.value {
                    batch.put(write.key.bytes, value)
                } else {
                    batch.delete(write.key.bytes)
                }
            }
        }
        return batch
    }

    mutating func put(_ key: [UInt8], _ value: [UInt8]) {
        write(HashedKey(bytes: key), value)
    }

    mutating func delete(_ key: [UInt8]) {
        write(HashedKey(bytes: key), nil)
    }

    private mutating func write(_ key: HashedKey, _ value: [UInt8]?) {
        if let place = places.updateValue(writes.count, forKey: key) {
            places[key] = place
            undo.append(.replace(place: place, value: writes[place].value))
            writes[place].value = value
        } else {
            undo.append(.append)
            writes.append(Write(key: key, value: value))
        }
    }

    /// Makes room for so many more keys at once.
    mutating func reserve(_ count: Int) {
        places.reserveCapacity(places.count + count)
        writes.reserveCapacity(writes.count + count)
        undo.reserveCapacity(undo.count + count)
    }

    /// Keeps what was written so far whatever is rolled back later.
    mutating func setSavepoint() {
        undo.removeAll(keepingCapacity: true)
    }

    /// Undoes what was written since the last savepoint.
    mutating func rollBack() {
        while let step = undo.popLast() {
            switch step {
            case .append: places[writes.removeLast().key] = nil
            case .replace(let place, let value): writes[place].value = value
            }
        }
    }

    func get(_ key: [UInt8]) throws(StoreError) -> [UInt8]? {
        if let place = places[HashedKey(bytes: key)] { return writes[place].value }
        return try base.get(key)
    }

    func withValue<R>(
        of key: [UInt8],
        _ body: (Span<UInt8>) -> R
    ) throws(StoreError) -> R? {
        guard let place = places[HashedKey(bytes: key)] else {
            return try base.withValue(of: key, body)
        }
        guard let value = writes[place].value else { return nil }
        return body(value.span)
    }

    func scan(
        from lower: [UInt8],
        below upper: [UInt8],
        _ body: (_ key: Span<UInt8>, _ value: Span<UInt8>) -> Bool
    ) throws(StoreError) {
        let written =
            writes
            .filter { !keyPrecedes($0.key.bytes, lower) && keyPrecedes($0.key.bytes, upper) }
            .sorted { keyPrecedes($0.key.bytes, $1.key.bytes) }
        var next = 0
        var goOn = true
        func giveNext() {
            let (key, value) = (written[next].key.bytes, written[next].value)
            next += 1
            if let value { goOn = body(key.span, value.span) }
        }
        try base.scan(from: lower, below: upper) { key, value in
            let stored = [UInt8](copying: key)
            while goOn, next < written.count, keyPrecedes(written[next].key.bytes, stored) {
                giveNext()
            }
            guard goOn else { return false }
            if next < written.count, written[next].key.bytes == stored {
                giveNext()
            } else {
                goOn = body(key, value)
            }
            return goOn
        }
        while goOn, next < written.count { giveNext() }
    }
}

/// A key that is hashed as one run of bytes; an array is hashed byte by byte.
struct HashedKey: Hashable, Comparable {
    let bytes: [UInt8]

    static func < (left: HashedKey, right: HashedKey) -> Bool {
        keyPrecedes(left.bytes, right.bytes)
    }

    func hash(into hasher: inout Hasher) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }
}

extension [UInt8] {
    /// Copies what a store lends for the length of a call.
    init(copying span: Span<UInt8>) {
        self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
