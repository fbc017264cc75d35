// SPDX-License-Identifier: Apache-2.0

import GroupHarness
import Identity
import Node
import Replica
import Testing

/// Sessions in a group, as tests write and look at them.
extension MemoryGroup {
    static func write(_ id: String) throws -> Command.Kind {
        .put([try Document.parse(Array(#"{"user_id":"alice"}"#.utf8), type: .session, id: id)])
    }

    /// Through whoever leads; again while nobody does.
    func put(_ id: String) throws {
        let kind = try Self.write(id)
        let applied: Applied? = wait {
            guard let leader = leader() else { return nil }
            return try? leader.proposeAndWait(kind).get()
        }
        _ = try #require(applied)
    }

    func shows(_ node: LocalNode, _ id: String) -> Bool {
        (try? node.view().header(.session, id)).flatMap { $0 } != nil
    }
}
