# SPDX-License-Identifier: Apache-2.0
"""What the steps that measure three nodes have in common: options, members, progress, the end."""

import argparse
import os
from contextlib import contextmanager
from pathlib import Path

from lib import etcd as etcd_members
from lib import figures, group, processes, report
from lib.processes import BUILD, progress

DOCS = BUILD.parent.parent / "docs"
FILL_CLIENTS = 64
TOLD_ROUNDS = 20


def parser(description, step):
    """A parser with the options that all of the steps have."""
    made = argparse.ArgumentParser(description=description)
    add = made.add_argument
    add("--binary", required=True, help="the brokerfs to measure")
    add("--scratch", required=True, type=Path, help="an empty directory, not removed")
    add("--quick", action="store_true", help="few and small, to see that it works; written only "
        "if --pictures is given")
    add("--seed", type=int, default=1)
    add("--body", type=Path, default=BUILD.parent / "session.json", help="what a session is")
    add("--raw", default=BUILD / f"{step}.jsonl", help="every figure as a JSON line")
    add("--write", metavar="FILE", help="put the tables between this Markdown file's markers")
    add("--pictures", type=Path, help="where to draw if --write is given; default: docs/images")
    return made


def parse(made, **quick):
    """The options; with --quick, what is not given on the command line has these values."""
    options = made.parse_args()
    if options.quick:
        made.set_defaults(**quick)
        options = made.parse_args()
    return options


def begin(options, stack, step):
    """(scratch directory, figures, the machine's load)."""
    scratch = options.scratch / step
    scratch.mkdir()
    # PostgreSQL runs as an ordinary user, who has to reach what is below.
    os.chmod(options.scratch, 0o711)
    raw = stack.enter_context(open(options.raw, "w"))
    return scratch, figures.Figures(raw), os.getloadavg()[0]


def finish(options, step, text, alternative, draw):
    """Prints the tables, and writes them with their picture; `alternative` says what it shows."""
    print(text)
    if options.write and (options.pictures or not options.quick):
        draw((options.pictures or DOCS / "images") / f"{step}.svg")
        picture = f"![{alternative}](images/{step}.svg)"
        report.write_between_markers(options.write, step, f"{picture}\n\n{text}")


@contextmanager
def brokerfs(options, scratch):
    """Three running nodes, gone afterwards."""
    made = group.Group(options.binary, scratch)
    try:
        made.bootstrap()
        yield made
    finally:
        made.close()


@contextmanager
def etcd(scratch):
    """Three running members, gone afterwards."""
    made = etcd_members.Cluster(scratch)
    try:
        made.start()
        yield made
    finally:
        made.close()


def etcd_client(member, cluster, path, body, threads, count, prefix):
    """Runs httpbench beside a member; returns its line."""
    with group.inside(member.network_pid):
        [line] = processes.run_client(
            ["httpbench", "127.0.0.1", etcd_members.CLIENT_PORT, path, body, threads, count,
             prefix], cluster, cluster.scratch)
    return line


def put_body(options, scratch):
    """The file of a put of one session, for httpbench."""
    path = scratch / "put.json"
    path.write_text('{"key":"@KEY@","value":"%s"}' % etcd_members.text(options.body.read_text()))
    return path


def fill_etcd(member, options, prefix, count):
    """As many keys with the same text as there are sessions."""
    if count:
        body = put_body(options, member.cluster.scratch)
        etcd_client(member, member.cluster, "/v3/kv/put", body, min(FILL_CLIENTS, count), count,
                    prefix)


def tell(what, values, rounds):
    """Says now and then how far it is; a run that says nothing for minutes looks dead."""
    if len(values) % TOLD_ROUNDS == 0 or len(values) == rounds:
        middle = report.duration(report.percentile(values, 0.5))
        progress(f"  {what}: {len(values)} of {rounds}, median {middle}")
