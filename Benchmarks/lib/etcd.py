# SPDX-License-Identifier: Apache-2.0
"""Three members of etcd as the package ships them, and clients of its JSON gateway.

Of the settings only the timers and TLS between the members are given: both are brokerfs's. A client
is in the network of its member and speaks to 127.0.0.1, as a program beside a mount would.
"""

import base64
import json
import re
import selectors
import shutil
import signal
import socket
import subprocess
import time
from http.client import HTTPException, HTTPResponse

from lib import group, processes
from lib.group import world
from lib.processes import BenchmarkError

CLIENT_PORT, PEER_PORT = 2379, 2380
READY_SECONDS_MAX = 30
ANSWER_SECONDS_MAX = 30
HEARTBEAT_MS, ELECTION_MS = 50, 300
# How often a client that waits for a new leader sends another put, without waiting for the last.
ATTEMPT_SECONDS = 0.005
# After so long it sends more slowly: what waits would become a load of its own.
EAGER_SECONDS = 1.0
LATER_ATTEMPT_SECONDS = 0.05
ATTEMPTS_MAX = 500
POLL_SECONDS = 0.005


def is_installed():
    return shutil.which("etcd") is not None


def version():
    said = subprocess.run(["etcd", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"etcd Version: (\S+)", said)[1]


def text(data):
    """Bytes as the gateway wants them."""
    return base64.b64encode(data.encode()).decode()


def behind(prefix):
    """The first key that does not have the prefix any more."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


class Connection:
    """One kept-alive connection to a member; at most one request is under way."""

    def __init__(self, member):
        self.member = member
        with group.inside(member.network_pid):
            self.socket = socket.create_connection(("127.0.0.1", CLIENT_PORT), ANSWER_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def fileno(self):
        return self.socket.fileno()

    def send(self, path, body):
        body = json.dumps(body).encode()
        self.socket.sendall(f"POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {len(body)}"
                            "\r\n\r\n".encode() + body)

    def receive(self):
        """(status, body) of the answer that is awaited."""
        answer = HTTPResponse(self.socket, method="POST")
        answer.begin()
        return answer.status, json.loads(answer.read())

    def ask(self, path, **body):
        self.send(path, body)
        status, answer = self.receive()
        if status != 200:
            raise BenchmarkError(f"etcd: {path}: {status}: {answer}")
        return answer

    def put(self, key, value="1"):
        return self.ask("/v3/kv/put", key=text(key), value=text(value))

    def close(self):
        self.socket.close()


class Watch:
    """Counts the deletions that a member tells of keys with a prefix."""

    MARK = b'"type":"DELETE"'

    def __init__(self, member, prefix):
        self.connection, self.deletions, self.rest = Connection(member), 0, b""
        self.connection.send("/v3/watch", {"create_request": {
            "key": text(prefix), "range_end": text(behind(prefix))}})
        while b'"created":true' not in self.connection.socket.recv(65536):
            pass

    def fileno(self):
        return self.connection.fileno()

    def take(self):
        """Reads what has come; returns how many deletions were told so far."""
        data = self.rest + self.connection.socket.recv(1 << 20)
        self.deletions += data.count(self.MARK)
        # A mark may be cut in two; one that has been counted must not be counted again.
        self.rest = data[-len(self.MARK) + 1:]
        return self.deletions

    def close(self):
        self.connection.close()


class Member:
    """One process of etcd in a network namespace, with its data directory."""

    def __init__(self, cluster, number):
        self.cluster, self.number, self.name = cluster, number, f"n{number}"
        self.address = cluster.network.add(self.name, number)
        self.network_pid = cluster.network.pid(self.name)
        self.data, self.log = cluster.scratch / self.name, cluster.scratch / f"{self.name}.log"
        self.process = None

    def start(self):
        clients = f"http://127.0.0.1:{CLIENT_PORT}"
        peers = f"https://{self.address}:{PEER_PORT}"
        with open(self.log, "a") as log, group.inside(self.network_pid):
            self.process = processes.start(
                ["etcd", "--name", self.name, "--data-dir", str(self.data),
                 "--listen-client-urls", clients, "--advertise-client-urls", clients,
                 "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers,
                 "--initial-cluster", self.cluster.founders, "--peer-auto-tls",
                 "--heartbeat-interval", str(HEARTBEAT_MS), "--election-timeout",
                 str(ELECTION_MS)], log)

    def status(self):
        """What the member says of itself, None where it does not answer."""
        try:
            connection = Connection(self)
            try:
                return connection.ask("/v3/maintenance/status")
            finally:
                connection.close()
        except (OSError, HTTPException, BenchmarkError, ValueError):
            return None

    def kill(self):
        """SIGKILL; returns when it was sent."""
        at = time.monotonic_ns()
        self.process.kill()
        self.process.wait()
        return at

    def stop(self):
        """SIGSTOP; returns when it was sent."""
        at = time.monotonic_ns()
        self.process.send_signal(signal.SIGSTOP)
        return at

    def wake(self):
        self.process.send_signal(signal.SIGCONT)


class Cluster:
    """The three of them."""

    label = "etcd"

    def __init__(self, scratch):
        self.scratch = scratch
        scratch.mkdir()
        self.network = world.Network()
        self.founders = ",".join(f"n{number}=https://{group.ADDRESS(number)}:{PEER_PORT}"
                                 for number in range(1, group.MEMBERS + 1))
        self.members = []

    def start(self):
        self.members = [Member(self, number) for number in range(1, group.MEMBERS + 1)]
        for member in self.members:
            member.start()
        self.wait_for_leader()

    def wait_for_leader(self):
        """Waits until all members name the same leader and have applied the same; returns it."""
        end = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < end:
            told = [member.status() for member in self.members]
            if all(each and each.get("leader") not in (None, "0") for each in told):
                if (len({each["leader"] for each in told}) == 1
                        and len({each["raftAppliedIndex"] for each in told}) == 1):
                    return next(member for member, each in zip(self.members, told)
                                if each["header"]["member_id"] == each["leader"])
            time.sleep(POLL_SECONDS)
        words = "\n".join(member.log.read_text(errors="replace")[-1000:] for member in self.members)
        raise BenchmarkError(f"etcd finds no leader: {words}")

    def others(self, member):
        return [each for each in self.members if each is not member]

    def heal(self):
        """All members run and agree when it returns."""
        for member in self.members:
            if member.process.poll() is None:
                member.wake()
            else:
                member.start()
        self.wait_for_leader()

    def abort(self):
        """Nobody can hang in a member that has no mount."""

    def close(self):
        for member in self.members:
            if member.process is not None and member.process.poll() is None:
                member.process.kill()
                member.process.wait()
        self.network.close()


class Attempts:
    """Puts that are under way at several members, the oldest first; only so many of them."""

    def __init__(self, members, name):
        self.members, self.name, self.count = members, name, 0
        self.selector, self.pending = selectors.DefaultSelector(), []

    def send(self):
        """One more put to each of the members."""
        for member in self.members:
            connection = Connection(member)
            self.count += 1
            connection.send("/v3/kv/put", {"key": text(f"{self.name}-{self.count}"),
                                           "value": text("1")})
            self.selector.register(connection, selectors.EVENT_READ)
            self.pending.append(connection)
        while len(self.pending) > ATTEMPTS_MAX:
            self.drop(self.pending[0])

    def drop(self, connection):
        self.selector.unregister(connection)
        self.pending.remove(connection)
        connection.close()

    def acknowledged(self, until):
        """When a put was, 0 where none is until then. What is refused is forgotten."""
        while (left := until - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                at = time.monotonic_ns()
                status, _ = key.fileobj.receive()
                self.drop(key.fileobj)
                if status == 200:
                    return at
        return 0

    def close(self):
        while self.pending:
            self.drop(self.pending[0])
        self.selector.close()


def first_put(members, name):
    """When the first put was acknowledged, sent anew to all of the members until one is.

    A member that does not know yet that its leader is gone passes a put on to it, and it is lost.
    Therefore no attempt waits for an earlier one: each has a connection of its own.
    """
    attempts, begin = Attempts(members, name), time.monotonic()
    try:
        while (now := time.monotonic()) < begin + READY_SECONDS_MAX:
            attempts.send()
            is_eager = now < begin + EAGER_SECONDS
            at = attempts.acknowledged(
                now + (ATTEMPT_SECONDS if is_eager else LATER_ATTEMPT_SECONDS))
            if at:
                return at
        raise BenchmarkError("etcd: no put was acknowledged after the leader was gone")
    finally:
        attempts.close()
