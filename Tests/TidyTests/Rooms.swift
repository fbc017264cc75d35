// SPDX-License-Identifier: Apache-2.0

/// The rooms and what each may import: ARCHITECTURE.md, "Rooms and arrows", as a table.
struct Room: Sendable {
    var name: String
    /// A quiet room has no clock, thread, socket or chance of its own.
    var isQuiet = false
    /// The modules every file of the room may import.
    var imports: [String]
    /// More modules for the files below a path in the room: where it touches the machine.
    var edges: [String: [String]] = [:]
    /// How many unchecked places the room has: `@unchecked Sendable`, `nonisolated(unsafe)`.
    ///
    /// Only ever lowered.
    var uncheckedCount = 0

    func mayImport(_ module: String, in path: String) -> Bool {
        imports.contains(module)
            || edges.contains { path.hasPrefix($0.key) && $0.value.contains(module) }
    }
}

extension Room {
    /// A new room gets a row here and one in ARCHITECTURE.md.
    static let all: [Room] = [
        Room(
            name: "Identity",
            isQuiet: true,
            imports: ["SwiftProtobuf", "Crypto", "FoundationEssentials"]
        ),
        Room(name: "Log", isQuiet: true, imports: [], edges: logEdges),
        Room(name: "Raft", isQuiet: true, imports: []),
        Room(
            name: "Store",
            isQuiet: true,
            imports: ["Identity", "SwiftProtobuf"],
            edges: ["KeyValue/": ["CRocksDB", "Glibc", "Synchronization"]],
            uncheckedCount: 3
        ),
        Room(
            name: "FSMap",
            isQuiet: true,
            imports: ["Identity"],
            // Requests come on several threads; what the file system keeps stands behind one lock.
            edges: ["FileSystem": ["Synchronization"]]
        ),
        Room(
            name: "Replica",
            isQuiet: true,
            imports: ["Identity", "Store", "Log", "Raft", "FSMap"]
        ),
        Room(name: "Samples", isQuiet: true, imports: ["Identity"]),
        Room(
            name: "Simulation",
            isQuiet: true,
            imports: core + ["Raft", "Replica"],
            // A store may be used from several threads, whatever a simulation does.
            edges: ["RestlessStore.swift": ["Synchronization"]]
        ),
        Room(
            name: "Node",
            imports: core + ["Raft", "Replica", "Logging", "Glibc", "Dispatch", "Synchronization"],
            uncheckedCount: 2
        ),
        Room(
            name: "FuseMount",
            imports: [
                "CFuse3", "Identity", "FSMap", "Replica", "Node", "Logging", "Glibc",
                "Synchronization",
            ],
            uncheckedCount: 4
        ),
        Room(
            name: "AdminSocket",
            imports: [
                "Identity", "FSMap", "Replica", "Node", "SwiftProtobuf", "Logging", "NIOCore",
                "NIOPosix", "NIOExtras", "Glibc", "Dispatch", "Synchronization",
            ]
        ),
        Room(
            name: "Cluster",
            imports: [
                "Identity", "Raft", "Replica", "Node", "SwiftProtobuf", "Crypto", "X509",
                "SwiftASN1", "Logging", "NIOCore", "NIOPosix", "NIOExtras", "NIOTLS", "NIOSSL", "Glibc",
                "Foundation", "Synchronization",
            ]
        ),
        Room(
            name: "brokerfs",
            imports: core + [
                "Raft", "Replica", "Node", "FuseMount", "AdminSocket", "Cluster", "Samples",
                "SwiftProtobuf",
                "ArgumentParser", "Configuration", "SystemPackage", "Yams", "Logging", "Glibc",
                "Foundation", "Synchronization", "UnixSignals",
            ]
        ),
        Room(
            name: "brokerfs-sim",
            imports: ["Simulation", "ArgumentParser", "Dispatch", "Synchronization", "Glibc"],
            uncheckedCount: 1
        ),
    ]

    private static let core = ["Identity", "Store", "Log", "FSMap"]
    private static let logEdges = [
        "PosixDisk.swift": ["Glibc"],
        // Both speak of failures by the kernel's numbers.
        "Disk.swift": ["Glibc"],
        "SimulatedDisk": ["Glibc", "Synchronization"],
    ]

    static func named(_ name: String?) -> Room? {
        all.first { $0.name == name }
    }
}
