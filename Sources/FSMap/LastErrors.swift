// SPDX-License-Identifier: Apache-2.0

/// Why the last change of each user in each directory was refused, because an errno says little.
///
/// INVARIANT: at most `countMax` reasons of at most `bytesMax` bytes; the oldest goes first.
struct LastErrors {
    static let countMax = 1024
    static let bytesMax = 1024

    private struct Place: Hashable {
        var uid: UInt32
        var directory: Node
    }

    private var reasons: [Place: String] = [:]
    private var order: [Place] = []

    /// What was refused to the user in the directory, most recently.
    func reason(for uid: UInt32, in directory: Node) -> String? {
        reasons[Place(uid: uid, directory: directory)]
    }

    mutating func note(_ reason: String, for uid: UInt32, in directory: Node) {
        let place = Place(uid: uid, directory: directory)
        if reasons[place] != nil { order.removeAll { $0 == place } }
        if order.count >= Self.countMax { reasons[order.removeFirst()] = nil }
        order.append(place)
        reasons[place] = String(decoding: reason.utf8.prefix(Self.bytesMax), as: UTF8.self)
    }
}
