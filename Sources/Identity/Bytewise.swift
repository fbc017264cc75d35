// SPDX-License-Identifier: Apache-2.0

/// Names are the same only where their bytes are.
///
/// Swift compares strings by canonical equivalence: "é" has two spellings that are equal, and the
/// KELVIN SIGN equals "K". The store, the kernel and the wire compare bytes; comparing ids in any
/// other way would let one principal pass for another, or leave an index behind.
extension String {
    /// Whether both strings are the same bytes of UTF-8.
    package func isSame(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { left.elementsEqual($0) }
        }
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    /// Feeds the bytes to a hasher as one run, which is many times faster than one by one.
    package func hashBytes(into hasher: inout Hasher) {
        hasher.combine(utf8.count)
        let isHashed: Void? = utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        guard isHashed == nil else { return }
        Array(utf8).withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

extension Sequence<String> {
    /// The strings as bytes, for a set that distinguishes what the store distinguishes.
    package var asBytes: Set<[UInt8]> { Set(map { Array($0.utf8) }) }

    /// Whether one of the strings has the bytes of `id`.
    package func containsBytes(of id: String) -> Bool { contains { $0.isSame(as: id) } }
}
