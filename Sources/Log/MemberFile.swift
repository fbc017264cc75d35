// SPDX-License-Identifier: Apache-2.0

/// The file of what a member must never forget beside its log: two copies, written together.
///
/// Each copy is one sector, which disks write at one stroke, so a crash leaves each of them old or
/// new; the newest whole one counts. One that rots is made again from the other at the opening.
/// One owner: a copy of the value would write over the original.
///
/// INVARIANT: when `write` returns, the state is durable in both copies.
/// INVARIANT: the term never goes back, and in one term there is one vote.
/// INVARIANT: after a failed write or sync the file answers `.stopped` until it is opened anew.
package struct MemberFile<D: Disk>: Sendable {
    /// What was written last.
    package var state: MemberState { record.state }

    private let disk: D
    private let file: D.File
    private let path: String
    private var record: MemberRecord
    private var isStopped = false

    /// Opens the file in `directory`; nil when there is none.
    ///
    /// What is answered is durable: a process that was killed may not have synced what it wrote.
    package static func open(in directory: String, on disk: D) throws(LogError) -> MemberFile? {
        guard try disk.names(in: directory).contains(MemberFileName.file) else { return nil }
        _ = try disk.durableNames(in: directory)
        let path = directory + "/" + MemberFileName.file
        let file: D.File
        let bytes: [UInt8]
        do throws(DiskError) {
            file = try disk.open(path)
            bytes = try disk.read(file, at: 0, count: MemberCopies.fileSize)
        } catch {
            throw LogError(fatal: error, at: path)
        }
        let record: MemberRecord
        do throws(MemberRecord.Fault) {
            record = try MemberCopies(decoding: bytes).newest()
        } catch {
            throw .corrupt(path: path, offsetBytes: 0, reason: error.reason)
        }
        let opened = MemberFile(disk: disk, file: file, path: path, record: record)
        do throws(DiskError) {
            if bytes.count < MemberCopies.fileSize {
                try disk.preallocate(file, size: MemberCopies.fileSize)
            }
            try opened.put(record)
        } catch {
            throw LogError(fatal: error, at: path)
        }
        return opened
    }

    /// Makes the file, and the directory when absent; `.noSpace` leaves none.
    ///
    /// It gets its name once it is whole, so that a crash leaves no part of it. Where there is one
    /// already nothing is changed and `EEXIST` thrown: it is never replaced.
    package static func create(
        in directory: String,
        on disk: D,
        _ state: MemberState
    ) throws(LogError) -> MemberFile {
        let path = directory + "/" + MemberFileName.file
        let temporary = directory + "/" + MemberFileName.temporary
        let names = try disk.durableNames(in: directory)
        guard !names.contains(MemberFileName.file) else {
            throw LogError(fatal: .taken(.create), at: path)
        }
        let record = MemberRecord(sequence: 1, state: state)
        let made: MemberFile
        do throws(DiskError) {
            // What a creation that was cut short left is of no use to anybody.
            if names.contains(MemberFileName.temporary) { try disk.remove(temporary) }
            let file = try disk.create(temporary)
            made = MemberFile(disk: disk, file: file, path: path, record: record)
            try made.fill()
            try disk.rename(temporary, to: path)
        } catch {
            if error.isOutOfSpace { try? disk.remove(temporary) }
            throw LogError(error, at: path)
        }
        do throws(DiskError) {
            try disk.syncDirectory(directory)
        } catch {
            throw LogError(fatal: error, at: directory)
        }
        return made
    }

    /// Replaces the state; durable when it returns.
    ///
    /// To go back in terms, to vote twice in one, or to become somebody else is a fault of the
    /// caller's and ends the process.
    package mutating func write(_ state: MemberState) throws(LogError) {
        guard !isStopped else { throw .stopped }
        let fault = state.fault(after: record.state)
        precondition(fault == nil, fault ?? "")
        let next = MemberRecord(sequence: record.sequence + 1, state: state)
        do throws(DiskError) {
            try put(next)
        } catch {
            isStopped = true
            throw LogError(fatal: error, at: path)
        }
        record = next
    }

    private init(disk: D, file: D.File, path: String, record: MemberRecord) {
        self.disk = disk
        self.file = file
        self.path = path
        self.record = record
    }

    /// Writes every block of a new file, so that no later write of a sector asks for room.
    private func fill() throws(DiskError) {
        try disk.preallocate(file, size: MemberCopies.fileSize)
        try disk.write(file, at: 0, [UInt8](repeating: 0, count: MemberCopies.fileSize))
        try put(record)
    }

    private func put(_ record: MemberRecord) throws(DiskError) {
        let bytes = record.encoded
        for copy in 0..<MemberCopies.count {
            try disk.write(file, at: MemberCopies.offset(ofCopy: copy), bytes)
        }
        try disk.syncData(file)
    }
}

/// The names of the file, among those of the segments.
enum MemberFileName {
    static let file = "member"
    /// Until it is whole.
    static let temporary = "member.new"
}
