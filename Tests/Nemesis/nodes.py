# SPDX-License-Identifier: Apache-2.0
"""Real nodes in network namespaces of their own, and the group they are."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import calls
import world
from history import Violation
from world import WorldError

LAUNCH = str(Path(__file__).resolve().parent / "launch.py")
POLL_SECONDS = 0.005
# As timeout(1) has it.
EXIT_HUNG = 124


def make_clock(directory):
    """Builds what is preloaded into a node to move its wall clock."""
    library = directory / "wallclock.so"
    world.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(library),
               str(Path(__file__).resolve().parent / "wallclock.c")])
    return library


class Node:
    """One `brokerfs serve`, with its data directory, its mount and its network."""

    def __init__(self, group, name, number):
        self.group, self.name, self.number = group, name, number
        self.address = world.Network.address(number)
        self.folder = group.scratch / "nodes" / name
        self.place = group.scratch / name
        self.place.mkdir()
        self.data, self.mount = self.place / "data", self.place / "mnt"
        self.mount.mkdir()
        self.log = group.scratch / f"{name}.log"
        self.clock = self.place / "clock"
        self.boot_seconds = 0
        self.process = None
        self.disk = None
        # Since when its mount is known to be there; without one, looks find nothing.
        self.mounted_at = None
        # [from, until] of each stop; until is None while it lasts.
        self.stops = []

    # The process

    def start(self):
        """Starts it and returns at once."""
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", LAUNCH, str(self.group.network.pid(self.name)),
                 str(self.boot_seconds), self.group.binary, "serve", "--config",
                 str(self.folder / "brokerfs.yaml")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env=self.variables())

    def variables(self):
        return {**os.environ, "SWIFT_BACKTRACE": "enable=no", "BROKERFS_DATA": str(self.data),
                "BROKERFS_MOUNT_DIRECTORY": str(self.mount), "BROKERFS_BRAKE_UNLINKS": "0",
                **self.clock_variables()}

    def clock_variables(self):
        if not self.group.preload:
            return {}
        if not self.clock.exists():
            self.shift_clock(0)
        return {"LD_PRELOAD": str(self.group.preload), "NEMESIS_WALL_CLOCK": str(self.clock)}

    def shift_clock(self, seconds):
        """Moves the wall clock of this process alone to so far from the right time."""
        file = os.open(self.clock, os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(file, int(seconds).to_bytes(8, "little", signed=True), 0)
        os.close(file)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL; returns when it was sent."""
        self.mounted_at = None
        at = time.monotonic_ns()
        self.process.kill()
        self.process.wait(30)
        if self.stops and self.stops[-1][1] is None:
            self.stops[-1][1] = time.monotonic_ns()
        return at

    def stop(self):
        """SIGSTOP; returns when."""
        at = time.monotonic_ns()
        self.stops.append([at, None])
        self.process.send_signal(signal.SIGSTOP)
        return at

    def wake(self):
        """SIGCONT; the time until then is nobody's hang."""
        self.process.send_signal(signal.SIGCONT)
        self.stops[-1][1] = time.monotonic_ns()

    def terminate(self, seconds=30):
        """SIGTERM and a clean end; returns its exit code."""
        self.mounted_at = None
        self.process.terminate()
        return self.process.wait(seconds)

    def paused(self, begin, end):
        """For how much of that time the process was stopped, in nanoseconds."""
        return sum(max(0, min(end, until or end) - max(begin, since))
                   for since, until in list(self.stops))

    def is_stopped(self):
        return bool(self.stops) and self.stops[-1][1] is None

    def remove(self):
        if self.is_running():
            self.process.kill()
            self.process.wait(30)
        world.detach(self.mount)
        if self.disk:
            self.disk.close()

    # What it says

    def path(self, name):
        return f"{self.mount}/{name}"

    def call(self, what, function, *arguments):
        return self.group.calls.make(self, what, function, *arguments)

    def word(self, name):
        """A file of `cluster/`, stripped; empty where it cannot be read."""
        if self.is_stopped():
            return ""
        answer = self.call(f"cluster/{name}", calls.read_file, self.path(f"cluster/{name}"))
        return answer.value.decode().strip() if answer.error == 0 else ""

    def is_writable(self):
        return self.is_running() and self.word("writable") == "1"

    def answers(self):
        """Whether it shows sessions: it is up, and vouches for what it has."""
        if not self.is_running() or self.is_stopped():
            return False
        answer = self.call("list", os.listdir, self.path("sessions"))
        if answer.error == 0 and self.mounted_at is None:
            self.mounted_at = answer.end
        return answer.error == 0

    def was_mounted(self, answer):
        """Whether the mount was there all the time that a call took."""
        since = self.mounted_at
        return since is not None and since <= answer.begin

    def last_words(self, lines=15):
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def command(self, *arguments, seconds=15):
        """Runs a command of brokerfs against this node; returns (exit code, output, errors)."""
        begin = time.monotonic_ns()
        try:
            done = subprocess.run(
                [self.group.binary, *arguments, "--data", str(self.data)], text=True,
                capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds,
                env={**os.environ, "SWIFT_BACKTRACE": "enable=no"})
        except subprocess.TimeoutExpired:
            if not self.paused(begin, time.monotonic_ns()):
                self.group.calls.violations.append(Violation(
                    "a command hangs", f"{' '.join(arguments)} on {self.name}: {seconds} s"))
            return EXIT_HUNG, "", f"no end within {seconds} s"
        return done.returncode, done.stdout, done.stderr

    def dump_log(self):
        """(exit code, output, errors) of a dump of its log, which does not ask the node."""
        done = subprocess.run(
            [self.group.binary, "log", "dump", str(self.data), "--json"], text=True,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        return done.returncode, done.stdout, done.stderr


class Group:
    """The nodes, the network between them, and every call on their mounts."""

    START_SECONDS_MAX = 30

    def __init__(self, binary, scratch, count, limit_ms, small_disks=0, has_clocks=False):
        """`small_disks`: MiB of each node's disk; 0 for the disk of the scratch directory."""
        self.binary, self.scratch = str(binary), Path(scratch)
        self.preload = make_clock(self.scratch) if has_clocks else None
        self.calls = calls.Calls(limit_ms)
        self.network = world.Network()
        self.nodes = []
        self.count, self.small_disks = count, small_disks

    def bootstrap(self):
        """Makes the folders and the namespaces, and starts all nodes."""
        names = [(f"n{number}", number) for number in range(1, self.count + 1)]
        members = ",".join(f"{name}={world.Network.address(number)}:{world.PORT}"
                           for name, number in names)
        world.run([self.binary, "cluster", "bootstrap", "--nodes", members, "--out",
                   str(self.scratch / "nodes")])
        for name, number in names:
            self.add(name, number)
        for node in self.nodes:
            node.start()
        self.wait_for(lambda: self.leader() and all(node.answers() for node in self.nodes),
                      self.START_SECONDS_MAX, "a writable mount, and all mounts answer")

    def add(self, name, number):
        node = Node(self, name, number)
        self.network.add(name, number)
        if self.small_disks:
            node.disk = world.SmallDisk(node.place / "disk", self.scratch / f"{name}.ext4",
                                        self.small_disks)
            node.data = node.place / "disk" / "data"
        self.nodes.append(node)
        return node

    def leader(self):
        """The node whose mount is writable; nil where there is none."""
        return next((node for node in self.nodes if node.is_writable()), None)

    def wait_for_leader(self, among=None, seconds=None):
        nodes = among or self.nodes
        found = []
        self.wait_for(
            lambda: bool(found) or found.extend(n for n in nodes if n.is_writable()) or bool(found),
            seconds or self.START_SECONDS_MAX, "a writable mount")
        return found[0]

    def wait_for(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                words = "\n".join(f"--- {node.name}\n{node.last_words()}" for node in self.nodes)
                raise WorldError(f"waited {seconds} s for: {what}\n{words}")
            time.sleep(POLL_SECONDS)

    def others(self, node):
        return [each for each in self.nodes if each is not node]

    def cut(self, source, target):
        self.network.cut(source.name, target.name, source.address)

    def close(self):
        for node in self.nodes:
            node.remove()
        self.network.close()
        self.calls.close()
