#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures directories against each other and prints a Markdown table.

    make && sudo python3 run.py
    sudo python3 run.py --brokerfs 'COMMAND with {mountpoint} and {state}' --body session.json

Needs root: it mounts, and the cold operations drop the machine's caches (of everybody).

Cold is: the kernel's caches were dropped before the operation. That drops FUSE names, attributes
and pages as well, whatever their timeouts: floorfs counts its requests (SIGUSR1 prints them), and
a cold pass over N names sends it exactly N lookups. `floor-0` is something else: a mount that may
never cache anything, which pays for the revalidation of the directory on top of each lookup.
"""

import argparse
import json
import os
import time
from pathlib import Path

from lib import processes, report, targets
from lib.processes import BUILD, BenchmarkError

READ_OPERATIONS = ["stat", "stat-cold", "open-read", "open-read-cold", "readdir", "readdir-cold"]
CHANGE_OPERATIONS = [["create", "unlink"], ["create-sync", "unlink-sync"]]
# For a second after a change brokerfs lets the kernel keep nothing of what changed.
SETTLE_SECONDS = 1.2


class Run:
    """The sizes and places of one run, as the targets need them."""

    def __init__(self, options):
        self.files = options.files
        self.body = options.body
        self.daemon_threads = options.daemon_threads
        self.scratch = processes.make_scratch(options.disk)


def operation_groups(options):
    """Each group is one process: what a change group makes it also removes."""
    groups = [[name] for name in READ_OPERATIONS if name in options.ops]
    return groups + [pair for pair in CHANGE_OPERATIONS if set(pair) & set(options.ops)]


def client_arguments(target, group, threads, round_number, options):
    arguments = ["fsbench", "--label", target.label, "--round", str(round_number), "--threads",
                 str(threads), "--seed", str(options.seed + round_number),
                 "--match", targets.FILE_PREFIX]
    if group in CHANGE_OPERATIONS:
        # A name is used once: what was removed may stay removed for good.
        arguments += ["--count", str(options.changes), "--name-prefix",
                      f"r{round_number}-{threads}-{group[0]}-"]
        arguments += ["--body", str(options.body)] if options.body else []
    return [*arguments, str(target.directory), *group]


def measure(all_targets, run, options, results, raw):
    """One client process at a time; who goes first changes with every round and operation."""
    # A listing is one thread's work however many there are.
    steps = [(group, threads) for group in operation_groups(options)
             for threads in ([1] if group[0].startswith("readdir") else options.threads)]
    for round_number in range(1, options.rounds + 1):
        processes.progress(f"round {round_number} of {options.rounds}")
        time.sleep(SETTLE_SECONDS)
        for step, (group, threads) in enumerate(steps):
            shift = (round_number + step) % len(all_targets)
            for target in all_targets[shift:] + all_targets[:shift]:
                if group in CHANGE_OPERATIONS and not target.takes_changes:
                    continue
                arguments = client_arguments(target, group, threads, round_number, options)
                record(processes.run_client(arguments, target, run.scratch), results, raw)
        for target in all_targets:
            if target.label == "disk" and options.appends > 0:
                arguments = ["fdbench", "--label", target.label, "--round", str(round_number),
                             "--count", str(options.appends), str(target.directory)]
                record(processes.run_client(arguments, target, run.scratch), results, raw)


def record(lines, results, raw):
    for line in lines:
        results.add(line)
        if raw:
            raw.write(json.dumps(line) + "\n")
            raw.flush()


def parse_options():
    words = lambda text: [word for word in text.split(",") if word]
    numbers = lambda text: [int(word) for word in words(text)]
    parser = argparse.ArgumentParser(description="Measures file systems against each other.")
    add = parser.add_argument
    add("--targets", type=words, default=["tmpfs", "disk", "floor-3600", "floor-0"])
    add("--brokerfs", metavar="COMMAND", help="also measure this brokerfs: runs in the "
        "foreground, {mountpoint} and {state} are replaced")
    add("--read-only", action="store_true", help="also measure that binary's mount of kind "
        "read-only, filled through an ordinary one beside it")
    add("--command-target", nargs=4, action="append", default=[],
        metavar=("LABEL", "DIRECTORY", "SETUP", "TEARDOWN"))
    add("--ops", type=words, default=READ_OPERATIONS + CHANGE_OPERATIONS[0],
        help="besides the default: create-sync,unlink-sync")
    add("--baseline", default="disk")
    add("--files", type=int, default=10000)
    add("--changes", type=int, default=2000, help="files made and removed a round")
    add("--appends", type=int, default=500, help="synced appends a round; 0 for none")
    add("--rounds", type=int, default=5)
    add("--threads", type=numbers, default=[1], help="client threads, as 1,4")
    add("--daemon-threads", type=int, default=4)
    add("--seed", type=int, default=1)
    add("--body", type=Path, help="template of a file's content, @ID@ is its name")
    add("--processor", type=int, help="run everything on this one processor: what a request "
        "costs, without what the scheduler makes of two")
    add("--disk", default=BUILD, help="where the scratch directory goes; default: build/")
    add("--raw", help="append every JSON line to this file")
    add("--write", metavar="FILE", help="put the tables between this Markdown file's markers")
    add("--section", default="files", help="which markers of that file")
    options = parser.parse_args()
    if options.body:
        options.body = options.body.resolve()
    if options.read_only and not options.brokerfs:
        parser.error("--read-only is for the binary that --brokerfs names")
    known = READ_OPERATIONS + sum(CHANGE_OPERATIONS, [])
    if unknown := [name for name in options.ops if name not in known]:
        parser.error(f"unknown operations {unknown}; there are {known}")
    return options


def run_all(options, stack):
    run = Run(options)
    stack.callback(processes.remove_scratch, run.scratch)
    all_targets = targets.chosen(run, options)
    labels = [target.label for target in all_targets]
    if options.baseline not in labels:
        raise BenchmarkError(f"the baseline {options.baseline} is not among {labels}")
    raw = stack.enter_context(open(options.raw, "a")) if options.raw else None
    for target in all_targets:
        stack.callback(target.stop)
        target.start()
    results, load = report.Results(), os.getloadavg()[0]
    measure(all_targets, run, options, results, raw)
    text = report.render(results, labels, options, load)
    print(text)
    if options.write:
        report.write_between_markers(options.write, options.section, text)


def main():
    options = parse_options()
    if options.processor is not None:
        os.sched_setaffinity(0, {options.processor})
    processes.run_program(lambda stack: run_all(options, stack))


if __name__ == "__main__":
    main()
