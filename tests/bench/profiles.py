# SPDX-License-Identifier: MIT
"""Runs and nanoseconds of every BPF program of ours, by the kernel's own statistics."""
import json
import subprocess
from contextlib import contextmanager
from pathlib import Path

import host
import results
import watchers
import workloads

SETTING = Path("/proc/sys/kernel/bpf_stats_enabled")


@contextmanager
def statistics_on():
    """The kernel measures each run (some 20 ns each, to every program on the machine) meanwhile."""
    before = SETTING.read_text()
    SETTING.write_text("1\n")
    try:
        yield
    finally:
        SETTING.write_text(before)


def statistics(pid):
    """{id: (name, runs, nanoseconds)} of what a process has loaded."""
    ours = host.program_ids(pid)
    shown = json.loads(subprocess.run(["bpftool", "prog", "show", "-j"], check=True, capture_output=True).stdout)
    return {p["id"]: (p.get("name", "?"), p.get("run_cnt", 0), p.get("run_time_ns", 0))
            for p in shown if p["id"] in ours}


def one(bench, kind, workload, say):
    """One watcher: the programs that ran."""
    watcher = kind(bench)
    watcher.start()
    before = statistics(watcher.process.pid)
    run = workload.run(bench, watchers.Watcher(bench))
    after = statistics(watcher.process.pid)
    watcher.stop()
    rows = []
    for ident, (name, runs, ns) in after.items():
        runs, ns = runs - before[ident][1], ns - before[ident][2]
        if runs:
            rows.append([name, runs, f"{ns / runs:.0f}", f"{runs / run['ops']:.2f}", f"{ns / run['ops']:.0f}"])
    rows.sort(key=lambda r: -float(r[4]))
    say(f"\n{workload.name}, {watcher.doc}: {results.duration(results.per_op(run, 'cpu'))} an operation "
        "with statistics on")
    say(results.table(["program", "runs", "ns a run", "runs an operation", "ns an operation"], rows))


def profile(bench, say):
    """BENCH_ONLY: the workloads, getppid if nothing is said. Of the whole machine: others' calls are in it."""
    names = bench.only or ["getppid"]
    with statistics_on():
        for workload in (w for w in workloads.ALL if w.name in names):
            workload.prepare(bench)
            for kind in (watchers.Floor, watchers.Ebpfmon, watchers.Other, watchers.Trace):
                if not bench.watch or kind.name in bench.watch:
                    one(bench, kind, workload, say)
