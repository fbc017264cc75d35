// SPDX-License-Identifier: Apache-2.0

import FSMap
import Foundation
import Identity
import Logging
import Node
import Replica
import Synchronization
import Testing

/// The machine room with real files and threads, without a mount.
@Suite struct LocalNodeTests {
    private let directory: String

    init() throws {
        directory = NSTemporaryDirectory() + "brokerfs-node-" + UUID().uuidString
    }

    private func open(_ suffix: String = "") throws -> LocalNode {
        var log = Logger(label: "test")
        log.logLevel = .critical
        let configuration = NodeConfiguration(dataDirectory: directory + suffix, name: "n1")
        return try LocalNode(configuration, log: log)
    }

    private func session(_ id: String, user: String = "alice") throws -> Command.Kind {
        let json = Array(#"{"user_id":"\#(user)"}"#.utf8)
        return .put([try Document.parse(json, type: .session, id: id)])
    }

    @Test("what was put is there after a clean stop, and a directory has one node")
    func restart() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let node = try open()
        _ = try node.proposeAndWait(try session("s1")).get()
        #expect(throws: NodeError.self) { _ = try open() }
        let history = try node.information().serverVersion
        node.shutdown()

        let again = try open()
        defer { again.shutdown() }
        #expect(try again.view().header(.session, "s1") != nil)
        #expect(try again.information().serverVersion == history)
        #expect(String(decoding: again.view().events.bytes, as: UTF8.self).contains("\"s1\""))
    }

    @Test("many writers are answered, each once, and none is lost")
    func writers() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let node = try open()
        defer { node.shutdown() }
        let answers = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 16) { writer in
            for number in 0..<50 {
                guard let kind = try? session("s\(writer)-\(number)") else { return }
                if case .success = node.proposeAndWait(kind) { answers.withLock { $0 += 1 } }
            }
        }
        #expect(answers.withLock { $0 } == 800)
        #expect(try node.view().statistics(of: .records(.session))?.count == 800)
    }

    @Test("an observer hears of a change before it, after it, and after the reply, in this order")
    func observerOrder() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let node = try open()
        defer { node.shutdown() }
        let observer = RecordingObserver(node)
        node.add(observer)
        let answered = Answered()
        node.propose(try session("s1")) { _ in
            observer.note("reply")
            answered.set()
        }
        answered.wait()
        #expect(observer.notes.prefix(3) == ["will: absent", "did: present", "reply"])
        node.remove(observer)
    }

    @Test("a start shows the newest changes that fit, says what it leaves out, and goes on")
    func eventsAfterRestart() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let node = try open()
        for part in 0..<4 {
            let writes = try (0..<300).map {
                try Document.parse(Array("{}".utf8), type: .session, id: "s\(part)-\($0)")
            }
            _ = try node.proposeAndWait(.put(writes)).get()
        }
        node.shutdown()

        var configuration = NodeConfiguration(dataDirectory: directory, name: "n1")
        configuration.eventBytesMax = 64 << 10
        let again = try LocalNode(configuration, log: Logger(label: "test"))
        defer { again.shutdown() }
        let newest = try again.newestVersion()
        let events = again.view().events
        #expect(events.generation > newest)
        let lines = String(decoding: events.bytes, as: UTF8.self).split(separator: "\n")
        let dropped = newest - UInt64(lines.count - 1)
        #expect(dropped > 0 && lines.count > 200)
        #expect(lines[0] == "{\"gap\":true,\"dropped_through\":\(dropped)}")
        #expect(lines[1].hasPrefix("{\"version\":\(dropped + 1),"))
        _ = try again.proposeAndWait(try session("more")).get()
        let all = again.view().events.bytes
        #expect(
            String(decoding: all, as: UTF8.self).split(separator: "\n").count == lines.count + 1
        )
    }

    @Test("a start shows nothing before all that was acknowledged is there, in however many steps")
    func killedInBulk() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        defer { try? FileManager.default.removeItem(atPath: directory + "-killed") }
        let count = 12_000
        let first = try open()
        let json = Array(#"{"user_id":"alice"}"#.utf8)
        for start in stride(from: 0, to: count, by: 1000) {
            let writes = try (start..<(start + 1000)).map { number in
                try Document.parse(json, type: .session, id: "s\(number)")
            }
            _ = try first.proposeAndWait(.put(writes)).get()
        }
        // From here on the state's own files hold the sessions, and the log alone what comes.
        first.shutdown()
        let node = try open()
        defer { node.shutdown() }
        let target = RevocationTarget.user("alice")
        let revoked = try node.proposeAndWait(.revoke(target, reason: "")).get()
        #expect(revoked.count == count)
        // What a SIGKILL would leave now.
        try FileManager.default.copyItem(atPath: directory, toPath: directory + "-killed")
        let again = try open("-killed")
        defer { again.shutdown() }
        #expect(try again.view().header(.session, "s0") == nil)
        #expect(try again.view().header(.session, "s\(count - 1)") == nil)
        #expect(try again.view().statistics(of: .records(.session))?.count ?? 0 == 0)
    }

    @Test("a refused change is answered with its reason")
    func refused() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let node = try open()
        defer { node.shutdown() }
        _ = try node.proposeAndWait(try session("s1")).get()
        _ = try node.proposeAndWait(.revoke(.session("s1"), reason: "")).get()
        #expect(node.proposeAndWait(try session("s1")) == .failure(.refused(.revoked(id: "s1"))))
    }

    @Test("after the end every proposal is answered")
    func afterShutdown() throws {
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let node = try open()
        node.shutdown()
        #expect(node.proposeAndWait(try session("s1")) == .failure(.stopped))
    }
}

private final class Answered: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    func set() { semaphore.signal() }
    func wait() { semaphore.wait() }
}

private final class RecordingObserver: MountObserver {
    private let list = Mutex<[String]>([])
    private let node: LocalNode

    init(_ node: LocalNode) {
        self.node = node
    }

    var notes: [String] { list.withLock { $0 } }

    func note(_ text: String) { list.withLock { $0.append(text) } }

    private var presence: String {
        let header = try? node.view().header(.session, "s1")
        return header == nil ? "absent" : "present"
    }

    func willApply(_ effects: [Effect]) { note("will: \(presence)") }

    func didApply(_ effects: [Effect]) -> @Sendable () -> Void {
        note("did: \(presence)")
        return { self.note("names") }
    }
}
