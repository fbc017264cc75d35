// SPDX-License-Identifier: Apache-2.0

import Identity

/// What is told of `cluster/` when the node's place in it changes.
extension Replay {
    /// Each change once; nothing of the counters.
    package static func replays(
        from before: ClusterState,
        to after: ClusterState
    ) -> [Replay] {
        let files = ClusterFile.allCases.filter {
            $0.isTold && !Tree.value(of: $0, before).isSame(as: Tree.value(of: $0, after))
        }
        let changed = files.map {
            Replay(kind: .changed, node: .clusterFile($0), directory: .cluster)
        }
        let gone = before.nodes.filter { node in !after.nodes.contains(node.name) }
        let removed = gone.map {
            Replay(kind: .removed, node: .clusterNode($0.name), directory: .clusterNodes)
        }
        return changed + removed + after.nodes.flatMap { told(of: $0, before: before) }
    }

    private static func told(of node: ClusterNode, before: ClusterState) -> [Replay] {
        let directory = Node.clusterNode(node.name)
        guard let old = before.nodes.first(where: { $0.name.isSame(as: node.name) }) else {
            return [Replay(kind: .created, node: directory, directory: .clusterNodes)]
        }
        let files = ClusterNodeFile.allCases.filter {
            $0.isTold && !Tree.value(of: $0, old).isSame(as: Tree.value(of: $0, node))
        }
        return files.map {
            Replay(kind: .changed, node: .clusterNodeFile(node.name, $0), directory: directory)
        }
    }

    /// Whether it tells something that nobody has to vouch for.
    package var isAlwaysShown: Bool { node.isAlwaysShown }
}

extension [ClusterNode] {
    fileprivate func contains(_ name: String) -> Bool {
        contains { $0.name.isSame(as: name) }
    }
}
