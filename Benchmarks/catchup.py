#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how long a member needs that has lost changes, and one that has nothing yet.

    make && sudo python3 catchup.py --binary PATH_OF_BROKERFS --scratch DIRECTORY

Needs root, because it mounts and makes networks, and about 4 GB of disk with a million sessions.
"""

import os
import re
import subprocess
import threading
import time

from lib import cluster_step, group, population, report, svg
from lib.processes import BenchmarkError, progress

FOLLOWER_SECONDS_MAX = 300
FRESH_SECONDS_MAX = 1800
SNAPSHOT_MARK = "a snapshot is arriving"
SNAPSHOT_BYTES = re.compile(r"bytes=(\d+) .*a snapshot is arriving")
PORT = group.world.PORT
TOKEN = re.compile(r"bfsjoin-\S+")
USER_SESSIONS = 10
ANSWER_POLL_SECONDS = 0.02

ROWS = [
    ("follower", "a follower that missed the changes, from its start", (None, None)),
    ("follower-answers", "of that, until its mount answers at all", (None, None)),
    ("fresh-admitted", "a fresh node: `cluster token` and `join`", (None, None)),
    ("fresh", "then, from its start until it shows everything", (None, None)),
    ("fresh-promoted", "then, `cluster promote`", (None, None)),
]


def changes(options, turn):
    """New sessions of new users, ten each."""
    template = options.body.read_text()
    for index in range(options.changes):
        yield population.session(f"user-{turn}-{index // USER_SESSIONS}",
                                 f"change-{turn}-{index:07}", template)


def text_since(node, place):
    """What a node has written into its log since then."""
    with open(node.log, errors="replace") as log:
        log.seek(place)
        return log.read()


def start_and_wait(brokerfs, node, index, seconds):
    """Starts a node; returns seconds until (its mount answers, it shows everything to an index)."""
    begin, answered = time.perf_counter(), []
    node.start()

    def look():
        while not answered and time.perf_counter() - begin < seconds:
            if group.vouches(node):
                answered.append(time.perf_counter() - begin)
            time.sleep(ANSWER_POLL_SECONDS)
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    brokerfs.ask(node, "wait", "--applied", index, "--timeout", str(seconds), seconds=seconds)
    whole = time.perf_counter() - begin
    looking.join(seconds)
    if not answered:
        raise BenchmarkError(f"{node.name} has caught up and its mount does not answer")
    return answered[0], max(whole, answered[0])


def check(node, leader, name):
    """A session that came last is there, byte by byte as on the leader's mount."""
    with open(node.path(f"sessions/{name}"), "rb") as mine, \
            open(leader.path(f"sessions/{name}"), "rb") as other:
        if mine.read() != other.read():
            raise BenchmarkError(f"{node.name} shows another {name} than {leader.name}")


def measure_follower(brokerfs, options, scratch, figures):
    """A follower is stopped, misses the changes, and comes back. Returns how they came."""
    carried, lines = [], scratch / "changes.jsonl"
    # What is repeated must not start the follower.
    patience = group.Patience(brokerfs.wait_for_leader)
    for turn in range(options.rounds):
        leader = brokerfs.wait_for_leader()
        node = brokerfs.others(leader)[turn % 2]
        if node.terminate() != 0:
            raise BenchmarkError(f"{node.name} did not end well: {node.last_words()}")
        population.write_lines(lines, changes(options, turn))
        begin = time.perf_counter()
        for part in brokerfs.parts(lines):
            patience.again("load", brokerfs.load, part)
        progress(f"  {options.changes:,} changes in "
                 f"{report.duration(time.perf_counter() - begin)}")
        leader = brokerfs.wait_for_leader()
        index, place = leader.word("applied"), node.log.stat().st_size
        answered, whole = start_and_wait(brokerfs, node, index, FOLLOWER_SECONDS_MAX)
        is_snapshot = SNAPSHOT_MARK in text_since(node, place)
        carried.append("a snapshot" if is_snapshot else "the log")
        figures.add("follower", whole, carried=carried[-1])
        figures.add("follower-answers", answered)
        check(node, leader, f"change-{turn}-{options.changes - 1:07}")
        progress(f"  {node.name} has caught up after {report.duration(whole)}, by {carried[-1]}")
    lines.unlink(missing_ok=True)
    return carried


def fill(brokerfs, options, scratch):
    """As many sessions as asked for, by `generate`, which takes minutes."""
    raw, lines = scratch / "raw.jsonl", scratch / "state.jsonl"
    people = population.Population(brokerfs.binary, options.sessions, options.seed)
    people.generate(raw)
    people.prolong(raw, lines)
    raw.unlink()
    progress(f"  loading {options.sessions:,} sessions and their users")
    loaded, seconds = brokerfs.fill(lines)
    lines.unlink()
    progress(f"  {loaded:,} records in {report.duration(seconds)}")
    return seconds


def join(brokerfs, leader, name, number):
    """Admits a machine that has nothing: a token from a member, and `join` on the new one."""
    authority = brokerfs.scratch / "nodes/ca.key"
    said = brokerfs.ask(leader, "cluster", "token", "--ca-key", str(authority))
    token = TOKEN.search(said)[0]
    node = brokerfs.add(name, number)
    brokerfs.network.inside(
        name, brokerfs.binary, "join", f"{leader.address}:{PORT}", "--token", token, "--name", name,
        "--address", f"{node.address}:{PORT}", "--out", str(node.folder))
    return node


def measure_fresh(brokerfs, options, figures):
    """A fourth node is admitted and started on nothing; returns what the copy weighed."""
    leader = brokerfs.wait_for_leader()
    begin = time.perf_counter()
    node = join(brokerfs, leader, "n4", group.MEMBERS + 1)
    figures.add("fresh-admitted", time.perf_counter() - begin)
    index = leader.word("applied")
    _, whole = start_and_wait(brokerfs, node, index, FRESH_SECONDS_MAX)
    figures.add("fresh", whole)
    progress(f"  the fresh node shows everything after {report.duration(whole)}")
    listed = listing(node.path("sessions"))
    if listed != options.sessions:
        raise BenchmarkError(f"the fresh node shows {listed} sessions of {options.sessions}")
    begin = time.perf_counter()
    brokerfs.patience.again("promote", lambda: brokerfs.ask(
        brokerfs.wait_for_leader(), "cluster", "promote", node.name))
    figures.add("fresh-promoted", time.perf_counter() - begin)
    found = SNAPSHOT_BYTES.search(text_since(node, 0))
    return int(found[1]) if found else None


def listing(path):
    """Entries of a directory, without the list of them: a million names are many."""
    with os.scandir(path) as entries:
        return sum(1 for _ in entries)


def text_of(options, figures, load, carried, copied, filled):
    ways = ", ".join(f"{way} ({carried.count(way)} of {len(carried)} rounds)"
                     for way in sorted(set(carried)))
    words = [f"{report.machine(load)} The follower missed {options.changes:,} new sessions, which "
             f"were carried by {ways or 'nothing'}."]
    if filled:
        words.append(f"The fresh node got {options.sessions:,} sessions and their users, which had "
                     f"taken {report.duration(filled)} to load"
                     + (f", in a snapshot of {report.size(copied)}." if copied else "."))
    return (f"{' '.join(words)}\n\n{figures.table('until it shows everything', ROWS)}\n")


def draw(figures, options, picture):
    """Both as a line from the start to the end of the state that was missing."""
    points = []
    if figures.values("follower"):
        points.append((options.changes, figures.at("follower", 0.5)))
    series = [("a follower that was away", points)]
    if figures.values("fresh"):
        series.append(("a fresh node", [(options.sessions, figures.at("fresh", 0.5))]))
    svg.lines(picture, "Until a member shows everything", "sessions that it did not have", "time",
              series, lambda value: f"{value:,.0f}", report.round_duration)


def run(options, stack):
    scratch, figures, load = cluster_step.begin(options, stack, "catchup")
    carried, copied, filled = [], None, None
    with cluster_step.brokerfs(options, scratch / "follower") as brokerfs:
        carried = measure_follower(brokerfs, options, scratch, figures)
    if options.sessions and can_join(options.binary):
        with cluster_step.brokerfs(options, scratch / "fresh") as brokerfs:
            filled = fill(brokerfs, options, scratch)
            copied = measure_fresh(brokerfs, options, figures)
    elif options.sessions:
        progress("the fresh node is left out: this brokerfs has no command join")
    cluster_step.finish(options, "catchup",
                        text_of(options, figures, load, carried, copied, filled),
                        "Time against the number of sessions that a member did not have",
                        lambda picture: draw(figures, options, picture))


def can_join(binary):
    return subprocess.run([binary, "join", "--help"], capture_output=True, check=False,
                          stdin=subprocess.DEVNULL).returncode == 0


def parse_options():
    parser = cluster_step.parser("Measures how soon a member has caught up.", "catchup")
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="of the follower that missed changes")
    add("--changes", type=int, default=100000, help="that it missed")
    add("--sessions", type=int, default=1000000, help="that the fresh node gets; 0: no fresh node")
    return cluster_step.parse(parser, rounds=1, changes=1000, sessions=2000)


def main():
    options = parse_options()
    group.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
