# SPDX-License-Identifier: Apache-2.0
"""Who writes and who reads while faults happen; both note what they are told."""

import json
import os
import random
import threading
import time

import calls
from history import (CONTENT, LISTING, NAME, OK, OPEN_CONTENT, REFUSED, UNKNOWN, Put, Revocation,
                     Session, Sight, Tenure)

EXPIRES = "2099-12-31T23:59:59Z"
# Exit codes of the command line: docs/OPERATIONS.md.
EXIT_OK, EXIT_CANNOT_TELL, EXIT_PENDING, EXIT_NOT_FOUND = 0, 2, 4, 6


class Board:
    """What readers look at: sessions that were just made or revoked, and some that live on."""

    WATCHED_SECONDS = 3.0
    HOT_MAX = 24

    def __init__(self, history):
        self.history = history
        self.lock = threading.Lock()
        self.hot = {}
        # Sessions somebody has begun to revoke.
        self.touched = set()

    def show(self, session):
        with self.lock:
            self.hot[session.id] = [session, None]
            for id in list(self.hot)[:max(0, len(self.hot) - self.HOT_MAX)]:
                del self.hot[id]

    def touch(self, ids):
        self.touched.update(ids)

    def ended(self, ids):
        """From then on they are watched a while longer, and must not be seen after the bound."""
        until = time.monotonic() + self.WATCHED_SECONDS
        with self.lock:
            for id in ids:
                if id in self.hot:
                    self.hot[id][1] = until

    def look(self):
        now = time.monotonic()
        with self.lock:
            for id in [id for id, (_, until) in self.hot.items() if until and until < now]:
                del self.hot[id]
            return [session for session, _ in self.hot.values()]


class Clients:
    """The calls a client makes, and their place in the history."""

    def __init__(self, group, history, rng, tag):
        self.group, self.history, self.tag = group, history, tag
        self.board = Board(history)
        self.seed = rng.getrandbits(64)
        self.counts = {}
        self._number = 0
        self._lock = threading.Lock()

    def number(self):
        with self._lock:
            self._number += 1
            return self._number

    def count(self, what, more=1):
        with self._lock:
            self.counts[what] = self.counts.get(what, 0) + more

    def write(self, node, what, function, *arguments):
        """A write, with the term that the mount said before and after it."""
        before = node.word("term")
        answer = node.call(what, function, *arguments)
        if answer.error == 0 and before and node.word("term") == before:
            self.history.tenures.append(Tenure(node.name, int(before), answer.end))
        self.count(answer.outcome)
        return answer

    def new_session(self, user, node, how="write"):
        """Makes a session; returns it with its outcome."""
        id = f"{self.tag}-s{self.number()}"
        marker = f"marker-{id}-end"
        body = json.dumps({"user_id": user, "expires_at": EXPIRES,
                           "claims": {"marker": [marker]}}).encode()
        function = calls.replace_file if how == "replace" else calls.write_file
        # Noted before, so that nobody meets a session which is not in the history.
        self.history.sessions[id] = Session(id, user, marker, node.name, time.monotonic_ns(),
                                            1 << 62, UNKNOWN)
        answer = self.write(node, f"create by {how}", function, node.path(f"sessions/{id}"), body)
        session = Session(id, user, marker, node.name, answer.begin, answer.end, answer.outcome)
        self.history.sessions[id] = session
        if session.outcome != REFUSED:
            self.board.show(session)
        return session

    def revoke(self, node, sessions, how):
        """Revokes in one of the ways; returns the attempt."""
        ids = frozenset(session.id for session in sessions)
        self.board.touch(ids)
        user, first = sessions[0].user, sessions[0].id
        path = {"unlink": f"sessions/{first}", "unlink-user": f"users/{user}/sessions/{first}",
                "rmdir": f"users/{user}/sessions"}.get(how, "")
        if how in ("command", "command-user"):
            target = f"session:{first}" if how == "command" else f"user:{user}"
            begin = time.monotonic_ns()
            code, _, errors = node.command("revoke", target)
            end, outcome = time.monotonic_ns(), OK if code == EXIT_OK else UNKNOWN
            self.count(outcome)
            if code not in (EXIT_OK, EXIT_CANNOT_TELL, EXIT_PENDING):
                self.count(f"revoke exits {code}: {errors.strip()[:80]}")
        else:
            function = os.rmdir if how == "rmdir" else os.unlink
            answer = self.write(node, how, function, node.path(path))
            begin, end, outcome = answer.begin, answer.end, answer.outcome
        attempt = Revocation(ids, node.name, begin, end, outcome, how, path,
                             is_bulk=how in ("rmdir", "command-user"))
        if outcome != REFUSED:
            self.history.revocations.append(attempt)
        if outcome == OK:
            self.board.ended(ids)
            self.count("revocations", len(ids))
        return attempt

    def put(self, node, key, value):
        path = node.path(f"context/nemesis/{key}")
        answer = self.write(node, "put", calls.write_file, path, f"{value}\n".encode())
        self.history.puts.append(
            Put(key, value, node.name, answer.begin, answer.end, answer.outcome))
        return answer

    def make_context(self):
        """The directory of the values; again is no error."""
        node = self.group.wait_for_leader()
        node.call("mkdir", os.mkdir, node.path("context/nemesis"))

    def load(self, node, user, count):
        """Makes many sessions of one user with one command; returns those it acknowledged."""
        made, lines = [], []
        begin = time.monotonic_ns()
        for _ in range(count):
            id = f"{self.tag}-s{self.number()}"
            made.append(Session(id, user, f"marker-{id}-end", node.name, begin, 0, UNKNOWN))
            lines.append(json.dumps({"type": "session", "id": id, "data": {
                "id": id, "user_id": user, "expires_at": EXPIRES,
                "claims": {"marker": [f"marker-{id}-end"]}}}))
        file = self.group.scratch / f"{user}.jsonl"
        file.write_text("\n".join(lines) + "\n")
        code, _, errors = node.command("load", str(file), seconds=60)
        file.unlink()
        end = time.monotonic_ns()
        outcome = OK if code == EXIT_OK else UNKNOWN
        if code != EXIT_OK:
            self.count(f"load exits {code}: {errors.strip()[:80]}")
        made = [Session(each.id, user, each.marker, node.name, begin, end, outcome)
                for each in made]
        self.history.sessions.update((each.id, each) for each in made)
        for session in made[:: max(1, count // 8)]:
            self.board.show(session)
        return made


class Writer:
    """Makes sessions, lets the mounts see them, revokes most, and puts values."""

    WAYS = ("unlink", "unlink", "unlink-user", "rmdir", "command", "command-user")
    # What has changed within a second no kernel may keep; older sessions are cached for longer.
    RIPE_SECONDS = 1.3

    def __init__(self, clients, number, pace):
        self.clients, self.group = clients, clients.group
        self.rng = random.Random(clients.seed ^ (number * 0x9E3779B9))
        self.name, self.pace = f"w{number}", pace
        self.node = None
        self.value = 0
        # Sessions that are revoked later, with the time when they are ripe.
        self.unripe = []

    def choose(self):
        """Mostly the mount that took the last write; now and then any, which should refuse."""
        nodes = [node for node in self.group.nodes
                 if node.is_running() and not node.is_stopped()]
        if not nodes:
            return None
        if self.rng.random() < 0.08:
            return self.rng.choice(nodes)
        if self.node not in nodes:
            self.node = next((node for node in nodes if node.is_writable()), None)
        return self.node

    def turn(self):
        clients, rng = self.clients, self.rng
        node = self.choose()
        if node is None:
            time.sleep(0.02)
            return
        user = f"{clients.tag}-u{clients.number()}"
        how = rng.choice(("write", "write", "replace"))
        made = [clients.new_session(user, node, how) for _ in range(rng.choice((1, 1, 2, 4)))]
        made = [session for session in made if session.outcome == OK]
        if not made:
            self.node = None
            time.sleep(0.02)
            return
        self.value += 1
        clients.put(node, self.name, f"{self.name}-{self.value}")
        if rng.random() < 0.6:
            self.unripe.append((time.monotonic() + self.RIPE_SECONDS, made))
            made = self.take_ripe()
        # Long enough for the kernels to have it all.
        time.sleep(rng.uniform(0.01, self.pace))
        if not made or rng.random() < 0.25:
            return
        way = rng.choice(self.WAYS)
        place = rng.choice(self.group.nodes) if way.startswith("command") else self.choose()
        if place is None or not place.is_running() or place.is_stopped():
            return
        if way in ("rmdir", "command-user"):
            attempts = [clients.revoke(place, made, way)]
        else:
            attempts = [clients.revoke(place, [session], way) for session in made]
        if any(attempt.outcome != OK for attempt in attempts):
            self.node = None

    def take_ripe(self):
        """The oldest sessions that wait to be revoked, shown to the readers again; or none."""
        if not self.unripe or self.unripe[0][0] > time.monotonic():
            return []
        _, made = self.unripe.pop(0)
        for session in made:
            self.clients.board.show(session)
        return made


class Reader:
    """Looks at one mount in one way, with everything cached that can be."""

    OPEN_MAX = 16

    def __init__(self, clients, node, way, number):
        self.clients, self.node, self.way = clients, node, way
        self.rng = random.Random(clients.seed ^ (number * 0x85EBCA6B))
        self.seen, self.files = set(), {}

    def note(self, session, how, answer, is_seen, path="", has_marker=True):
        clients, id = self.clients, session.id
        clients.count("looks")
        if is_seen:
            is_news = id not in self.seen or id in clients.board.touched or not has_marker
            self.seen.add(id)
        else:
            is_news = (id in self.seen and id not in clients.board.touched
                       and self.node.was_mounted(answer))
        if is_news:
            clients.history.sights.append(Sight(id, self.node.name, how, answer.begin, answer.end,
                                                is_seen, path, has_marker))

    def judge(self, session, how, answer, path=""):
        """One look at one session by name or content."""
        if answer.error == 0:
            has_marker = how == NAME or session.marker.encode() in answer.value
            # An empty read is what a file that has gone may show, and shows nothing.
            if how == NAME or answer.value:
                self.note(session, how, answer, True, path, has_marker)
        elif answer.error in calls.ABSENCES:
            self.note(session, how, answer, False, path)
        else:
            self.clients.count("looks refused")

    def turn(self):
        sessions = self.clients.board.look()
        if not self.node.is_running() or not sessions:
            time.sleep(0.02)
            return
        getattr(self, self.way)(sessions)
        time.sleep(0.004)

    def paths(self, session):
        return (f"sessions/{session.id}", f"users/{session.user}/sessions/{session.id}")

    def names(self, sessions):
        for session in sessions:
            for path in self.paths(session):
                answer = self.node.call("stat", os.stat, self.node.path(path))
                self.judge(session, NAME, answer, path)
            path = self.rng.choice(self.paths(session))
            answer = self.node.call("read", calls.read_file, self.node.path(path))
            self.judge(session, CONTENT, answer, path)

    def opened(self, sessions):
        wanted = {session.id: session for session in sessions}
        for id in [id for id in self.files if id not in wanted]:
            self.drop(id)
        for id, session in wanted.items():
            if id not in self.files:
                if len(self.files) >= self.OPEN_MAX or id in self.clients.board.touched:
                    continue
                path = self.node.path(self.rng.choice(self.paths(session)))
                answer = self.node.call("open", os.open, path, os.O_RDONLY)
                if answer.error != 0:
                    continue
                self.files[id] = answer.value
            answer = self.node.call("read open", calls.read_open, self.files[id])
            self.judge(session, OPEN_CONTENT, answer)
            if answer.error and answer.error not in calls.ABSENCES:
                self.drop(id)

    def drop(self, id):
        self.node.call("close", os.close, self.files.pop(id))

    def listings(self, sessions):
        for user in sorted({session.user for session in sessions}):
            answer = self.node.call("list", os.listdir, self.node.path(f"users/{user}/sessions"))
            self.judge_listing([each for each in sessions if each.user == user], answer)
        answer = self.node.call("list", os.listdir, self.node.path("sessions"))
        self.judge_listing(sessions, answer)

    def judge_listing(self, sessions, answer):
        if answer.error and answer.error not in calls.ABSENCES:
            self.clients.count("looks refused")
            return
        listed = set(answer.value or ())
        for session in sessions:
            self.note(session, LISTING, answer, session.id in listed)

    def close(self):
        for id in list(self.files):
            self.drop(id)


class Load:
    """All writers and readers, each on a thread; a context manager."""

    WAYS = ("names", "opened", "listings")

    def __init__(self, clients, writers=2, pace=0.08):
        self.clients = clients
        self.writers = [Writer(clients, number, pace) for number in range(1, writers + 1)]
        self.readers = []
        self.failures = []
        self._ended = threading.Event()
        self._threads = []

    def __enter__(self):
        for writer in self.writers:
            self._run(writer.turn)
        for node in self.clients.group.nodes:
            self.watch(node)
        return self

    def watch(self, node):
        for way in self.WAYS:
            reader = Reader(self.clients, node, way, 100 + len(self.readers))
            self.readers.append(reader)
            self._run(reader.turn)

    def _run(self, turn):
        def go():
            while not self._ended.is_set():
                try:
                    turn()
                except Exception as error:  # A bug of this harness: the run must not go on.
                    self.failures.append(error)
                    self._ended.set()
                    raise
        thread = threading.Thread(target=go, daemon=True)
        self._threads.append(thread)
        thread.start()

    def __exit__(self, kind, error, trace):
        self._ended.set()
        for thread in self._threads:
            thread.join(30)
        if kind is None:
            for reader in self.readers:
                reader.close()
            if self.failures:
                raise self.failures[0]
