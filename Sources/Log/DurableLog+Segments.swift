// SPDX-License-Identifier: Apache-2.0

/// Making, rolling, retiring and reusing segment files.
///
/// A discarded file is written over as it is: overwriting blocks that were written once was the
/// cheapest sync in every quiet measurement, since no extent is converted and the file system's
/// journal rests. A new file is filled with zeros first, away from the append when there is time.
extension DurableLog {
    /// Goes on in a new segment, then says so at the end of the old one.
    ///
    /// The seal comes second: a sealed segment with nothing behind it is a log that lost its end.
    mutating func roll() throws(LogError) {
        let old = segments.count - 1
        try startSegment(
            previous: segments[old].header.number,
            firstIndex: lastIndex + 1,
            previousTerm: lastTerm
        )
        try seal(old)
    }

    /// Writes the seal of a segment that has a successor.
    mutating func seal(_ position: Int) throws(LogError) {
        let segment = segments[position]
        let successor = segments[position + 1].header
        var bytes: [UInt8] = []
        Record(
            kind: .seal,
            term: successor.number,
            index: successor.firstIndex - 1,
            durableEnd: segment.end
        ).encode(seed: segment.seed, into: &bytes)
        do throws(DiskError) {
            try disk.write(segment.file, at: segment.end, bytes)
        } catch {
            throw LogError(fatal: error, at: segment.path)
        }
        try sync(segment)
        segments[position].sealedBy = successor.number
    }

    /// Turns a spare into the open segment; what its earlier life left fails the new seed.
    mutating func startSegment(
        previous: UInt64,
        firstIndex: UInt64,
        previousTerm: UInt64
    ) throws(LogError) {
        if spares.isEmpty { try makeSpare() }
        let spare = spares[0]
        let header = SegmentHeader(
            number: takeNumber(),
            previous: previous,
            firstIndex: firstIndex,
            previousTerm: previousTerm
        )
        let path = path(of: SegmentName.segment(header.number))
        try writeHeader(header, to: spare)
        do throws(DiskError) {
            try disk.rename(spare.path, to: path)
        } catch {
            throw LogError(error, at: path)
        }
        spares.removeFirst()
        try syncDirectory()
        segments.append(
            Segment(
                file: spare.file,
                path: path,
                header: header,
                sizeBytes: limits.segmentSizeBytes
            )
        )
    }

    /// Makes a file whose every block is reserved and written.
    mutating func makeSpare() throws(LogError) {
        let number = takeNumber()
        let path = path(of: SegmentName.spare(number))
        var isMade = false
        do throws(DiskError) {
            let file = try disk.create(path)
            isMade = true
            try disk.preallocate(file, size: limits.segmentSizeBytes)
            try fillWithZeros(file, from: 0, to: limits.segmentSizeBytes)
            try disk.syncData(file)
            spares.append(SpareSegment(file: file, path: path))
        } catch {
            if error.operation == .syncData { throw LogError(fatal: error, at: path) }
            guard isMade, error.isOutOfSpace else { throw LogError(error, at: path) }
            try removeFile(path)
            throw .noSpace(path: path)
        }
        // Only after the zeros are durable: a spare with a header is one that can be used.
        let header = SegmentHeader(number: number, previous: 0, firstIndex: 0, previousTerm: 0)
        try writeHeader(header, to: spares[spares.count - 1])
        try syncDirectory()
    }

    /// Takes a segment out of the log; its file waits to be used again or is removed.
    mutating func retire(_ position: Int) throws(LogError) {
        let segment = segments[position]
        let isReusable = segment.sizeBytes == limits.segmentSizeBytes
        guard isReusable, spares.count < limits.spareSegmentsMax else {
            try removeFile(segment.path)
            segments.remove(at: position)
            return
        }
        let path = path(of: SegmentName.spare(segment.header.number))
        do throws(DiskError) {
            try disk.rename(segment.path, to: path)
        } catch {
            throw LogError(error, at: segment.path)
        }
        segments.remove(at: position)
        spares.append(SpareSegment(file: segment.file, path: path))
        try syncDirectory()
    }

    /// Writes zeros in pieces, so that no buffer is as large as a segment.
    func fillWithZeros(_ file: D.File, from start: Int, to end: Int) throws(DiskError) {
        let zeros = [UInt8](repeating: 0, count: min(1 << 20, end - start))
        var offset = start
        while offset < end {
            let rest = end - offset
            try disk.write(file, at: offset, rest < zeros.count ? Array(zeros[..<rest]) : zeros)
            offset += zeros.count
        }
    }

    func removeFile(_ path: String) throws(LogError) {
        do throws(DiskError) {
            try disk.remove(path)
        } catch {
            throw LogError(fatal: error, at: path)
        }
        try syncDirectory()
    }

    func syncDirectory() throws(LogError) {
        do throws(DiskError) {
            try disk.syncDirectory(directory)
        } catch {
            throw LogError(fatal: error, at: directory)
        }
    }

    func path(of name: String) -> String { directory + "/" + name }

    private func writeHeader(
        _ header: SegmentHeader,
        to spare: SpareSegment<D.File>
    ) throws(LogError) {
        do throws(DiskError) {
            try disk.write(spare.file, at: 0, header.encoded)
            try disk.syncData(spare.file)
        } catch {
            throw LogError(fatal: error, at: spare.path)
        }
    }

    private mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }
}
