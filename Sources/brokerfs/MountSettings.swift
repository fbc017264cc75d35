// SPDX-License-Identifier: Apache-2.0

import Configuration
import FSMap

/// One mount of the node.
struct MountSettings: Sendable {
    var directory = "/brokerfs"
    var kind = MountKind.ordinary
    /// Nothing of a mount that reveals is cached, whatever this says.
    var cacheSeconds = 3600.0
    var threads = 4
    /// Whether it came from the list, and not from the short form.
    var isListed = false
    /// Whether it is below the folder of a member of a group, and so of no use to anybody else.
    var isMadeWhenMissing = false

    /// The keys of one entry of the list.
    static let keys = [
        "mounts.directory", "mounts.kind", "mounts.cache_seconds", "mounts.threads",
    ]

    static let isGivenTwice = Failure(
        .failure,
        "there is a list of mounts and a directory besides: "
            + "give mount.directory (or --mount) or mounts, not both"
    )

    /// The list, or the one ordinary mount of the short form.
    ///
    /// Throws ``Failure`` where both are given and for a bad value.
    static func read(_ reader: ConfigReader, list: [[String: String]]?) throws -> [MountSettings] {
        guard let list else {
            var mount = MountSettings()
            let directory = reader.string(forKey: "mount")
            mount.directory =
                directory ?? reader.string(forKey: "mount.directory", default: mount.directory)
            try mount.readNumbers(reader, "mount")
            return [mount]
        }
        for key in Settings.keys where key == "mount" || key.hasPrefix("mount.") {
            guard reader.string(forKey: ConfigKey(key)) == nil else { throw isGivenTwice }
        }
        let mounts = try list.map { try MountSettings(listed: $0) }
        for (index, mount) in mounts.enumerated() {
            guard !mounts[..<index].contains(where: { $0.directory == mount.directory }) else {
                throw Failure(.failure, "mounts: \(mount.directory) is there twice")
            }
        }
        return mounts
    }

    /// The defaults.
    init() {}

    private init(listed values: [String: String]) throws {
        isListed = true
        guard let directory = values["mounts.directory"], !directory.isEmpty else {
            throw Failure(.failure, "mounts: a mount without its directory")
        }
        self.directory = directory
        if let name = values["mounts.kind"] {
            guard let kind = MountKind(rawValue: name) else {
                let kinds = MountKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure(.failure, "mounts.kind: \(name) is not one of \(kinds)")
            }
            self.kind = kind
        }
        let values = InMemoryProvider(values: SettingsFile.configuration(values))
        try readNumbers(ConfigReader(provider: values), "mounts")
    }

    private mutating func readNumbers(_ reader: ConfigReader, _ prefix: String) throws {
        let seconds = "\(prefix).cache_seconds"
        cacheSeconds = try Settings.number(reader, seconds, cacheSeconds, 0...86_400)
        threads = Int(try Settings.number(reader, "\(prefix).threads", Double(threads), 1...64))
    }
}

/// What the users of each mount may take.
struct MountLimits: Sendable {
    var changesPerSecond = 10_000
    var changesBurst = 20_000
    var openFiles = 65_536
    var openFilesPerUID = 16_384
    var stagedMiB = 256
    var inodes = 100_000
    var brakeUnlinks = 50
    var brakeSeconds = 10.0
    var scratchFileKiB = 64
    var scratchTotalMiB = 64
    var scratchIdleSeconds = 60.0
    var notifiesInotify = true
    var notifiedSessionsPerSecond = 100

    /// The keys of the file.
    static let keys = [
        "limits.changes_per_second", "limits.changes_burst", "limits.open_files",
        "limits.open_files_per_uid", "limits.staged_mib", "limits.inodes", "brake.unlinks",
        "brake.seconds", "scratch.file_kib", "scratch.total_mib", "scratch.idle_seconds",
        "notify.inotify", "notify.sessions_per_second",
    ]

    /// The defaults.
    init() {}

    /// Throws ``Failure`` for a bad value.
    init(_ reader: ConfigReader) throws {
        func number(_ key: String, _ fallback: Int, _ bounds: ClosedRange<Double>) throws -> Int {
            Int(try Settings.number(reader, key, Double(fallback), bounds))
        }
        changesPerSecond = try number("limits.changes_per_second", changesPerSecond, 1...1_000_000)
        changesBurst = try number("limits.changes_burst", changesBurst, 1...1_000_000)
        openFiles = try number("limits.open_files", openFiles, 16...1_000_000)
        openFilesPerUID = try number("limits.open_files_per_uid", openFilesPerUID, 16...1_000_000)
        stagedMiB = try number("limits.staged_mib", stagedMiB, 1...65_536)
        inodes = try number("limits.inodes", inodes, 1000...100_000_000)
        brakeUnlinks = try number("brake.unlinks", brakeUnlinks, 0...1_000_000)
        brakeSeconds = try Settings.number(reader, "brake.seconds", brakeSeconds, 0.1...3600)
        scratchFileKiB = try number("scratch.file_kib", scratchFileKiB, 0...1_048_576)
        scratchTotalMiB = try number("scratch.total_mib", scratchTotalMiB, 0...65_536)
        scratchIdleSeconds = try Settings.number(
            reader,
            "scratch.idle_seconds",
            scratchIdleSeconds,
            1...86_400
        )
        notifiesInotify = try Settings.bool(reader, "notify.inotify", notifiesInotify)
        notifiedSessionsPerSecond = try number(
            "notify.sessions_per_second",
            notifiedSessionsPerSecond,
            0...100_000
        )
    }

    /// Passes the limits on to a mount.
    func apply(to options: inout FileSystemOptions) {
        options.openFilesMax = openFiles
        options.openFilesPerUserMax = openFilesPerUID
        options.stagedBytesMax = stagedMiB << 20
        options.inodesMax = inodes
        options.brake.principalsMax = brakeUnlinks
        options.brake.windowNanoseconds = UInt64(brakeSeconds * 1e9)
        options.scratch.fileBytesMax = scratchFileKiB << 10
        options.scratch.bytesMax = scratchTotalMiB << 20
        options.scratch.idleNanoseconds = UInt64(scratchIdleSeconds * 1e9)
    }
}
