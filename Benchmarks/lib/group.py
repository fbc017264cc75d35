# SPDX-License-Identifier: Apache-2.0
"""Three nodes on one machine: the nodes and the network of Tests/Nemesis, for benchmarks.

Each member has a network namespace of its own on one bridge, so that it can be cut off, and so that
brokerfs, etcd and PostgreSQL send over the same kind of network. All of them are in namespaces that
end with the run.
"""

import ctypes
import itertools
import json
import os
import sys
import time
from contextlib import contextmanager

from lib import processes, report
from lib.node import LOAD_SECONDS_MAX
from lib.processes import BUILD, BenchmarkError, progress

sys.path.append(str(BUILD.parent.parent / "Tests/Nemesis"))
import nodes  # noqa: E402
import world  # noqa: E402

CLONE_NEWNET = 0x40000000
MEMBERS = 3
CALL_MS_MAX = 10000
WAIT_SECONDS_MAX = 60
FILL_SECONDS_MAX = 300
PART_LINES = 10000
TOLD_PARTS = 10
ANSWER_SECONDS_MAX = 60
# So many rounds may go wrong. A group that loses its leader more often is not fit to be measured.
MISHAPS_MAX = 10
# States of a port of a bridge.
DISABLED, FORWARDING = "0", "3"
ADDRESS = world.Network.address


def run_program(run):
    """As processes.run_program, with a network and processes of its own too."""
    world.enter()

    def guarded(stack):
        try:
            world.make_fusectl()
            run(stack)
        except world.WorldError as error:
            raise BenchmarkError(str(error)) from None
    processes.run_program(guarded)


@contextmanager
def inside(pid):
    """This thread is in the network of a process meanwhile; what it starts or opens stays there."""
    with open("/proc/thread-self/ns/net") as own, open(f"/proc/{pid}/ns/net") as other:
        set_network(other)
        try:
            yield
        finally:
            set_network(own)


def set_network(file):
    if processes.libc.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise BenchmarkError(f"setns: {os.strerror(ctypes.get_errno())}")


def set_port(number, state):
    """What a member sends and is sent is lost in the bridge from now on, or no longer."""
    world.run(["bridge", "link", "set", "dev", f"veth{number}", "state", state])


def vouches(node):
    """Whether a node's mount answers, asked without listing all that it has."""
    try:
        with os.scandir(node.path("sessions")) as entries:
            next(entries, None)
        return True
    except OSError:
        return False


class Patience:
    """Repeats what went wrong because the leader changed without being asked, but not for ever.

    It happens on a machine that is busy otherwise. Every one is said, and counted in the report.
    """

    def __init__(self, heal):
        self.heal, self.mishaps = heal, 0

    def again(self, what, function, *arguments):
        """Calls it until it succeeds; returns what it returned."""
        while True:
            try:
                return function(*arguments)
            except (BenchmarkError, world.WorldError, OSError) as error:
                self.mishaps += 1
                progress(f"  MISHAP: {what}: {error}")
                if self.mishaps > MISHAPS_MAX:
                    raise BenchmarkError(f"more than {MISHAPS_MAX} mishaps: {error}") from None
                self.heal()

    def words(self):
        return f"Rounds repeated because something went wrong: {self.mishaps}."


class Group(nodes.Group):
    """Three nodes of brokerfs, their mounts, and the commands that are run against them."""

    label = "brokerfs"

    def __init__(self, binary, scratch):
        scratch.mkdir()
        super().__init__(os.path.abspath(binary), scratch, MEMBERS, CALL_MS_MAX)
        self.patience = Patience(self.heal)

    def abort(self):
        """Frees whoever hangs in one of the mounts."""
        for node in self.nodes:
            world.abort_connection(node.mount)

    def fill(self, lines):
        """Loads JSON lines through the leader; returns (records, seconds) when all show them."""
        begin, loaded = time.perf_counter(), 0
        for number, part in enumerate(self.parts(lines), start=1):
            loaded += self.patience.again("load", self.load, part)
            if number % TOLD_PARTS == 0:
                progress(f"  {loaded:,} records after "
                         f"{report.duration(time.perf_counter() - begin)}")
        seconds = time.perf_counter() - begin
        self.catch_up(self.wait_for_leader(), self.nodes, FILL_SECONDS_MAX)
        return loaded, seconds

    def parts(self, lines):
        """Files of some of the lines each, so that not all is repeated if the leader changes."""
        part = self.scratch / "part.jsonl"
        with open(lines, "rb") as source:
            while chunk := list(itertools.islice(source, PART_LINES)):
                part.write_bytes(b"".join(chunk))
                yield part
        part.unlink(missing_ok=True)

    def load(self, path):
        """Loads one file; a record that is there already is there once. Returns how many."""
        leader = self.wait_for_leader()
        said = processes.run_command(
            [self.binary, "load", str(path), "--data", str(leader.data), "--timeout",
             str(ANSWER_SECONDS_MAX), "--json"], self, self.scratch, LOAD_SECONDS_MAX)
        return json.loads(said)["loaded"]

    def heal(self):
        """Takes away whatever a round that went wrong has left; all is well when it returns."""
        for node in self.nodes:
            set_port(node.number, FORWARDING)
            if node.is_stopped():
                node.wake()
            if not node.is_running():
                node.start()
        self.catch_up(self.wait_for_leader(), self.nodes)

    def catch_up(self, leader, among, seconds=WAIT_SECONDS_MAX):
        """Waits until some nodes show all that another shows, and vouch for it."""
        index = leader.word("applied")
        for node in among:
            self.ask(node, "wait", "--applied", index, "--timeout", str(seconds), seconds=seconds)
        self.wait_for(lambda: all(vouches(node) for node in among), seconds,
                      "mounts vouch for what they show")

    def ask(self, node, *arguments, seconds=15):
        """A command of brokerfs against a node; returns what it printed. Failing is an error."""
        code, output, errors = node.command(*arguments, seconds=seconds + 5)
        if code != 0:
            said = f"{(errors or output).strip()[-2000:]}\n{node.last_words()}"
            raise BenchmarkError(f"brokerfs {' '.join(arguments)} on {node.name}: exit code "
                                 f"{code}: {said}")
        return output

    def close(self):
        for violation in self.calls.violations:
            progress(f"  a call on a mount took long: {violation}")
        super().close()
