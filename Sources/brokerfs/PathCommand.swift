// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FSMap
import Identity

/// The subcommand `path`.
struct PathCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "path",
        abstract: "Print the path that shows an id, with its escapes.",
        discussion: """
            TYPE is session, user, service-account, directory-user, directory-group, context (ID \
            is source/key), or a type URL. Of several mounts it is the first that hides tokens; \
            without one, or without a node, the path is relative to the mount.
            """
    )

    @Argument(help: "The type of the record.") var type: String
    @Argument(help: "The id, as it is.") var id: String
    @OptionGroup var node: NodeOptions
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let components: [String]
        do {
            components = try path(RecordType(nameOrURL: type), id)
        } catch {
            throw Failure(.failure, error.description)
        }
        let mount = await node.mountPoint()
        let path = (mount.isEmpty ? [] : [mount]) + components
        let text = path.joined(separator: "/")
        if json {
            try Console.json(["path": text, "type": type, "id": id])
        } else {
            Console.line(text)
        }
    }

    private func path(_ type: RecordType, _ id: String) throws(DocumentError) -> [String] {
        try RecordID.validate(id)
        let name = FileName.encode(id)
        switch type {
        case .session: return ["sessions", name]
        case .user: return ["users", name]
        case .directoryUser: return ["users", name]
        case .serviceAccount: return ["service-accounts", name]
        case .directoryGroup: return ["groups", name]
        case .context:
            let parts = try RecordID.contextParts(id)
            return ["context", FileName.encode(parts.source), FileName.encode(parts.key)]
        default: return ["records", FileName.encode(type.url), name]
        }
    }
}
