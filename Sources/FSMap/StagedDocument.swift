// SPDX-License-Identifier: Apache-2.0

/// What one open file has written and nobody else sees yet.
///
/// Source: PRODUCT section 2 and what shells really do: `echo x > f` opens, duplicates the
/// descriptor and closes the first one, so that a flush comes before the first write.
///
/// INVARIANT: holds at most `bytesMax` bytes; what was committed or dropped is not asked for again.
/// INVARIANT: what goes on from dropped bytes is refused, until the file is emptied.
struct StagedDocument {
    enum Mode {
        /// The bytes are the whole new content.
        case whole
        /// The bytes go to the end of what the file has when they are committed.
        case append
    }

    /// What a flush has to do.
    enum Pending: Equatable {
        case nothing
        /// The file was emptied and nothing written yet: probably a shell that is about to write.
        case untouched
        case document
    }

    private(set) var mode: Mode
    let bytesMax: Int
    private(set) var bytes: [UInt8]
    /// Began empty, so that one write can be everything.
    private var isFresh: Bool
    /// The file has content: a write at its beginning is a patch of it, and never everything.
    private var isEdit: Bool
    private var isDirty: Bool
    private var isUntouched: Bool
    /// Bytes are missing in front of whatever comes next.
    private var isBroken = false
    private var untouchedFlushes = 0
    private var changes: UInt64 = 0
    private var committing: UInt64?

    /// Starts from the content as it was opened.
    init(editing bytes: [UInt8], bytesMax: Int) {
        mode = .whole
        self.bytesMax = bytesMax
        self.bytes = bytes
        isFresh = false
        isEdit = true
        isDirty = false
        isUntouched = false
    }

    /// Starts empty: a new file, or one that was truncated when it was opened.
    init(emptyWithMax bytesMax: Int) {
        self.init(editing: [], bytesMax: bytesMax)
        isFresh = true
        isEdit = false
        isUntouched = true
    }

    /// Collects what goes to the end.
    init(appendingWithMax bytesMax: Int) {
        mode = .append
        self.bytesMax = bytesMax
        bytes = []
        isFresh = true
        isEdit = false
        isDirty = false
        isUntouched = false
    }

    /// Takes a write, at the end without an `offset`; true where it may be the whole document by
    /// itself.
    ///
    /// A gap before `offset` is filled with zeros. Throws ``FSError/tooLarge``, and
    /// ``FSError/invalid(_:)`` for the rest of a document whose beginning was dropped.
    mutating func write(_ new: [UInt8], at offset: UInt64?) throws(FSError) -> Bool {
        let start = mode == .append ? bytes.count : offset.map { Int(clamping: $0) } ?? bytes.count
        let (end, overflow) = start.addingReportingOverflow(new.count)
        guard !overflow, end <= bytesMax else { throw .tooLarge }
        guard !new.isEmpty else { return false }
        guard !isBroken || (offset == 0 && !isEdit) else { throw Self.broken }
        isBroken = false
        let isOnlyWrite = isFresh && bytes.isEmpty && start == 0
        if bytes.count < end {
            bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
        }
        bytes.replaceSubrange(start..<end, with: new)
        touch()
        return mode == .append || isOnlyWrite
    }

    /// Cuts or lengthens; what is emptied is written anew, whatever it was begun as.
    ///
    /// Throws ``FSError/tooLarge``, and ``FSError/invalid(_:)`` where the bytes to be cut are not
    /// known here.
    mutating func truncate(to sizeBytes: UInt64) throws(FSError) {
        guard sizeBytes <= UInt64(bytesMax) else { throw .tooLarge }
        let size = Int(sizeBytes)
        if size == 0, isBroken || mode == .append { return empty() }
        guard !isBroken else { throw Self.broken }
        guard mode == .whole else {
            throw .invalid("a file that is open for appending can only be emptied")
        }
        guard size != bytes.count else { return }
        if size < bytes.count {
            bytes.removeLast(bytes.count - size)
        } else {
            bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
        }
        touch()
        if bytes.isEmpty { empty() }
    }

    /// The file begins anew, as if it had been truncated when it was opened.
    private mutating func empty() {
        touch()
        mode = .whole
        bytes = []
        isFresh = true
        isEdit = false
        isBroken = false
        isUntouched = true
        untouchedFlushes = 0
    }

    /// What a flush has to do now.
    var pending: Pending {
        if isUntouched { return .untouched }
        return isDirty ? .document : .nothing
    }

    /// Counts a flush that found nothing written; true from the second one on.
    mutating func isEmptiedForGood() -> Bool {
        untouchedFlushes += 1
        return untouchedFlushes > 1
    }

    /// What is staged now is on its way.
    mutating func beginCommit() {
        committing = changes
    }

    /// What was on its way has arrived; later writes are still to be committed.
    mutating func committed() {
        isEdit = isEdit || mode == .whole
        if committing == changes {
            isDirty = false
            isUntouched = false
            if mode == .append { bytes = [] }
        }
        committing = nil
    }

    /// Nothing was written, and nothing that only goes on from there will be.
    mutating func drop() {
        isBroken = mode == .whole
        bytes = []
        isFresh = true
        isDirty = false
        isUntouched = false
        committing = nil
    }

    private static let broken = FSError.invalid(
        "an earlier write was refused: open the file again, or empty it"
    )

    private mutating func touch() {
        changes += 1
        isDirty = true
        isUntouched = false
    }
}
