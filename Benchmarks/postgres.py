#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the same work done by PostgreSQL, by brokerfs as files, and by tmpfs as files.

    make && sudo python3 postgres.py --binary PATH_OF_BROKERFS

PostgreSQL is a private cluster on the same disk, with the settings of its package (fsync on), on a
unix socket; its client is pgbench with prepared statements, a C program like that of the files.
Needs root, because it mounts, and the package postgresql.
"""

import argparse
import json
import os
import statistics
from pathlib import Path

from lib import node, population, postgres, processes, report, targets
from lib.processes import BUILD, progress

CLIENTS = 8
LISTINGS = 5
BULK_USER, BULK_SESSIONS = "bulk", 10000
SCHEMA = ("CREATE TABLE sessions (id text PRIMARY KEY, user_id text NOT NULL, body text NOT NULL)",
          "CREATE INDEX sessions_user ON sessions (user_id)",
          "CREATE TABLE members (group_id text, user_id text, PRIMARY KEY (group_id, user_id))")
# The ids of the measured sessions are made from a number, so that they can be found again.
IDENTITY = "md5(:prefix || '-' || :client_id || '-' || :n)"
COUNT = "\\set n :n + 1\n"
INSERT = f"{COUNT}INSERT INTO sessions VALUES ({IDENTITY}, 'alice', :body);\n"
DELETE = f"{COUNT}DELETE FROM sessions WHERE id = {IDENTITY};\n"
READ = ("\\set n random(1, :many)\n"
        "SELECT body FROM sessions WHERE id = md5('s-' || :n);\n")
ROWS = {
    "insert": "insert one session, durable", "insert-8": f"the same, {CLIENTS} clients",
    "read": "read one session by id, warm", "list": "list all ids",
    "delete": "delete one session, durable",
    "delete-bulk": f"delete {BULK_SESSIONS:,} sessions of a user at once",
    "members": "list the members of a group",
}


class Table:
    """What was measured: seconds, and where there are many, p99 and the rate of all clients."""

    def __init__(self, raw):
        self.raw, self.cells = raw, {}

    def add(self, label, row, seconds, p99=None, rate=None):
        line = {"target": label, "op": row, "seconds": seconds, "p99": p99, "rate": rate}
        self.cells[label, row] = line
        self.raw.write(json.dumps(line) + "\n")
        progress(f"  {label} {row}: {self.cell(label, row)}")

    def cell(self, label, row):
        line = self.cells.get((label, row))
        if not line:
            return "–"
        text = report.duration(line["seconds"])
        if line["p99"]:
            text += f", p99 {report.duration(line['p99'])}"
        if line["rate"]:
            text += f", {line['rate']:.0f}/s"
        return text

    def text(self, labels):
        rows = [[name, *(self.cell(label, row) for label in labels)] for row, name in ROWS.items()]
        return report.table(["", *labels], rows)


def fill_postgres(server, options, body):
    """As many rows as there are files, with the same text; loaded, then vacuumed as it would be."""
    server.sql(*SCHEMA)
    many = f"generate_series(1, {options.sessions}) AS n"
    text = body.replace("'", "''")
    server.sql(
        f"INSERT INTO sessions SELECT md5('s-' || n), 'user-' || n / 10, '{text}' FROM {many}",
        f"INSERT INTO sessions SELECT 'bulk-' || n, '{BULK_USER}', '{text}' "
        f"FROM generate_series(1, {BULK_SESSIONS}) AS n",
        "INSERT INTO members SELECT 'everyone', 'member-' || lpad(n::text, 7, '0') FROM "
        f"generate_series(1, {options.members}) AS n", "VACUUM ANALYZE", "CHECKPOINT")


def measure_postgres(server, options, body, table):
    def repeat(row, script, count, clients=1, **values):
        latencies, rate = server.repeat(script, clients, count, values)
        latencies.sort()
        table.add(server.label, row, statistics.median(latencies),
                  latencies[len(latencies) * 99 // 100], rate if clients > 1 else None)

    def listing(row, query):
        found = [server.listing(query) for _ in range(LISTINGS)]
        table.add(server.label, row, statistics.median(seconds for _, seconds in found))
        return found[-1][0]

    repeat("insert", INSERT, options.changes, prefix="one", n=0, body=body)
    repeat("insert-8", INSERT, options.changes, CLIENTS, prefix="eight", n=0, body=body)
    repeat("read", READ, options.reads, many=options.sessions)
    expect("ids", listing("list", "SELECT id FROM sessions"),
           options.sessions + BULK_SESSIONS + (CLIENTS + 1) * options.changes)
    repeat("delete", DELETE, options.changes, prefix="one", n=0)
    expect("ids", int(server.sql("SELECT count(*) FROM sessions")),
           options.sessions + BULK_SESSIONS + CLIENTS * options.changes)
    table.add(server.label, "delete-bulk",
              server.seconds(f"DELETE FROM sessions WHERE user_id = '{BULK_USER}'"))
    expect("members", listing("members", "SELECT user_id FROM members WHERE group_id = 'everyone' "
                              "ORDER BY user_id"), options.members)


def expect(what, found, wanted):
    if found != wanted:
        raise processes.BenchmarkError(f"{what}: {found} instead of {wanted}")


def fill_brokerfs(brokerfs, options, scratch):
    template = options.body.read_text()

    def records():
        yield {"type": "directory-group", "id": "everyone", "data": {"id": "everyone"}}
        yield {"type": "user", "id": BULK_USER, "data": {"id": BULK_USER}}
        for index in range(options.sessions):
            yield population.session(f"user-{index // 10}", f"s{index:07}", template)
        for index in range(BULK_SESSIONS):
            yield population.session(BULK_USER, f"bulk-{index}", template)
        for index in range(options.members):
            yield population.directory_user(f"member-{index:07}", ["everyone"])
    lines = scratch / "state.jsonl"
    population.write_lines(lines, records())
    brokerfs.load(lines)
    lines.unlink()


def measure_files(target, directory, options, table, scratch):
    """What files can do on brokerfs and on tmpfs; both are asked by the same programs."""
    def client(prefix, threads, *operations):
        count = options.changes * threads
        return processes.run_client(
            ["fsbench", "--body", options.body, "--threads", threads, "--name-prefix", prefix,
             "--count", count, directory, *operations], target, scratch)

    # What is made is removed by the same process: only the latter knows the names.
    made, removed = client("one-", 1, "create", "unlink")
    table.add(target.label, "insert", made["p50_ns"] / 1e9, made["p99_ns"] / 1e9)
    table.add(target.label, "delete", removed["p50_ns"] / 1e9, removed["p99_ns"] / 1e9)
    [made] = client("eight-", CLIENTS, "create")
    table.add(target.label, "insert-8", made["p50_ns"] / 1e9, made["p99_ns"] / 1e9,
              1e9 / made["ns_per_op"])
    [read] = processes.run_client(["fsbench", "--sample", options.reads, directory, "open-read"],
                                  target, scratch)
    table.add(target.label, "read", read["ns_per_op"] / 1e9)
    output = scratch / "listing"
    said, seconds = node.seconds_of(f"ls -U . >{output}; wc -l <{output}", target, scratch,
                                    directory, LISTINGS)
    table.add(target.label, "list", statistics.median(seconds))
    return int(said.splitlines()[-1])


def measure_brokerfs(brokerfs, options, table, scratch):
    mountpoint = brokerfs.mountpoint
    found = measure_files(brokerfs, mountpoint / "sessions", options, table, scratch)
    expect("ids", found, options.sessions + BULK_SESSIONS + CLIENTS * options.changes)
    _, seconds = node.seconds_of(f"rmdir users/{BULK_USER}/sessions", brokerfs, scratch, mountpoint)
    table.add(brokerfs.label, "delete-bulk", seconds[0])
    output = scratch / "listing"
    said, seconds = node.seconds_of(f"cat groups/everyone/members >{output}; wc -l <{output}",
                                    brokerfs, scratch, mountpoint, LISTINGS)
    table.add(brokerfs.label, "members", statistics.median(seconds))
    expect("members", int(said.splitlines()[-1]), options.members)


class Tmpfs(targets.TmpfsTarget):
    """A tmpfs with the same sessions, those of the one user in a directory of their own."""

    def __init__(self, options, scratch):
        self.body, self.scratch, self.files = options.body, scratch, options.sessions
        super().__init__("tmpfs", self)
        self.mountpoint = self.directory

    def populate(self):
        self.directory = self.mountpoint / "bulk"
        for directory, count in (("bulk", BULK_SESSIONS), ("sessions", self.files)):
            self.directory = self.mountpoint / directory
            self.directory.mkdir()
            self.create("s", count)

    def stop(self):
        processes.detach(self.mountpoint)


def measure_tmpfs(tmpfs, options, table, scratch):
    measure_files(tmpfs, tmpfs.directory, options, table, scratch)
    _, seconds = node.seconds_of("rm -r bulk", tmpfs, scratch, tmpfs.mountpoint)
    table.add(tmpfs.label, "delete-bulk", seconds[0])
    lines = (f"member-{index:07}\n" for index in range(options.members))
    (tmpfs.mountpoint / "members").write_text("".join(lines))
    output = scratch / "listing"
    _, seconds = node.seconds_of(f"cat members >{output}; wc -l <{output}", tmpfs, scratch,
                                 tmpfs.mountpoint, LISTINGS)
    table.add(tmpfs.label, "members", statistics.median(seconds))


def parse_options():
    parser = argparse.ArgumentParser(description="Measures PostgreSQL beside brokerfs and tmpfs.")
    add = parser.add_argument
    add("--binary", required=True, help="the brokerfs to measure")
    add("--sessions", type=int, default=100000, help="in the table, or in the directory")
    add("--members", type=int, default=1000000, help="of the group that is listed")
    add("--changes", type=int, default=2000, help="sessions made and deleted by each client")
    add("--reads", type=int, default=10000, help="sessions read by chance")
    add("--user", default="postgres", help="who runs PostgreSQL")
    add("--body", type=Path, default=BUILD.parent / "session.json", help="what a session is")
    add("--disk", default=BUILD, help="where the scratch directory goes; default: build/")
    add("--raw", default=BUILD / "postgres.jsonl", help="every figure as a JSON line")
    add("--write", metavar="FILE", help="put the table between this Markdown file's markers")
    return parser.parse_args()


def run(options, stack):
    scratch = processes.make_scratch(options.disk)
    stack.callback(processes.remove_scratch, scratch)
    table, load = Table(stack.enter_context(open(options.raw, "w"))), os.getloadavg()[0]
    body = options.body.read_text()
    server = postgres.Postgres(scratch, options.user)
    stack.callback(server.stop)
    server.start()
    version = server.version()
    progress(f"PostgreSQL {version}: {options.sessions} sessions, {options.members} members")
    fill_postgres(server, options, body)
    measure_postgres(server, options, body, table)
    server.stop()
    progress("brokerfs")
    brokerfs = node.Node(options.binary, scratch)
    stack.callback(brokerfs.remove)
    brokerfs.start()
    fill_brokerfs(brokerfs, options, scratch)
    measure_brokerfs(brokerfs, options, table, scratch)
    brokerfs.stop()
    progress("tmpfs")
    tmpfs = Tmpfs(options, scratch)
    stack.callback(tmpfs.stop)
    tmpfs.start()
    measure_tmpfs(tmpfs, options, table, scratch)
    text = (f"{report.machine(load)} PostgreSQL {version}, {options.sessions:,} sessions of about "
            f"{len(body)} bytes, a group of {options.members:,}. One run, one after the other; "
            f"medians and p99 of the single operations, medians of {LISTINGS} listings.\n\n"
            f"{table.text([server.label, brokerfs.label, tmpfs.label])}\n")
    print(text)
    if options.write:
        report.write_between_markers(options.write, "postgres", text)


def main():
    options = parse_options()
    processes.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
