# SPDX-License-Identifier: Apache-2.0
"""Children, mounts and the private mount namespace in which everything is measured.

INVARIANT: every mount is made in a mount namespace of this run alone and every child dies with
this process, so nothing stays mounted whatever ends the run, SIGKILL included.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
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


def start(command, log, death_signal=signal.SIGTERM, errors=None, **more):
    """Starts a child that dies with this process and writes what it says into `log`."""
    def die_with_parent():
        libc.prctl(PR_SET_PDEATHSIG, death_signal)
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=errors or log,
                            preexec_fn=die_with_parent, start_new_session=True, **more)


def run_command(command, target, scratch, seconds_max=CLIENT_SECONDS_MAX, cwd=None):
    """Runs a command against a target; returns what it printed. A hung one is freed."""
    with open(scratch / "client.out", "w+") as output, open(scratch / "client.err", "w+") as errors:
        child = start(command, output, signal.SIGKILL, errors=errors, cwd=cwd)
        try:
            child.wait(seconds_max)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{target.label}: no answer to {' '.join(command)}") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                target.abort()
                child.wait(10)
        output.seek(0)
        errors.seek(0)
        if child.returncode != 0:
            words = (errors.read().strip() or output.read().strip())[-2000:]
            raise BenchmarkError(f"{target.label}: {' '.join(command)[-500:]}: "
                                 f"exit code {child.returncode}: {words}")
        return output.read()


def run_client(arguments, target, scratch, seconds_max=CLIENT_SECONDS_MAX):
    """Runs a client tool against a target; returns its JSON lines."""
    command = [str(BUILD / arguments[0]), *map(str, arguments[1:])]
    said = run_command(command, target, scratch, seconds_max)
    return [json.loads(line) for line in said.splitlines()]


def drop_caches():
    """Twice: the first pass over the name cache only takes away a name's "recently used" mark."""
    for _ in range(2):
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")


def make_scratch(parent, prefix="scratch"):
    """A directory of this run; what a run that was killed left beside it goes."""
    parent = Path(parent).resolve()
    for path in parent.glob(f"{prefix}-*"):
        owner = path.name.removeprefix(f"{prefix}-")
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(path, ignore_errors=True)
    scratch = parent / f"{prefix}-{os.getpid()}"
    scratch.mkdir(parents=True)
    return scratch


def remove_scratch(scratch):
    """Only plain files are left to remove: a mount still here keeps its files."""
    for path in [path for path, _, _ in mounts() if path.startswith(f"{scratch}/")]:
        detach(path)
    shutil.rmtree(scratch, ignore_errors=True)


def leave(number, frame):
    """The first signal unwinds; further ones must not stop the cleaning up."""
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Not SIG_IGN: Python complains of a signal that came just before.
        signal.signal(other, lambda number, frame: None)
    sys.exit(128 + number)


def run_program(run):
    """Calls `run(stack)` in a private mount namespace; whatever ends it, `stack` is unwound."""
    enter_private_namespace()
    # One user measures what many would do.
    for limit in ("CHANGES_PER_SECOND", "CHANGES_BURST"):
        os.environ.setdefault(f"BROKERFS_LIMITS_{limit}", "1000000")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        with ExitStack() as stack:
            run(stack)
    except BenchmarkError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def progress(text):
    print(text, file=sys.stderr, flush=True)
