#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
What watching costs. Every watcher (watchers.py) in turn, with every workload (workloads.py), in
rounds: what one round measures lies seconds apart, and only runs of the same round are compared.

    bench.py run        all of it; tables and goals on standard output, JSON and SVG in BUILD/bench
    bench.py profile    nanoseconds of each BPF program
    bench.py scale      how cost grows (scale.py): BENCH_ONLY=stream,containers,files,processes,cpus

BENCH_PAIRS    rounds (5); three times as many of real programs under what the goals compare
BENCH_ONLY     workloads, comma-separated (all)
BENCH_WATCH    watchers, comma-separated (all; those that others are compared with always run)
BENCH_SIZE     factor of each workload's operations (1)
BENCH_CLOCK    wall (default) or cpu: what "time" is. CPU time disregards what others do on the machine.
"""
import argparse
import ctypes
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import host
import profiles
import results
import scale
import watchers
import workloads

CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x4000 | 1 << 18
GOALS = ["nothing", "floor", "ebpfmon"]  # what the goals compare


class Bench:
    """Where and how this benchmark runs."""

    def __init__(self, build):
        self.build = Path(build).resolve()
        self.exe = Path("ebpfmon").resolve()
        self.workload = self.build / "tests/bench/workload"
        self.out = self.build / "bench"
        self.out.mkdir(exist_ok=True)
        self.pairs = int(os.environ.get("BENCH_PAIRS", "5"))
        self.size = float(os.environ.get("BENCH_SIZE", "1"))
        self.clock = os.environ.get("BENCH_CLOCK", "wall")
        self.only = [n for n in os.environ.get("BENCH_ONLY", "").split(",") if n]
        self.watch = [n for n in os.environ.get("BENCH_WATCH", "").split(",") if n]
        self.cpu = os.cpu_count() - 1
        self.prefix = secrets.token_hex(3)  # with which the ids of many containers begin
        self.containers = host.Containers()
        self.ident, self.container = self.containers.make()
        self.other_ident, self.other = self.containers.make()
        self.scratch = host.scratch()
        self.disk = Path(tempfile.mkdtemp(dir=self.out))  # what watchers write goes to a disk
        self.room = self.scratch / "room"
        self.room.mkdir()

    def close(self):
        """Leaves nothing behind but the results."""
        self.containers.close()
        shutil.rmtree(self.scratch)
        shutil.rmtree(self.disk)

    def wants(self, name):
        """Was this workload or measure asked for?"""
        return not self.only or name in self.only


def own_mounts():
    """tracefs, which peers need, where only this process and its children see it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) or libc.mount(None, b"/", None, MS_REC_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "a mount namespace of its own")
    if not os.path.exists("/sys/kernel/tracing/events"):
        libc.mount(b"none", b"/sys/kernel/tracing", b"tracefs", 0, None)


def say(text=""):
    """A line of progress or of a result."""
    print(text, flush=True)


def one_run(bench, workload, kind, unavailable):
    """One watcher over one workload; None when it cannot run here."""
    watcher = kind(bench)
    try:
        watcher.start()
        try:
            run = workload.run(bench, watcher)
        finally:
            cost = watcher.stop()
    except host.Unavailable as why:
        unavailable[kind.name] = str(why)
        return None
    run["watcher"] = cost
    return run


def run_workload(bench, workload, kinds):
    """All rounds of one workload, every other one in the opposite order."""
    runs, unavailable = {k.name: [] for k in kinds}, {}
    workload.prepare(bench)
    workload.run(bench, watchers.Watcher(bench))  # what is cold is not measured
    rounds = [kinds] * bench.pairs
    if workload.real:  # whose times vary by more than what the goals allow
        rounds += [[k for k in kinds if k.name in GOALS]] * (2 * bench.pairs)
    for i, these in enumerate(rounds):
        for kind in these if i % 2 == 0 else reversed(these):
            runs[kind.name].append(None if kind.name in unavailable
                                   else one_run(bench, workload, kind, unavailable))
    return runs, unavailable


def command_run(bench):
    """make bench"""
    kinds = [k for k in watchers.ALL if not bench.watch or k.name in bench.watch + GOALS]
    result = {"machine": host.machine(), "pairs": bench.pairs, "size": bench.size, "clock": bench.clock,
              "runs": {}, "unavailable": {}}
    series = {}
    say(json.dumps(result["machine"]))
    for workload in workloads.ALL:
        if not bench.wants(workload.name):
            continue
        try:
            runs, unavailable = run_workload(bench, workload, kinds)
        except host.Unavailable as why:
            result["unavailable"][workload.name] = str(why)
            say(f"\n{workload.name}: cannot run: {why}")
            continue
        result["runs"][workload.name], result["unavailable"][workload.name] = runs, unavailable
        series[workload.name] = results.Series(runs, bench.clock)
        say("\n" + results.workload_table(workload, series[workload.name], kinds, unavailable))
        (bench.out / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    result["machine"]["load_at_end"] = os.getloadavg()[0]
    (bench.out / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
    if series:
        (bench.out / "bench.svg").write_text(results.picture(series, kinds))
    say("\n" + results.matrix(series, kinds))
    say("\n" + results.goals(series, kinds))
    say(f"\nwritten: {bench.out}/bench.json, bench.svg")


def main():
    """One of the commands."""
    commands = {"run": command_run, "profile": lambda b: profiles.profile(b, say),
                "scale": lambda b: scale.scale(b, say)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=commands)
    parser.add_argument("--build", default="build")
    args = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: it needs root")
    own_mounts()
    bench = Bench(args.build)
    try:
        commands[args.command](bench)
    except subprocess.CalledProcessError as failed:
        sys.exit(f"bench: {failed}: {(failed.stderr or b'').decode(errors='replace')}")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
