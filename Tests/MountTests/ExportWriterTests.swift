// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import brokerfs

/// What was replaced while it was read, as against a mount that refuses.
struct ExportWriterTests {
    @Test("what was stale once is read by its name again, and what is stale twice fails")
    func again() throws {
        var count = 0
        let value = try ExportWriter.again {
            count += 1
            if count == 1 { throw StaleTree() }
            return "new"
        }
        #expect(value == "new" && count == 2)
        count = 0
        #expect(throws: StaleTree.self) {
            try ExportWriter.again {
                count += 1
                throw StaleTree()
            }
        }
        #expect(count == 2)
    }
}
