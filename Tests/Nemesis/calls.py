# SPDX-License-Identifier: Apache-2.0
"""Calls on a mount: each is timed, and one that takes longer than it may is a violation.

A thread that waits for a FUSE daemon cannot be ended, SIGKILL included; what frees it is the abort
of the connection. Only functions of `os` are called, which let other threads run meanwhile.
"""

import errno
import os
import threading
import time
from dataclasses import dataclass

import world
from history import MILLISECOND, OK, REFUSED, UNKNOWN, Violation

# What says that nothing has happened. Every other error leaves it open.
REFUSALS = {errno.EROFS, errno.ENOSPC, errno.EBUSY, errno.EACCES, errno.EPERM, errno.EINVAL,
            errno.ENOENT, errno.EKEYREVOKED, errno.ENOTDIR, errno.EEXIST}

# What says that a session is not there, as opposed to "I cannot tell".
ABSENCES = {errno.ENOENT, errno.EKEYREVOKED}


@dataclass(frozen=True)
class Answer:
    """What a call returned and when; `error` is an error number, 0 for success."""

    begin: int
    end: int
    value: object
    error: int

    @property
    def outcome(self):
        if self.error == 0:
            return OK
        return REFUSED if self.error in REFUSALS else UNKNOWN


class Calls:
    """All calls under way, and the thread that looks after them."""

    LOOK_SECONDS = 0.05
    # A call that hangs is freed so much later, so that its end is still seen if it comes.
    ABORT_AFTER_NS = 3000 * MILLISECOND

    def __init__(self, limit_ms):
        self.limit = limit_ms * MILLISECOND
        self.violations = []
        self.longest = (0, "")
        self.count = 0
        self._open = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def make(self, node, what, function, *arguments):
        """Calls `function` on a node's mount; no error of the system is thrown."""
        value, error = None, 0
        key = object()
        begin = time.monotonic_ns()
        with self._lock:
            self._open[key] = [node, what, begin, False]
        try:
            value = function(*arguments)
        except OSError as failure:
            error = failure.errno or errno.EIO
        end = time.monotonic_ns()
        with self._lock:
            entry = self._open.pop(key)
            self.count += 1
            taken = end - begin - node.paused(begin, end)
            if taken > self.longest[0]:
                self.longest = (taken, f"{what} on {node.name}")
        if taken > self.limit and not entry[3]:
            self._report(node, what, taken, errno.errorcode.get(error, "success"))
        return Answer(begin, end, value, error)

    def close(self):
        self._ended.set()
        self._watcher.join()

    def _report(self, node, what, taken, ended):
        self.violations.append(Violation(
            "a call hangs", f"{what} on {node.name}: {taken / 1e9:.2f} s, ended with {ended}; "
            f"at most {self.limit / 1e9:.2f} s"))

    def _watch(self):
        while not self._ended.wait(self.LOOK_SECONDS):
            now = time.monotonic_ns()
            with self._lock:
                entries = list(self._open.values())
            for entry in entries:
                node, what, begin, is_reported = entry
                taken = now - begin - node.paused(begin, now)
                if taken > self.limit and not is_reported:
                    entry[3] = True
                    self._report(node, what, taken, "nothing yet")
                if taken > self.limit + self.ABORT_AFTER_NS:
                    world.abort_connection(node.mount)


# The calls themselves. Each is what a shell command does.

def read_file(path):
    file = os.open(path, os.O_RDONLY)
    try:
        return read_open(file)
    finally:
        os.close(file)


def read_open(file, size=65536):
    return os.pread(file, size, 0)


def write_file(path, data):
    """`cat > path`: an error of the close counts, it is where the write is committed."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
    try:
        os.write(file, data)
    except OSError:
        try:
            os.close(file)
        except OSError:
            pass  # The first error is the one to tell.
        raise
    os.close(file)


def replace_file(path, data):
    """Write beside, then rename: what editors and careful programs do."""
    directory, name = os.path.split(path)
    scratch = f"{directory}/.{name}.x"
    write_file(scratch, data)
    os.rename(scratch, path)
