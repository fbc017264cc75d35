#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a node of brokerfs costs against the number of its sessions.

    make && sudo python3 scale.py --binary PATH_OF_BROKERFS [--sizes 1000,10000]

For each size: make the state, load it, kill and start, list and read through the mount, change a
little; then list and read a tmpfs with as many files of the same size. Needs root: it mounts, and
the cold steps drop the machine's caches (of everybody).
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import statistics
import time
from pathlib import Path

from lib import node, population, processes, report, svg, targets
from lib.processes import BUILD, progress

DOCS = BUILD.parent.parent / "docs"
READS = ["stat", "stat-cold", "open-read", "open-read-cold"]
USERS = 5
WARM_REPEATS = 3
BUSY_PAUSE, SETTLE = 0.1, 1
# What a tmpfs needs for a file of up to one page: the page, the inode and the name.
TMPFS_FILE_BYTES = 6 << 10
LISTINGS = [("ls-cold", "ls -U . | wc -l"), ("ls-warm", "ls -U . | wc -l"),
            ("find", "find . -maxdepth 1 -type f | wc -l")]
LONG_LISTING = "ls -lU . | awk '{s += $5} END {print int(s / (NR - 1))}'"
USER_COMMANDS = [("user ls -l", "ls -l users/{}/sessions"),
                 ("user grep -r", "grep -r mfa users/{}"),
                 ("user du -s", "du -s users/{}"), ("user tar", "tar cf - users/{} | cat")]
# Table: what the reader sees for each step, in this order.
STEPS = {
    "generate": "`generate`", "load": "`load`", "load-rate": "`load`, records/s",
    "load members": "`load` of the big group's other members",
    "start-killed": "start after SIGKILL", "stop": "clean stop",
    "start-stopped": "start after a clean stop",
    "ls-cold": "`ls -U sessions`, cold", "ls-warm": "`ls -U sessions`, again",
    "ls-long": "`ls -lU sessions`, first time",
    "find": "`find sessions -type f`", "stat": "`stat`, warm",
    "stat-busy": "`stat`, warm, while sessions are made",
    "stat-cold": "`stat`, cold", "open-read": "`open`, `read`, `close`, warm",
    "open-read-cold": "`open`, `read`, `close`, cold", "user ls -l": "`ls -l users/X/sessions`",
    "user grep -r": "`grep -r users/X`", "user du -s": "`du -s users/X`",
    "user tar": "`tar` of `users/X`", "members": "`cat groups/everyone/members`",
    "add-ten": "add one member to a group of 10", "add-everyone": "to the group of everyone",
    "rm -r": "`rm -r users/X/sessions`", "rmdir": "`rmdir users/Y/sessions`",
}
CHART = {"load": "load", "ls-cold": "ls -U sessions, cold", "ls-warm": "ls -U sessions, warm",
         "start-killed": "start after SIGKILL", "add-everyone": "add a member to everyone",
         "rmdir": "revoke all of one user", "stat-cold": "stat one, cold",
         "stat-busy": "stat one, sessions being made",
         "open-read": "open+read one, warm", "stat": "stat one, warm"}


class Measurement:
    """One size: the node, its files, and the lines that came out."""

    def __init__(self, size, options, scratch, write):
        self.size, self.options, self.scratch, self.write = size, options, scratch, write
        self.node = node.Node(options.binary, scratch)
        self.people = population.Population(self.node.binary, size, options.seed)
        self.members = size if options.members is None else options.members

    def record(self, step, seconds, target="brokerfs", **more):
        value = {"size": self.size, "step": step, "target": target, "seconds": seconds, **more}
        progress(f"  {target} {step}: {report.duration(seconds)}")
        self.write(value)

    def record_memory(self, moment):
        resident, peak = self.node.memory()
        progress(f"  memory {moment}: {report.size(resident)}, at most {report.size(peak)}")
        self.write({"size": self.size, "memory": moment, "rss": resident, "hwm": peak})

    def shell(self, step, command, directory, target, repeats=1):
        """Records the median of the repeats; returns what the command printed."""
        output, seconds = node.seconds_of(command, target, self.scratch, directory, repeats)
        self.record(step, statistics.median(seconds), target.label)
        return output

    def fill(self):
        """Makes and loads the state."""
        raw, lines = self.scratch / "raw.jsonl", self.scratch / "state.jsonl"
        self.record("generate", self.people.generate(raw))
        self.people.prolong(raw, lines)
        raw.unlink()
        self.node.start()
        loaded, seconds = self.node.load(lines)
        self.record("load", seconds, records=loaded, bytes=lines.stat().st_size)
        self.record_memory("after load")
        population.write_lines(lines, self.more_members())
        loaded, seconds = self.node.load(lines)
        self.record("load members", seconds, records=loaded)
        lines.unlink()
        self.record_memory("after load of members")

    def more_members(self):
        """A group of ten, everyone as large as was asked for, and people to add to both."""
        yield {"type": "directory-group", "id": "ten", "data": {"id": "ten", "name": "Ten"}}
        for index in range(10):
            yield population.directory_user(f"ten-{index}", ["ten"])
        for index in range(self.options.adds):
            yield population.directory_user(f"new-{index}", [])
        for index in range(max(self.members - self.people.users, 0)):
            yield population.directory_user(f"member-{index:07}", [population.EVERYONE])

    def restart(self):
        self.node.kill()
        self.record("start-killed", self.node.start())
        self.record_memory("after a start behind SIGKILL")
        self.record("stop", self.node.stop())
        self.record("start-stopped", self.node.start())
        self.record_memory("after a clean start")

    def list_and_read(self, directory, target):
        """The same for the mount and for tmpfs: the whole directory, then files by chance."""
        processes.drop_caches()
        for step, command in LISTINGS:
            if step == "ls-warm":  # The first listing after a cold one may still fill the caches.
                node.seconds_of(command, target, self.scratch, directory)
            repeats = 1 if step == "ls-cold" else WARM_REPEATS
            output = self.shell(step, command, directory, target, repeats)
            self.expect(step, int(output.splitlines()[-1]), self.size)
        arguments = ["fsbench", "--sample", self.options.sample, "--seed", self.options.seed,
                     directory, *READS]
        for line in processes.run_client(arguments, target, self.scratch):
            self.record(line["op"], line["ns_per_op"] / 1e9, target.label)

    def list_long(self, directory, target):
        """Asks for every file's attributes; returns their average size."""
        return int(self.shell("ls-long", LONG_LISTING, directory, target))

    def expect(self, step, found, wanted):
        if found != wanted:
            raise processes.BenchmarkError(f"{step}: {found} instead of {wanted}")

    def read_users(self, users):
        """Each command on some users, the median of them; then the big group."""
        for step, command in USER_COMMANDS:
            seconds = []
            for user in users:
                filled = command.format(shlex.quote(user)) + " >/dev/null"
                seconds += node.seconds_of(filled, self.node, self.scratch,
                                           self.node.mountpoint)[1]
            self.record(step, statistics.median(seconds))
        path = f"groups/{population.EVERYONE}/members"
        output = self.shell("members", f"cat {path} | wc -l", self.node.mountpoint, self.node)
        self.expect("members", int(output), max(self.members, self.people.users))

    def read_busy(self, directory, user):
        """Reads by chance while somebody else makes a few sessions a second."""
        body = self.scratch / "busy"
        template = (BUILD.parent / "session.json").read_text()
        body.write_text(template.replace('"alice"', json.dumps(user)))
        script = (f"for ((turn = 0;; turn++)); do sed s/@ID@/busy-$turn/ {body} "
                  f">sessions/busy-$turn || exit; sleep {BUSY_PAUSE}; done")
        with open(self.scratch / "busy.log", "w") as log:
            writer = processes.start(["bash", "-c", script], log, cwd=self.node.mountpoint)
            try:
                time.sleep(SETTLE)
                [line] = processes.run_client(
                    ["fsbench", "--sample", self.options.sample, directory, "stat"],
                    self.node, self.scratch)
                if writer.poll() is not None:
                    words = (self.scratch / "busy.log").read_text()
                    raise processes.BenchmarkError(f"no session could be made: {words[-500:]}")
            finally:
                os.killpg(writer.pid, signal.SIGTERM)
                writer.wait()
        self.record("stat-busy", line["ns_per_op"] / 1e9)

    def change(self, users):
        """Adds members one by one; takes all sessions of some users, one by one and at once."""
        for group, step in (("ten", "add-ten"), (population.EVERYONE, "add-everyone")):
            command = f"echo new-$((turn - 1)) >> groups/{group}/members"
            self.shell(step, command, self.node.mountpoint, self.node, self.options.adds)
        half = len(users) // 2
        for step, command, chosen in (("rm -r", "rm -r users/{}/sessions", users[:half]),
                                      ("rmdir", "rmdir users/{}/sessions", users[half:])):
            seconds = []
            for user in chosen:
                filled = command.format(shlex.quote(user))
                seconds += node.seconds_of(filled, self.node, self.scratch,
                                           self.node.mountpoint)[1]
            self.record(step, statistics.median(seconds))

    def run(self):
        self.fill()
        self.restart()
        users = self.people.typical_users(3 * USERS)
        sessions = self.node.mountpoint / "sessions"
        self.list_and_read(sessions, self.node)
        self.record_memory("after listing and reading")
        self.read_users(users[:USERS])
        self.record_memory("after reading the big group")
        average = self.list_long(sessions, self.node)
        self.record_memory("after `ls -l sessions`: all inodes known to the kernel")
        self.read_busy(sessions, users[0])
        self.change(users[USERS:])
        self.record_memory("at the end")
        self.record("stop-end", self.node.stop())
        return average


class Tmpfs(targets.TmpfsTarget):
    """A tmpfs with as many files, of the sessions' average size and with names as long."""

    def __init__(self, size, body, scratch):
        self.files, self.body, self.scratch = size, body, scratch
        super().__init__("tmpfs", self)

    def populate(self):
        self.create("session-of-the-benchmark-of-scale-", self.files)


def fits(size, options):
    """Whether a tmpfs of that many files leaves half of the free memory alone."""
    with open("/proc/meminfo") as lines:
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return size <= options.tmpfs_max and size * TMPFS_FILE_BYTES < free * 1024 // 2


def measure(size, options, parent, write):
    scratch = parent / str(size)
    scratch.mkdir()
    measurement = Measurement(size, options, scratch, write)
    try:
        average = measurement.run()
    finally:
        measurement.node.remove()
    shutil.rmtree(measurement.node.data)
    write({"size": size, "step": "file-bytes", "target": "brokerfs", "bytes": average})
    if not fits(size, options):
        return progress(f"  no tmpfs of {size} files: too large")
    body = scratch / "body"
    body.write_bytes(b"x" * average)
    tmpfs = Tmpfs(size, body, scratch)
    try:
        tmpfs.start()
        measurement.list_and_read(tmpfs.directory, tmpfs)
        measurement.list_long(tmpfs.directory, tmpfs)
    finally:
        tmpfs.stop()


class Lines:
    """All lines of the run, by what they say."""

    def __init__(self, path):
        self.file = open(path, "w")
        self.all = []

    def write(self, line):
        self.all.append(line)
        self.file.write(json.dumps(line) + "\n")
        self.file.flush()

    def find(self, size, **wanted):
        wanted["size"] = size
        hits = (line for line in self.all
                if all(line.get(key) == value for key, value in wanted.items()))
        return next(hits, None)

    def seconds(self, size, step, target="brokerfs"):
        line = self.find(size, step=step, target=target)
        return line["seconds"] if line else None

    def ratio(self, size, step, below=None):
        """To tmpfs, or to another step; nothing if one of both is missing."""
        value = self.seconds(size, step)
        base = self.seconds(size, below) if below else self.seconds(size, step, "tmpfs")
        return value / base if value and base else None


def cell(lines, size, step):
    if step == "load-rate":
        line = lines.find(size, step="load")
        return f"{line['records'] / line['seconds']:.0f}"
    seconds = lines.seconds(size, step)
    ratio = lines.ratio(size, step)
    return report.duration(seconds) + (f" **{report.number(ratio)}×**" if ratio else "")


def tables(lines, sizes):
    header = ["", *(f"{size:,} sessions" for size in sizes)]
    rows = [[name, *(cell(lines, size, step) for size in sizes)] for step, name in STEPS.items()]
    moments = dict.fromkeys(line["memory"] for line in lines.all if "memory" in line)
    memory = []
    for moment in moments:
        found = [lines.find(size, memory=moment) for size in sizes]
        memory.append([moment, *(f"{report.size(line['rss'])}, {report.size(line['hwm'])}"
                                 for line in found)])
    return "\n\n".join([report.table(header, rows), "Resident memory of the process, and its "
                        "largest so far:", report.table(header, memory)])


def aims(lines, size):
    """What was aimed at, for the largest size of the run."""
    peaks = [line["hwm"] for line in lines.all if "memory" in line and line["size"] == size]
    return report.aims_list([
        ("warm `stat`, to tmpfs", lines.ratio(size, "stat"), 1.2, report.times),
        ("warm `open`, `read`, `close`, to tmpfs", lines.ratio(size, "open-read"), 6, report.times),
        ("`ls -U sessions` again, to tmpfs", lines.ratio(size, "ls-warm"), 2.5, report.times),
        ("adding a member to everyone, to a group of 10",
         lines.ratio(size, "add-everyone", "add-ten"), 2, report.times),
        ("start after SIGKILL", lines.seconds(size, "start-killed"), 2, report.duration),
        ("resident memory, at its largest", max(peaks), 300 << 20, report.size),
    ])


def draw(lines, sizes, path):
    series = [(name, [(size, lines.seconds(size, step)) for size in sizes])
              for step, name in CHART.items()]
    listed = [(size, lines.seconds(size, "ls-warm", "tmpfs")) for size in sizes]
    series.append(("~ls -U on tmpfs, warm", [point for point in listed if point[1]]))
    svg.lines(path, "What it costs against how much there is", "sessions", "time", series,
              lambda value: f"{value:,.0f}", report.round_duration)


def parse_options():
    parser = argparse.ArgumentParser(description="Measures brokerfs against its size.")
    add = parser.add_argument
    add("--binary", required=True, help="the brokerfs to measure")
    add("--sizes", type=lambda text: sorted(int(word) for word in text.split(",")),
        default=[1000, 10000, 100000, 1000000], help="numbers of sessions, as 1000,10000")
    add("--members", type=int, help="of the group of everyone; default: as many as sessions")
    add("--adds", type=int, default=30, help="members added one by one to a group")
    add("--sample", type=int, default=1000, help="sessions read by chance")
    add("--tmpfs-max", type=int, default=1000000, help="no tmpfs with more files than that")
    add("--seed", type=int, default=1)
    add("--disk", default=BUILD, help="where the scratch directory goes; default: build/")
    add("--raw", default=BUILD / "scale.jsonl", help="every figure as a JSON line")
    add("--write", metavar="FILE", help="put the tables between this Markdown file's markers")
    add("--picture", default=DOCS / "images/scale.svg", help="drawn if --write is given")
    options = parser.parse_args()
    if options.sizes[0] < 1000:
        parser.error("fewer than 1000 sessions leave too few users to measure with")
    return options


def run(options, stack):
    scratch = processes.make_scratch(options.disk)
    stack.callback(processes.remove_scratch, scratch)
    lines, load = Lines(options.raw), os.getloadavg()[0]
    for size in options.sizes:
        progress(f"{size} sessions")
        measure(size, options, scratch, lines.write)
    largest = options.sizes[-1]
    bytes_each = lines.find(largest, step="file-bytes")["bytes"]
    text = (f"{report.machine(load)} One run. Files of {bytes_each} bytes on average; a tenth as "
            f"many users, the group of everyone as large as there are sessions. **×** is to "
            f"tmpfs.\n\n{tables(lines, options.sizes)}\n\nAims, at {largest:,} sessions:\n\n"
            f"{aims(lines, largest)}\n")
    print(text)
    if options.write:
        draw(lines, options.sizes, options.picture)
        report.write_between_markers(options.write, "scale", text)


def main():
    options = parse_options()
    processes.run_program(lambda stack: run(options, stack))


if __name__ == "__main__":
    main()
