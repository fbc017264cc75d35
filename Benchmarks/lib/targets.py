# SPDX-License-Identifier: Apache-2.0
"""What is measured: a directory with N files of 1 KiB, and how to get and lose it."""

import shlex
import shutil
import subprocess
import time
from pathlib import Path

from lib import processes
from lib.processes import BUILD, BenchmarkError

READY_SECONDS_MAX = 30
STOP_SECONDS_MAX = 15
FILE_PREFIX = "s"


class Target:
    """A plain directory below `parent`, filled with the files."""

    takes_changes = True

    def __init__(self, label, run, parent):
        self.label = label
        self.run = run
        self.directory = Path(parent) / label

    def start(self):
        self.directory.mkdir(parents=True)
        self.populate()

    def stop(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def abort(self):
        """Frees a client that hangs in this target. A kernel file system needs no help."""

    def populate(self):
        self.create(FILE_PREFIX, self.run.files)

    def source(self):
        """Where the files are made."""
        return self.directory

    def create(self, prefix, count, *more):
        arguments = ["fsbench", "--name-prefix", prefix, "--count", str(count)]
        if self.run.body:
            arguments += ["--body", str(self.run.body)]
        arguments += [str(self.source()), "create", *more]
        processes.run_client(arguments, self, self.run.scratch)


class TmpfsTarget(Target):
    """A tmpfs of its own: what the kernel costs without any daemon and without a disk."""

    def __init__(self, label, run):
        super().__init__(label, run, run.scratch)

    def start(self):
        self.directory.mkdir()
        processes.mount("tmpfs", self.directory)
        self.populate()

    def stop(self):
        processes.detach(self.directory)


class DaemonTarget(Target):
    """A FUSE daemon that stays in the foreground, mounted for this run.

    In `command`, {mountpoint} and {state} stand for two empty directories. `subdirectory` is the
    measured directory inside the mount; `filled` says that the daemon brings the files itself.
    """

    def __init__(self, label, run, command, subdirectory="sessions", filled=False):
        super().__init__(label, run, run.scratch)
        self.mountpoint = run.scratch / label / "mount"
        self.state = run.scratch / label / "state"
        self.directory = self.mountpoint / subdirectory
        self.filled = filled
        places = {"{mountpoint}": str(self.mountpoint), "{state}": str(self.state)}
        self.command = [self.replaced(word, places) for word in command]
        self.daemon = None

    @staticmethod
    def replaced(word, places):
        for mark, path in places.items():
            word = word.replace(mark, path)
        return word

    def start(self):
        self.mountpoint.mkdir(parents=True)
        self.state.mkdir(exist_ok=True)
        with open(self.state.parent / "log", "w") as log:
            self.daemon = processes.start(self.command, log)
        self.wait_until_ready()
        if not self.filled:
            self.populate()

    def wait_until_ready(self):
        """Ready is: mounted, and a file can be made and removed (a leader may have to be found)."""
        deadline, reason = time.monotonic() + READY_SECONDS_MAX, "not mounted"
        while time.monotonic() < deadline:
            if self.daemon.poll() is not None:
                raise BenchmarkError(f"{self.label}: ended, {self.last_words()}")
            if any(path == str(self.mountpoint) for path, _, _ in processes.mounts()):
                try:
                    return self.create(f"ready{time.monotonic_ns()}-", 1, "unlink")
                except BenchmarkError as error:
                    reason = str(error)
            time.sleep(0.05)
        raise BenchmarkError(f"{self.label}: not ready: {reason}; {self.last_words()}")

    def last_words(self):
        text = (self.state.parent / "log").read_text(errors="replace")
        return f"it said: {text[-2000:].strip()!r}"

    def stop(self):
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.abort()
        processes.detach(self.mountpoint)

    def abort(self):
        processes.abort_connection(self.mountpoint, self.run.scratch)
        self.daemon.kill()
        self.daemon.wait(STOP_SECONDS_MAX)


class ReadOnlyTarget(DaemonTarget):
    """The read-only mount of a brokerfs that has an ordinary one too, to be filled through."""

    takes_changes = False

    def __init__(self, label, run, binary):
        super().__init__(label, run, [binary, "serve", "--config", "{state}/brokerfs.yaml"])
        self.ordinary = self.mountpoint.parent / "ordinary"

    def source(self):
        return self.ordinary / "sessions"

    def start(self):
        self.state.mkdir(parents=True)
        self.ordinary.mkdir()
        (self.state / "brokerfs.yaml").write_text(
            f"data: {self.state}/data\nmounts:\n"
            f"  - directory: {self.ordinary}\n    kind: ordinary\n"
            f"  - directory: {self.mountpoint}\n    kind: read-only\n")
        super().start()

    def stop(self):
        super().stop()
        processes.detach(self.ordinary)


class CommandTarget(Target):
    """A directory that somebody else's commands set up and tear down."""

    def __init__(self, label, run, directory, setup, teardown):
        super().__init__(label, run, run.scratch)
        self.directory = Path(directory)
        self.setup, self.teardown = setup, teardown

    def start(self):
        if self.setup and subprocess.run(self.setup, shell=True).returncode != 0:
            raise BenchmarkError(f"{self.label}: setup failed: {self.setup}")
        if not self.directory.is_dir():
            raise BenchmarkError(f"{self.label}: {self.directory} is not a directory")
        self.populate()

    def stop(self):
        if self.teardown:
            subprocess.run(self.teardown, shell=True)


def floor(run, seconds):
    """floorfs; with zero seconds the kernel may keep nothing at all, neither bytes nor names."""
    caching = [] if seconds else ["-k"]
    filled = run.body is None
    command = [str(BUILD / "floorfs"), "-n", str(run.files if filled else 0), "-t", str(seconds),
               "-j", str(run.daemon_threads), *caching, "{mountpoint}"]
    return DaemonTarget(f"floor-{seconds}", run, command, filled=filled)


def brokerfs(run, command_line, label="brokerfs"):
    """A one-node brokerfs in the foreground: `command_line` with {mountpoint} and {state} in it.

    It starts empty and is filled through its own `sessions/`, so its body template (--body) must
    be a session it accepts, with @ID@ where the id belongs.
    """
    return DaemonTarget(label, run, shlex.split(command_line))


def chosen(run, options):
    """The targets named on the command line, in the order of the table's columns."""
    makers = {
        "tmpfs": lambda: TmpfsTarget("tmpfs", run),
        "disk": lambda: Target("disk", run, run.scratch),
        "floor-3600": lambda: floor(run, 3600),
        "floor-0": lambda: floor(run, 0),
    }
    unknown = [label for label in options.targets if label not in makers]
    if unknown:
        raise BenchmarkError(f"unknown targets {unknown}; there are {list(makers)}")
    targets = [makers[label]() for label in options.targets]
    if options.brokerfs:
        targets.append(brokerfs(run, options.brokerfs))
        if options.read_only:
            binary = shlex.split(options.brokerfs)[0]
            targets.append(ReadOnlyTarget("brokerfs-ro", run, binary))
        # The kernel may cache nothing: what a request costs, beside floor-0.
        uncached = f"env BROKERFS_MOUNT_CACHE_SECONDS=0 {options.brokerfs}"
        targets.append(brokerfs(run, uncached, "brokerfs-0"))
    targets += [CommandTarget(words[0], run, *words[1:]) for words in options.command_target]
    return targets
