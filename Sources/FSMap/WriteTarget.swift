// SPDX-License-Identifier: Apache-2.0

import Identity

/// A file that can be written, and what writing it means (PRODUCT section 2).
struct WriteTarget: Sendable {
    enum Form: Equatable {
        /// A JSON document.
        case document
        /// Any bytes.
        case value
        /// One user id a line.
        case members
    }

    let node: Node
    let form: Form
    /// The file must not exist yet when it is committed.
    var isExclusive = false
    /// The principal a new session must belong to: it was created below that principal.
    var requiredUser: String?

    /// Nil for files that nobody can write.
    init?(_ node: Node) {
        self.node = node
        switch node {
        case .session, .userFile(_, .record), .serviceAccountFile(_, .record),
            .groupFile(_, .record):
            form = .document
        case .record(let type, _) where !type.hasFace: form = .document
        case .contextValue: form = .value
        case .groupFile(_, .members): form = .members
        default: return nil
        }
    }

    /// What one open file may stage.
    var stagedBytesMax: Int {
        switch form {
        case .document: Limits.recordBytesMax
        case .value: Limits.contextBytesMax
        case .members: Limits.stagedBytesMax
        }
    }

    /// Whether a single write of these bytes says by itself that it is everything.
    func isComplete(_ bytes: [UInt8], _ mode: StagedDocument.Mode) -> Bool {
        switch form {
        case .document: JSONShape.isComplete(bytes)
        case .value: bytes.count < Limits.commitInWriteBytesMax
        case .members:
            bytes.last == UInt8(ascii: "\n")
                && (mode == .append || bytes.count < Limits.commitInWriteBytesMax)
        }
    }

    /// The command that gives the file this content.
    func command(
        _ bytes: [UInt8],
        _ mode: StagedDocument.Mode,
        in view: any IdentityView
    ) throws(FSError) -> Command.Kind {
        if form == .members {
            guard case .groupFile(let group, _) = node else { preconditionFailure("\(node)") }
            let users = try Self.users(in: bytes)
            return .changeMembers(
                MembershipChange(group: group, add: users, replace: mode == .whole)
            )
        }
        guard let (type, id) = node.record else { preconditionFailure("\(node) is no record") }
        if type == .context, !node.isContextValue(withID: id) {
            throw .invalid("a source and a key that do not make one id")
        }
        let stored = try Tree.ask { () throws(ViewError) in try view.record(type, id) }
        var content = bytes
        var expectedVersion: UInt64? = isExclusive ? 0 : nil
        if mode == .append, let stored {
            content = try Content.record(stored, envelope: false).bytes() + bytes
            expectedVersion = stored.header.version
        }
        var write = try put(content, type, id, stored?.record, expectedVersion)
        if let stored, expectedVersion == nil, Self.hasMarker(content, type, id) {
            write.expectedVersion = stored.header.version
        }
        return .put([write])
    }

    /// Whether a document takes secrets from what is stored.
    ///
    /// Then it is right for that version alone: another one may have other secrets by the time
    /// the command is applied, and the old ones must not come back.
    private static func hasMarker(_ content: [UInt8], _ type: RecordType, _ id: String) -> Bool {
        do {
            _ = try Document.parse(content, type: type, id: id)
            return false
        } catch {
            guard case .hiddenMismatch = error else { return false }
            return true
        }
    }

    private func put(
        _ content: [UInt8],
        _ type: RecordType,
        _ id: String,
        _ stored: Record?,
        _ expectedVersion: UInt64?
    ) throws(FSError) -> RecordWrite {
        let write: RecordWrite
        do {
            write = try Document.parse(
                content,
                type: type,
                id: id,
                stored: stored,
                expectedVersion: expectedVersion
            )
        } catch {
            throw FSError(Document.located(error, in: content, type: type))
        }
        if let requiredUser, !write.facts.userID.utf8.elementsEqual(requiredUser.utf8) {
            throw .invalid("user_id must be \"\(requiredUser)\" in this directory")
        }
        return write
    }

    /// The user ids of a list, each once, in its order; blank lines do not count.
    static func users(in bytes: [UInt8]) throws(FSError) -> [String] {
        var users: [String] = []
        var seen: Set<[UInt8]> = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let user = String(validating: line, as: UTF8.self) else {
                throw .invalid("a user id is not UTF-8")
            }
            do {
                try RecordID.validate(user)
            } catch {
                throw FSError(error)
            }
            if seen.insert(Array(line)).inserted { users.append(user) }
        }
        return users
    }
}

/// Whether bytes are a whole JSON object or only the beginning of one.
enum JSONShape {
    /// True where nothing that follows could make the text right, or it is right already: the
    /// outermost object has been closed, or there is no object.
    static func isComplete(_ bytes: [UInt8]) -> Bool {
        var depth = 0
        var isInString = false
        var isEscaped = false
        for byte in bytes {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth <= 0 { return true }
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
                break
            default: if depth == 0 { return true }
            }
        }
        return false
    }
}
