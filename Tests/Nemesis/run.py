# SPDX-License-Identifier: Apache-2.0
"""One scenario against one group: its load, its figures, and the judgement at the end."""

import json
import os
import random
import shutil
import time

import calls
import nodes
from clients import Clients, Load
from history import OK, REFUSED, Bounds, Finals, History, Violation, check_all, check_logs
from world import WorldError

# The stated deadline: commit_timeout, and what a loaded machine may add to it.
COMMIT_TIMEOUT_MS = 2000
SLACK_MS = 1000
VISIBLE_SECONDS = 1.0


class Run:
    """A group and its clients, for one scenario or several."""

    HEAL_SECONDS_MAX = 30
    AGREE_SECONDS_MAX = 10
    REVIVED = 3

    def __init__(self, binary, scratch, seed, name, count=3, small_disks=0, has_clocks=False):
        self.name = name
        self.rng = random.Random(f"{seed} {name}")
        self.scratch = scratch / name
        self.scratch.mkdir()
        self.history = History()
        self.violations = []
        self.group = nodes.Group(binary, self.scratch, count, COMMIT_TIMEOUT_MS + SLACK_MS,
                                 small_disks, has_clocks)
        self.clients = Clients(self.group, self.history, self.rng, name)
        # Seconds by what they are the seconds of.
        self.figures = {}

    def start(self):
        begin = time.monotonic()
        self.group.bootstrap()
        self.clients.make_context()
        self.figure("start of the group", time.monotonic() - begin)

    def next_scenario(self):
        """Goes on with the group and its history; figures and counts begin anew."""
        self.figures, self.clients.counts = {}, {}
        self.violations, self.group.calls.violations = [], []
        self.group.calls.longest = (0, "")

    def summary(self):
        counts = self.clients.counts
        names = ["ok", "revocations", "refused", "unknown", "looks", "looks refused"]
        names += sorted(set(counts) - set(names))
        taken, what = self.group.calls.longest
        terms = len({tenure.term for tenure in self.history.tenures})
        return ", ".join([*(f"{name} {counts.get(name, 0)}" for name in names),
                          f"terms {terms}", f"longest call {taken / 1e6:.0f} ms ({what})"])

    def show_logs(self):
        for node in self.group.nodes:
            print(f"--- {node.name}\n{node.last_words(40)}", flush=True)

    def figure(self, what, seconds):
        self.figures.setdefault(what, []).append(seconds)

    def violate(self, kind, text):
        self.violations.append(Violation(kind, text))

    def load(self, **more):
        return Load(self.clients, **more)

    def pause(self, least, most=None):
        """Sleeps; between two bounds, by the seed."""
        time.sleep(self.rng.uniform(least, most if most is not None else least))

    # What faults are measured with

    def probes(self, count=4):
        """Sessions that all mounts show, to be revoked by somebody who waits for a leader."""
        leader = self.group.wait_for_leader()
        made = []
        while len(made) < count:
            session = self.clients.new_session(f"{self.name}-probe{len(made)}", leader)
            if session.outcome == OK:
                made.append(session)
            else:
                leader = self.group.wait_for_leader()
        return made

    def first_revocation(self, since, among, probes, what, seconds=15):
        """From a fault to the first `rm` that returns 0 on one of the mounts; noted as a figure."""
        probes, key = list(probes), f"after{self.clients.number()}"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for node in among:
                if not node.is_running() or not node.word("role"):
                    continue
                if probes:
                    attempt = self.clients.revoke(node, probes[:1], "unlink")
                else:
                    # All of them may be gone by now; any write will do.
                    attempt = self.clients.put(node, key, "1")
                if attempt.outcome == OK:
                    self.figure(what, (attempt.end - since) / 1e9)
                    return attempt
                if attempt.outcome != REFUSED and probes:
                    probes.pop(0)
            time.sleep(0.001)
        self.violate("no new leader", f"{what}: no write within {seconds} s on "
                     f"{', '.join(node.name for node in among)}")
        return None

    def restart(self, node):
        """Starts a node that was ended, and waits until its mount vouches for what it shows."""
        begin = time.monotonic()
        node.start()
        self.group.wait_for(node.answers, self.HEAL_SECONDS_MAX, f"{node.name} answers again")
        self.figure("restart until the mount answers", time.monotonic() - begin)

    # The end

    def heal(self):
        """Takes every fault away; the group has to come back by itself."""
        for node in self.group.nodes:
            if node.is_stopped():
                node.wake()
            if node.disk:
                node.disk.free()
            if self.group.preload:
                node.shift_clock(0)
        self.group.network.heal()
        for node in self.group.nodes:
            if not node.is_running():
                node.start()
        begin = time.monotonic()
        try:
            self.group.wait_for(
                lambda: self.group.leader() and all(n.answers() for n in self.group.nodes),
                self.HEAL_SECONDS_MAX, "a writable mount, and all mounts answer, after healing")
        except WorldError as error:
            self.violate("the group does not come back", str(error))
        self.figure("healed until all mounts answer", time.monotonic() - begin)

    def judge(self):
        """Heals, collects what all mounts show, and returns every violation."""
        self.heal()
        self.revive()
        finals, agree = None, False
        end = time.monotonic() + self.AGREE_SECONDS_MAX
        while not agree and time.monotonic() < end:
            finals = self.collect()
            agree = finals and len({repr(final) for final in finals.values()}) == 1
            if not agree:
                time.sleep(0.2)
        if finals is None:
            self.violate("the group does not come back", "a mount refuses to list what it has")
        found = check_all(self.history, finals, Bounds()) + self.check_logs()
        unique = {}
        for violation in self.violations + self.group.calls.violations + found:
            unique.setdefault(str(violation), violation)
        return list(unique.values())

    def revive(self):
        """Writes some revoked ids again, which has to be refused."""
        gone = sorted(id for each in self.history.revocations if each.outcome == OK
                      for id in each.ids)
        leader = self.group.leader()
        for id in self.rng.sample(gone, min(len(gone), self.REVIVED)) if leader else ():
            answer = leader.call("create again", calls.write_file, leader.path(f"sessions/{id}"),
                                 b'{"user_id": "nobody"}')
            if answer.error == 0:
                self.violate("revoked session is back", f"{id} could be written again")

    def collect(self):
        """What each mount shows; nil where one of them cannot say."""
        finals = {}
        for node in self.group.nodes:
            trees = {}
            for directory in ("sessions", "users", "context/nemesis"):
                if not self.list_into(trees, node, directory):
                    return None
            for user in trees["users"]:
                if not self.list_into(trees, node, f"users/{user}/sessions"):
                    return None
            sessions = self.contents(node, "sessions", trees["sessions"])
            values = self.contents(node, "context/nemesis", trees["context/nemesis"])
            if sessions is None or values is None:
                return None
            finals[node.name] = Finals(
                {id: text for id, text in sessions.items() if id in self.history.sessions},
                {key: text.strip() for key, text in values.items()}, trees)
        return finals

    def list_into(self, trees, node, directory):
        answer = node.call("list", self.listing, node.path(directory))
        if answer.error == 0:
            trees[directory] = answer.value
        elif answer.error in calls.ABSENCES:
            trees[directory] = []
        return directory in trees

    @staticmethod
    def listing(path):
        return sorted(os.listdir(path))

    @staticmethod
    def contents(node, directory, names):
        found = {}
        for name in names:
            answer = node.call("read", calls.read_file, node.path(f"{directory}/{name}"))
            if answer.error in calls.ABSENCES:
                continue
            if answer.error:
                return None
            found[name] = answer.value.decode(errors="replace")
        return found

    def check_logs(self):
        """Compares the logs on disk, entry by entry, up to what every node calls committed."""
        logs, committed = {}, []
        for node in self.group.nodes:
            word = node.word("committed")
            code, output, _ = node.dump_log()
            if not word or code not in (0, 1):
                return []
            committed.append(int(word))
            entries = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
            logs[node.name] = {entry["index"]: json.dumps(entry, sort_keys=True)
                               for entry in entries if "index" in entry}
        return list(check_logs(logs, min(committed)))

    def close(self, keeps_files=False):
        self.group.close()
        if not keeps_files:
            shutil.rmtree(self.scratch, ignore_errors=True)
