// SPDX-License-Identifier: Apache-2.0

/// A look at a log that changes nothing: what is in it, and what opening it would say.
///
/// For logs that are damaged, or that a node is writing meanwhile. Such a log may be caught in the
/// middle of a change, so a fault counts once two looks in a row have found it at the same place.
package struct LogInspection<D: Disk>: Sendable {
    /// A segment of the log, as far as it could be read.
    package struct SegmentReport: Equatable, Sendable {
        package let path: String
        package let number: UInt64
        /// Of the first entry that counts; beyond `lastIndex` where there is none.
        package let firstIndex: UInt64
        package let lastIndex: UInt64
        /// Of the last entry, or of the one before the segment where there is none.
        package let lastTerm: UInt64
        /// Where its last whole record ends.
        package let usedBytes: Int
        package let sizeBytes: Int
        /// Whether it says itself that another one follows.
        package let isSealed: Bool
    }

    /// How often a log is looked at that is another one each time.
    private static var looksMax: Int { 20 }

    /// The error that opening the log would throw; nil where it is sound, a torn tail included.
    package let fault: LogError?
    /// An unfinished write at the end: one that a node is doing now, or that a crash cut short.
    package let tornTail: LogRecovery.TornTail?
    /// Files that wait to become segments.
    package let spareCount: Int
    /// Segments in front of a new beginning, left by a crash; the next opening removes them.
    package let leftoverCount: Int
    private let disk: D
    private let chain: [Segment<D.File>]

    /// Looks at the log in `directory`; throws where the directory cannot be read.
    package init(of directory: String, on disk: D) throws(LogError) {
        var look = try Self(lookingAt: directory, on: disk)
        for _ in 1..<Self.looksMax {
            guard let fault = look.fault else { break }
            look = try Self(lookingAt: directory, on: disk)
            if look.fault == fault { break }
        }
        self = look
    }

    private init(lookingAt directory: String, on disk: D) throws(LogError) {
        let names: [String]
        do throws(DiskError) {
            names = try disk.list(directory)
        } catch {
            throw LogError(fatal: error, at: directory)
        }
        var chain = SegmentChain(directory: directory, on: disk)
        var fault: LogError?
        do throws(LogError) { try chain.find(names) } catch { fault = error }
        // What stands before an unreadable header is read all the same.
        do throws(LogError) { try chain.read() } catch { fault = fault ?? error }
        let spares = names.filter { name in
            SegmentName.number(name, suffix: SegmentName.spareSuffix) != nil
        }
        if chain.found.isEmpty, fault == nil, try Self.haveSeenALog(spares, directory, disk) {
            fault = .corrupt(path: directory, offsetBytes: 0, reason: "the segments are missing")
        }
        self.fault = fault
        self.disk = disk
        self.chain = chain.segments
        tornTail = fault == nil ? chain.tornTail : nil
        spareCount = spares.count
        leftoverCount = chain.leftovers.count
    }

    /// What opening asks of the spares where there is no segment.
    private static func haveSeenALog(
        _ names: [String],
        _ directory: String,
        _ disk: D
    ) throws(LogError) -> Bool {
        for name in names {
            let path = directory + "/" + name
            do throws(DiskError) {
                let file = try disk.open(path)
                let block = try disk.read(file, at: 0, count: SegmentHeader.recordsOffset)
                guard let header = try? SegmentHeader(decoding: block.span) else { continue }
                if header.previous != 0 || header.firstIndex > 1 { return true }
            } catch {
                throw LogError(fatal: error, at: path)
            }
        }
        return false
    }

    /// The segments of the log, oldest first: those before the fault, where there is one.
    package var segments: [SegmentReport] {
        chain.map { segment in
            SegmentReport(
                path: segment.path,
                number: segment.header.number,
                firstIndex: segment.firstIndex,
                lastIndex: segment.nextIndex - 1,
                lastTerm: segment.lastTerm,
                usedBytes: segment.end,
                sizeBytes: segment.sizeBytes,
                isSealed: segment.sealedBy != nil
            )
        }
    }

    /// The index of the oldest entry; one more than `lastIndex` when there is none.
    package var firstIndex: UInt64 { chain.first?.firstIndex ?? 1 }

    /// The index of the newest entry that can be read, or of the one before the log.
    package var lastIndex: UInt64 { (chain.last?.nextIndex ?? 1) - 1 }

    /// The term of the entry at `lastIndex`.
    package var lastTerm: UInt64 { chain.last?.lastTerm ?? 0 }

    /// How many entries there are; before a fault, some may have been taken back behind it.
    package var entryCount: UInt64 { lastIndex + 1 - firstIndex }

    /// Entries from `index` on, in order: what fits `bytesMax` bytes of file, but at least one.
    ///
    /// Empty when `index` is one beyond the last that can be read. `.outOfRange` also where a node
    /// has discarded the entries since the look, and is using their file again.
    package func entries(from index: UInt64, bytesMax: Int) throws(LogError) -> [LogEntry] {
        guard index >= firstIndex, index <= lastIndex + 1 else { throw outOfRange(index) }
        do throws(LogError) {
            return try disk.entries(of: chain, from: index, bytesMax: bytesMax)
        } catch {
            guard case .corrupt(let path, _, _) = error,
                let segment = chain.first(where: { $0.path == path }), isUsedAgain(segment)
            else { throw error }
            throw outOfRange(index)
        }
    }

    /// A file gets the header of its new life before anything else of it.
    private func isUsedAgain(_ segment: Segment<D.File>) -> Bool {
        do throws(DiskError) {
            let block = try disk.read(segment.file, at: 0, count: SegmentHeader.recordsOffset)
            return (try? SegmentHeader(decoding: block.span)) != segment.header
        } catch {
            return false
        }
    }

    private func outOfRange(_ index: UInt64) -> LogError {
        .outOfRange(index: index, first: firstIndex, last: lastIndex)
    }
}
