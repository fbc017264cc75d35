// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log

/// Small sizes, so that a few entries fill a segment.
let smallLimits = LogLimits(segmentSizeBytes: 12288, payloadSizeBytesMax: 4000)
let logDirectory = "/log"

/// An entry whose bytes tell its index, its term and nothing else.
func entry(_ index: UInt64, term: UInt64 = 1, size: Int = 100) -> LogEntry {
    var generator = SplitMix64(seed: index &* 1_000_003 &+ term)
    var payload: [UInt8] = []
    payload.reserveCapacity(size)
    // Every sector differs from every other, and filling is quick without the optimizer.
    while payload.count < size {
        let byte = UInt8(truncatingIfNeeded: generator.next())
        payload += [UInt8](repeating: byte, count: min(100, size - payload.count))
    }
    return LogEntry(term: term, index: index, tag: UInt32(index % 3), payload: payload)
}

func entries(_ range: ClosedRange<UInt64>, term: UInt64 = 1, size: Int = 100) -> [LogEntry] {
    range.map { entry($0, term: term, size: size) }
}

func open<D: Disk>(
    on disk: D,
    limits: LogLimits = smallLimits
) throws(LogError) -> DurableLog<D> {
    try DurableLog(opening: logDirectory, on: disk, limits: limits)
}

/// Everything a log holds, read in small pieces.
func all<D: Disk>(_ log: DurableLog<D>) throws(LogError) -> [LogEntry] {
    var result: [LogEntry] = []
    var next = log.firstIndex
    while next <= log.lastIndex {
        let part = try log.entries(from: next, bytesMax: 3000)
        guard let last = part.last else { break }
        result += part
        next = last.index + 1
    }
    return result
}

/// Everything a look at a log sees before the fault, read in small pieces.
func all<D: Disk>(_ look: LogInspection<D>) throws(LogError) -> [LogEntry] {
    var result: [LogEntry] = []
    while UInt64(result.count) < look.entryCount {
        let next = look.firstIndex + UInt64(result.count)
        result += try look.entries(from: next, bytesMax: 3000)
    }
    return result
}

/// The error a body throws; nil when it throws none.
func failure(_ body: () throws(LogError) -> Void) -> LogError? {
    do throws(LogError) {
        try body()
        return nil
    } catch {
        return error
    }
}

func isCorrupt(_ error: LogError?) -> Bool {
    if case .corrupt = error { return true }
    return false
}

/// The paths of the segment files of a log, oldest first.
func segmentPaths<D: Disk>(on disk: D) throws -> [String] {
    try disk.list(logDirectory).filter { $0.hasSuffix(".log") }.map { logDirectory + "/" + $0 }
}

/// A directory of the machine that goes when the value does.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/brokerfs-log-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, let made = mkdtemp(base) else {
                preconditionFailure("no temporary directory")
            }
            return String(cString: made)
        }
    }

    deinit {
        remove(path)
    }

    private func remove(_ path: String) {
        let disk = PosixDisk()
        for name in (try? disk.list(path)) ?? [] {
            let inner = path + "/" + name
            if (try? disk.list(inner)) != nil { remove(inner) } else { unlink(inner) }
        }
        rmdir(path)
    }
}
