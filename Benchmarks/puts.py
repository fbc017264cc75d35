#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the table of durable puts: puts.py PUTS.jsonl DISK.jsonl [FILE].

The first two are what putbench and fdbench printed; FILE is a Markdown file with markers.
"""

import json
import statistics
import sys

from lib import report


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file if line.strip()]


def main():
    rounds = {}
    for line in lines(sys.argv[1]):
        rounds.setdefault(line["writers"], []).append(line["ns_per_put"])
    appends = {line["op"]: line["ns_per_op"] / 1000 for line in lines(sys.argv[2])}
    floor = min(appends.values())
    one = statistics.median(rounds[1])
    text = ["| writers | puts/s, median [min–max] | µs per put | × one writer |", "|---|---|---|---|"]
    for writers, values in sorted(rounds.items()):
        rates = sorted(1e9 / value for value in values)
        median = statistics.median(values)
        text.append(
            f"| {writers} | {statistics.median(rates):.0f} [{rates[0]:.0f}–{rates[-1]:.0f}] "
            f"| {median / 1000:.1f} | {one / median:.1f} |"
        )
    text += ["", "| 1 KiB append + fdatasync | µs |", "|---|---|"]
    text += [f"| {name} | {value:.1f} |" for name, value in appends.items()]
    text += ["", f"One durable put is {one / 1000 / floor:.1f} × the cheaper append.", ""]
    print("\n".join(text))
    if len(sys.argv) > 3:
        report.write_between_markers(sys.argv[3], "puts", "\n".join(text))


if __name__ == "__main__":
    main()
