// SPDX-License-Identifier: Apache-2.0

/// A look at the file of what a member must not forget; changes nothing.
///
/// As with the log, a node may be writing it: what is not whole counts once it was seen twice.
package struct MemberInspection: Equatable, Sendable {
    /// One of the copies.
    package enum Copy: Equatable, Sendable {
        case whole(sequence: UInt64, MemberState)
        case damaged(reason: String)
    }

    /// Where it is.
    package let path: String
    /// In their order in the file.
    package let copies: [Copy]
    /// What an opening would adopt; nil where it would refuse.
    package let state: MemberState?
    /// The error an opening would throw.
    package let fault: LogError?

    /// Looks at the file in `directory`; nil where there is none.
    package init?<D: Disk>(of directory: String, on disk: D) throws(LogError) {
        guard try disk.names(in: directory).contains(MemberFileName.file) else { return nil }
        let path = directory + "/" + MemberFileName.file
        var look = try Self(lookingAt: path, on: disk)
        for _ in 0..<20 where !look.isWhole {
            let again = try Self(lookingAt: path, on: disk)
            if again == look { break }
            look = again
        }
        self = look
    }

    /// Whether no copy is damaged and they agree.
    package var isWhole: Bool {
        fault == nil && copies.allSatisfy { if case .whole = $0 { true } else { false } }
    }

    private init<D: Disk>(lookingAt path: String, on disk: D) throws(LogError) {
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try disk.read(disk.open(path), at: 0, count: MemberCopies.fileSize)
        } catch {
            throw LogError(fatal: error, at: path)
        }
        let read = MemberCopies(decoding: bytes)
        self.path = path
        copies = read.copies.map { copy in
            switch copy {
            case .success(let record): .whole(sequence: record.sequence, record.state)
            case .failure(let fault): .damaged(reason: fault.reason)
            }
        }
        do throws(MemberRecord.Fault) {
            state = try read.newest().state
            fault = nil
        } catch {
            state = nil
            fault = .corrupt(path: path, offsetBytes: 0, reason: error.reason)
        }
    }
}
