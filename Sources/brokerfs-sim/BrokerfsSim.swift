// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Simulation

/// Runs whole clusters from seeds, in one thread each, until a promise breaks.
@main
struct BrokerfsSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "brokerfs-sim",
        abstract: "Runs simulated clusters from seeds and checks every promise.",
        discussion: """
            A seed decides everything: the size of the group, which faults happen and when, what \
            clients ask for. The same seed gives the same run. Half of the seeds make plain \
            worlds, half draw a mix of their own.

              brokerfs-sim --runs 1000           a thousand fresh seeds
              brokerfs-sim --seed 42             this one world, and what happened in it
              brokerfs-sim --seed 42 --shrink    a failing one, cut down to what it takes
            """
    )

    @Option(help: "The first seed; drawn by chance if not given.")
    var seed: UInt64?

    @Option(help: "How many seeds to run, from the first one on.")
    var runs: UInt64 = 1

    @Option(help: "How worlds are drawn: plain, swarm, or both in turn.")
    var profile = ProfileChoice.both

    @Option(help: "How many worlds to run at a time.")
    var jobs = 2

    @Option(help: "Stop after so many seconds; 0 for never.")
    var seconds = 0

    @Option(help: "Stop after so many failing worlds.")
    var failures = 5

    @Flag(help: "Cut the plan of a failing world down to what it takes to fail.")
    var shrink = false

    @Flag(help: "Run the first seed alone and print what happens, line by line.")
    var trace = false

    func run() throws {
        let first = seed ?? UInt64.random(in: 0...(UInt64.max >> 16))
        print("seed \(first), \(runs) runs, \(profile.rawValue) worlds, \(jobs) at a time")
        if trace || runs == 1 { print(WorldOptions(profile.profile(of: first), seed: first)) }
        if trace { return try tell(first) }
        let campaign = Campaign(
            first: first,
            runs: runs,
            profile: profile.profile,
            jobs: jobs,
            seconds: seconds,
            failuresMax: failures
        )
        let outcome = campaign.run()
        print(outcome.statistics.report(seconds: outcome.seconds))
        guard let failure = outcome.failures.first else { return }
        for failure in outcome.failures {
            print("FAILED seed \(failure.seed) (\(failure.profile)): \(failure.violation)")
            // Of one world alone they stand above.
            if runs > 1 { print(WorldOptions(failure.profile, seed: failure.seed)) }
        }
        if shrink { print(failure.shrunk(runsMax: 400)) }
        throw ExitCode.failure
    }

    private func tell(_ seed: UInt64) throws {
        var cluster = try Cluster(seed: seed, profile: profile.profile(of: seed))
        cluster.diary = []
        defer { for line in cluster.diary ?? [] { print(line) } }
        try cluster.run()
    }
}

/// Which worlds to run.
enum ProfileChoice: String, ExpressibleByArgument, CaseIterable {
    case plain, swarm, both

    /// The profile of a seed: in turn where both are wanted.
    func profile(of seed: UInt64) -> Profile {
        switch self {
        case .plain: .plain
        case .swarm: .swarm
        case .both: seed.isMultiple(of: 2) ? .plain : .swarm
        }
    }
}
