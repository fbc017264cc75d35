#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how long nobody can revoke when the leader of three nodes dies, freezes, or is cut off.

    make && sudo python3 failover.py --binary PATH_OF_BROKERFS --scratch DIRECTORY

Beside it etcd with the same timers, where it is installed. Needs root, because it mounts and makes
networks.
"""

import itertools
import random
import time

from lib import cluster_step, etcd, group, population, races, report
from lib.processes import BenchmarkError, progress

# Sessions for one round of each kind; around a transfer some are revoked all the time.
PROBES = {"killed": 6, "frozen": 6, "cut": 6, "transfer": 300}
SPARE_PROBES = 5000
# A fault comes so long after all is well, by chance: at any place between two heartbeats.
CALM_SECONDS = (0.15, 0.35)
# A transfer happens amid revocations of so many a second at most, which go on for a while.
TRANSFER_PAUSE = 0.001
TRANSFER_AROUND = 0.05
AIM_DEAD = (0.1, 1.0)
AIM_SILENT = (0.6, 1.0)
AIM_TRANSFER = 0.05

ROWS = [
    ("killed", "brokerfs: leader killed (SIGKILL)", AIM_DEAD),
    ("frozen", "brokerfs: leader frozen (SIGSTOP)", AIM_SILENT),
    ("cut", "brokerfs: leader cut off", AIM_SILENT),
    ("transfer", "brokerfs: planned transfer, longest time between two revocations",
     (AIM_TRANSFER, None)),
    ("transfer-command", "brokerfs: planned transfer, from the start of the command", (None, None)),
    ("etcd-killed", "etcd: leader killed (SIGKILL), first put", (None, None)),
    ("etcd-frozen", "etcd: leader frozen (SIGSTOP), first put", (None, None)),
]
BACK_ROWS = [
    ("killed-back", "killed: from its start until it shows everything", (None, None)),
    ("frozen-back", "frozen: from SIGCONT until it shows everything", (None, None)),
    ("cut-back", "cut off: from its reconnection until it shows everything", (None, None)),
]


class Faults:
    """Rounds of each fault against one group; after each round all three nodes are well again."""

    def __init__(self, brokerfs, probes, figures, rng):
        self.group, self.probes, self.figures, self.rng = brokerfs, probes, figures, rng

    def leader(self):
        """Who leads, some moments after everything has come to rest."""
        leader = self.group.wait_for_leader()
        time.sleep(self.rng.uniform(*CALM_SECONDS))
        if not leader.is_writable():
            raise BenchmarkError(f"{leader.name} stopped leading without a fault")
        return leader

    def round(self, kind, fault, cure):
        """One fault of the leader, and its cure. `fault` returns when it happened."""
        leader = self.leader()
        race = races.Race(self.group, self.group.others(leader), self.probes)
        try:
            since = fault(leader)
            winner, at = race.first()
        finally:
            race.stopped.set()
        self.figures.add(kind, (at - since) / 1e9, old=leader.name, new=winner.name)
        begin = time.perf_counter()
        cure(leader)
        self.group.catch_up(winner, [leader])
        self.figures.add(f"{kind}-back", time.perf_counter() - begin)

    def killed(self):
        self.round("killed", lambda leader: leader.kill(), lambda leader: leader.start())

    def frozen(self):
        self.round("frozen", lambda leader: leader.stop(), lambda leader: leader.wake())

    def cut(self):
        def isolate(leader):
            at = time.monotonic_ns()
            group.set_port(leader.number, group.DISABLED)
            return at
        self.round("cut", isolate,
                   lambda leader: group.set_port(leader.number, group.FORWARDING))

    @staticmethod
    def wait_for_revocation(race, node):
        """Waits until one has returned 0 on a node's mount."""
        end = time.monotonic() + races.RACE_SECONDS_MAX
        while not race.last(node):
            if race.stopped.is_set() or time.monotonic() > end:
                raise BenchmarkError(f"nothing could be revoked on the mount of {node.name}")
            time.sleep(races.ATTEMPT_SECONDS)

    def transfer(self):
        """Revocations on all mounts all the time, and amid them the command, on the leader."""
        leader = self.leader()
        race = races.Race(self.group, self.group.nodes, self.probes, TRANSFER_PAUSE, once=False)
        try:
            self.wait_for_revocation(race, leader)
            time.sleep(TRANSFER_AROUND)
            begin = time.monotonic_ns()
            self.group.ask(leader, "cluster", "transfer")
            new = self.group.wait_for_leader(self.group.others(leader))
            self.wait_for_revocation(race, new)
            time.sleep(TRANSFER_AROUND)
        finally:
            race.end()
        done = race.all()
        first = next(at for at, node in done if node is not leader)
        gaps = [later[0] - sooner[0] for sooner, later in zip(done, done[1:])]
        self.figures.add("transfer", max(gaps) / 1e9, revocations=len(done))
        self.figures.add("transfer-command", (first - begin) / 1e9)


def measure_brokerfs(options, scratch, figures):
    rounds = {kind: getattr(options, kind) for kind in PROBES}
    names = [f"probe-{number:06}" for number in
             range(sum(rounds[kind] * count for kind, count in PROBES.items()) + SPARE_PROBES)]
    template = options.body.read_text()
    with cluster_step.brokerfs(options, scratch / "brokerfs") as brokerfs:
        lines = scratch / "state.jsonl"
        population.write_lines(lines, (
            population.session(f"user-{index // 100}", name, template)
            for index, name in enumerate(names)))
        loaded, seconds = brokerfs.fill(lines)
        progress(f"brokerfs: {loaded} sessions in {report.duration(seconds)}")
        rng = random.Random(options.seed)
        faults = Faults(brokerfs, races.Probes(names), figures, rng)
        for kind, count in rounds.items():
            for _ in range(count):
                brokerfs.patience.again(kind, getattr(faults, kind))
                cluster_step.tell(kind, figures.values(kind), count)
        return brokerfs.patience.words()


def measure_etcd(options, scratch, figures):
    rng, number = random.Random(options.seed), itertools.count()
    with cluster_step.etcd(scratch / "etcd") as members:
        patience = group.Patience(members.heal)

        def round_of(kind):
            leader = members.wait_for_leader()
            time.sleep(rng.uniform(*CALM_SECONDS))
            since = leader.kill() if kind == "killed" else leader.stop()
            at = etcd.first_put(members.others(leader), f"first-{next(number)}")
            figures.add(f"etcd-{kind}", (at - since) / 1e9)
            members.heal()
        for kind, count in (("killed", options.etcd_killed), ("frozen", options.etcd_frozen)):
            for _ in range(count):
                patience.again(f"etcd {kind}", round_of, kind)
                cluster_step.tell(f"etcd {kind}", figures.values(f"etcd-{kind}"), count)
        return f"Of etcd: {patience.mishaps}."


def text_of(figures, load, versions, mishaps):
    aims = []
    for kind, name, (middle, tail) in ROWS:
        name = name.removeprefix("brokerfs: ")
        if middle:
            aims.append((f"{name}, p50", figures.at(kind, 0.5), middle, report.duration))
        if tail:
            aims.append((f"{name}, p99", figures.at(kind, 0.99), tail, report.duration))
    return (f"{report.machine(load)} {', '.join(versions)}. Heartbeat {etcd.HEARTBEAT_MS} ms, "
            f"election timeout {etcd.ELECTION_MS} ms.\n\n"
            f"{figures.table('until the first revocation on another mount', ROWS)}\n\n"
            f"{figures.table('the old leader again', BACK_ROWS)}\n\n{mishaps}\n\n"
            f"Aims:\n\n{report.aims_list(aims)}\n")


def run(options, stack):
    scratch, figures, load = cluster_step.begin(options, stack, "failover")
    versions = ["brokerfs with 3 nodes"]
    mishaps = measure_brokerfs(options, scratch, figures)
    if etcd.is_installed():
        mishaps += " " + measure_etcd(options, scratch, figures)
        versions.append(f"etcd {etcd.version()} with 3 members")
    else:
        progress("etcd is left out: apt-get install etcd-server")
    curves = [(kind, name) for kind, name in (
        ("killed", "leader killed"), ("frozen", "leader frozen"), ("cut", "leader cut off"),
        ("transfer", "planned transfer"), ("etcd-killed", "etcd: leader killed"),
        ("etcd-frozen", "etcd: leader frozen"))]
    cluster_step.finish(options, "failover", text_of(figures, load, versions, mishaps),
                        "In how many of the rounds a revocation succeeded again after which time",
                        lambda picture: figures.draw(
                            picture, "How long nobody can revoke, or put", "time", curves))


def parse_options():
    parser = cluster_step.parser("Measures failover of three nodes.", "failover")
    add = parser.add_argument
    add("--killed", type=int, default=100, help="rounds with the leader killed")
    add("--frozen", type=int, default=100, help="rounds with the leader stopped")
    add("--cut", type=int, default=100, help="rounds with the leader cut off")
    add("--transfer", type=int, default=100, help="planned transfers")
    add("--etcd-killed", type=int, default=100, help="rounds with etcd's leader killed")
    add("--etcd-frozen", type=int, default=30, help="rounds with etcd's leader stopped")
    return cluster_step.parse(parser, killed=4, frozen=4, cut=4, transfer=4, etcd_killed=4,
                              etcd_frozen=4)


def main():
    options = parse_options()
    group.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
