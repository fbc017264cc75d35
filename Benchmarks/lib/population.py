# SPDX-License-Identifier: Apache-2.0
"""Synthetic identity state of a size, as JSON lines for `brokerfs load`.

The records are those of `brokerfs generate`, with one change: their sessions last until 2099, so
that none expires while it is measured. What `generate` has no flag for comes as further lines.
"""

import json
import re
import sys
import time
from collections import Counter

from lib import processes

GENERATE_SECONDS_MAX = 1800
EVERYONE = "everyone"
SESSION_MARK = b'{"type":"session"'
EXPIRY = re.compile(rb'"expires_at":"[^"]*"')
USER = re.compile(rb'"user_id":"([A-Za-z0-9_@.-]+)"')
EXPIRES_AT = "2099-01-01T00:00:00Z"


class Population:
    """`sessions` sessions of a tenth as many users in a hundredth as many groups."""

    def __init__(self, binary, sessions, seed):
        self.users, self.groups = max(sessions // 10, 1), max(sessions // 100, 1)
        sizes = {"sessions": sessions, "users": self.users, "groups": self.groups,
                 "memberships": min(sessions, self.users * self.groups), "seed": seed}
        self.command = [binary, "generate"]
        for name, value in sizes.items():
            self.command += [f"--{name}", str(value)]
        self.sessions_of = Counter()

    def generate(self, path):
        """Writes the lines as they come; returns the seconds."""
        begin = time.perf_counter()
        with open(path, "wb") as output:
            child = processes.start(self.command, output, errors=sys.stderr)
            if child.wait(GENERATE_SECONDS_MAX) != 0:
                raise processes.BenchmarkError(f"{' '.join(self.command)} failed")
        return time.perf_counter() - begin

    def prolong(self, source, path):
        """Copies the lines with sessions that last, and counts those of users with plain names."""
        expiry = b'"expires_at":"' + EXPIRES_AT.encode() + b'"'
        with open(source, "rb") as lines, open(path, "wb") as output:
            for line in lines:
                if line.startswith(SESSION_MARK):
                    line = EXPIRY.sub(expiry, line, 1)  # The first is the session's, not a token's.
                    user = USER.search(line)
                    if user:
                        self.sessions_of[user[1].decode()] += 1
                output.write(line)

    def typical_users(self, count):
        """Users with about ten sessions, the average, each with a name that is its file name."""
        ranked = sorted(self.sessions_of.items(), key=lambda item: (abs(item[1] - 10), item[0]))
        if len(ranked) < count:
            raise processes.BenchmarkError(f"fewer than {count} users to measure with")
        return [user for user, _ in ranked[:count]]


def directory_user(user, groups):
    return {"type": "directory-user", "id": user, "data": {"id": user, "group_ids": groups}}


def session(user, name, template):
    """A session of a user from the text of session.json."""
    data = json.loads(template.replace("@ID@", name))
    data["user_id"], data["expires_at"] = user, EXPIRES_AT
    return {"type": "session", "id": name, "data": data}


def write_lines(path, records):
    with open(path, "w") as output:
        for record in records:
            output.write(json.dumps(record, separators=(",", ":")) + "\n")
