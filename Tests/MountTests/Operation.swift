// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// One thing a client does to the tree, the same in-process and through a mount.
struct Operation: Codable, CustomTestStringConvertible, Sendable {
    enum Verb: String, Codable, CaseIterable, Sendable {
        case list, stat, read, write, append, create, unlink, rmdir, mkdir, rename, readlink
    }

    var verb: Verb
    var path: String
    /// What is written, or the new name.
    var text = ""

    init(_ verb: Verb, _ path: String, _ text: String = "") {
        self.verb = verb
        self.path = path
        self.text = text
    }

    var testDescription: String { "\(verb.rawValue) \(path) \(text)" }
}

/// What came of it: a value, or the name of an errno.
struct Answer: Codable, Equatable, CustomStringConvertible, Sendable {
    var value: String?
    var errno: String?

    var description: String { value ?? errno ?? "?" }
}

/// A client of the tree, whatever lies between.
protocol TreeClient {
    func run(_ operations: [Operation]) throws -> [Answer]
}

/// Works on a real mount in a process of its own, which can be killed when the mount hangs.
struct MountClient: TreeClient {
    let node: MountedNode

    func run(_ operations: [Operation]) throws -> [Answer] {
        let input = node.root + "/operations.json"
        let script = node.root + "/client.py"
        try JSONEncoder().encode(operations).write(to: URL(fileURLWithPath: input))
        try Self.client.write(toFile: script, atomically: true, encoding: .utf8)
        let output = try Shell.check("python3 \(script) \(node.mount) \(input)", seconds: 120)
        return try JSONDecoder().decode([Answer].self, from: Data(output.utf8))
    }

    private static let client = #"""
        import errno, json, os, stat, sys, time

        def put(path, text, flags):
            fd = os.open(path, os.O_WRONLY | flags, 0o644)
            try:
                os.write(fd, text.encode())
            except OSError:
                try: os.close(fd)
                except OSError: pass
                raise
            os.close(fd)

        def get(path):
            fd = os.open(path, os.O_RDONLY)
            try:
                text = b""
                while True:
                    piece = os.read(fd, 1 << 16)
                    if not piece: return text.decode()
                    text += piece
            finally:
                os.close(fd)

        def run(op, path, text):
            if op == "list": return "\n".join(e.name for e in os.scandir(path))
            if op == "stat":
                s = os.lstat(path)
                size = 0 if stat.S_ISDIR(s.st_mode) else s.st_size
                return "%o %d:%d %d %d" % (s.st_mode, s.st_uid, s.st_gid, size, s.st_nlink)
            if op == "read": return get(path)
            if op == "write": put(path, text, os.O_CREAT | os.O_TRUNC)
            if op == "append": put(path, text, os.O_APPEND)
            if op == "create": put(path, text, os.O_CREAT | os.O_EXCL)
            if op == "unlink": os.unlink(path)
            if op == "rmdir": os.rmdir(path)
            if op == "mkdir": os.mkdir(path)
            if op == "rename": os.rename(path, text)
            if op == "readlink": return os.readlink(path)
            return ""

        os.chdir(sys.argv[1])
        answers = []
        for op in json.load(open(sys.argv[2])):
            try:
                answers.append({"value": run(op["verb"], op["path"], op["text"])})
                # The names that a change has brought or taken follow the reply.
                if op["verb"] not in ("list", "stat", "read", "readlink"): time.sleep(0.003)
            except OSError as e:
                answers.append({"errno": errno.errorcode[e.errno]})
        print(json.dumps(answers))
        """#
}
