# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL with a synchronous standby, each in a network namespace of its own."""

import tempfile
import time
from pathlib import Path

from lib import group, postgres
from lib.group import world
from lib.processes import BenchmarkError

PRIMARY, STANDBY = 1, 2
ATTACH_SECONDS_MAX = 30


class Server(postgres.Postgres):
    """Either of the two, in the network of a member."""

    def __init__(self, pair, number):
        super().__init__(pair.scratch, pair.user, f"postgres{number}")
        self.pair, self.number = pair, number
        self.address = pair.network.add(f"n{number}", number)

    def make_sockets(self):
        # In a process namespace of its own, a run cannot tell which directories are abandoned.
        return Path(tempfile.mkdtemp(prefix="brokerfs-postgres."))

    def start(self):
        with group.inside(self.pair.network.pid(f"n{self.number}")):
            super().start()


class Primary(Server):
    """Commits when it and the standby have it on disk."""

    def make_data(self, data):
        super().make_data(data)
        with open(data / "pg_hba.conf", "a") as rules:
            rules.write(f"host replication bench {world.NETWORK}.0/24 trust\n")

    def settings(self):
        return {**super().settings(), "listen_addresses": self.address,
                "synchronous_standby_names": "*"}

    def commit_when(self, level):
        """`on`: the standby has it on disk; `remote_apply`: its readers see it, too."""
        self.sql(f"ALTER SYSTEM SET synchronous_commit = {level}", "SELECT pg_reload_conf()")


class Standby(Server):
    """A copy of the primary that follows it and answers readers."""

    def make_data(self, data):
        self.run([self.bin / "pg_basebackup", "-h", self.pair.primary.address, "-U", "bench", "-D",
                  data, "-R", "-c", "fast"])


class Pair:
    """Both, and the network between them."""

    def __init__(self, scratch, user):
        self.scratch, self.user = scratch, user
        scratch.mkdir()
        self.network, self.servers = world.Network(), []

    def start(self):
        self.primary = self.add(Primary(self, PRIMARY))
        self.standby = self.add(Standby(self, STANDBY))
        end = time.monotonic() + ATTACH_SECONDS_MAX
        while self.primary.sql("SELECT sync_state FROM pg_stat_replication").strip() != "sync":
            if time.monotonic() > end:
                raise BenchmarkError("PostgreSQL: the standby does not become synchronous")
            time.sleep(0.05)

    def add(self, server):
        self.servers.append(server)
        server.start()
        return server

    def close(self):
        for server in self.servers:
            server.stop()
        self.network.close()
