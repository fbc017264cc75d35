#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tables of the Raft core and the simulator: raft.py RAFT.jsonl SIM.txt [FILE].

The first is what raftbench printed, the second what brokerfs-sim did; FILE is a Markdown file with
markers.
"""

import json
import re
import statistics
import sys

from lib import report


def core(path):
    rounds = {}
    with open(path) as file:
        for line in file:
            row = json.loads(line)
            rounds.setdefault((row["members"], row["batch"]), []).append(row)
    text = [
        "| members | batch | proposals/s, median [min–max] | steps/s | ns per proposal | × floor |",
        "|---|---|---|---|---|---|",
    ]
    for (members, batch), rows in sorted(rounds.items()):
        rates = sorted(row["proposals_per_s"] for row in rows)
        steps = statistics.median(row["steps_per_s"] for row in rows)
        cost = statistics.median(row["ns_per_proposal"] for row in rows)
        floor = statistics.median(row["floor_ns_per_proposal"] for row in rows)
        text.append(
            f"| {members} | {batch} | {statistics.median(rates):,.0f} "
            f"[{rates[0]:,}–{rates[-1]:,}] | {steps:,.0f} | {cost:,.0f} | {cost / floor:.1f} |"
        )
    return text


def simulator(path):
    with open(path) as file:
        printed = file.read()
    found = re.search(r"(\d+) schedules, (\d+) simulated seconds, (\d+) events, .* in (\d+) s"
                      r" \((\d+) schedules a minute\)", printed)
    schedules, simulated, events, seconds, rate = map(int, found.groups())
    return [
        "| schedules | schedules a minute | simulated seconds a second | events a second |",
        "|---|---|---|---|",
        f"| {schedules:,} | {rate:,} | {simulated / seconds:,.0f} | {events / seconds:,.0f} |",
    ]


def main():
    text = core(sys.argv[1]) + [""] + simulator(sys.argv[2]) + [""]
    print("\n".join(text))
    if len(sys.argv) > 3:
        report.write_between_markers(sys.argv[3], "raft", "\n".join(text))


if __name__ == "__main__":
    main()
