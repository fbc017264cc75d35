# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG. A chart brings its own background, so it reads on light and dark pages."""

import math
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 860, 500
LEFT, RIGHT, TOP, BOTTOM = 84, 226, 56, 64
LABEL_PIXELS = 17
# One hue a line, of even weight on its background; the second is for a dark one.
COLOURS = [("#0b62c4", "#5aa9ff"), ("#c2410c", "#ff9a5c"), ("#15803d", "#4fd07f"),
           ("#a21caf", "#ea8bf5"), ("#7c5e00", "#e3c04b"), ("#0e7490", "#52cfe4"),
           ("#be123c", "#ff8299"), ("#5b5bd6", "#a9a5ff"), ("#52525b", "#b4b8c2"),
           ("#8a4b2a", "#d9a07c")]


class Axis:
    """From values to pixels, and the ticks between."""

    def __init__(self, label, values, pixels, logarithmic, write):
        self.label, self.write, self.pixels = label, write, pixels
        self.logarithmic = logarithmic
        self.low, self.high = min(values), max(values)
        if logarithmic:
            self.low = 10.0 ** math.floor(math.log10(self.low))
            self.high = max(10.0 ** math.ceil(math.log10(self.high) - 1e-9), self.low * 10)
        else:
            self.low, self.high = min(self.low, 0), max(self.high, 1)

    def at(self, value):
        scale = math.log10 if self.logarithmic else float
        share = (scale(value) - scale(self.low)) / (scale(self.high) - scale(self.low))
        first, last = self.pixels
        return first + share * (last - first)

    def ticks(self):
        if not self.logarithmic:
            return [self.low + (self.high - self.low) * part / 4 for part in range(5)]
        decades = round(math.log10(self.high / self.low))
        return [self.low * 10.0 ** decade for decade in range(decades + 1)]


def style():
    """The colours, for both schemes."""
    def rules(index):
        ink, faint, ground = (("#1f2328", "#d0d7de", "#ffffff"),
                              ("#e6edf3", "#30363d", "#0d1117"))[index]
        lines = [f".g{{fill:{ground};stroke:{faint}}}", f"text{{fill:{ink}}}",
                 f".t{{stroke:{faint}}}"]
        for number, colours in enumerate(COLOURS):
            lines.append(f".l{number}{{stroke:{colours[index]};fill:none}}")
            lines.append(f".m{number}{{fill:{colours[index]}}}")
        return "".join(lines)
    return (f"<style>{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}"
            "text{font:13px system-ui,sans-serif}.h{font-weight:600;font-size:16px}</style>")


def text(x, y, words, anchor="start", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def grid(x_axis, y_axis):
    """Lines and words of both axes."""
    parts = []
    for value in x_axis.ticks():
        x = x_axis.at(value)
        parts.append(f'<path class="t" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(text(x, HEIGHT - BOTTOM + 20, x_axis.write(value), "middle"))
    for value in y_axis.ticks():
        y = y_axis.at(value)
        parts.append(f'<path class="t" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(text(LEFT - 8, y + 4, y_axis.write(value), "end"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20, x_axis.label, "middle"))
    parts.append(text(0, 0, y_axis.label, "middle",
                      f' transform="translate(20 {middle:.0f}) rotate(-90)"'))
    return parts


def spread(wanted):
    """Moves label positions apart, in their order."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed, floor = [0.0] * len(wanted), TOP
    for index in order:
        placed[index] = floor = max(wanted[index], floor)
        floor += LABEL_PIXELS
    ceiling = HEIGHT - BOTTOM
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - LABEL_PIXELS
    return placed


def lines(path, title, x_label, y_label, series, write_x, write_y, log_y=True, dots=True):
    """Writes the chart of [(name, [(x, y), …]), …]; a name may begin with "~" for a dashed line."""
    series = [(name, points) for name, points in series if points]
    xs = [x for _, points in series for x, _ in points]
    ys = [y for _, points in series for _, y in points]
    x_axis = Axis(x_label, xs, (LEFT, WIDTH - RIGHT), True, write_x)
    y_axis = Axis(y_label, ys, (HEIGHT - BOTTOM, TOP), log_y, write_y)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
             f'width="{WIDTH}" height="{HEIGHT}" role="img">', f"<title>{escape(title)}</title>",
             style(), f'<rect class="g" x="0.5" y="0.5" width="{WIDTH - 1}" '
             f'height="{HEIGHT - 1}" rx="6"/>', text(LEFT, 32, title, more=' class="h"'),
             *grid(x_axis, y_axis)]
    labels = spread([y_axis.at(points[-1][1]) for _, points in series])
    for number, (name, points) in enumerate(series):
        hue = number % len(COLOURS)
        places = [(x_axis.at(x), y_axis.at(y)) for x, y in points]
        dash = ' stroke-dasharray="6 4"' if name.startswith("~") else ""
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(f'<path class="l{hue}" stroke-width="2"{dash} d="M{line}"/>')
        parts += [f'<circle class="m{hue}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
                  for x, y in places if dots]
        end = WIDTH - RIGHT
        # Without dots the names are a legend, and no line leads to them.
        lead = f"M{places[-1][0] + 5:.1f} {places[-1][1]:.1f}L" if dots else "M"
        parts.append(f'<path class="l{hue}" d="{lead}{end + 12} {labels[number]:.1f}h14"{dash}/>')
        parts.append(text(end + 32, labels[number] + 4, name.removeprefix("~")))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n")


def distribution(path, title, x_label, series, write_x):
    """Writes how many percent of [(name, [seconds, …]), …] were there after which time."""
    curves = [(name, [(value, 100 * (rank + 1) / len(values))
                      for rank, value in enumerate(sorted(values))]) for name, values in series]
    lines(path, title, x_label, "of all, %", curves, write_x, lambda value: f"{value:.0f} %",
          log_y=False, dots=False)
