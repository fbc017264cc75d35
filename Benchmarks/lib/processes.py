# SPDX-License-Identifier: Apache-2.0
"""Children, mounts and the private mount namespace in which everything is measured.

INVARIANT: every mount is made in a mount namespace of this run alone and every child dies with
this process, so nothing stays mounted whatever ends the run, SIGKILL included.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

BUILD = Path(__file__).resolve().parent.parent / "build"
CLIENT_SECONDS_MAX = 300
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
NAMESPACE_MARK = "BROKERFS_BENCHMARKS_NAMESPACE"

libc = ctypes.CDLL(None, use_errno=True)


class BenchmarkError(Exception):
    """A measurement that could not be made; its text is for the reader."""


def enter_private_namespace():
    """Starts this program anew in a mount namespace of its own, unless it already runs in it."""
    if os.environ.get(NAMESPACE_MARK) != str(os.getpid()):
        os.environ[NAMESPACE_MARK] = str(os.getpid())
        command = ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv]
        os.execvp(command[0], command)
    # The copies of other FUSE mounts would keep their daemons alive after their own unmount.
    for mountpoint, kind, _ in mounts():
        if kind.startswith("fuse") and kind != "fusectl":
            detach(mountpoint)


def mounts():
    """Yields (mountpoint, type, minor device number) of every mount of this namespace."""
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            before, after = line.split(" - ", 1)
            fields = before.split()
            path = fields[4].encode().decode("unicode_escape")
            yield path, after.split()[0], int(fields[2].split(":")[1])


def detach(mountpoint):
    """Unmounts lazily; a path that is no mount is none of our business."""
    libc.umount2(os.fsencode(mountpoint), MNT_DETACH)


def mount(kind, mountpoint, options=""):
    """mount(2) for file systems without a device."""
    arguments = [os.fsencode(text) for text in (kind, mountpoint, kind)]
    if libc.mount(*arguments, 0, os.fsencode(options)) != 0:
        raise BenchmarkError(f"mount {kind}: {os.strerror(ctypes.get_errno())}")


def abort_connection(mountpoint, scratch):
    """Frees every request stuck in the FUSE mount: even SIGKILL does not end such a client."""
    control = scratch / "fusectl"
    control.mkdir(exist_ok=True)
    mount("fusectl", control)
    try:
        for path, kind, minor in mounts():
            if path == str(mountpoint) and kind.startswith("fuse"):
                (control / str(minor) / "abort").write_text("1")
    finally:
        detach(control)


def start(command, log, death_signal=signal.SIGTERM):
    """Starts a child that dies with this process and writes what it says into `log`."""
    def die_with_parent():
        libc.prctl(PR_SET_PDEATHSIG, death_signal)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                            preexec_fn=die_with_parent, start_new_session=True)


def run_client(arguments, target, scratch):
    """Runs a client tool against a target; returns its JSON lines. A hung one is freed."""
    with open(scratch / "client.out", "w+") as output:
        command = [str(BUILD / arguments[0]), *arguments[1:]]
        child = start(command, output, signal.SIGKILL)
        try:
            child.wait(CLIENT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{target.label}: no answer to {' '.join(arguments)}") from None
        finally:
            if child.poll() is None:
                child.kill()
                target.abort()
                child.wait(10)
        output.seek(0)
        text = output.read()
    if child.returncode != 0:
        raise BenchmarkError(f"{target.label}: {text.strip()}")
    return [json.loads(line) for line in text.splitlines()]
