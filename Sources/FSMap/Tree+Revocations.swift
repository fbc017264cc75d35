// SPDX-License-Identifier: Apache-2.0

import Identity

/// Receipts of revocations: what the state keeps, and which nodes are known to have forgotten.
extension Tree {
    func revocation(_ index: UInt64, in view: any IdentityView) throws(FSError) -> Presence? {
        let found = try Self.ask { () throws(ViewError) in try view.revocation(index) }
        guard let found else { return nil }
        let progress = view.progress(ofRevocation: index)
        let bytes = Self.receipt(found, progress)
        let times = progress.flatMap { [$0.appliedAt, $0.forgottenAt].compactMap(\.self) }
        return Presence(
            number: Node.revocation(index).number(ofObject: index),
            modifiedAt: times.reduce(found.receipt.acceptedAt, max),
            sizeBytes: UInt64(bytes.count),
            bytes: bytes
        )
    }

    func receipt(_ index: UInt64, in view: any IdentityView) throws(FSError) -> [UInt8] {
        try revocation(index, in: view)?.bytes ?? []
    }

    /// The document, two spaces to a level; times that are not known are null.
    private static func receipt(_ revocation: Revocation, _ nodes: [NodeProgress]) -> [UInt8] {
        let receipt = revocation.receipt
        var text = "{\n  \"id\": \"\(receipt.index)\",\n"
        text += "  \"target\": \(JSONText.value(revocation.target?.text)),\n"
        text += "  \"reason\": \(JSONText.value(revocation.reason)),\n"
        text += "  \"sessions\": \(revocation.count),\n"
        text += "  \"index\": \(receipt.index),\n  \"term\": \(receipt.term),\n"
        text += "  \"accepted_at\": \(JSONText.value(receipt.acceptedAt.text)),\n"
        let lines = nodes.map { node in
            "    {\"node\": \(JSONText.value(node.node)), "
                + "\"applied_at\": \(JSONText.value(node.appliedAt?.text)), "
                + "\"forgotten_at\": \(JSONText.value(node.forgottenAt?.text))}"
        }
        let list = lines.isEmpty ? "" : "\n" + lines.joined(separator: ",\n") + "\n  "
        return Array((text + "  \"nodes\": [\(list)]\n}\n").utf8)
    }
}
