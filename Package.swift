// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// Linux only. The rooms and what each may import: ARCHITECTURE.md.
// BROKERFS_ROOMS=quiet leaves the doors and their dependencies out, so that the
// quiet rooms build and test in a fraction of the time.
let quietOnly = Context.environment["BROKERFS_ROOMS"] == "quiet"

// BROKERFS_WHOLE_ROOMS=1 compiles each room as a whole, as a release build does: what one file
// imports is then seen by the others, and some errors show only so.
let wholeRooms = Context.environment["BROKERFS_WHOLE_ROOMS"] == "1"
let wholeRoomFlags = [
    "-whole-module-optimization", "-num-threads", "2", "-disable-batch-mode",
]

let settings: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ] + (wholeRooms ? [.unsafeFlags(wholeRoomFlags)] : [])
// Generated protobuf code is not written for strict memory safety, so Identity goes without.
let quiet: [SwiftSetting] = settings + [.strictMemorySafety()]

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOExtras", package: "swift-nio-extras"),
]
let tls: [Target.Dependency] = [
    .product(name: "NIOTLS", package: "swift-nio"),
    .product(name: "NIOSSL", package: "swift-nio-ssl"),
    .product(name: "X509", package: "swift-certificates"),
    .product(name: "SwiftASN1", package: "swift-asn1"),
]

var dependencies: [Package.Dependency] = [
    .package(
        url: "https://github.com/apple/swift-protobuf",
        from: "1.39.0",
        traits: ["FieldMaskUtilities"]
    ),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
]

var targets: [Target] = [
    .systemLibrary(
        name: "CRocksDB",
        pkgConfig: "rocksdb",
        providers: [.apt(["librocksdb-dev"])]
    ),
    .target(name: "Identity", dependencies: [protobuf, crypto], swiftSettings: settings),
    .target(name: "Log", swiftSettings: quiet),
    .target(name: "Raft", swiftSettings: quiet),
    .target(name: "Store", dependencies: ["Identity", "CRocksDB", protobuf], swiftSettings: quiet),
    .target(name: "FSMap", dependencies: ["Identity"], swiftSettings: quiet),
    .target(
        name: "Replica",
        dependencies: ["Identity", "Store", "Log", "Raft", "FSMap"],
        swiftSettings: quiet
    ),
    .target(
        name: "Simulation",
        dependencies: ["Identity", "Store", "Log", "Raft", "FSMap", "Replica"],
        swiftSettings: quiet
    ),
    .target(name: "Samples", dependencies: ["Identity"], swiftSettings: quiet),
    .testTarget(
        name: "IdentityTests",
        dependencies: ["Identity", protobuf],
        swiftSettings: settings
    ),
    .testTarget(name: "LogTests", dependencies: ["Log"], swiftSettings: settings),
    .testTarget(
        name: "RaftTests",
        dependencies: ["Raft", "Simulation"],
        exclude: ["testdata", "mutants"],
        swiftSettings: settings
    ),
    .testTarget(
        name: "SimulationTests",
        dependencies: [
            "Simulation", "Replica", "Raft", "Log", "Store", "FSMap", "Identity",
        ],
        exclude: ["mutants"],
        swiftSettings: settings
    ),
    .testTarget(
        name: "StoreTests",
        dependencies: ["Store", "Identity"],
        swiftSettings: settings
    ),
    .testTarget(
        name: "FSMapTests",
        dependencies: ["FSMap", "Store", "Identity", "Replica", "Simulation"],
        swiftSettings: settings
    ),
    .testTarget(
        name: "ReplicaTests",
        dependencies: ["Replica", "Raft", "Store", "Log", "Identity", "FSMap"],
        swiftSettings: settings
    ),
    .testTarget(
        name: "SamplesTests",
        dependencies: ["Samples", "Identity"],
        swiftSettings: settings
    ),
    .testTarget(name: "TidyTests", swiftSettings: settings),
]

if !quietOnly {
    dependencies += [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(
            url: "https://github.com/apple/swift-configuration",
            from: "1.4.0",
            traits: ["YAML"]
        ),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ]
    targets += [
        .systemLibrary(
            name: "CFuse3",
            pkgConfig: "fuse3",
            providers: [.apt(["libfuse3-dev", "fuse3"])]
        ),
        .target(
            name: "Node",
            dependencies: ["Replica", "Identity", "Store", "Log", "Raft", "FSMap", logging],
            swiftSettings: settings
        ),
        .target(
            name: "FuseMount",
            dependencies: ["Node", "Replica", "FSMap", "Identity", "CFuse3", logging],
            swiftSettings: settings
        ),
        .target(
            name: "AdminSocket",
            dependencies: ["Node", "Identity", protobuf, logging] + nio,
            swiftSettings: settings
        ),
        .target(
            name: "Cluster",
            dependencies: ["Node", "Replica", "Raft", "Identity", protobuf, crypto, logging]
                + nio + tls,
            swiftSettings: settings
        ),
        .executableTarget(
            name: "brokerfs",
            dependencies: [
                "Identity", "Store", "Log", "Raft", "FSMap", "Replica", "Node", "FuseMount",
                "AdminSocket", "Cluster", "Samples", logging, protobuf,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "brokerfs-sim",
            dependencies: [
                "Simulation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "putbench",
            dependencies: ["Node", "Identity", "Samples", logging],
            path: "Benchmarks/putbench",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "raftbench",
            dependencies: ["Raft"],
            path: "Benchmarks/raftbench",
            swiftSettings: settings
        ),
        // Several nodes in one process, for the tests of the rooms above.
        .target(
            name: "GroupHarness",
            dependencies: ["Node", "Replica", "Raft", "Store", "Identity", logging],
            path: "Tests/GroupHarness",
            swiftSettings: settings
        ),
        .testTarget(
            name: "NodeTests",
            dependencies: [
                "Node", "GroupHarness", "Replica", "Raft", "Identity", "Store", "Log", "Samples",
                logging,
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "Cluster", "Node", "Replica", "Raft", "Identity", "Samples", protobuf, crypto,
                logging,
            ] + nio + tls,
            swiftSettings: settings
        ),
        .testTarget(
            name: "MountTests",
            dependencies: [
                "brokerfs", "AdminSocket", "Cluster", "FuseMount", "Node", "GroupHarness", "FSMap",
                "Replica", "Raft", "Log", "Identity", protobuf, logging,
            ],
            swiftSettings: settings
        ),
    ]
}

let package = Package(
    name: "brokerfs",
    dependencies: dependencies,
    targets: targets,
    swiftLanguageModes: [.v6]
)
