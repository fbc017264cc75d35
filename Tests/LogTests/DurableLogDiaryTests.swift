// SPDX-License-Identifier: Apache-2.0

import Log
import Testing

@Suite("the order of durable operations")
struct DurableLogDiaryTests {
    /// The diary with short names: the number of a file and what it is.
    private func diary(_ disk: SimulatedDisk) -> [String] {
        disk.diary.map { line in
            line.split(separator: " ").map { word in
                guard word.hasPrefix("/log/") else { return String(word) }
                return String(word.dropFirst(5).drop { $0 == "0" })
            }.joined(separator: " ")
        }
    }

    @Test("a new log's names are durable before its first segment is used")
    func creation() throws {
        let disk = SimulatedDisk()
        _ = try open(on: disk)
        #expect(
            diary(disk) == [
                "makeDirectory /log",
                "syncDirectory /",
                "syncDirectory /log",
                // A file with every block reserved and written, before it may be used.
                "create 2.spare",
                "preallocate 2.spare 12288",
                "write 2.spare 0+12288",
                "syncData 2.spare",
                "write 2.spare 0+4136",
                "syncData 2.spare",
                "syncDirectory /log",
                // It becomes the first segment.
                "write 2.spare 0+4136",
                "syncData 2.spare",
                "rename 2.spare 3.log",
                "syncDirectory /log",
                // Another one waits for the first roll.
                "create 4.spare",
                "preallocate 4.spare 12288",
                "write 4.spare 0+12288",
                "syncData 4.spare",
                "write 4.spare 0+4136",
                "syncData 4.spare",
                "syncDirectory /log",
            ]
        )
    }

    @Test("an append is one write and one sync")
    func append() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        disk.clearDiary()
        try log.append(entries(1...3, size: 1000))
        #expect(diary(disk) == ["write 3.log 4096+3160", "syncData 3.log"])
    }

    @Test("a roll makes the new segment durable before the old one says that it is there")
    func roll() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        disk.clearDiary()
        try log.append(entries(1...9, size: 1000))
        #expect(
            diary(disk) == [
                "write 3.log 4096+7320",
                "syncData 3.log",
                "write 4.spare 0+4136",
                "syncData 4.spare",
                "rename 4.spare 5.log",
                "syncDirectory /log",
                "write 3.log 11376+40",
                "syncData 3.log",
                "write 5.log 4096+2120",
                "syncData 5.log",
            ]
        )
    }

    @Test("discarding is a rename and a sync of the directory for each segment")
    func discard() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...30, size: 1000))
        disk.clearDiary()
        try log.discardPrefix(through: 22)
        #expect(
            diary(disk) == [
                "rename 3.log 3.spare",
                "syncDirectory /log",
                "rename 8.log 8.spare",
                "syncDirectory /log",
                "remove 9.log",
                "syncDirectory /log",
            ]
        )
    }

    @Test("a truncation is one record")
    func truncate() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...3, size: 1000))
        disk.clearDiary()
        try log.truncateSuffix(from: 2)
        #expect(diary(disk) == ["write 3.log 7216+80", "syncData 3.log"])
    }

    @Test("opening writes the last write again and clears what is behind it")
    func opening() throws {
        let disk = SimulatedDisk()
        var log = try open(on: disk)
        try log.append(entries(1...3, size: 1000))
        try log.append(entries(4...5, size: 1000))
        disk.clearDiary()
        _ = try open(on: disk)
        #expect(
            diary(disk) == [
                "syncDirectory /",
                "syncDirectory /log",
                "write 3.log 7216+2080",
                "write 3.log 9296+2992",
                "syncData 3.log",
            ]
        )
    }
}
