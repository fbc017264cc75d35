// SPDX-License-Identifier: Apache-2.0

import Raft

/// The words of the transcripts; Tests/RaftTests/testdata/README.md explains them.
extension Stage {
    struct UnknownCommand: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs one line and returns what happened.
    mutating func run(_ line: String) throws -> [String] {
        output = []
        let words = line.split(separator: " ").map(String.init)
        guard let verb = words.first else { return [] }
        let isKnown =
            try runScene(verb, Array(words.dropFirst()))
            || runRequest(verb, Array(words.dropFirst()))
            || runOwner(verb, Array(words.dropFirst()))
        guard isKnown else { throw UnknownCommand(description: "unknown command: \(line)") }
        return output
    }

    private func member(_ word: String) throws -> MemberID {
        guard let number = UInt64(word) else {
            throw UnknownCommand(description: "not a member: \(word)")
        }
        return MemberID(number)
    }

    private func number(_ word: String) throws -> Int {
        guard let number = Int(word) else {
            throw UnknownCommand(description: "not a number: \(word)")
        }
        return number
    }

    /// `1>2` is one direction, `1-2` both.
    private func links(_ word: String) throws -> [Link] {
        let isBoth = word.contains("-")
        let ends = try word.split { $0 == ">" || $0 == "-" }.map { try member(String($0)) }
        guard ends.count == 2 else { throw UnknownCommand(description: "not a link: \(word)") }
        let link = Link(from: ends[0], to: ends[1])
        return isBoth ? [link, Link(from: ends[1], to: ends[0])] : [link]
    }

    /// Time, network, crashes.
    private mutating func runScene(_ verb: String, _ words: [String]) throws -> Bool {
        switch verb {
        case "group": try makeGroup(words)
        case "join":
            start(try member(words[0]), Storage(.init(bootstrapping: Configuration(voters: []))))
        case "set": for word in words { try set(word) }
        case "tell":
            isMessageTold = words.contains("messages")
            isHeartbeatTold = words.contains("heartbeats")
            isWriteTold = words.contains("writes")
            isLeaseTold = words.contains("leases")
        case "pass": pass(try number(words[0]))
        case "tick":
            for _ in 0..<(try words.count > 1 ? number(words[1]) : 1) {
                tick += 1
                step(try member(words[0]), .tick)
            }
        case "stall": tick += UInt64(try number(words[0]))
        case "deliver":
            let wanted = try words.flatMap { try links($0) }
            deliver { message in
                wanted.isEmpty || wanted.contains(Link(from: message.from, to: message.to))
            }
        case "lose", "hold", "repeat", "again", "wire": try runWire(verb, words)
        case "cut": cuts.formUnion(try words.flatMap { try links($0) })
        case "heal": cuts = []
        case "isolate":
            let alone = try member(words[0])
            for id in order where id != alone {
                cuts.formUnion([Link(from: id, to: alone), Link(from: alone, to: id)])
            }
        default: return false
        }
        return true
    }

    private mutating func runWire(_ verb: String, _ words: [String]) throws {
        let wanted = try words.flatMap { try links($0) }
        let isWanted: (Message) -> Bool = { message in
            wanted.isEmpty || wanted.contains(Link(from: message.from, to: message.to))
        }
        switch verb {
        case "lose": wire.removeAll(where: isWanted)
        case "hold":
            held += wire.filter(isWanted)
            wire.removeAll(where: isWanted)
        case "repeat": wire += wire.filter(isWanted)
        case "again":
            wire += held
            held = []
        default: output += wire.filter(isWanted).map(Wording.message)
        }
    }

    private mutating func makeGroup(_ words: [String]) throws {
        let parts = words.split(separator: "learning").map(Array.init)
        let voters = try (parts.first ?? []).map { try member($0) }
        let learners = try parts.dropFirst().flatMap { $0 }.map { try member($0) }
        bootstrap = Snapshot(bootstrapping: Configuration(voters: voters, learners: learners))
        for id in voters + learners { start(id, Storage(bootstrap)) }
    }

    private mutating func set(_ word: String) throws {
        let parts = word.split(separator: "=").map(String.init)
        let value = try number(parts[1])
        switch parts[0] {
        case "heartbeat": options.heartbeatTicks = value
        case "appendBytes": options.appendBytesMax = value
        case "windowMessages": options.inFlightMessagesMax = value
        case "windowBytes": options.inFlightBytesMax = value
        case "uncommittedBytes": options.uncommittedBytesMax = value
        case "reads": options.readsMax = value
        case "lag": options.promotionLagEntriesMax = UInt64(value)
        case "mute": options.isMute = value == 1
        default: throw UnknownCommand(description: "unknown option: \(word)")
        }
    }

    /// What clients and operators ask for.
    private mutating func runRequest(_ verb: String, _ words: [String]) throws -> Bool {
        let changes: [String: (MemberID) -> MembershipChange] = [
            "add-learner": { .addLearner($0) }, "promote": { .promote($0) },
            "remove": { .remove($0) },
        ]
        switch verb {
        case "propose":
            let payloads = words.dropFirst().map { word in
                // `x*40` is forty times x.
                let parts = word.split(separator: "*")
                let count = parts.count > 1 ? Int(parts[1]) ?? 1 : 1
                return bytes(String(repeating: String(parts[0]), count: count))
            }
            let name = words.dropFirst().joined(separator: " ")
            step(try member(words[0]), .propose(request(name), Array(payloads)))
        case "read": step(try member(words[0]), .read(request(words[1])))
        case "transfer":
            let target = try words.count > 1 ? member(words[1]) : nil
            step(try member(words[0]), .transferLeadership(to: target))
        default:
            guard let change = changes[verb] else { return false }
            let request = request("\(verb) \(words[1])")
            step(try member(words[0]), .changeMembership(request, change(try member(words[1]))))
        }
        return true
    }

    /// What the owner of a member does.
    private mutating func runOwner(_ verb: String, _ words: [String]) throws -> Bool {
        if verb == "show" {
            show(try words.map { try member($0) })
            return true
        }
        guard let word = words.first else { return false }
        let id = try member(word)
        switch verb {
        case "crash":
            noteCrash(id)
            players[id]?.isUp = false
            wire.removeAll { $0.from == id }
        case "restart":
            guard let storage = players[id]?.storage else { break }
            start(id, storage)
        case "wipe":
            players[id]?.storage = Storage(bootstrap)
            // No member of the thesis loses its disk.
            trace = nil
        case "slow": players[id]?.isDiskSlow = true
        case "fast":
            players[id]?.isDiskSlow = false
            sync(id)
        case "sync": sync(id, count: try words.count > 1 ? number(words[1]) : .max)
        case "fail": step(id, .writeFailed)
        case "hold-apply": players[id]?.isApplyHeld = true
        case "apply":
            players[id]?.isApplyHeld = false
            apply(id)
        case "suspect": step(id, .suspectLeader(try member(words[1])))
        case "unreachable": step(id, .unreachable(try member(words[1])))
        case "snapshot": takeSnapshot(id)
        case "compact": compact(id, LogIndex(try number(words[1])))
        default: return false
        }
        return true
    }

    private mutating func takeSnapshot(_ id: MemberID) {
        guard let index = players[id]?.member.appliedIndex else { return }
        step(id, .snapshotTaken(at: index))
        tell(id, "has a snapshot at \(index)")
    }

    private mutating func compact(_ id: MemberID, _ index: LogIndex) {
        if let snapshot = players[id]?.member.snapshot(at: index) {
            players[id]?.storage.keep(snapshot)
        }
        step(id, .compact(through: index))
        tell(id, "keeps entries from \(players[id]?.member.firstIndex ?? 0) on")
    }

    private mutating func show(_ wanted: [MemberID]) {
        for id in wanted.isEmpty ? order : wanted {
            guard let player = players[id] else { continue }
            guard player.isUp else {
                tell(id, "down")
                continue
            }
            let member = player.member
            let leader = member.leader.map { " of \($0)" } ?? ""
            let role = member.role == .leader ? "leader" : "\(member.role)\(leader)"
            let log = Wording.entries(member.entries(from: member.firstIndex, bytesMax: .max))
            let group = Wording.configuration(member.configuration)
            tell(id, "\(role), term \(member.term), commit \(member.commitIndex), group(\(group))")
            tell(id, "log \(log); state \(player.state.joined(separator: " "))")
        }
    }
}
