# SPDX-License-Identifier: Apache-2.0
"""A brokerfs node that is filled, killed and started again, and what it weighs."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

from lib import processes
from lib.processes import BenchmarkError

START_SECONDS_MAX = 300
STOP_SECONDS_MAX = 120
LOAD_SECONDS_MAX = 3 * 3600
POLL_SECONDS = 0.001


class Node:
    """One node on a data directory and a mount point below `scratch`."""

    label = "brokerfs"

    def __init__(self, binary, scratch):
        self.binary = str(Path(binary).resolve())
        self.scratch = scratch
        self.data, self.mountpoint = scratch / "data", scratch / "mount"
        self.mountpoint.mkdir()
        self.log = scratch / "brokerfs.log"
        self.daemon = None

    def start(self):
        """Returns the seconds from the start of the process to the mount's first answer."""
        begin = time.perf_counter()
        with open(self.log, "a") as log:
            self.daemon = processes.start(
                [self.binary, "mount", str(self.mountpoint), "--data", str(self.data)], log)
        while not self.is_writable():
            if self.daemon.poll() is not None:
                raise BenchmarkError(f"brokerfs ended: {self.last_words()}")
            if time.perf_counter() - begin > START_SECONDS_MAX:
                raise BenchmarkError(f"brokerfs does not answer: {self.last_words()}")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - begin

    def is_writable(self):
        """The mount's own word. Before the start there is no such file, or a dead mount."""
        try:
            return (self.mountpoint / "cluster/writable").read_text().strip() == "1"
        except OSError:
            return False

    def last_words(self):
        return self.log.read_text(errors="replace")[-2000:].strip()

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(STOP_SECONDS_MAX)

    def stop(self):
        """Returns the seconds of a clean end."""
        begin = time.perf_counter()
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.abort()
                raise BenchmarkError("brokerfs does not end on SIGTERM") from None
        return time.perf_counter() - begin

    def remove(self):
        """For the unwinding: whatever state it is in, nothing stays."""
        if self.daemon is not None and self.daemon.poll() is None:
            self.abort()
        processes.detach(self.mountpoint)

    def abort(self):
        processes.abort_connection(self.mountpoint, self.scratch)
        self.kill()

    def load(self, path):
        """Loads JSON lines; returns (records, seconds). A refused line is an error."""
        begin = time.perf_counter()
        said = processes.run_command(
            [self.binary, "load", str(path), "--data", str(self.data), "--json"], self,
            self.scratch, LOAD_SECONDS_MAX)
        return json.loads(said)["loaded"], time.perf_counter() - begin

    def memory(self):
        """(resident now, resident at most) in bytes."""
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return tuple(int(re.search(rf"^{field}:\s+(\d+) kB", status, re.M)[1]) * 1024
                     for field in ("VmRSS", "VmHWM"))


def seconds_of(command, target, scratch, directory, repeats=1):
    """Runs shell commands in a directory; returns (what they printed, seconds of each repeat).

    The clock is the shell's own, so what it costs to start the shell is not in it.
    """
    script = ("set -o pipefail; for turn in $(seq %d); do begin=$EPOCHREALTIME; { %s; } || exit; "
              'end=$EPOCHREALTIME; echo "@@ $begin $end"; done' % (repeats, command))
    said = processes.run_command(["bash", "-c", script], target, scratch, cwd=directory,
                                 seconds_max=1800)
    lines = said.splitlines()
    marks = [line.split()[1:] for line in lines if line.startswith("@@ ")]
    output = [line for line in lines if not line.startswith("@@ ")]
    return "\n".join(output), [float(end) - float(begin) for begin, end in marks]
