# SPDX-License-Identifier: Apache-2.0
"""What was measured of each kind, in seconds, and its p50, p99 and aims as rows of a table."""

import json

from lib import report, svg


class Figures:
    """Every value by its kind; each goes into a file as a JSON line when it is known."""

    def __init__(self, raw):
        self.raw, self.seconds = raw, {}

    def add(self, kind, seconds, **more):
        self.seconds.setdefault(kind, []).append(seconds)
        self.raw.write(json.dumps({"kind": kind, "seconds": seconds, **more}) + "\n")
        self.raw.flush()

    def values(self, kind):
        return self.seconds.get(kind, [])

    def at(self, kind, share):
        """A percentile, None where nothing was measured."""
        values = self.values(kind)
        return report.percentile(values, share) if values else None

    def row(self, kind, name, aims=(None, None)):
        """Name, n, p50, p99, largest, and whether the aims of p50 and p99 are met."""
        values = self.values(kind)
        if not values:
            return [name, "0", *["–"] * 4]
        shares = [report.percentile(values, share) for share in (0.5, 0.99)]
        verdicts = [f"{label} ≤ {report.duration(aim)}, {'met' if value <= aim else '**missed**'}"
                    for label, value, aim in zip(("p50", "p99"), shares, aims) if aim]
        return [name, str(len(values)), *map(report.duration, [*shares, max(values)]),
                "; ".join(verdicts) or "–"]

    def table(self, first, rows):
        """`rows`: (kind, name, aims)."""
        return report.table([first, "n", "p50", "p99", "max", "aim"],
                            [self.row(*row) for row in rows])

    def draw(self, path, title, x_label, curves):
        """How many of the values were there after which time; `curves`: [(kind, name)]."""
        svg.distribution(path, title, x_label, [(name, self.values(kind)) for kind, name in curves],
                         report.round_duration)
