# SPDX-License-Identifier: MIT
"""
How cost grows: with the rate of a stream, with containers, files, processes and CPUs. Curves as
tables, JSON and SVG.
"""
import json
import statistics
import subprocess
import time
from pathlib import Path

import host
import results
import watchers
import workloads

IDLE_SECONDS = 10


class Many(watchers.Ebpfmon):
    """The default mode, over every container whose id begins as those of this run do."""
    name = "many"

    def select(self):
        return ["-c", self.bench.prefix + "*", "--wait"]


class Files(watchers.Ebpfmon):
    """The default mode, whose report is not read back."""
    name = "default mode"

    def seen(self):
        return {"report_bytes": Path(self.result).stat().st_size}


class FileStream(watchers.Trace):
    """Every file's records as JSON lines."""
    name = "file.* as JSON lines"
    options = ["-e", "file", "-f", "jsonl"]


def over(bench, kind, workload):
    """One run of a workload under a watcher."""
    watcher = kind(bench)
    watcher.start()
    try:
        run = workload.run(bench, watcher)
    finally:
        cost = watcher.stop()
    run["watcher"] = cost
    return run


class Paced(workloads.Workload):
    """So many calls a second, for two seconds."""

    def __init__(self, rate):
        super().__init__("paced", 2 * rate, "call")
        self.rate = rate

    def run(self, bench, watcher):
        return self.measure(bench, watcher, [str(bench.workload), "paced", str(self.rate),
                                             str(int(self.operations * bench.size))])


def stream(bench, say):
    """The full stream beside the least that a ring costs, at growing rates."""
    rows, points = [], []
    for rate in (250000, 500000, 1000000, 1500000, 2000000, 2500000, 3000000):
        for kind in (watchers.Ring, watchers.Trace):
            runs = [over(bench, kind, Paced(rate)) for _ in range(bench.pairs)]
            made = statistics.median(r["ops"] / r["wall_ns"] * 1e9 for r in runs)
            lost = [r["watcher"]["lost"] for r in runs]
            cpu = statistics.median(r["watcher"]["cpu_s"] / r["ops"] * 1e9 for r in runs)
            point = {"asked": rate, "watcher": kind.name, "made": made, "lost": lost,
                     "events": [r["watcher"]["events"] for r in runs], "reader_ns": cpu,
                     "producer_ns": statistics.median(r["cpu_ns"] / r["ops"] for r in runs)}
            points.append(point)
            rows.append([results.si(rate), kind.name, results.si(made), int(statistics.median(lost)), max(lost),
                         f"{cpu:.0f}"])
    say("\nstream: calls a second on one CPU, their records read on the other")
    say(results.table(["asked for", "watcher", "made", "lost (median)", "lost (most)",
                       "reader's CPU, ns a record"], rows))
    return points


def one_of_containers(bench, count):
    """@count containers with a process in each, then nothing happens."""
    paths = [bench.containers.make(bench.prefix)[1] for _ in range(count)]
    with subprocess.Popen([str(bench.workload), "populate"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as people:
        watcher = Many(bench)
        try:
            people.stdin.write("".join(f"{p}\n" for p in paths) + "\n")
            people.stdin.flush()
            if "ready" not in people.stdout.readline():
                raise RuntimeError("populate did not start")
            watcher.start()
            time.sleep(1)
            pid, begin = watcher.process.pid, time.monotonic()
            used = host.cpu_seconds(pid)
            time.sleep(IDLE_SECONDS)
            idle = (host.cpu_seconds(pid) - used) / (time.monotonic() - begin)
            cost = watcher.stop()
        finally:
            people.stdin.close()
            people.wait()
            for path in paths:
                bench.containers.remove(path)
    return {"containers": count, "resident": cost["resident_bytes"], "kernel": cost["kernel_bytes"], "idle": idle,
            "start_s": cost["start_s"], "stop_s": cost["stop_s"]}


def containers(bench, say):
    """Memory, idle cost, start and end, with many containers."""
    points = [one_of_containers(bench, n) for n in (1, 50, 500, 2000)]
    say(f"\ncontainers: each with a process that sleeps; idle for {IDLE_SECONDS} s")
    say(results.table(["containers", "resident MiB", "kernel MiB", "together", "idle, % of a core", "start to attached",
                       "stop to report"],
                      [[p["containers"], results.mib(p["resident"]), results.mib(p["kernel"]),
                        results.mib(p["resident"] + p["kernel"]), f"{100 * p['idle']:.3f}",
                        results.duration(p["start_s"] * 1e9), results.duration(p["stop_s"] * 1e9)] for p in points]))
    return points


class Distinct(workloads.Workload):
    """So many files, none twice, in a directory that is emptied afterwards."""

    def __init__(self, count):
        super().__init__("distinct", count)

    def run(self, bench, watcher):
        work = bench.room / "distinct"
        work.mkdir()
        try:
            command = [str(bench.workload), "distinct", str(self.operations)]
            return self.measure(bench, watcher, ["/bin/sh", "-ec", f"cd {work}; exec " + " ".join(command)])
        finally:
            subprocess.run(["rm", "-rf", str(work)], check=True)


def files(bench, say):
    """Distinct files: cost of each, memory, and the end of the recording."""
    points = []
    for count in (1, 1000, 10000, 100000, 1000000):
        bare = over(bench, watchers.Watcher, Distinct(count))
        for kind in (Files, FileStream):
            run = over(bench, kind, Distinct(count))
            cost = run["watcher"]
            points.append({"files": count, "watcher": kind.name, "bare_ns": bare["wall_ns"] / count,
                           "ns": run["wall_ns"] / count, "lost": cost["lost"], "resident": cost["resident_bytes"],
                           "kernel": cost["kernel_bytes"], "start_s": cost["start_s"], "stop_s": cost["stop_s"]})
    say("\nfiles: each created, written and closed once")
    say(results.table(["files", "watcher", "nothing attached", "watched", "lost", "resident MiB", "kernel MiB",
                       "start to attached", "stop to output written"],
                      [[p["files"], p["watcher"], results.duration(p["bare_ns"]), results.duration(p["ns"]), p["lost"],
                        results.mib(p["resident"]), results.mib(p["kernel"]),
                        results.duration(p["start_s"] * 1e9), results.duration(p["stop_s"] * 1e9)] for p in points]))
    return points


def loops(bench, say, title, names):
    """Loops of getppid, in growing numbers of processes."""
    points = []
    for name in names:
        workload = workloads.Workload(name, 3000000, "call")
        workload.pinned = name != "both"
        runs = {kind.name: [over(bench, kind, workload)["wall_ns"] / workload.operations / bench.size
                            for _ in range(bench.pairs)]
                for kind in (watchers.Watcher, watchers.Floor, watchers.Ebpfmon)}
        points.append({"loop": name, **{k: statistics.median(v) for k, v in runs.items()}})
    say("\n" + title)
    say(results.table(["loop", "nothing attached", "floor", "ebpfmon", "beside the floor"],
                      [[p["loop"], results.duration(p["nothing"]), results.duration(p["floor"]),
                        results.duration(p["ebpfmon"]), f"{p['ebpfmon'] / p['floor']:.3f}×"] for p in points]))
    return points


# ---- curves ----

def curve(at, title, xs, lines):
    """A small chart at @at: a logarithmic x axis, and a line for each of {name: values}."""
    from math import log10
    left, top, width, height = at[0] + 60, at[1] + 30, 300, 150
    low, high = log10(min(xs)), log10(max(xs))
    most = max(max(v) for v in lines.values()) or 1

    def place(x, y):
        return left + (log10(x) - low) / ((high - low) or 1) * width, top + height - y / most * height

    out = [f'<text x="{at[0] + 10}" y="{at[1] + 16}" font-size="13">{title}</text>',
           f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>',
           f'<text x="{left - 6}" y="{top + 10}" text-anchor="end">{results.si(most)}</text>',
           f'<text x="{left - 6}" y="{top + height}" text-anchor="end">0</text>']
    out += [f'<text x="{place(x, 0)[0]:.0f}" y="{top + height + 14}" text-anchor="middle">{results.si(x)}</text>'
            for x in sorted(set(xs))]
    for i, (name, values) in enumerate(lines.items()):
        colour = ("#d62728", "#1f77b4", "#2ca02c")[i % 3]
        points = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in zip(xs, values))
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
                   f'<text x="{left + 8}" y="{top + 16 + 14 * i}" fill="{colour}">{name}</text>')
    return out


def picture(result):
    """All curves of a result."""
    charts = []
    if "stream" in result:
        of = {w: [p for p in result["stream"] if p["watcher"] == w] for w in ("ring", "trace")}
        charts.append(("lost of each 1,000 records, by calls a second", [p["asked"] for p in of["ring"]],
                       {w: [1000 * statistics.median(p["lost"]) / max(1, p["events"][0] + p["lost"][0]) for p in ps]
                        for w, ps in of.items()}))
    if "containers" in result:
        ps = result["containers"]
        charts.append(("MiB, by containers", [p["containers"] for p in ps],
                       {"together": [(p["resident"] + p["kernel"]) / 2**20 for p in ps],
                        "kernel maps": [p["kernel"] / 2**20 for p in ps]}))
    if "files" in result:
        ps = [p for p in result["files"] if p["watcher"] == Files.name]
        charts.append(("MiB, by distinct files", [p["files"] for p in ps],
                       {"resident": [p["resident"] / 2**20 for p in ps], "kernel": [p["kernel"] / 2**20 for p in ps]}))
    if "processes" in result:
        ps = result["processes"]
        charts.append(("ns a call, by processes", [1, 10, 100, 1000],
                       {k: [p[k] for p in ps] for k in ("ebpfmon", "floor", "nothing")}))
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{230 * ((len(charts) + 1) // 2)}" '
           'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>']
    for i, (title, xs, lines) in enumerate(charts):
        out += curve((400 * (i % 2), 230 * (i // 2)), title, xs, lines)
    return "\n".join(out + ["</svg>"]) + "\n"


PARTS = {
    "stream": stream,
    "containers": containers,
    "files": files,
    "processes": lambda b, say: loops(b, say, "processes: getppid in turn, on one CPU",
                                      ["getppid", "processes10", "processes100", "processes1000"]),
    "cpus": lambda b, say: loops(b, say, "CPUs: getppid on one, and the same number spread over two", ["getppid", "both"]),
}


def scale(bench, say):
    """BENCH_ONLY: the parts, all if nothing is said."""
    result = {"machine": host.machine()}
    say(json.dumps(result["machine"]))
    for name, part in PARTS.items():
        if bench.wants(name):
            result[name] = part(bench, say)
            (bench.out / "scale.json").write_text(json.dumps(result, indent=1) + "\n")
    (bench.out / "scale.svg").write_text(picture(result))
    say(f"\nwritten: {bench.out}/scale.json, scale.svg")
