#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how soon a revoked session is gone from a mount whose caches are warm.

    make && sudo python3 revoke.py --binary PATH_OF_BROKERFS

Needs root, because it mounts.
"""

import argparse
import json
import os
import statistics
from pathlib import Path

from lib import node, population, processes, report, svg
from lib.processes import BUILD, CLIENT_SECONDS_MAX, progress

DOCS = BUILD.parent.parent / "docs"
SINGLE_USER = "one-by-one"
PHASES = {"unlink_ns": "`unlink` returned", "read_ns": "a read of the open descriptor failed",
          "refused_ns": "`stat` of the second name failed",
          "gone_ns": "it failed with `ENOENT`"}
CURVES = {"unlink_ns": "unlink returned", "read_ns": "open descriptor fails",
          "gone_ns": "second name is gone"}
NOT_CACHED = ("the kernel did not have all names cached before; "
              "what follows is no measurement of a warm cache")


def users_of(options):
    """(user, sessions) of the whole run: each is revoked once."""
    yield SINGLE_USER, options.count
    for size in options.sizes:
        for turn in range(options.repeats):
            yield f"bulk-{size}-{turn}", size


def records(options):
    template = options.body.read_text()
    for user, count in users_of(options):
        yield {"type": "user", "id": user, "data": {"id": user, "name": user}}
        for index in range(count):
            yield population.session(user, f"{user}-{index:06}", template)


def fill(brokerfs, options, scratch):
    """Others' sessions first, so that the directory is as large as a real one."""
    raw, lines = scratch / "raw.jsonl", scratch / "state.jsonl"
    if options.others:
        people = population.Population(brokerfs.binary, options.others, options.seed)
        people.generate(raw)
        people.prolong(raw, lines)
        brokerfs.load(lines)
    population.write_lines(lines, records(options))
    loaded, seconds = brokerfs.load(lines)
    progress(f"loaded {loaded} records in {report.duration(seconds)}")


def measure(brokerfs, options, scratch, write):
    def revoke(*arguments):
        lines = processes.run_client(
            ["revokebench", brokerfs.mountpoint, *arguments, options.pause], brokerfs,
            scratch, CLIENT_SECONDS_MAX + options.count * options.pause / 1000)
        for line in lines:
            write(line)
        return lines
    progress(f"revoking {options.count} sessions one by one, about "
             f"{options.count * options.pause / 1000:.0f} s")
    single = revoke(SINGLE_USER, "unlink", options.count)
    progress(f"{len(single)} sessions revoked one by one")
    bulk = {}
    for turn in range(options.repeats):
        for size in options.sizes:
            bulk.setdefault(size, []).extend(revoke(f"bulk-{size}-{turn}", "rmdir", 1))
            forgotten = report.duration(bulk[size][-1]["forgotten_ns"] / 1e9)
            progress(f"{size} sessions revoked at once, forgotten after {forgotten}")
    return single, bulk


def single_tables(single):
    rows = []
    for field, name in PHASES.items():
        values = [line[field] / 1e9 for line in single]
        shown = [report.percentile(values, 0.5), report.percentile(values, 0.99), max(values)]
        rows.append([name, *map(report.duration, shown)])
    stale = sum(line["stale_reads"] > 0 for line in single)
    seen = sum(line["stale_names"] > 0 for line in single)
    cold = sum(not line["warm"] for line in single)
    words = (f"After `unlink` had returned, the open descriptor could still be read in {stale} of "
             f"{len(single)} cases, and `stat` of the second name still worked in {seen}.")
    if cold:
        words += f" **In {cold} cases {NOT_CACHED}.**"
    return "\n\n".join([report.table(["since the call of `unlink`", "p50", "p99", "max"], rows),
                        words])


def bulk_tables(bulk):
    rows = []
    for size, lines in bulk.items():
        median = lambda field: statistics.median(line[field] for line in lines)
        spread = [line["forgotten_ns"] / 1e9 for line in lines]
        rows.append([f"{size:,}", report.duration(median("rmdir_ns") / 1e9),
                     f"{report.duration(statistics.median(spread))} "
                     f"[{report.duration(min(spread))}–{report.duration(max(spread))}]",
                     f"{median('still_cached'):.0f} of {median('names'):.0f}",
                     report.duration(median("asked_ns") / 1e9 / median("names"))])
    everything = [line for lines in bulk.values() for line in lines]
    words = (f"Names that answered anything but `ENOENT` when they were asked again: "
             f"{sum(line['stale_names'] for line in everything)}. Open descriptors that could "
             f"still be read after `rmdir`: {sum(line['stale_reads'] for line in everything)}.")
    if any(line["cached"] != line["names"] for line in everything):
        words += f" **In some cases {NOT_CACHED}.**"
    header = ["sessions", "`rmdir` returned", "no name cached", "cached when it returned",
              "asking again, a name"]
    return "\n\n".join([report.table(header, rows), words])


def aims(bulk):
    size = max(bulk)
    forgotten = statistics.median(line["forgotten_ns"] for line in bulk[size]) / 1e9
    return report.aims_list([(f"{size:,} sessions by one `rmdir`, gone from a warm cache",
                              forgotten, 0.25, report.duration)])


def draw(single, bulk, picture):
    picture = Path(picture)
    curves = [(name, [line[field] / 1e9 for line in single]) for field, name in CURVES.items()]
    svg.distribution(picture, "Revoking one session, all names warm",
                     "time since the call of unlink", curves, report.round_duration)
    middle = lambda field: [(size, statistics.median(line[field] for line in lines) / 1e9)
                            for size, lines in bulk.items()]
    svg.lines(picture.with_stem(picture.stem + "-bulk"), "Revoking all sessions of a user by one "
              "rmdir, all names warm", "sessions", "time", [
                  ("rmdir returned", middle("rmdir_ns")),
                  ("no name cached", middle("forgotten_ns"))],
              lambda value: f"{value:,.0f}", report.round_duration)


def parse_options():
    parser = argparse.ArgumentParser(description="Measures how soon a revoked session is gone.")
    add = parser.add_argument
    add("--binary", required=True, help="the brokerfs to measure")
    add("--count", type=int, default=500, help="sessions revoked one by one")
    add("--pause", type=int, default=1200, help="milliseconds before each revocation: what was "
        "changed in the last second is not cached")
    add("--sizes", type=lambda text: sorted(int(word) for word in text.split(",")),
        default=[10, 100, 1000, 10000], help="sessions revoked at once, as 10,100")
    add("--repeats", type=int, default=5, help="users for each of these sizes")
    add("--others", type=int, default=10000, help="sessions of other users beside them")
    add("--seed", type=int, default=1)
    add("--body", type=Path, default=BUILD.parent / "session.json", help="what a session is")
    add("--disk", default=BUILD, help="where the scratch directory goes; default: build/")
    add("--raw", default=BUILD / "revoke.jsonl", help="every figure as a JSON line")
    add("--write", metavar="FILE", help="put the tables between this Markdown file's markers")
    add("--picture", default=DOCS / "images/revoke.svg", help="drawn if --write is given, and a "
        "second one beside it, of -bulk")
    return parser.parse_args()


def run(options, stack):
    scratch = processes.make_scratch(options.disk)
    stack.callback(processes.remove_scratch, scratch)
    raw, load = stack.enter_context(open(options.raw, "w")), os.getloadavg()[0]
    brokerfs = node.Node(options.binary, scratch)
    stack.callback(brokerfs.remove)
    brokerfs.start()
    fill(brokerfs, options, scratch)
    single, bulk = measure(brokerfs, options, scratch,
                           lambda line: raw.write(json.dumps(line) + "\n"))
    brokerfs.stop()
    text = (f"{report.machine(load)} {options.others:,} sessions of others beside them, "
            f"{options.repeats} users for each size, medians, smallest and largest in brackets."
            f"\n\n{single_tables(single)}\n\n{bulk_tables(bulk)}\n\nAim:\n\n{aims(bulk)}\n")
    print(text)
    if options.write:
        draw(single, bulk, options.picture)
        report.write_between_markers(options.write, "revoke", text)


def main():
    options = parse_options()
    processes.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
