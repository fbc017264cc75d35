// SPDX-License-Identifier: Apache-2.0

/// The directory that holds the log and, beside it, what the member must not forget.
extension Disk {
    /// The names in a directory, which is made when absent, all of them durable.
    func durableNames(in directory: String) throws(LogError) -> [String] {
        do throws(DiskError) {
            var names: [String] = []
            do throws(DiskError) {
                names = try list(directory)
            } catch {
                guard error.isMissing else { throw error }
                try makeDirectory(directory)
            }
            // What a process that was killed had not synced yet is made to last now.
            try syncDirectory(Self.parent(of: directory))
            try syncDirectory(directory)
            return names
        } catch {
            throw LogError(error, at: directory)
        }
    }

    /// The names in a directory; none when it is absent.
    func names(in directory: String) throws(LogError) -> [String] {
        do throws(DiskError) {
            return try list(directory)
        } catch {
            if error.isMissing { return [] }
            throw LogError(error, at: directory)
        }
    }

    private static func parent(of directory: String) -> String {
        guard let slash = directory.lastIndex(of: "/") else { return "." }
        return slash == directory.startIndex ? "/" : String(directory[..<slash])
    }
}

extension DurableLog {
    /// Whether the directory holds a segment of a log.
    ///
    /// To be asked before the log is opened, which makes the first segment: a member that knows of
    /// a term and has no segment has lost its log, and must neither vote nor lead with a new one.
    package static func hasSegments(in directory: String, on disk: D) throws(LogError) -> Bool {
        try disk.names(in: directory).contains { name in
            SegmentName.number(name, suffix: SegmentName.segmentSuffix) != nil
        }
    }
}
