# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of one run: private, durable, on a unix socket, as the package ships it."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from lib import processes
from lib.processes import BenchmarkError

READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60
LOAD_SECONDS_MAX = 3600
INSTALLED = Path("/usr/lib/postgresql")


def programs():
    """The newest installed version's directory."""
    found = sorted(INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise BenchmarkError("PostgreSQL is missing: apt-get install postgresql")
    return found[-1].parent


class Postgres:
    """The server and its clients, all as an ordinary user. fsync is on; nothing is tuned."""

    label = "postgresql"

    def __init__(self, scratch, user, name="postgres"):
        self.bin, self.scratch = programs(), scratch
        self.account = pwd.getpwnam(user)
        # A socket's path may have 107 bytes, and the server's user has to reach both places.
        self.sockets = self.make_sockets()
        self.home, self.log = scratch / name, scratch / f"{name}.log"
        self.home.mkdir()
        for path in (self.home, self.sockets):
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
        self.server = None

    def make_sockets(self):
        return processes.make_scratch(tempfile.gettempdir(), "brokerfs-postgres")

    def make_data(self, data):
        self.run([self.bin / "initdb", "--auth=trust", "--username=bench", "--locale=C",
                  "--encoding=UTF8", "-D", data])

    def settings(self):
        """What differs from the package's settings, by name."""
        return {"listen_addresses": "", "unix_socket_directories": self.sockets}

    def start(self):
        data = self.home / "data"
        self.make_data(data)
        settings = [word for name, value in self.settings().items()
                    for word in ("-c", f"{name}={value}")]
        with open(self.log, "w") as log:
            # SIGINT asks the server for a fast shutdown; SIGTERM would wait for its clients.
            self.server = processes.start([str(self.bin / "postgres"), "-D", str(data), *settings],
                                          log, signal.SIGINT, **self.identity())
        deadline = time.monotonic() + READY_SECONDS_MAX
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", self.sockets],
                             check=False).returncode != 0:
            if self.server.poll() is not None or time.monotonic() > deadline:
                words = self.log.read_text(errors="replace")
                raise BenchmarkError(f"PostgreSQL does not start: {words[-2000:]}")
            time.sleep(0.05)

    def identity(self):
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": [],
                "cwd": self.home, "env": {"PATH": "/usr/bin:/bin", "LC_ALL": "C",
                                          "HOME": str(self.home)}}

    def run(self, command):
        """Runs a program as the server's user; returns what it printed."""
        command = [str(word) for word in command]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                               timeout=LOAD_SECONDS_MAX, check=False, **self.identity())
        if ended.returncode != 0:
            raise BenchmarkError(f"{' '.join(command)[-500:]}: {ended.stderr[-2000:]}")
        return ended.stdout

    def client(self):
        return [self.bin / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", self.sockets,
                "-U", "bench", "-d", "postgres"]

    def sql(self, *statements):
        """Runs statements in one psql; returns what they printed."""
        return self.run([*self.client(), *(word for text in statements for word in ("-c", text))])

    def seconds(self, statement, output="/dev/null"):
        """What psql's own clock says of a statement: without the start of psql."""
        command = [*self.client(), "-o", output, "-c", "\\timing on", "-c", statement]
        said = self.run(command)
        return float(re.findall(r"^Time: ([0-9.]+) ms", said, re.M)[-1]) / 1000

    def listing(self, query):
        """(rows, seconds) of a query, written to a file."""
        output = self.home / "listing"
        seconds = self.seconds(f"COPY ({query}) TO STDOUT", output)
        with open(output, "rb") as lines:
            return sum(1 for _ in lines), seconds

    def version(self):
        return self.sql("SHOW server_version").split()[0]

    def repeat(self, script, clients, count, values):
        """A prepared statement by pgbench, `count` times a client; returns all latencies, wall.

        Every transaction is one statement and ends when its commit is on disk.
        """
        work = Path(tempfile.mkdtemp(dir=self.sockets))
        os.chown(work, self.account.pw_uid, self.account.pw_gid)
        (work / "script.sql").write_text(script)
        command = [self.bin / "pgbench", "-n", "-M", "prepared", "-h", self.sockets, "-U", "bench",
                   "-c", clients, "-j", min(clients, os.cpu_count()), "-t", count, "-l",
                   "--log-prefix", work / "log", "-f", work / "script.sql", "--random-seed", 1]
        for name, value in values.items():
            command += ["-D", f"{name}={value}"]
        said = self.run([*command, "postgres"])
        rate = float(re.search(r"^tps = ([0-9.]+)", said, re.M)[1])
        failed = re.search(r"^number of failed transactions: (\d+)", said, re.M)
        if failed and int(failed[1]):
            raise BenchmarkError(f"pgbench: {failed[1]} transactions failed")
        latencies = [int(line.split()[2]) / 1e6 for path in work.glob("log.*")
                     for line in path.read_text().splitlines()]
        shutil.rmtree(work)
        return latencies, rate

    def stop(self):
        """For the unwinding: a fast shutdown, and nothing stays."""
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
            try:
                self.server.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(self.server.pid, signal.SIGKILL)
        shutil.rmtree(self.sockets, ignore_errors=True)
