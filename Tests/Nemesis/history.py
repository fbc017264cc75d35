# SPDX-License-Identifier: Apache-2.0
"""What clients were told and what readers saw, and the promises held against it.

Pure: no clock, no file. All times are nanoseconds of one monotonic clock, `begin` before the call
and `end` after it.
"""

from dataclasses import dataclass, field

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"

# How a reader came to what it saw.
CONTENT = "content"            # open and read through a name
OPEN_CONTENT = "open-content"  # read through a file that was open before
NAME = "name"                  # stat
LISTING = "listing"

MILLISECOND = 1_000_000


@dataclass(frozen=True)
class Bounds:
    """How late something may be, in nanoseconds.

    `visible`: L, after which no mount shows what was revoked. `names`: after a write has
    returned, other names and listings of the same mount follow; content goes before. `slack`: the kernel counts
    its timeouts in ticks. A reader's call begins after the moment that counts, so how late a
    thread is scheduled never makes a violation.
    """

    visible: int = 1000 * MILLISECOND
    names: int = 200 * MILLISECOND
    slack: int = 50 * MILLISECOND


@dataclass(frozen=True)
class Session:
    """A session as it was created; `marker` is in its content."""

    id: str
    user: str
    marker: str
    mount: str
    begin: int
    end: int
    outcome: str


@dataclass(frozen=True)
class Revocation:
    """An attempt to revoke, of one session or of all of a user."""

    ids: frozenset
    mount: str
    begin: int
    end: int
    outcome: str
    how: str
    # The path that was unlinked; other names of the session may go a moment later.
    path: str = ""
    is_bulk: bool = False


@dataclass(frozen=True)
class Put:
    """A value that the only writer of its key has put."""

    key: str
    value: str
    mount: str
    begin: int
    end: int
    outcome: str


@dataclass(frozen=True)
class Sight:
    """What one look at one session found."""

    id: str
    mount: str
    how: str
    begin: int
    end: int
    is_seen: bool
    path: str = ""
    has_marker: bool = True


@dataclass(frozen=True)
class Tenure:
    """An acknowledged write of a mount that said the same term before and after it."""

    mount: str
    term: int
    end: int


@dataclass(frozen=True)
class Violation:
    kind: str
    text: str

    def __str__(self):
        return f"{self.kind}: {self.text}"


@dataclass
class History:
    """Everything one group's clients noted. Lists only grow, so threads may append."""

    sessions: dict = field(default_factory=dict)
    revocations: list = field(default_factory=list)
    puts: list = field(default_factory=list)
    sights: list = field(default_factory=list)
    tenures: list = field(default_factory=list)

    def attempts(self):
        """The revocations of each session, in the order of their answers."""
        found = {}
        for revocation in sorted(list(self.revocations), key=lambda each: each.end):
            for id in revocation.ids:
                found.setdefault(id, []).append(revocation)
        return found


@dataclass(frozen=True)
class Finals:
    """What one mount shows at the end, of a healed and quiet group.

    `sessions`: content by id, of every session of the history that is there; `values`: context by
    key; `trees`: listing by directory.
    """

    sessions: dict
    values: dict
    trees: dict


def check_revoked(history, bounds=Bounds()):
    """A revoked session is seen nowhere after its bound."""
    attempts = history.attempts()
    for sight in list(history.sights):
        if not sight.is_seen:
            continue
        for revocation in attempts.get(sight.id, ()):
            if revocation.outcome != OK:
                continue
            late = sight.begin - revocation.end - _grace(sight, revocation, bounds)
            if late > 0:
                yield Violation(
                    "revoked session is seen",
                    f"{sight.id} by {sight.how} on {sight.mount} (revoked by {revocation.how} on "
                    f"{revocation.mount}), {_ms(sight.begin - revocation.end)} after the answer, "
                    f"{_ms(late)} too late")
                break


def _grace(sight, revocation, bounds):
    if sight.mount != revocation.mount:
        return bounds.visible + bounds.slack
    if sight.how in (CONTENT, OPEN_CONTENT) or sight.path == revocation.path != "":
        return 0
    return bounds.names


def check_backwards(history, bounds=Bounds()):
    """What a mount has shown, or acknowledged, it goes on showing until somebody revokes it.

    Its other names, and its place in listings, come a moment after the answer.
    """
    attempts = history.attempts()
    first = {}
    for session in list(history.sessions.values()):
        if session.outcome == OK:
            first[session.mount, session.id] = session.end
    for sight in sorted(list(history.sights), key=lambda each: each.end):
        if sight.is_seen and sight.how != OPEN_CONTENT:
            first.setdefault((sight.mount, sight.id), sight.end)
    for sight in list(history.sights):
        since = first.get((sight.mount, sight.id))
        if sight.is_seen or since is None or sight.begin <= since + bounds.names:
            continue
        if any(each.begin <= sight.end for each in attempts.get(sight.id, ())):
            continue
        yield Violation(
            "time runs backwards",
            f"{sight.id} was on {sight.mount} and is not there for {sight.how} "
            f"{_ms(sight.begin - since)} later, and nobody revoked it")


def check_content(history):
    """Content that was read is the content that was written."""
    for sight in list(history.sights):
        if sight.is_seen and not sight.has_marker:
            yield Violation("foreign content", f"{sight.id} by {sight.how} on {sight.mount}")


def check_terms(history):
    """In one term the writes of one mount alone are acknowledged."""
    mounts = {}
    for tenure in sorted(list(history.tenures), key=lambda each: each.end):
        mounts.setdefault(tenure.term, {}).setdefault(tenure.mount, tenure)
    for term, writers in sorted(mounts.items()):
        if len(writers) > 1:
            yield Violation("two writers", f"term {term}: {', '.join(sorted(writers))}")


def check_finals(history, finals):
    """After healing: all that was acknowledged, and the same on all mounts.

    `finals`: by mount.
    """
    attempts = history.attempts()
    mounts = sorted(finals)
    for id, session in sorted(history.sessions.items()):
        shown = [mount for mount in mounts if id in finals[mount].sessions]
        tried = attempts.get(id, [])
        tried = [each for each in tried if each.outcome != REFUSED]
        if any(each.outcome == OK for each in tried):
            if shown:
                yield Violation("revoked session is back", f"{id} on {', '.join(shown)}")
        elif session.outcome == REFUSED:
            if shown:
                yield Violation("refused write happened", f"{id} on {', '.join(shown)}")
        elif session.outcome == OK and not tried and shown != mounts:
            missing = [mount for mount in mounts if mount not in shown]
            yield Violation("acknowledged write is lost", f"{id} not on {', '.join(missing)}")
        elif shown and shown != mounts:
            yield Violation("mounts differ", f"{id} only on {', '.join(shown)}")
        for mount in shown:
            if session.marker not in finals[mount].sessions[id]:
                yield Violation("foreign content", f"{id} on {mount} at the end")
    yield from check_bulks(history, finals)
    yield from check_values(history, finals)
    yield from check_trees(finals)


def check_bulks(history, finals):
    """A bulk revocation happens as a whole or not at all."""
    attempts = history.attempts()
    for bulk in list(history.revocations):
        if not bulk.is_bulk or bulk.outcome == OK:
            continue
        # Sessions whose only chance to end was this one, and which were there before it.
        ids = {id for id in bulk.ids
               if len(attempts[id]) == 1 and history.sessions[id].outcome == OK
               and history.sessions[id].end < bulk.begin}
        for mount, final in sorted(finals.items()):
            left = sum(id in final.sessions for id in ids)
            if 0 < left < len(ids):
                yield Violation("half a bulk revocation",
                                f"{bulk.how}: {left} of {len(ids)} left on {mount}")


def check_values(history, finals):
    """A key has the last acknowledged value, or one that was put later and may have happened."""
    puts = {}
    for put in sorted(list(history.puts), key=lambda each: each.begin):
        puts.setdefault(put.key, []).append(put)
    for key, tries in sorted(puts.items()):
        allowed = {None}
        for put in tries:
            if put.outcome == OK:
                allowed = {put.value}
            elif put.outcome == UNKNOWN:
                allowed.add(put.value)
        shown = {mount: final.values.get(key) for mount, final in sorted(finals.items())}
        for mount, value in shown.items():
            if value not in allowed:
                yield Violation("acknowledged write is lost",
                                f"context {key} on {mount} is {value!r}, not one of "
                                f"{sorted(map(str, allowed))}")
        if len(set(shown.values())) > 1:
            yield Violation("mounts differ", f"context {key}: {shown}")


def check_trees(finals):
    """At the end all mounts list the same."""
    mounts = sorted(finals)
    for mount in mounts[1:]:
        one, other = finals[mounts[0]].trees, finals[mount].trees
        for directory in sorted(set(one) | set(other)):
            if one.get(directory) != other.get(directory):
                different = set(one.get(directory) or ()) ^ set(other.get(directory) or ())
                yield Violation("mounts differ", f"{directory} on {mounts[0]} and {mount}: "
                                f"{sorted(different)[:5]}")


def check_logs(logs, committed):
    """Up to what is committed, all logs have the same entry at the same index.

    `logs`: by node, lines by index; a node may have discarded its first entries.
    """
    names = sorted(logs)
    for name in names[1:]:
        one, other = logs[names[0]], logs[name]
        for index in sorted(set(one) & set(other)):
            if index <= committed and one[index] != other[index]:
                yield Violation("logs differ", f"{names[0]} and {name} at {index}: "
                                f"{one[index][:200]} and {other[index][:200]}")
                break


def check_all(history, finals, bounds=Bounds()):
    """Every promise at once."""
    found = [*check_revoked(history, bounds), *check_backwards(history, bounds),
             *check_content(history), *check_terms(history)]
    if finals is not None:
        found += check_finals(history, finals)
    return found


def _ms(nanoseconds):
    return f"{nanoseconds / MILLISECOND:.1f} ms"
