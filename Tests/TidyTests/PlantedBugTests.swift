// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The bugs that `make mutants` plants: too long to run each time, but they have to apply.
struct PlantedBugTests {
    private static let directories = ["RaftTests", "SimulationTests", "Nemesis"]

    @Test("each planted bug applies to the sources, and says why and what must catch it")
    func patches() throws {
        let root = Repository.current.root
        var count = 0
        for room in Self.directories {
            let directory = "Tests/\(room)/mutants"
            let names = try FileManager.default.contentsOfDirectory(
                atPath: root + "/" + directory
            )
            for name in names where name.hasSuffix(".patch") {
                count += 1
                let path = "\(directory)/\(name)"
                let text = try String(contentsOfFile: root + "/" + path, encoding: .utf8)
                #expect(text.hasPrefix("Why: ") && text.contains("\nCaught-by: "), "\(path)")
                #expect(try applies(path, in: root), "\(path) does not apply: make it again")
            }
        }
        #expect(count > 100)
    }

    private func applies(_ patch: String, in root: String) throws -> Bool {
        let git = Process()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "apply", "--check", patch]
        git.currentDirectoryURL = URL(fileURLWithPath: root)
        // Whoever owns the repository does not matter: only its files are looked at.
        git.environment = ["GIT_DIR": "/nonexistent", "PATH": "/usr/bin:/bin"]
        git.standardError = FileHandle.nullDevice
        try git.run()
        git.waitUntilExit()
        return git.terminationStatus == 0
    }
}
