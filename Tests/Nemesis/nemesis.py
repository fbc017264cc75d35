#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real nodes in network namespaces, every fault of scenarios.py, and an oracle beside them.

    nemesis.py --binary brokerfs --scratch DIRECTORY [--short] [--seed N] [--rounds N] [SCENARIO…]

Needs root. The seed decides what is chosen and when; what the processes do meanwhile is theirs.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import membership  # noqa: F401: its scenario is registered by that
import world
from run import Run
from scenarios import ALL
from world import WorldError

SECONDS_SHORT_MAX = 90


def main():
    options = parse()
    if os.geteuid() != 0:
        print("nemesis: skipped: namespaces and mounts need root")
        return 0
    world.enter()
    world.make_fusectl()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(128 + number))
    chosen = [each for each in ALL if not options.scenarios or each.name in options.scenarios]
    print(f"nemesis: seed {options.seed}, {options.nodes} nodes, {len(chosen)} scenarios",
          flush=True)
    report = Report()
    begin = time.monotonic()
    runs = Runs(options)
    try:
        for scenario in chosen:
            report.add(scenario, *perform(runs, scenario, options))
    except WorldError as error:
        sys.exit(f"nemesis: {error}")
    finally:
        runs.close()
    report.finish(time.monotonic() - begin)
    return 1 if report.failed else 0


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--scratch", required=True, type=Path)
    parser.add_argument("--short", action="store_true", help="few rounds on shared groups")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--rounds", type=int, help="instead of each scenario's own number")
    parser.add_argument("--nodes", type=int, default=3, choices=(1, 3, 5))
    parser.add_argument("--keep", action="store_true", help="keep logs of what failed")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    options = parser.parse_args()
    options.binary = options.binary.resolve()
    unknown = set(options.scenarios) - {each.name for each in ALL}
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are: "
                     f"{', '.join(each.name for each in ALL)}")
    return options


class Runs:
    """Groups: one for each scenario, or in the short form one for all that can share it."""

    def __init__(self, options):
        self.options = options
        self.run = self.kind = None

    def get(self, scenario):
        kind = (scenario.small_disks, scenario.has_clocks)
        if self.run and self.options.short and self.kind == kind:
            self.run.next_scenario()
            return self.run
        self.close()
        self.kind = kind
        self.run = Run(self.options.binary, self.options.scratch, self.options.seed,
                       scenario.name, self.options.nodes, *kind)
        self.run.start()
        return self.run

    def close(self, is_failed=False):
        if self.run:
            self.run.close(keeps_files=is_failed and self.options.keep)
        self.run = None


def perform(runs, scenario, options):
    """Runs one scenario; returns (rounds, seconds, figures, counts, violations)."""
    rounds = options.rounds or scenario.rounds[0 if options.short else 1]
    begin = time.monotonic()
    run = None
    try:
        run = runs.get(scenario)
        scenario.function(run, rounds)
    except WorldError as error:
        if run is None:
            raise
        run.violate("the scenario does not end", f"{error}")
    violations = run.judge()
    if violations:
        run.show_logs()
        runs.close(is_failed=True)
    return rounds, time.monotonic() - begin, run.figures, run.summary(), violations


class Report:
    """Prints what each scenario did, and at the end all figures as a table."""

    def __init__(self):
        self.failed = 0
        self.rows = []

    def add(self, scenario, rounds, seconds, figures, summary, violations):
        verdict = "ok" if not violations else f"{len(violations)} VIOLATIONS"
        print(f"{scenario.name:16} {rounds:3} rounds {seconds:6.1f} s  {verdict}  {summary}",
              flush=True)
        for violation in violations[:20]:
            print(f"    {violation}", flush=True)
        self.failed += bool(violations)
        for what, values in figures.items():
            self.rows.append((scenario.title, what, values))

    def finish(self, seconds):
        print()
        print("| Scenario | Figure | n | p50 | p99 | max |")
        print("|---|---|---|---|---|---|")
        for title, what, values in self.rows:
            values = sorted(values)
            print(f"| {title} | {what} | {len(values)} | {ms(rank(values, 50))} | "
                  f"{ms(rank(values, 99))} | {ms(values[-1])} |")
        print(f"nemesis: {seconds:.0f} s, {self.failed} scenarios failed", flush=True)


def rank(values, percent):
    """The smallest value that so many percent do not exceed."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
