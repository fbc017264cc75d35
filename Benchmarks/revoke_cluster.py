#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how soon a revocation on the leader's mount is seen by none of three mounts any more.

    make && sudo python3 revoke_cluster.py --binary PATH_OF_BROKERFS --scratch DIRECTORY

Beside it etcd with three members and PostgreSQL with a synchronous standby, where they are
installed. Needs root, because it mounts and makes networks.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from lib import cluster_step, etcd, group, population, postgres, processes, report, standby
from lib.processes import BUILD, BenchmarkError, progress

# For so long after a change brokerfs lets the kernel keep no attributes of the directory.
PAUSE_MS = 1100
# What the kernel is told to keep is kept no longer than a mount may be stale. With the default of
# a second it would have forgotten most of many names before the last of them is read.
WARM_STALENESS_MS = 60000
READY_SECONDS_MAX = 120
# After many records were loaded, their tables are merged and written back to the disk that the log
# is on too. PostgreSQL has its CHECKPOINT instead.
SETTLE_SECONDS = 30
GONE_SECONDS_MAX = 60
# Between two deletions in etcd, which has no caches that must come to rest.
ETCD_PAUSE = 0.05
GATEWAY_READS = 200
POSTGRES_DELETE = "\\set n :n + 1\nDELETE FROM sessions WHERE id = 'one-' || :n;\n"

ONE_ROWS = [
    ("rm", "brokerfs: `rm` returned", (None, None)),
    ("gone-leader", "brokerfs: the leader's mount does not show it", (None, None)),
    ("gone", "brokerfs: **no mount shows it**", (0.002, 0.010)),
    ("etcd-delete", "etcd: delete returned", (None, None)),
    ("etcd-seen", "etcd: a watcher at each member was told", (None, None)),
    ("etcd-gateway", "etcd: a read that asks no other member, through the same gateway",
     (None, None)),
    ("postgres-on", "PostgreSQL: `DELETE` returned, on the standby's disk", (None, None)),
    ("postgres-remote_apply", "PostgreSQL: the same, and the standby's readers see it",
     (None, None)),
]
MANY_ROWS = [
    ("rmdir", "brokerfs: `rmdir` returned", (None, None)),
    ("gone-many", "brokerfs: **no mount shows one of them**", (0.5, None)),
    ("rmdir-warm", "brokerfs, all names in all kernels: `rmdir` returned", (None, None)),
    ("gone-many-warm", "brokerfs, all names in all kernels: **no mount shows one of them**",
     (0.5, None)),
    ("etcd-delete-many", "etcd: delete of the prefix returned", (None, None)),
    ("etcd-seen-many", "etcd: a watcher at each member was told of all", (None, None)),
    ("postgres-on-many", "PostgreSQL: `DELETE` returned, on the standby's disk", (None, None)),
    ("postgres-remote_apply-many", "PostgreSQL: the same, and the standby's readers see it",
     (None, None)),
]


class Watchers:
    """One process a mount: it makes everything of a user warm and says when nothing is shown."""

    def __init__(self, nodes, user, period):
        self.nodes, self.children = nodes, []
        for node in nodes:
            self.children.append(processes.start(
                [str(BUILD / "revokebench"), str(node.mount), user, "watch", str(period),
                 str(PAUSE_MS)], subprocess.PIPE, signal.SIGKILL, errors=sys.stderr))

    def lines(self, seconds):
        """The next line of each."""
        found, end, selector = {}, time.monotonic() + seconds, selectors.DefaultSelector()
        for node, child in zip(self.nodes, self.children):
            selector.register(child.stdout, selectors.EVENT_READ, node)
        while len(found) < len(self.nodes):
            for key, _ in selector.select(end - time.monotonic()):
                line = key.fileobj.readline()
                if not line:
                    raise BenchmarkError(f"the watcher of {key.data.name} ended")
                found[key.data] = json.loads(line)
                selector.unregister(key.fileobj)
            if time.monotonic() > end:
                raise BenchmarkError(f"not all mounts said in {seconds} s what they show")
        return found

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()
            child.stdout.close()


class RevokedShownError(Exception):
    """A revoked session was visible again."""


class Tally:
    """What was odd while it was measured, for the words below the tables."""

    def __init__(self):
        self.cached, self.names, self.stale, self.stale_afterwards, self.mishaps = {}, {}, 0, 0, 0

    def add(self, kind, ready, gone):
        for line in ready:
            self.cached[kind] = self.cached.get(kind, 0) + line["cached"]
            self.names[kind] = self.names.get(kind, 0) + line["names"]
        for line in gone:
            # No figure is worth anything of a product that does this.
            if line["shown_afterwards"]:
                raise RevokedShownError(f"{line['shown_afterwards']} names of revoked sessions "
                                        "were shown after they had been gone")
            self.stale += line["stale"]
            self.stale_afterwards += line["stale_afterwards"]

    def words(self):
        shares = ", ".join(f"{kind}: {100 * self.cached[kind] / self.names[kind]:.0f} %"
                           for kind in self.cached)
        return (f"Names that the kernels would have answered by themselves when the revocation "
                f"began: {shares}. Names shown by any mount after it had been found to show none: "
                f"none; one would have ended the run. Answers `ESTALE`, from a mount that was too "
                f"old to answer: {self.stale} until none was shown, {self.stale_afterwards} while "
                f"all were asked for afterwards. Rounds repeated because something went wrong: "
                f"{self.mishaps}.")


@dataclass(frozen=True)
class Kind:
    """How a revocation is called where figures are kept; `on_leader` where it is of one session."""

    name: str
    returned: str
    gone: str
    on_leader: str = ""
    # Three processes that look every 100 µs take a good part of two processors from the nodes.
    periods: int = 1


ONE = Kind("one session", "rm", "gone", "gone-leader")
MANY = Kind("many", "rmdir", "gone-many", periods=10)
MANY_WARM = Kind("many with a bound of a minute", "rmdir-warm", "gone-many-warm",
                 periods=10)


def revoke(brokerfs, user, kind, figures, tally, period):
    """Revokes all of a user on the leader's mount while all three mounts are watched."""
    leader = brokerfs.wait_for_leader()
    watchers = Watchers(brokerfs.nodes, user, period * kind.periods)
    try:
        ready = watchers.lines(READY_SECONDS_MAX)
        begin = time.monotonic_ns()
        if kind.on_leader:
            os.unlink(leader.path(f"sessions/{session_of(user, 0)}"))
        else:
            os.rmdir(leader.path(f"users/{user}/sessions"))
        returned = time.monotonic_ns()
        lines = watchers.lines(GONE_SECONDS_MAX)
    finally:
        watchers.close()
    tally.add(kind.name, ready.values(), lines.values())
    figures.add(kind.returned, (returned - begin) / 1e9)
    gone = {node: (line["gone_at"] - begin) / 1e9 for node, line in lines.items()}
    if kind.on_leader:
        figures.add(kind.on_leader, gone[leader])
    figures.add(kind.gone, max(gone.values()), mounts={n.name: each for n, each in gone.items()})


def session_of(user, index):
    return f"{user}-{index:06}"


def records(options, users):
    """Users with their sessions; `users`: [(user, how many)]."""
    template = options.body.read_text()
    for user, count in users:
        yield {"type": "user", "id": user, "data": {"id": user, "name": user}}
        for index in range(count):
            yield population.session(user, session_of(user, index), template)


def measure_brokerfs(options, scratch, figures, tally):
    """Single revocations and many at once with the default bound, then many with all names warm."""
    with cluster_step.brokerfs(options, scratch / "default") as brokerfs:
        measure_kinds(brokerfs, options, {ONE: (options.rounds, 1),
                                          MANY: (options.bulks, options.many)}, figures, tally)
    os.environ["BROKERFS_CLUSTER_MAX_STALENESS_MS"] = str(WARM_STALENESS_MS)
    with cluster_step.brokerfs(options, scratch / "warm") as brokerfs:
        measure_kinds(brokerfs, options, {MANY_WARM: (options.bulks, options.many)}, figures,
                      tally)
    del os.environ["BROKERFS_CLUSTER_MAX_STALENESS_MS"]


def measure_kinds(brokerfs, options, kinds, figures, tally):
    """Fills a group and revokes; `kinds`: how many users of each, with how many sessions."""
    # A round that went wrong has perhaps revoked its user; the next one takes another.
    users = {kind: [(f"user-{number}-{turn:04}", count)
                    for turn in range(rounds + (1 if count > 1 else group.MISHAPS_MAX))]
             for number, (kind, (rounds, count)) in enumerate(kinds.items())}
    lines = brokerfs.scratch / "state.jsonl"
    population.write_lines(lines, records(options, [("others", options.others),
                                                    *(each for some in users.values()
                                                      for each in some)]))
    loaded, seconds = brokerfs.fill(lines)
    progress(f"brokerfs: {loaded} records in {report.duration(seconds)}")
    time.sleep(SETTLE_SECONDS)
    for kind, (rounds, _) in kinds.items():
        left = [user for user, _ in users[kind]]
        for _ in range(rounds):
            brokerfs.patience.again(kind.name, lambda: revoke(
                brokerfs, left.pop(), kind, figures, tally, options.period))
            cluster_step.tell(f"brokerfs {kind.name}", figures.values(kind.gone), rounds)
    tally.mishaps += brokerfs.patience.mishaps


def delete_watched(connection, watches, prefix, count):
    """Deletes all keys of a prefix; returns (answered, told to all the watchers), in seconds."""
    selector = selectors.DefaultSelector()
    for each in (connection, *watches):
        selector.register(each, selectors.EVENT_READ)
    wanted = {watch: watch.deletions + count for watch in watches}
    begin, answered = time.monotonic_ns(), None
    connection.send("/v3/kv/deleterange", {"key": etcd.text(prefix),
                                           "range_end": etcd.text(etcd.behind(prefix))})
    seen = begin
    while answered is None or wanted:
        ready = selector.select(GONE_SECONDS_MAX)
        if not ready:
            raise BenchmarkError("etcd: a deletion was not seen everywhere")
        for key, _ in ready:
            at = time.monotonic_ns()
            if key.fileobj is connection:
                status, answer = connection.receive()
                if status != 200 or int(answer.get("deleted", 0)) != count:
                    raise BenchmarkError(f"etcd: {count} keys were to be deleted: {answer}")
                answered = at
            elif key.fileobj.take() >= wanted.get(key.fileobj, 1 << 62):
                del wanted[key.fileobj]
                seen = at
    selector.close()
    return (answered - begin) / 1e9, (seen - begin) / 1e9


def measure_etcd(options, scratch, figures):
    with cluster_step.etcd(scratch / "etcd") as members:
        leader = members.wait_for_leader()
        cluster_step.fill_etcd(leader, options, "others-", options.others)
        cluster_step.fill_etcd(leader, options, "one-", options.rounds)
        for number in range(options.bulks):
            cluster_step.fill_etcd(leader, options, f"bulk-{number}-", options.many)
        time.sleep(SETTLE_SECONDS)
        leader = members.wait_for_leader()
        connection = etcd.Connection(leader)
        watches = [etcd.Watch(member, "one-") for member in members.members]
        for number in range(options.rounds):
            time.sleep(ETCD_PAUSE)
            answered, seen = delete_watched(connection, watches, f"one-{number:09}", 1)
            figures.add("etcd-delete", answered)
            figures.add("etcd-seen", seen)
            cluster_step.tell("etcd one", figures.values("etcd-seen"), options.rounds)
        for watch in watches:
            watch.close()
        watches = [etcd.Watch(member, "bulk-") for member in members.members]
        for number in range(options.bulks):
            time.sleep(PAUSE_MS / 1000)
            answered, seen = delete_watched(connection, watches, f"bulk-{number}-", options.many)
            figures.add("etcd-delete-many", answered)
            figures.add("etcd-seen-many", seen)
            cluster_step.tell("etcd many", figures.values("etcd-seen-many"), options.bulks)
        for _ in range(GATEWAY_READS):
            begin = time.monotonic_ns()
            connection.ask("/v3/kv/range", key=etcd.text("others-"), serializable=True)
            figures.add("etcd-gateway", (time.monotonic_ns() - begin) / 1e9)


def measure_postgres(options, scratch, figures):
    pair = standby.Pair(scratch / "postgres", options.user)
    try:
        pair.start()
        body = options.body.read_text().replace("'", "''")
        primary = pair.primary
        primary.sql("CREATE TABLE sessions (id text PRIMARY KEY, user_id text NOT NULL, "
                    "body text NOT NULL)", "CREATE INDEX sessions_user ON sessions (user_id)",
                    f"INSERT INTO sessions SELECT 'others-' || n, 'others', '{body}' "
                    f"FROM generate_series(1, {options.others}) AS n")
        for level in ("on", "remote_apply"):
            primary.commit_when(level)
            primary.sql(f"INSERT INTO sessions SELECT 'one-' || n, 'one-' || n, '{body}' "
                        f"FROM generate_series(1, {options.rounds}) AS n")
            for number in range(options.bulks):
                primary.sql(f"INSERT INTO sessions SELECT 'bulk-' || n, 'bulk-{number}', '{body}' "
                            f"FROM generate_series(1, {options.many}) AS n", "VACUUM ANALYZE",
                            "CHECKPOINT")
                figures.add(f"postgres-{level}-many", primary.seconds(
                    f"DELETE FROM sessions WHERE user_id = 'bulk-{number}'"))
            seconds, _ = primary.repeat(POSTGRES_DELETE, 1, options.rounds, {"n": 0})
            left = int(primary.sql("SELECT count(*) FROM sessions"))
            if left != options.others:
                raise BenchmarkError(f"PostgreSQL: {left} rows instead of {options.others}")
            for value in seconds:
                figures.add(f"postgres-{level}", value)
            cluster_step.tell(f"PostgreSQL, {level}", seconds, options.rounds)
        return primary.version()
    finally:
        pair.close()


def text_of(options, figures, tally, load, versions):
    many = f"{options.many:,} sessions"
    medians = [figures.at(kind, 0.5) for kind in ("gone", "gone-many", "gone-many-warm")]
    aims = report.aims_list([
        ("one session, no mount shows it, p50", medians[0], 0.002, report.duration),
        ("the same, p99", figures.at("gone", 0.99), 0.010, report.duration),
        (f"{many} at once, no mount shows one, p50", medians[1], 0.5, report.duration),
        ("the same, all names in all kernels", medians[2], 0.5, report.duration)])
    return (f"{report.machine(load)} {', '.join(versions)}. {options.others:,} sessions of others "
            f"beside them; mounts were looked at every {options.period} µs, for many sessions every "
            f"{MANY.periods * options.period} µs.\n\n"
            f"{figures.table('one session, since the call', ONE_ROWS)}\n\n"
            f"{figures.table(many + ' at once, since the call', MANY_ROWS)}\n\n"
            f"{tally.words()}\n\nAims:\n\n{aims}\n")


def run(options, stack):
    scratch, figures, load = cluster_step.begin(options, stack, "revoke-cluster")
    tally, versions = Tally(), ["brokerfs with 3 nodes"]
    measure_brokerfs(options, scratch, figures, tally)
    if etcd.is_installed():
        measure_etcd(options, scratch, figures)
        versions.append(f"etcd {etcd.version()} with 3 members")
    else:
        progress("etcd is left out: apt-get install etcd-server")
    if any(postgres.INSTALLED.glob("*/bin/initdb")):
        version = measure_postgres(options, scratch, figures)
        versions.append(f"PostgreSQL {version} with a synchronous standby")
    else:
        progress("PostgreSQL is left out: apt-get install postgresql")
    text = text_of(options, figures, tally, load, versions)
    curves = [("rm", "brokerfs: rm returned"), ("gone", "brokerfs: on no mount"),
              ("etcd-delete", "etcd: returned"), ("etcd-seen", "etcd: all told"),
              ("postgres-on", "PostgreSQL: returned"),
              ("postgres-remote_apply", "PostgreSQL: visible")]
    cluster_step.finish(options, "revoke-cluster", text,
                        "How many of the revocations were done after which time, on three nodes",
                        lambda picture: figures.draw(picture, "Revoking one of many sessions",
                                                     "time since the call", curves))


def parse_options():
    parser = cluster_step.parser("Measures revocations on three nodes.", "revoke-cluster")
    add = parser.add_argument
    add("--rounds", type=int, default=200, help="sessions revoked one by one")
    add("--bulks", type=int, default=3, help="users whose sessions are revoked at once")
    add("--many", type=int, default=10000, help="sessions of such a user")
    add("--others", type=int, default=10000, help="sessions of other users beside them")
    add("--period", type=int, default=100, help="microseconds between two looks at a mount")
    add("--user", default="postgres", help="who runs PostgreSQL")
    return cluster_step.parse(parser, rounds=10, bulks=1, many=500, others=500)


def main():
    options = parse_options()
    group.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
