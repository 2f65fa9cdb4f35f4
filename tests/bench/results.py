# SPDX-License-Identifier: MIT
"""What the runs add up to: medians and spreads of paired ratios, tables, goals, a picture."""
import statistics
from html import escape


def median(values):
    """None for nothing."""
    return statistics.median(values) if values else None


def spread(values):
    """Smallest and greatest: with five pairs, quartiles would say less."""
    return [min(values), max(values)] if values else None


def per_op(run, clock):
    """Nanoseconds an operation; servers have no CPU time of their own clients'."""
    ns = run["cpu_ns"] if clock == "cpu" and run["cpu_ns"] else run["wall_ns"]
    return ns / run["ops"]


class Series:
    """The runs of one workload: {watcher: [run or None, …]}, the same index being one round."""

    def __init__(self, runs, clock):
        self.runs, self.clock = runs, clock

    def times(self, watcher):
        """Nanoseconds an operation, in each round."""
        return [per_op(r, self.clock) if r else None for r in self.runs.get(watcher, [])]

    def paired(self, watcher, base, fn):
        """fn(watcher's time, base's time) in each round that has both."""
        pairs = zip(self.times(watcher), self.times(base))
        return [fn(a, b) for a, b in pairs if a and b]

    def ratios(self, watcher, base="nothing"):
        """How many times slower, round by round."""
        return self.paired(watcher, base, lambda a, b: a / b)

    def above(self, watcher, base):
        """Nanoseconds more, round by round."""
        return self.paired(watcher, base, lambda a, b: a - b)

    def cost(self, watcher, key):
        """Median of something that the watcher said of itself."""
        return median([r["watcher"][key] for r in self.runs.get(watcher, []) if r and key in r["watcher"]])

    def rate(self, watcher):
        """Events a second while the workload ran."""
        return median([r["watcher"]["events"] / r["wall_ns"] * 1e9 for r in self.runs.get(watcher, [])
                       if r and "events" in r["watcher"]])


def si(value, unit=""):
    """1234567 as 1.23M."""
    if value is None:
        return "-"
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{letter}{unit}"
    return f"{value:.3g}{unit}"


def duration(ns):
    """With the unit that suits."""
    for factor, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= factor:
            return f"{ns / factor:.4g} {unit}"
    return f"{ns:.4g} ns"


def mib(value):
    """Bytes as MiB."""
    return "-" if value is None else f"{value / 2**20:.1f}"


def table(head, rows):
    """Markdown, its columns aligned."""
    cells = [head] + [[str(c) for c in r] for r in rows]
    width = [max(len(r[i]) for r in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(r, width)) + " |" for r in cells]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in width) + "|")
    return "\n".join(lines)


def workload_rows(series, watchers):
    """A row for each watcher."""
    for w in watchers:
        ratios = series.ratios(w.name)
        if not ratios:
            yield [w.name, "cannot run"] + [""] * (len(HEAD) - 2)
            continue
        low, high = spread(ratios)
        lost = series.cost(w.name, "lost")
        yield [w.name, duration(median([t for t in series.times(w.name) if t])),
               f"{median(ratios):.3f}", f"{low:.3f}–{high:.3f}",
               si(series.rate(w.name)), "-" if lost is None else int(lost),
               f"{series.cost(w.name, 'cpu_s'):.2f}" if series.cost(w.name, "cpu_s") is not None else "-",
               mib(series.cost(w.name, "rss_bytes")), mib(series.cost(w.name, "kernel_bytes"))]


HEAD = ["watcher", "time", "ratio", "spread", "events/s", "lost", "own CPU s", "own MiB", "kernel MiB"]


def workload_table(workload, series, watchers, unavailable):
    """One workload, under every watcher."""
    why = "".join(f"\n{name} cannot run: {said}" for name, said in unavailable.items())
    return f"{workload.name}, per {workload.unit}:\n" + table(HEAD, workload_rows(series, watchers)) + why


def matrix(series, watchers):
    """All of it in one table: how many times slower each workload is under each watcher."""
    def cell(s, w):
        ratios = s.ratios(w.name)
        return f"{median(ratios):.2f}" if ratios else "-"

    others = [w for w in watchers if w.name != "nothing"]
    return table(["times nothing"] + [w.name for w in others],
                 [[name] + [cell(s, w) for w in others] for name, s in series.items()])


# ---- goals ----

def verdict(reached):
    """True, False or None."""
    return {True: "yes", False: "no", None: "not measured"}[reached]


def goal(what, wanted, value, limit, show):
    """A row of the table of goals: below the limit or not."""
    if value is None:
        return [what, wanted, "-", verdict(None)]
    return [what, wanted, show(value), verdict(value <= limit)]


def nanoseconds(v):
    """One figure."""
    return f"{v:.0f} ns"


def times(v):
    """A ratio."""
    return f"{v:.3f}×"


def peer_rows(series, watchers):
    """Against each peer, the workloads on which we are cheaper: with the same job, and by default, which is more."""
    for w in (w for w in watchers if w.peer):
        for ours in (w.same_job, "ebpfmon"):
            compared, beaten = 0, []
            for name, s in series.items():
                a, b = median(s.ratios(ours)), median(s.ratios(w.name))
                if a and b:
                    compared += 1
                    if a >= b:
                        beaten.append(f"{name} {a:.2f} against {b:.2f}")
            what = f"less slowdown than {w.name}, " + ("doing the same" if ours == w.same_job else "by default")
            yield [what, "every workload" if ours == w.same_job else "(does more)",
                   f"{compared - len(beaten)} of {compared}" + (f"; not {', '.join(beaten)}" if beaten else ""),
                   verdict(not beaten if compared else None)]


def goals(series, watchers):
    """What is aimed at, and what was reached."""
    rows = []
    loop = series.get("getppid")
    if loop:
        rows += [
            goal("watched, a call above the floor", "≤ 60 ns", median(loop.above("ebpfmon", "floor")), 60,
                 nanoseconds),
            goal("watched, getppid beside the floor's slowdown", "≤ 1.3×",
                 median(loop.ratios("ebpfmon", "floor")), 1.3, times),
            goal("everyone else, a call above the floor", "≤ 15 ns", median(loop.above("other", "floor")), 15,
                 nanoseconds)]
    for name in ("compile", "tar", "redis", "nginx"):
        if name in series:
            rows.append(goal(f"{name} beside the floor", "≤ 1.03×",
                             median(series[name].ratios("ebpfmon", "floor")), 1.03, times))
    if "compile" in series:
        rows.append(goal("compile beside nothing attached", "≤ 1.05×",
                         median(series["compile"].ratios("ebpfmon")), 1.05, times))
    rows += peer_rows(series, watchers)
    return table(["what", "goal", "reached", "met"], rows)


# ---- a picture ----

COLOURS = ["#888888", "#000000", "#d62728", "#ff9896", "#ff7f0e", "#ffbb78", "#8c564b", "#9467bd", "#c5b0d5", "#1f77b4", "#17becf", "#2ca02c",
           "#98df8a", "#bcbd22", "#e377c2"]


def picture(series, watchers):
    """Slowdown of every workload under every watcher, as SVG; a logarithmic scale."""
    from math import log10
    left, right, row, top = 110, 660, 34, 60
    shown = [w for w in watchers if w.name != "nothing"]
    height = top + row * len(series) + 20 * ((len(shown) + 3) // 4) + 40
    most = max([max(s.ratios(w.name) or [1]) for s in series.values() for w in shown] + [2])
    scale = (right - left) / log10(most * 1.1 / 0.9)

    def x(ratio):
        return left + log10(max(ratio, 0.9) / 0.9) * scale

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{right + 40}" height="{height}" '
           'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>',
           f'<text x="{left}" y="24" font-size="15">Times slower than with nothing attached '
           '(median, smallest to greatest)</text>']
    bottom = top + row * len(series)
    for tick in (1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200):
        if tick <= most * 1.1:
            out.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{top - 8}" y2="{bottom}" stroke="#ddd"/>'
                       f'<text x="{x(tick):.1f}" y="{top - 12}" text-anchor="middle">{tick}×</text>')
    for i, (name, s) in enumerate(series.items()):
        y = top + row * i
        out.append(f'<text x="{left - 10}" y="{y + row / 2 + 4}" text-anchor="end">{escape(name)}</text>')
        for j, w in enumerate(shown):
            ratios = s.ratios(w.name)
            if not ratios:
                continue
            at, colour = y + 3 + (row - 6) * (j + 0.5) / len(shown), COLOURS[(j + 1) % len(COLOURS)]
            low, high = spread(ratios)
            out.append(f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{at:.1f}" y2="{at:.1f}" stroke="{colour}"/>'
                       f'<circle cx="{x(median(ratios)):.1f}" cy="{at:.1f}" r="3" fill="{colour}"/>')
    for j, w in enumerate(shown):
        cx, cy = left + 140 * (j % 4), bottom + 26 + 20 * (j // 4)
        out.append(f'<circle cx="{cx}" cy="{cy}" r="4" fill="{COLOURS[(j + 1) % len(COLOURS)]}"/>'
                   f'<text x="{cx + 9}" y="{cy + 4}">{escape(w.name)}</text>')
    return "\n".join(out + ["</svg>"]) + "\n"
