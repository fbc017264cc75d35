// SPDX-License-Identifier: Apache-2.0

import CFuse3
import FSMap
import Glibc

/// How a session comes to a directory: mount(2) as root, fusermount3(1) as anybody else.
struct Attachment: Sendable {
    let directory: String
    let options: MountOptions
    private let isRoot = geteuid() == 0

    private static let device = "/dev/fuse"

    /// Whether an ordinary user may let others in (fuse.conf in mount.fuse3(8)).
    private var mayAllowOther: Bool {
        isRoot
            || readText("/etc/fuse.conf").split(separator: "\n").contains {
                $0.split(whereSeparator: \.isWhitespace) == ["user_allow_other"]
            }
    }

    private var allowsOther: Bool { options.allowOther && mayAllowOther }

    /// What is missing here, in sentences.
    var limitations: [String] {
        var missing: [String] = []
        if options.allowOther && !mayAllowOther {
            missing.append(
                "Only this user can see the mount: put user_allow_other into /etc/fuse.conf, "
                    + "or mount as root."
            )
        }
        return missing
    }

    /// Mounts, and returns the session that answers for it.
    func attach(_ server: FuseServer) throws(MountError) -> Session {
        guard access(Self.device, F_OK) == 0 else { throw .noDevice(Self.device) }
        return isRoot ? try attachAsRoot(server) : try attachAsUser(server)
    }

    private func attachAsRoot(_ server: FuseServer) throws(MountError) -> Session {
        let session = try Session(server, arguments: ["brokerfs"])
        let descriptor = open(Self.device, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            let number = errno
            session.destroy()
            switch number {
            case ENOENT, ENODEV, ENXIO: throw .noDevice(Self.device)
            case EACCES, EPERM: throw .permission("\(Self.device) cannot be opened")
            default: throw .failed("\(Self.device) cannot be opened", errno: number)
            }
        }
        guard session.useOwnIO(descriptor) else {
            close(descriptor)
            session.destroy()
            throw .failed("libfuse refuses the descriptor", errno: EINVAL)
        }
        var data = "fd=\(descriptor),rootmode=40000,user_id=0,group_id=0,default_permissions"
        if allowsOther { data += ",allow_other" }
        var flags = UInt(MS_NOSUID) | UInt(MS_NODEV) | UInt(MS_NOEXEC)
        if options.kind.isReadOnly { flags |= UInt(MS_RDONLY) }
        let status = Glibc.mount(options.fsname, directory, MountPoint.brokerfsType, flags, data)
        let number = errno
        guard status == 0 else {
            session.destroy()
            switch number {
            case EPERM, EACCES: throw .permission("mount(2) on \(directory) is not permitted")
            case ENODEV: throw .noDevice(Self.device)
            case ENOTDIR: throw .notADirectory(directory)
            default: throw .failed("mount(2) on \(directory)", errno: number)
            }
        }
        return session
    }

    private func attachAsUser(_ server: FuseServer) throws(MountError) -> Session {
        guard MountPoint.fusermount != nil else { throw .noFusermount }
        // fusermount3 adds nosuid and nodev of itself.
        var list = "default_permissions,noexec,fsname=\(escaped(options.fsname)),subtype=brokerfs"
        if allowsOther { list += ",allow_other" }
        if options.kind.isReadOnly { list += ",ro" }
        let session = try Session(server, arguments: ["brokerfs", "-o", list])
        guard session.mountAsUser(directory) else {
            session.destroy()
            throw .permission("fusermount3 may not mount on \(directory)")
        }
        guard session.useOwnIO(session.descriptor) else {
            _ = MountPoint.detach(directory)
            session.destroy()
            throw .failed("libfuse refuses the descriptor", errno: EINVAL)
        }
        return session
    }

    /// A comma ends an option of fusermount3(1) unless it is escaped.
    private func escaped(_ text: String) -> String {
        String(text.flatMap { $0 == "," || $0 == "\\" ? ["\\", $0] : [$0] })
    }
}
