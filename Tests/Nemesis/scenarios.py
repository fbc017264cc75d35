# SPDX-License-Identifier: Apache-2.0
"""The faults. Each function is so many rounds of one of them, under load, against a run's group.

What is never allowed is judged when it is over, by run.judge(); a scenario itself only says what is
a broken promise of its own.
"""

import os
import subprocess
import threading
import time
from dataclasses import dataclass

import calls
from clients import Reader
from history import CONTENT, NAME, OK, OPEN_CONTENT
from run import VISIBLE_SECONDS

ALL = []


@dataclass(frozen=True)
class Scenario:
    """`rounds`: of the short and of the long form. `small_disks`: MiB of each node's disk.

    `has_clocks`: each node has a wall clock of its own.
    """

    name: str
    title: str
    function: object
    rounds: tuple
    small_disks: int = 0
    has_clocks: bool = False


def scenario(title, rounds, **more):
    def register(function):
        ALL.append(Scenario(function.__name__, title, function, rounds, **more))
        return function
    return register


@scenario("SIGKILL of the leader during single revocations", rounds=(2, 60))
def kill_single(run, rounds):
    with run.load():
        for _ in range(rounds):
            probes = run.probes()
            run.pause(0.1, 0.4)
            leader = run.group.wait_for_leader()
            since = leader.kill()
            run.first_revocation(since, run.group.others(leader), probes, "killed leader")
            run.pause(0.05, 0.3)
            run.restart(leader)


@scenario("SIGKILL of the leader during bulk revocations", rounds=(1, 40))
def kill_bulk(run, rounds):
    with run.load(writers=1):
        for number in range(rounds):
            leader = run.group.wait_for_leader()
            user = f"{run.name}-bulk{number}"
            made = run.clients.load(leader, user, 400)
            if any(session.outcome != OK for session in made):
                continue
            probes = run.probes()
            leader = run.group.wait_for_leader()
            bulk = threading.Thread(target=run.clients.revoke, args=(leader, made, "rmdir"))
            bulk.start()
            run.pause(0.0, 0.03)
            since = leader.kill()
            bulk.join()
            run.first_revocation(since, run.group.others(leader), probes, "killed leader, bulk")
            run.restart(leader)


@scenario("SIGSTOP and SIGCONT of the leader", rounds=(1, 30))
def stop_leader(run, rounds):
    with run.load():
        for _ in range(rounds):
            probes = run.probes(6)
            leader = run.group.wait_for_leader()
            term = int(leader.word("term") or 0)
            sleeper = Sleeper(run, leader, probes[:3])
            since = leader.stop()
            others = run.group.others(leader)
            attempt = run.first_revocation(since, others, probes[:3], "stopped leader")
            # Past the bound, so that everything it still shows is too old.
            run.pause(VISIBLE_SECONDS + 0.2, VISIBLE_SECONDS + 0.6)
            sleeper.look()
            run.pause(0.1, 0.3)
            leader.wake()
            sleeper.join()
            if attempt:
                serve_as_leader(run, leader, probes[3:], term)


class Sleeper:
    """Looks at a stopped node's mount: what the kernel still answers, and the node when it wakes.

    All is warm before; each look is on a thread of its own, because most wait for the node.
    """

    def __init__(self, run, node, sessions):
        self.reader = Reader(run.clients, node, "opened", 0)
        self.node, self.sessions = node, sessions
        self.threads = []
        self.files = {}
        for session in sessions:
            path = node.path(self.reader.paths(session)[0])
            answer = node.call("open", os.open, path, os.O_RDONLY)
            if answer.error == 0:
                self.files[session.id] = answer.value
        self.warm()

    def warm(self):
        for look in self.looks():
            look()

    def looks(self):
        for session in self.sessions:
            for path in self.reader.paths(session):
                yield lambda session=session, path=path: self.see(
                    session, NAME, path, os.stat, self.node.path(path))
                yield lambda session=session, path=path: self.see(
                    session, CONTENT, path, calls.read_file, self.node.path(path))
            if session.id in self.files:
                yield lambda session=session: self.see(
                    session, OPEN_CONTENT, "", calls.read_open, self.files[session.id])

    def see(self, session, how, path, function, argument):
        self.reader.judge(session, how, self.node.call(how, function, argument), path)

    def look(self):
        for look in self.looks():
            thread = threading.Thread(target=look, daemon=True)
            thread.start()
            self.threads.append(thread)

    def join(self):
        for thread in self.threads:
            thread.join(30)
        for file in self.files.values():
            self.node.call("close", os.close, file)


def serve_as_leader(run, node, probes, term):
    """What a leader of an ended term must not do: acknowledge a write of after it woke."""
    for probe in probes:
        attempt = run.clients.revoke(node, [probe], "unlink")
        now = node.word("term")
        if attempt.outcome == OK and now == str(term):
            run.violate("an old leader serves", f"{node.name} woke in term {term}, a later one "
                        f"was elected, and revoked {probe.id}")


def isolate(run, rounds, what, cut, seconds=1.4):
    """Rounds of one kind of cut around the leader, with writes on the other side meanwhile."""
    with run.load():
        for _ in range(rounds):
            probes = run.probes()
            leader = run.group.wait_for_leader()
            others = run.group.others(leader)
            since = time.monotonic_ns()
            for other in others:
                cut(leader, other)
            run.first_revocation(since, others, probes, what)
            run.pause(seconds, seconds + 0.4)
            if leader.is_writable():
                run.violate("an isolated leader serves", f"{leader.name} calls itself writable "
                            f"{seconds} s after the cut ({what})")
            run.group.network.heal()
            run.group.wait_for(leader.answers, run.HEAL_SECONDS_MAX, "the healed node answers")


@scenario("Leader cut off, both ways", rounds=(1, 20))
def cut_leader(run, rounds):
    def cut(leader, other):
        run.group.cut(leader, other)
        run.group.cut(other, leader)
    isolate(run, rounds, "leader cut off", cut)


@scenario("Leader that can send and not receive", rounds=(1, 20))
def deaf_leader(run, rounds):
    isolate(run, rounds, "deaf leader", lambda leader, other: run.group.cut(other, leader))


@scenario("Leader that can receive and not send", rounds=(1, 20))
def mute_leader(run, rounds):
    isolate(run, rounds, "mute leader", lambda leader, other: run.group.cut(leader, other))


@scenario("Leader cut off from one follower only", rounds=(1, 20))
def cut_link(run, rounds):
    with run.load():
        for _ in range(rounds):
            leader = run.group.wait_for_leader()
            other = run.rng.choice(run.group.others(leader))
            run.group.cut(leader, other)
            run.group.cut(other, leader)
            run.pause(1.2, 2.0)
            # A majority sees each other: somebody takes writes.
            since = time.monotonic_ns()
            run.first_revocation(since, run.group.nodes, run.probes(), "write beside a cut link")
            run.group.network.heal()
            run.group.wait_for(other.answers, run.HEAL_SECONDS_MAX, "the cut node answers")


@scenario("All nodes killed at once", rounds=(1, 20))
def restart_all(run, rounds):
    with run.load():
        for _ in range(rounds):
            probes = run.probes()
            run.pause(0.1, 0.4)
            nodes = list(run.group.nodes)
            run.rng.shuffle(nodes)
            for node in nodes:
                node.kill()
            since = time.monotonic_ns()
            for node in nodes:
                node.start()
            run.first_revocation(since, nodes, probes, "all started", seconds=30)
            run.group.wait_for(lambda: all(node.answers() for node in nodes),
                               run.HEAL_SECONDS_MAX, "all mounts answer")


@scenario("A data directory is lost", rounds=(1, 5))
def lost_directory(run, rounds):
    with run.load():
        for number in range(rounds):
            leader = run.group.wait_for_leader()
            node = leader if number % 2 else run.rng.choice(run.group.others(leader))
            node.kill()
            kept = node.data.with_name("kept")
            node.data.rename(kept)
            refuses_to_start(run, node, "a lost directory starts", "brokerfs join")
            run.first_revocation(time.monotonic_ns(), run.group.others(node), run.probes(),
                                 "write beside a lost directory")
            if node.data.exists():
                subprocess.run(["rm", "-rf", "--one-file-system", str(node.data)], check=True)
            kept.rename(node.data)
            run.restart(node)


@scenario("A data directory is brought back from an older copy", rounds=(1, 5))
def older_disk(run, rounds):
    with run.load():
        for _ in range(rounds):
            leader = run.group.wait_for_leader()
            node = run.rng.choice(run.group.others(leader))
            older, newest = node.data.with_name("older"), node.data.with_name("newest")
            node.kill()
            subprocess.run(["cp", "-a", str(node.data), str(older)], check=True)
            run.restart(node)
            run.first_revocation(time.monotonic_ns(), [leader], run.probes(),
                                 "write that the older copy lacks")
            run.pause(0.3)
            node.kill()
            node.data.rename(newest)
            older.rename(node.data)
            is_found_out(run, node)
            subprocess.run(["rm", "-rf", "--one-file-system", str(node.data)], check=True)
            newest.rename(node.data)
            run.restart(node)


def is_found_out(run, node):
    """The leader knows better: the node stops, marks its disk, and never starts from it again."""
    kind, words = "an older disk starts", "has lost what this member had acknowledged"
    node.start()
    end = time.monotonic() + 10
    while words not in node.last_words(3) and time.monotonic() < end:
        time.sleep(0.05)
    if node.answers():
        run.violate(kind, f"{node.name} vouches for what an older disk holds")
    node.kill()
    refuses_to_start(run, node, kind, "let this machine join anew")


def refuses_to_start(run, node, kind, advice):
    """It must end by itself, before it has voted or shown anything, and say what to do."""
    node.start()
    try:
        code = node.process.wait(10)
    except subprocess.TimeoutExpired:
        run.violate(kind, f"{node.name} goes on running")
        node.kill()
        return
    if code == 0 or advice not in node.last_words(3):
        run.violate(kind, f"{node.name} ends with {code} and says: {node.last_words(3)}")


@scenario("Rolling restart", rounds=(1, 10))
def rolling_restart(run, rounds):
    with run.load(writers=1):
        for _ in range(rounds):
            for node in list(run.group.nodes):
                with Gaps(run) as gaps:
                    led = node.is_writable()
                    begin = time.monotonic()
                    code = node.terminate()
                    run.figure("clean end of a node", time.monotonic() - begin)
                    if code != 0:
                        run.violate("no clean end", f"{node.name}: {code} after SIGTERM")
                    run.pause(0.3)
                    run.restart(node)
                role = "leader" if led else "follower"
                run.figure(f"longest gap between writes, {role} restarted", gaps.longest / 1e9)


class Gaps:
    """Puts a value every few milliseconds wherever that works, and remembers the longest gap."""

    def __init__(self, run):
        self.run = run
        self.longest = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join(30)

    def _go(self):
        clients, nodes = self.run.clients, self.run.group.nodes
        last, value, at = time.monotonic_ns(), 0, 0
        key = f"gap{clients.number()}"
        while not self._ended.is_set():
            node = nodes[at % len(nodes)]
            answer = None
            if node.is_running() and not node.is_stopped():
                value += 1
                answer = clients.put(node, key, str(value))
            if answer is not None and answer.error == 0:
                self.longest = max(self.longest, answer.end - last)
                last = answer.end
                time.sleep(0.003)
            else:
                at += 1
                time.sleep(0.001)


def fill_disk(run, node, what):
    """Fills a node's disk up, in two steps, and looks whether the group goes on."""
    probes = run.probes(8)
    for leave_kib, how, some in ((8 << 10, "nearly full", probes[:4]), (0, "full", probes[4:])):
        node.disk.free()
        node.disk.fill(leave_kib)
        run.pause(0.5, 1.0)
        run.first_revocation(time.monotonic_ns(), run.group.nodes, some,
                             f"revocation, {what} {how}")
    node.disk.free()
    run.group.wait_for(lambda: run.group.leader() and all(n.answers() for n in run.group.nodes),
                       run.HEAL_SECONDS_MAX, "all is well once there is room")


@scenario("The leader's disk is full", rounds=(1, 10), small_disks=192)
def full_leader(run, rounds):
    with run.load():
        for _ in range(rounds):
            fill_disk(run, run.group.wait_for_leader(), "the leader's disk")


@scenario("A follower's disk is full", rounds=(1, 10), small_disks=192)
def full_follower(run, rounds):
    with run.load():
        for _ in range(rounds):
            leader = run.group.wait_for_leader()
            fill_disk(run, run.rng.choice(run.group.others(leader)), "a follower's disk")


@scenario("Wall clocks jump by hours, boot clocks differ by days", rounds=(1, 10), has_clocks=True)
def clocks(run, rounds):
    with run.load():
        for _ in range(rounds):
            leader = run.group.wait_for_leader()
            for node in (leader, run.rng.choice(run.group.others(leader))):
                for hours in (run.rng.uniform(2, 12), run.rng.uniform(-12, -2), 0):
                    probes = run.probes()
                    node.shift_clock(hours * 3600)
                    run.pause(0.2, 0.5)
                    run.first_revocation(time.monotonic_ns(), run.group.nodes, probes,
                                         "revocation, a clock has jumped")
            # As after a start of the machine: its boot clock tells another time than before.
            leader.terminate()
            leader.boot_seconds = run.rng.randrange(3600, 3600 * 24 * 40)
            run.restart(leader)
