# SPDX-License-Identifier: Apache-2.0
"""Revocations in tight loops on several mounts: when the first of them succeeds, and the gaps."""

import errno
import os
import threading
import time

from lib.processes import BenchmarkError

# Between two attempts on a mount: more would take the processor from the election.
ATTEMPT_SECONDS = 0.0005
RACE_SECONDS_MAX = 20
# What a mount answers that does not lead, or knows of no leader: the same session is tried again.
REFUSALS = {errno.EROFS, errno.ESTALE, errno.EBUSY}


class Probes:
    """Sessions that all mounts show, each to be revoked once."""

    def __init__(self, names):
        self.names = iter(names)
        self.lock = threading.Lock()

    def take(self):
        with self.lock:
            name = next(self.names, None)
        if name is None:
            raise BenchmarkError("the sessions to be revoked are used up")
        return name


class Loop:
    """One thread that revokes session after session on one mount, with a pause after each."""

    def __init__(self, node, probes, pause, stopped, once):
        self.node, self.probes, self.pause = node, probes, pause
        self.stopped, self.once = stopped, once
        self.acknowledged, self.failure = [], None
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        try:
            path = self.node.path(f"sessions/{self.probes.take()}")
            while not self.stopped.is_set():
                error = self.attempt(path)
                if error not in REFUSALS:
                    # Revoked, or nobody knows: that name is no probe any more.
                    path = self.node.path(f"sessions/{self.probes.take()}")
                time.sleep(ATTEMPT_SECONDS if error else self.pause)
        except BaseException as failure:  # pylint: disable=broad-except
            self.failure = failure
            self.stopped.set()

    def attempt(self, path):
        try:
            os.unlink(path)
        except OSError as error:
            return error.errno
        self.acknowledged.append(time.monotonic_ns())
        if self.once:
            self.stopped.set()
        return 0


class Race:
    """Loops on some mounts; with `once` they end with the first success on any of them."""

    def __init__(self, group, among, probes, pause=0.0, once=True):
        self.group, self.stopped = group, threading.Event()
        self.loops = [Loop(node, probes, pause, self.stopped, once) for node in among]

    def first(self):
        """(node, when) of the first revocation that returned 0."""
        if not self.stopped.wait(RACE_SECONDS_MAX):
            self.end()
            words = "\n".join(loop.node.last_words() for loop in self.loops)
            raise BenchmarkError(f"no revocation within {RACE_SECONDS_MAX} s\n{words}")
        self.end()
        winner = min((loop for loop in self.loops if loop.acknowledged),
                     key=lambda loop: loop.acknowledged[0])
        return winner.node, winner.acknowledged[0]

    def last(self, node):
        """When a revocation last returned 0 on a mount, 0 where none has."""
        loop = next(loop for loop in self.loops if loop.node is node)
        return loop.acknowledged[-1] if loop.acknowledged else 0

    def all(self):
        """[(when, node)] of every revocation that returned 0, in their order."""
        return sorted(((at, loop.node) for loop in self.loops for at in loop.acknowledged),
                      key=lambda each: each[0])

    def end(self):
        """Ends all loops; one that hangs in a mount is freed, which is an error."""
        self.stopped.set()
        for loop in self.loops:
            loop.thread.join(RACE_SECONDS_MAX)
        if any(loop.thread.is_alive() for loop in self.loops):
            self.group.abort()
            raise BenchmarkError("a revocation hangs")
        for loop in self.loops:
            if loop.failure:
                raise loop.failure
