// SPDX-License-Identifier: Apache-2.0

package import FSMap

/// What becomes of changes on the mount of a node that does not lead; the names are those of the
/// configuration.
package enum FollowerWrites: String, CaseIterable, Sendable {
    /// EROFS for all.
    case refuse
    /// Revocations are forwarded to the leader, all else is refused.
    case revocations
    /// All are forwarded.
    case all
}

/// How a directory is mounted; every number that bounds a mount.
package struct MountOptions: Sendable {
    package var directory: String
    /// Also that of the ``FileSystem`` of the mount.
    package var kind: MountKind
    /// The source that the mount table shows.
    package var fsname: String
    /// Threads that answer the kernel; at least 1.
    package var threads: Int
    /// For the ``FileSystem`` of the mount, which is made with the same number.
    package var cacheSeconds: Double
    /// Whether other users may enter; an ordinary user needs `user_allow_other` for it.
    package var allowOther: Bool
    /// Changes that one user may ask for, a second and at once; more get EBUSY.
    package var changesPerSecond = 10_000
    package var changesBurst = 20_000
    /// Changes that wait for their commit; more get EBUSY.
    package var requestsMax: Int
    /// Invalidations that wait for the kernel; more become one epoch.
    package var notificationsMax: Int
    /// Only of a node in a group.
    package var followerWrites = FollowerWrites.refuse
    /// Whether inotify(7) tells of changes that did not come through this mount.
    package var inotify = true
    /// Changes of sessions that it tells of; more are left out and counted.
    package var notifiedSessionsPerSecond = 100
    /// Changes that wait to be told; more are left out and counted.
    package var replaysMax = 4096

    /// Makes options.
    package init(
        directory: String,
        kind: MountKind = .ordinary,
        fsname: String = "brokerfs",
        threads: Int = 4,
        cacheSeconds: Double = 3600,
        allowOther: Bool = true,
        requestsMax: Int = 1024,
        notificationsMax: Int = 65_536
    ) {
        self.directory = directory
        self.kind = kind
        self.fsname = fsname
        self.threads = max(1, threads)
        self.cacheSeconds = cacheSeconds
        self.allowOther = allowOther && kind != .reveal
        self.requestsMax = requestsMax
        self.notificationsMax = notificationsMax
    }
}

/// What a mount has done and what waits.
package struct MountStatistics: Equatable, Sendable {
    /// Requests of the kernel since the mount.
    package var requests: UInt64
    /// Those of them that a warm kernel cache answers by itself: names, attributes, content.
    package var cacheableRequests: UInt64
    /// Open files and directories.
    package var openHandles: Int
    /// Files the kernel knows.
    package var inodes: Int
    /// Changes that wait for their commit.
    package var waitingRequests: Int
    package var waitingNotifications: Int
    package var sentNotifications: UInt64
    /// Invalidations of inodes that found the queue full; not 0 means that caches may be old.
    package var lostNotifications: UInt64
    /// Changes that inotify was made to tell of, and those that were left out.
    package var replays: UInt64
    package var skippedReplays: UInt64
}
