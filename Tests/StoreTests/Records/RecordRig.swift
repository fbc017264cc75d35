// SPDX-License-Identifier: Apache-2.0

import Identity
import Store
import Testing

/// A record store on one engine and the clock and log position of its next command.
final class RecordRig {
    let place: StoreRig
    var store: RecordStore
    /// Seconds of the leader's clock; every command takes its own second unless told otherwise.
    var now: Int64 = 1_000_000

    init(_ engine: Engine) throws {
        var options = RocksOptions()
        options.blockCacheBytes = 1 << 20
        place = try StoreRig(engine, options)
        store = try RecordStore(place.open())
    }

    /// Runs a test body and removes the files, whatever it throws.
    static func with(_ engine: Engine, _ body: (RecordRig) throws -> Void) throws {
        let rig = try RecordRig(engine)
        defer { rig.place.discard() }
        try body(rig)
    }

    var reader: RecordReader { store.reader }

    func placed(_ kinds: [Command.Kind]) -> [RecordStore.Placed] {
        var index = store.metadata.appliedIndex
        return kinds.map { kind in
            index += 1
            now += 1
            return RecordStore.Placed(
                Command(at: Timestamp(seconds: now), kind: kind),
                at: RecordStore.Position(term: 1, index: index)
            )
        }
    }

    @discardableResult
    func apply(_ kind: Command.Kind) throws -> RecordStore.Outcome {
        let placed = placed([kind])[0]
        return try store.apply(placed)
    }

    /// Applies what must be accepted and returns its count.
    @discardableResult
    func accept(
        _ kind: Command.Kind,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> UInt64 {
        let result = try apply(kind).result
        switch result {
        case .success(let applied): return applied.count
        case .failure(let error):
            Issue.record("refused: \(error)", sourceLocation: sourceLocation)
            return 0
        }
    }

    /// Applies what must be refused and returns why.
    func refuse(
        _ kind: Command.Kind,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> CommandError? {
        let outcome = try apply(kind)
        #expect(outcome.effects.isEmpty, sourceLocation: sourceLocation)
        #expect(outcome.changes.isEmpty, sourceLocation: sourceLocation)
        guard case .failure(let error) = outcome.result else {
            Issue.record("accepted", sourceLocation: sourceLocation)
            return nil
        }
        return error
    }

    /// Closes the store and opens it again, as a restart does.
    func reopen() throws {
        try store.base.flush()
        store.base.close()
        store = try RecordStore(place.open())
    }

    func ids(_ collection: IdentityCollection) throws -> [String] {
        try reader.entries(in: collection, after: 0, limit: .max).map(\.id)
    }

    func members(_ group: String) throws -> [String] {
        try reader.members(of: group, after: nil, limit: .max)
    }

    func dump() throws -> [Pair] { try store.base.pairs() }
}

/// Records of every type, made from their documents.
enum Make {
    static func session(
        _ id: String,
        user: String,
        expires: Int64? = 9_000_000,
        token: String = "access-token-1",
        version: UInt64? = nil
    ) throws -> RecordWrite {
        let expiry = expires.map { ",\"expires_at\":\"\(Timestamp(seconds: $0).text)\"" } ?? ""
        let text = """
            {"id":"\(id)","user_id":"\(user)","oauth_token":{"access_token":"\(token)"}\(expiry)}
            """
        return try Document.parse(
            Array(text.utf8),
            type: .session,
            id: id,
            expectedVersion: version
        )
    }

    static func user(_ id: String, name: String = "") throws -> RecordWrite {
        try Document.parse(Array("{\"name\":\"\(name)\"}".utf8), type: .user, id: id)
    }

    static func account(_ id: String, owner: String, expires: Int64? = nil) throws -> RecordWrite {
        let expiry = expires.map { ",\"expires_at\":\"\(Timestamp(seconds: $0).text)\"" } ?? ""
        let text = "{\"user_id\":\"\(owner)\"\(expiry)}"
        return try Document.parse(Array(text.utf8), type: .serviceAccount, id: id)
    }

    static func directoryUser(_ id: String, groups: [String]) throws -> RecordWrite {
        let list = groups.map { "\"\($0)\"" }.joined(separator: ",")
        let text = "{\"group_ids\":[\(list)],\"shoe_size\":43}"
        return try Document.parse(Array(text.utf8), type: .directoryUser, id: id)
    }

    static func directoryGroup(_ id: String, name: String = "") throws -> RecordWrite {
        try Document.parse(Array("{\"name\":\"\(name)\"}".utf8), type: .directoryGroup, id: id)
    }

    static func context(
        _ id: String,
        _ content: String,
        expires: Int64? = nil
    ) throws -> RecordWrite {
        guard let expires else {
            return try Document.parse(Array(content.utf8), type: .context, id: id)
        }
        let time = Timestamp(seconds: expires).text
        return try LoadLine.parse(
            """
            {"type":"context","id":"\(id)","data":{"text":"\(content)","expires_at":"\(time)"}}
            """
        )
    }

    static func other(_ type: String, _ id: String, value: String = "v") throws -> RecordWrite {
        let text = "{\"value\":\"\(value)\"}"
        return try Document.parse(Array(text.utf8), type: RecordType(type), id: id)
    }
}
