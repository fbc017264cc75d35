// SPDX-License-Identifier: Apache-2.0

import Foundation
import Identity
import Logging
import Node
import Testing

/// The place of one reader in the changes.
@Suite struct ChangeFeedTests {
    private func change(
        _ version: UInt64,
        type: RecordType = .session,
        reason: String = ""
    ) -> Change {
        Change(
            version: version,
            kind: .put,
            type: type,
            id: "x",
            at: .epoch,
            userID: "",
            reason: reason
        )
    }

    /// The versions and gaps that the lines show.
    private func shown(_ lines: [UInt8]) -> [String] {
        String(decoding: lines, as: UTF8.self).split(separator: "\n").map { line in
            let number = line.drop { !$0.isNumber }.prefix { $0.isNumber }
            return line.hasPrefix("{\"gap\":true,") ? "gap \(number)" : "\(number)"
        }
    }

    @Test("a feed shows its types alone and moves past the others")
    func types() {
        var feed = ChangeFeed(after: 3, types: [.user, RecordType("example.com/Lock")])
        let lock = RecordType("example.com/Lock")
        let changes = [change(4), change(5, type: .user), change(6, type: lock), change(7)]
        #expect(shown(feed.take(.changes(changes))) == ["5", "6"])
        #expect(feed.version == 7)
        #expect(feed.take(.changes([change(8)])).isEmpty)
        #expect(feed.version == 8)
    }

    @Test("what cannot be shown is told as a gap, in both directions, and the feed goes on")
    func gap() {
        var feed = ChangeFeed(after: 3, types: [.user])
        #expect(shown(feed.take(.dropped(through: 9))) == ["gap 9"])
        #expect(feed.version == 9)
        #expect(shown(feed.take(.dropped(through: 4))) == ["gap 4"])
        #expect(feed.version == 4)
    }

    @Test("what is taken at once is bounded, and the rest comes with the next page")
    func bounded() {
        var feed = ChangeFeed(after: 0, types: [])
        let long = String(repeating: "r", count: 400_000)
        let changes = (1...4 as ClosedRange<UInt64>).map { change($0, reason: long) }
        let first = feed.take(.changes(changes))
        #expect(shown(first) == ["1", "2"] && first.count <= Limits.watchedBytesMax)
        #expect(feed.version == 2)
        #expect(shown(feed.take(.changes(Array(changes[2...])))) == ["3", "4"])
        let endless = String(repeating: "r", count: Limits.watchedBytesMax)
        let page = ChangePage.changes([change(5, reason: endless), change(6)])
        #expect(shown(feed.take(page)) == ["gap 5", "6"])
        #expect(feed.version == 6)
    }

    @Test("the node answers with pages, and says what it does not have")
    func pages() throws {
        let directory = NSTemporaryDirectory() + "brokerfs-feed-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: directory) }
        var log = Logger(label: "test")
        log.logLevel = .critical
        let configuration = NodeConfiguration(dataDirectory: directory, name: "n1")
        let node = try LocalNode(configuration, log: log)
        defer { node.shutdown() }
        let start = try node.newestVersion()
        for id in ["a", "b", "c"] {
            let write = try Document.parse(Array("{}".utf8), type: .session, id: id)
            _ = try node.proposeAndWait(.put([write])).get()
        }
        #expect(try node.newestVersion() == start + 3)
        guard case .changes(let changes) = try node.changes(after: start, limit: 2) else {
            Issue.record("no changes")
            return
        }
        #expect(
            changes.map(\.id) == ["a", "b"] && changes.map(\.version) == [start + 1, start + 2]
        )
        #expect(try node.changes(after: start + 3, limit: 2) == .changes([]))
        #expect(try node.changes(after: .max, limit: 2) == .dropped(through: start + 3))
    }
}
