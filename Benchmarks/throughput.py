#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures writes a second on three nodes, and reads on a follower while the leader writes.

    make && sudo python3 throughput.py --binary PATH_OF_BROKERFS --scratch DIRECTORY

Beside it etcd with three members, where it is installed. Needs root, because it mounts, makes
networks, and drops the machine's caches.
"""

import itertools
import json
import os
import signal
import statistics
import sys
import time
from contextlib import contextmanager, nullcontext

from lib import cluster_step, etcd, group, population, processes, report, svg
from lib.processes import BUILD, BenchmarkError, progress

WRITERS = (1, 8, 64)
READERS = (1, 8)
# Meanwhile the leader takes writes of so many clients.
BUSY = (0, 1, 8)
# More than a stream of writes makes while readers are measured.
STREAM_WRITES = 100000
STREAM_SECONDS_MAX = 30
BROKERFS, ETCD = "brokerfs", "etcd"
HOT, COLD = "the same files again and again", "once each, kernel caches dropped"
WRITE_HEADER = ["writers", "brokerfs, writes/s", "p50", "p99", "etcd, puts/s", "p50", "p99"]
READ_HEADER = ["reads/s on a follower", "readers", "nobody writes", "1 writes", "8 write"]
RANGE = '{"key":"@KEY@","serializable":true}'


class Lines:
    """What the clients printed, by system, what was done, and how many did it."""

    def __init__(self, raw):
        self.raw, self.found = raw, {}

    def add(self, system, what, clients, line):
        self.found.setdefault((system, what, clients), []).append(line)
        self.raw.write(json.dumps({"system": system, "what": what, "clients": clients, **line})
                       + "\n")
        name = what if isinstance(what, str) else f"read {what[0]} while {what[1]} write"
        progress(f"  {system}: {name}, {clients} clients: {1e9 / line['ns_per_op']:.0f}/s")

    def rates(self, system, what, clients):
        return [1e9 / line["ns_per_op"] for line in self.found.get((system, what, clients), [])]

    def rate(self, *key):
        """Median [min–max] of the rounds."""
        rates = self.rates(*key)
        if not rates:
            return "–"
        text = f"{statistics.median(rates):,.0f}"
        return text + (f" [{min(rates):,.0f}–{max(rates):,.0f}]" if len(rates) > 1 else "")

    def latency(self, field, *key):
        lines = self.found.get(key, [])
        if not lines:
            return "–"
        return report.duration(statistics.median(line[field] for line in lines) / 1e9)


def fsbench(node, operations, *options):
    return ["fsbench", *options, node.path("sessions"), *operations]


def write_brokerfs(brokerfs, options, lines):
    attempts = itertools.count()

    def write(writers):
        [line] = processes.run_client(
            fsbench(brokerfs.wait_for_leader(), ["create"], "--body", options.body, "--threads",
                    writers, "--count", count_of(options, writers), "--name-prefix",
                    f"w{writers}-{next(attempts)}-"), brokerfs, brokerfs.scratch)
        lines.add(BROKERFS, "write", writers, line)
    for _ in range(options.rounds):
        for writers in WRITERS:
            brokerfs.patience.again(f"{writers} writers", write, writers)


def count_of(options, writers):
    """Many clients get more done; a measurement should last a second or two."""
    return options.writes * {1: 1, 8: 3, 64: 6}[writers]


@contextmanager
def stream(command, scratch, progressed, network=nullcontext()):
    """Writes in the background, which go on until the body is done; yields nothing."""
    with open(scratch / "stream.out", "w") as output, network:
        child = processes.start([str(word) for word in command], output, signal.SIGKILL,
                                errors=sys.stderr)
    try:
        end = time.monotonic() + STREAM_SECONDS_MAX
        while not progressed():
            if child.poll() is not None or time.monotonic() > end:
                raise BenchmarkError("the stream of writes does not begin")
            time.sleep(0.01)
        yield
        if child.poll() is not None:
            raise BenchmarkError("the stream of writes ended before the readers did")
    finally:
        child.kill()
        child.wait()


@contextmanager
def busy_brokerfs(brokerfs, options, writers, prefix):
    """Sessions are made on the leader's mount meanwhile; yields how many a second, when asked."""
    leader = brokerfs.wait_for_leader()
    directory = leader.path("sessions")
    made = lambda: sum(name.startswith(prefix) for name in os.listdir(directory))
    if not writers:
        yield lambda: 0.0
        return
    command = fsbench(leader, ["create"], "--body", options.body, "--threads", writers, "--count",
                      STREAM_WRITES, "--name-prefix", prefix)
    command[0] = BUILD / command[0]
    with stream(command, brokerfs.scratch, made):
        before, begin = made(), time.monotonic()
        yield lambda: (made() - before) / (time.monotonic() - begin)


def read_brokerfs(brokerfs, options, lines):
    attempts = itertools.count()

    def read(writers, readers):
        follower = brokerfs.others(brokerfs.wait_for_leader())[0]
        arguments = ["--match", "others-", "--threads", readers]
        with busy_brokerfs(brokerfs, options, writers, f"busy{next(attempts)}-") as rate:
            hot = processes.run_client(
                fsbench(follower, ["open-read"] * options.passes, *arguments, "--sample",
                        options.hot), brokerfs, brokerfs.scratch)
            [cold] = processes.run_client(
                fsbench(follower, ["open-read-cold"], *arguments), brokerfs, brokerfs.scratch)
            written = rate()
        hot = {**hot[0], "ns_per_op": sum(line["total_ns"] for line in hot)
               / sum(line["ops"] for line in hot)}
        for what, line in ((HOT, hot), (COLD, cold)):
            lines.add(BROKERFS, (what, writers), readers, {**line, "writes": written})
    for writers in BUSY:
        for readers in READERS:
            brokerfs.patience.again(f"{readers} readers", read, writers, readers)


def write_etcd(members, options, lines):
    body = cluster_step.put_body(options, members.scratch)
    for turn in range(options.rounds):
        leader = members.wait_for_leader()
        for writers in WRITERS:
            lines.add(ETCD, "write", writers, cluster_step.etcd_client(
                leader, members, "/v3/kv/put", body, writers, count_of(options, writers),
                f"w{writers}-{turn}-"))


@contextmanager
def busy_etcd(members, options, writers, prefix):
    """Keys are put at the leader meanwhile."""
    leader = members.wait_for_leader()
    if not writers:
        yield lambda: 0.0
        return
    revision = lambda: int(leader.status()["header"]["revision"])
    body, first = cluster_step.put_body(options, members.scratch), revision()
    command = [BUILD / "httpbench", "127.0.0.1", etcd.CLIENT_PORT, "/v3/kv/put", body, writers,
               STREAM_WRITES, prefix]
    with stream(command, members.scratch, lambda: revision() > first,
                group.inside(leader.network_pid)):
        before, begin = revision(), time.monotonic()
        yield lambda: (revision() - before) / (time.monotonic() - begin)


def read_etcd(members, options, lines):
    leader = members.wait_for_leader()
    follower = members.others(leader)[0]
    body = members.scratch / "range.json"
    body.write_text(RANGE)
    for writers in BUSY:
        for readers in READERS:
            with busy_etcd(members, options, writers, f"busy{writers}-{readers}-") as rate:
                line = cluster_step.etcd_client(follower, members, "/v3/kv/range", body, readers,
                                                options.others, "others-")
                written = rate()
            lines.add(ETCD, (HOT, writers), readers, {**line, "writes": written})


def text_of(options, lines, load, versions, mishaps):
    writes = [[str(writers), *(cell for system in (BROKERFS, ETCD) for cell in (
        lines.rate(system, "write", writers), lines.latency("p50_ns", system, "write", writers),
        lines.latency("p99_ns", system, "write", writers)))] for writers in WRITERS]
    reads = []
    for system, what in ((BROKERFS, HOT), (BROKERFS, COLD), (ETCD, HOT)):
        for readers in READERS:
            cells = []
            for writers in BUSY:
                rate = lines.rate(system, (what, writers), readers)
                found = lines.found.get((system, (what, writers), readers))
                beside = f", {found[0]['writes']:,.0f} writes/s" if found and writers else ""
                cells.append(rate + beside)
            name = f"{system}: {what}" if system == BROKERFS else "etcd: one key after another"
            reads.append([name, str(readers), *cells])
    counts = ", ".join(f"{writers} writers {count_of(options, writers):,}" for writers in WRITERS)
    return (f"{report.machine(load)} {', '.join(versions)}, {options.others:,} sessions of others. "
            f"Writes: {counts.replace('1 writers', 'one writer', 1)} a round, {options.rounds} "
            f"rounds; medians over the rounds of each round's figure. Reads: once.\n\n"
            f"{report.table(WRITE_HEADER, writes)}\n\n"
            f"{report.table(READ_HEADER, reads)}\n\n{mishaps}\n")


def draw(lines, picture):
    series = [(system, [(writers, statistics.median(lines.rates(system, "write", writers)))
                        for writers in WRITERS if lines.rates(system, "write", writers)])
              for system in (BROKERFS, ETCD)]
    svg.lines(picture, "Durable writes on three nodes", "writers at the same time",
              "writes a second", series, lambda value: f"{value:,.0f}",
              lambda value: f"{value:,.0f}")


def run(options, stack):
    scratch, figures, load = cluster_step.begin(options, stack, "throughput")
    lines, versions = Lines(figures.raw), ["brokerfs with 3 nodes"]
    with cluster_step.brokerfs(options, scratch / "brokerfs") as brokerfs:
        state = scratch / "state.jsonl"
        template = options.body.read_text()
        population.write_lines(state, (
            population.session(f"user-{index // 10}", f"others-{index:06}", template)
            for index in range(options.others)))
        brokerfs.fill(state)
        write_brokerfs(brokerfs, options, lines)
        read_brokerfs(brokerfs, options, lines)
        mishaps = brokerfs.patience.words()
    if etcd.is_installed():
        with cluster_step.etcd(scratch / "etcd") as members:
            cluster_step.fill_etcd(members.wait_for_leader(), options, "others-", options.others)
            write_etcd(members, options, lines)
            read_etcd(members, options, lines)
        versions.append(f"etcd {etcd.version()} with 3 members")
    else:
        progress("etcd is left out: apt-get install etcd-server")
    cluster_step.finish(options, "throughput",
                        text_of(options, lines, load, versions, mishaps),
                        "Lines of writes a second against writers",
                        lambda picture: draw(lines, picture))


def parse_options():
    parser = cluster_step.parser("Measures writes and reads on three nodes.", "throughput")
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="of the writes")
    add("--writes", type=int, default=2000, help="of one writer; 8 make three times as many")
    add("--others", type=int, default=10000, help="sessions that are there before, and are read")
    add("--hot", type=int, default=1000, help="sessions that are read again and again")
    add("--passes", type=int, default=20, help="how often they are read")
    return cluster_step.parse(parser, rounds=1, writes=100, others=500, hot=200, passes=2)


def main():
    options = parse_options()
    group.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
