# SPDX-License-Identifier: Apache-2.0
"""Medians, ranges and ratios as Markdown tables."""

import os
import platform
import statistics
import time
from pathlib import Path

from lib.processes import BenchmarkError


class Results:
    """Every JSON line of every round, by (operation, threads) and target."""

    def __init__(self):
        self.lines = {}

    def add(self, line):
        key = (line["op"], line["threads"])
        self.lines.setdefault(key, {}).setdefault(line["target"], []).append(line)

    def values(self, key, label, field="ns_per_op"):
        """Microseconds of one cell, one value a round; empty when it was not measured."""
        lines = self.lines.get(key, {}).get(label, [])
        return [line[field] / 1000 for line in lines if field in line]


def number(value):
    """Three digits that matter."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def cell(values, baseline):
    if not values:
        return "–"
    median = statistics.median(values)
    text = f"{number(median)} [{number(min(values))}–{number(max(values))}]"
    if baseline and statistics.median(baseline) > 0:
        text += f" **{number(median / statistics.median(baseline))}×**"
    return text


def row_name(key):
    operation, threads = key
    per = " (per entry)" if operation.startswith("readdir") else ""
    return f"{operation}{per}" + (f", {threads} threads" if threads > 1 else "")


def percentile(values, share):
    """The value behind so many of the others; of few values the largest."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def cost_table(results, labels, baseline):
    """µs per operation: median [min–max], and the ratio of the medians to the baseline's."""
    rows = []
    for key in results.lines:
        if key[0].startswith("append"):
            continue
        base = results.values(key, baseline)
        rows.append([row_name(key)] + [
            cell(results.values(key, label), None if label == baseline else base)
            for label in labels])
    return table(["µs per operation", *labels], rows)


def latency_table(results, labels):
    """Latency of one change: the median over the rounds of each round's p50 and p99."""
    rows = []
    for key, measured in results.lines.items():
        for label in labels:
            halves = results.values(key, label, "p50_ns") if label in measured else []
            if halves:
                tails = results.values(key, label, "p99_ns")
                rows.append([row_name(key), label, cell(halves, None), cell(tails, None)])
    return table(["µs", "target", "p50", "p99"], rows) if rows else ""


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine(load_before):
    """When and where it was measured, and how busy the machine was."""
    return (f"{time.strftime('%Y-%m-%d')}, Linux {platform.release()}, {os.cpu_count()} × "
            f"{processor()}, load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after.")


def conditions(options, load_before):
    """What a reader must know to compare: machine, load, sizes, how often."""
    size = f"about {options.body.stat().st_size} bytes" if options.body else "1 KiB"
    return (f"{machine(load_before)} "
            f"{options.files} files of {size}, {options.changes} files made and removed a round, "
            f"{options.rounds} rounds, targets interleaved and rotated, seed {options.seed}. "
            f"Median [min–max] of the rounds; **ratio** to {options.baseline}.")


def render(results, labels, options, load_before):
    parts = [conditions(options, load_before), cost_table(results, labels, options.baseline),
             latency_table(results, labels)]
    return "\n\n".join(part for part in parts if part) + "\n"


def duration(seconds):
    """As 12.3 µs, 4.56 ms or 7.89 s."""
    for unit, scale in (("µs", 1e6), ("ms", 1e3)):
        if seconds * scale < 1000:
            return f"{number(seconds * scale)} {unit}"
    return f"{number(seconds)} s"


def round_duration(seconds):
    """For an axis: as 10 ms."""
    for unit, scale in (("µs", 1e6), ("ms", 1e3)):
        if round(seconds * scale) < 1000:
            return f"{seconds * scale:g} {unit}"
    return f"{seconds:g} s"


def size(bytes_count):
    return f"{number(bytes_count / (1 << 20))} MiB"


def aims_list(aims):
    """One line an aim: (what, measured, limit, how both are written); nothing measured is said."""
    lines = []
    for what, value, limit, write in aims:
        verdict = "not measured" if value is None else (
            f"{write(value)}, " + ("met" if value <= limit else "**missed**"))
        lines.append(f"* {what}: at most {write(limit)}; {verdict}")
    return "\n".join(lines)


def times(value):
    return f"{number(value)} ×"


def write_between_markers(path, section, text):
    """Replaces what stands between the two marker lines of a section; they must be there."""
    begin = f"<!-- benchmarks:begin {section} -->"
    end = f"<!-- benchmarks:end {section} -->"
    page = Path(path).read_text()
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise BenchmarkError(f"{path} needs one line {begin} and after it one line {end}")
    head, rest = page.split(begin)
    tail = rest.split(end)[1]
    new = Path(f"{path}.new")
    new.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}")
    new.replace(path)
