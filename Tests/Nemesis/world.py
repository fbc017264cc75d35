# SPDX-License-Identifier: Apache-2.0
"""The private world of a run: its mounts, its network, its processes.

INVARIANT: every mount, loop device, interface, filter rule and process is made in namespaces of
this run alone, whose first process dies with the run. So nothing stays, whatever ends it, SIGKILL
included; only the scratch directory is left to whoever made it (dev/nemesis.sh).
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

MARK = "BROKERFS_NEMESIS_WORLD"
MNT_DETACH = 2
LEAVE_SECONDS_MAX = 20
BRIDGE = "nemesis0"
NETWORK = "10.77.0"
PORT = 7777

libc = ctypes.CDLL(None, use_errno=True)


class WorldError(Exception):
    """Something that the run needs could not be made; its text is for the reader."""


def enter():
    """Starts this program anew in namespaces of its own, below a process that reaps orphans."""
    if os.environ.get(MARK) != "inside":
        os.environ[MARK] = "inside"
        os.execvp("unshare", [
            "unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork",
            "--kill-child=KILL", "--mount-proc", sys.executable, *sys.argv])
    if os.getpid() == 1:
        be_first()
    # Copies of the machine's FUSE mounts: a look at a dead one of them could block.
    for path, kind, _ in mounts():
        if kind.startswith("fuse") and kind != "fusectl":
            detach(path)
    run(["ip", "link", "set", "lo", "up"])


def be_first():
    """Forks, and in the parent waits for all children; ends when the first of them does."""
    child = os.fork()
    if child == 0:
        return
    asked = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: (
            asked.append(number), os.kill(child, signal.SIGTERM)))
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(128 + signal.SIGALRM))
    while True:
        if asked:
            signal.alarm(LEAVE_SECONDS_MAX)
        pid, status = os.wait()
        if pid == child:
            # With this process the kernel kills all that is left.
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def mounts():
    """Yields (mountpoint, type, minor device number) of every mount of this namespace."""
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            before, after = line.split(" - ", 1)
            fields = before.split()
            path = fields[4].encode().decode("unicode_escape")
            yield path, after.split()[0], int(fields[2].split(":")[1])


def detach(path):
    """Unmounts lazily; a path that is no mount is none of our business."""
    libc.umount2(os.fsencode(path), MNT_DETACH)


def abort_connection(path):
    """Frees every request that is stuck in the FUSE mounts on a path."""
    for mountpoint, kind, minor in list(mounts()):
        if mountpoint == str(path) and kind.startswith("fuse"):
            try:
                Path(f"/sys/fs/fuse/connections/{minor}/abort").write_text("1")
            except OSError:
                pass  # It ended meanwhile.


def make_fusectl():
    """The directory of connections, where the machine has not mounted it."""
    if not any(kind == "fusectl" for _, kind, _ in mounts()):
        run(["mount", "-t", "fusectl", "fusectl", "/sys/fs/fuse/connections"])


def run(command, **more):
    """Runs a short command; returns what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=60, **more)
    if done.returncode != 0:
        raise WorldError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Network:
    """A bridge, and for each node a namespace with one address on it."""

    def __init__(self):
        self.holders = {}
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        run(["ip", "link", "set", BRIDGE, "up"])

    def add(self, name, number):
        """Makes the namespace of a node; returns its address."""
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"],
                                  stdin=subprocess.DEVNULL)
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{holder.pid}/ns/net") == own:
            time.sleep(0.005)
        self.holders[name] = holder
        outer, address = f"veth{number}", self.address(number)
        run(["ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0",
             "netns", str(holder.pid)])
        run(["ip", "link", "set", outer, "master", BRIDGE, "up"])
        self.inside(name, "ip", "link", "set", "lo", "up")
        self.inside(name, "ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.inside(name, "ip", "link", "set", "eth0", "up")
        return address

    @staticmethod
    def address(number):
        return f"{NETWORK}.{number}"

    def pid(self, name):
        return self.holders[name].pid

    def inside(self, name, *command):
        return run(["nsenter", f"--net=/proc/{self.pid(name)}/ns/net", "--", *command])

    def cut(self, source, target, source_address):
        """What `source` sends to `target` is lost on arrival, without a word."""
        self.inside(target, "iptables", "-w", "-A", "INPUT", "-s", source_address, "-j", "DROP")

    def heal(self):
        for name in self.holders:
            self.inside(name, "iptables", "-w", "-F", "INPUT")

    def close(self):
        for holder in self.holders.values():
            holder.kill()
            holder.wait()
        for number in range(1, len(self.holders) + 1):
            subprocess.run(["ip", "link", "del", f"veth{number}"], capture_output=True)
        self.holders = {}
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True)


class SmallDisk:
    """An ext4 of a limited size in a file, mounted through a loop device."""

    FILLER = "filler"

    def __init__(self, directory, image, mib):
        self.directory = Path(directory)
        self.directory.mkdir()
        self.image = Path(image)
        with open(image, "wb") as file:
            file.truncate(mib << 20)
        run(["mkfs.ext4", "-q", "-m", "0", str(image)])
        run(["mount", "-o", "loop", str(image), str(directory)])

    def fill(self, leave_kib):
        """Takes all room but so much, whoever else takes some meanwhile."""
        file = os.open(self.directory / self.FILLER, os.O_WRONLY | os.O_CREAT)
        try:
            end, step = 0, 1 << 20
            while step >= 4096:
                status = os.statvfs(self.directory)
                if status.f_bavail * status.f_frsize - step < leave_kib << 10:
                    step >>= 1
                    continue
                try:
                    os.posix_fallocate(file, end, step)
                    end += step
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    step >>= 1
        finally:
            os.close(file)

    def free(self):
        (self.directory / self.FILLER).unlink(missing_ok=True)

    def close(self):
        detach(self.directory)
        self.image.unlink(missing_ok=True)
