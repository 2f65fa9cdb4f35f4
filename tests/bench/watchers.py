# SPDX-License-Identifier: MIT
"""
What watches while a workload runs. A watcher is started before the workload (or put in front of its
command), stopped after it, and says then what it cost and lost.
"""
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import host

READY_SECONDS = 60


class Watcher:
    """Nothing attached. The base of all others."""
    name = "nothing"
    doc = "nothing attached"
    peer = False
    same_job = None  # of a peer: our watcher that does no more than it does
    counts_all = False  # does it account for every system call, as ebpfmon does?
    slow = 1  # how many times fewer operations it is given, so that a run ends in time

    def __init__(self, bench):
        self.bench = bench
        self.process = None
        self.errors = None
        self.dir = None
        self.cpu_start = 0

    def wrap(self, command):
        """The command that runs @command under this watcher."""
        return command

    def start(self):
        """Returns when it watches."""

    def stop(self):
        """Ends it; what it cost and saw, as a dictionary."""
        return {}

    # ---- for those that are processes ----

    def spawn(self, command, **options):
        """Starts a process with its messages in a file."""
        self.dir = Path(tempfile.mkdtemp(dir=self.bench.disk))
        self.errors = open(self.dir / "stderr", "w+", encoding="utf-8", errors="replace")
        output = options.pop("stdout", None) or open(self.dir / "stdout", "w", encoding="utf-8")
        self.process = subprocess.Popen(command, stdout=output, stderr=self.errors, **options)

    def messages(self):
        """What it said on standard error."""
        return (self.dir / "stderr").read_text(encoding="utf-8", errors="replace")

    def output(self):
        """What it said on standard output."""
        return (self.dir / "stdout").read_text(encoding="utf-8", errors="replace")

    def wait_until(self, ready):
        """Waits for a condition; the process's own words when it ends before."""
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if self.process.poll() is not None:
                said = (self.messages() + self.output()).strip().splitlines()
                raise host.Unavailable(said[-1] if said else f"{self.name} ended at once")
            if time.monotonic() > deadline:
                self.process.kill()
                self.process.wait()
                raise host.Unavailable(f"{self.name} was not ready after {READY_SECONDS} s")
            time.sleep(0.005)
        self.cpu_start = host.cpu_seconds(self.process.pid)

    def end(self, sig=signal.SIGINT):
        """Signals it and reaps it: seconds until it ended, and what it used."""
        pid, used, peak = self.process.pid, None, 0
        watching = host.cpu_seconds(pid)
        cost = {"kernel_bytes": sum(host.kernel_bytes(pid)), "resident_bytes": host.resident_bytes(pid)}
        begin = time.monotonic()
        again = begin + 5
        if sig:
            self.process.send_signal(sig)
        if self.process.stdin:
            self.process.stdin.close()
        # not ru_maxrss: that begins with what the benchmark itself had when it forked
        while not used:
            peak = max(peak, host.status_bytes(pid, "VmHWM"))
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                used = usage
                continue
            time.sleep(0.005)
            if self.peer and time.monotonic() > again:  # bpftrace may miss it
                self.process.send_signal(sig)
                again += 5
        self.process.returncode = os.waitstatus_to_exitcode(status)
        total = used.ru_utime + used.ru_stime
        cost.update({"stop_s": time.monotonic() - begin, "rss_bytes": peak, "cpu_start_s": self.cpu_start,
                     "cpu_watching_s": watching - self.cpu_start, "cpu_stop_s": max(0, total - watching),
                     "cpu_s": max(0, total - self.cpu_start)})
        self.errors.close()
        return cost


class Floor(Watcher):
    """The floor that every tracer of system calls stands on."""
    name = "floor"
    doc = "empty raw tracepoints on sys_enter and sys_exit"
    arguments = ["empty"]

    def start(self):
        self.spawn([str(self.bench.build / "tests/bench/floor")] + self.arguments, stdin=subprocess.PIPE)
        self.wait_until(lambda: "ready" in self.output())

    def stop(self):
        cost = self.end(None)
        cost.update(json.loads(self.output().splitlines()[-1]))
        return cost


class Ring(Floor):
    """The least that a stream costs."""
    name = "ring"
    doc = "a 64-byte ring record for each call of the workload, thrown away by the reader"

    def start(self):
        self.arguments = ["ring", str(self.bench.container.stat().st_ino)]
        super().start()

    def stop(self):
        cost = super().stop()
        cost["events"] = cost["records"]
        return cost


class Ebpfmon(Watcher):
    """ebpfmon's default mode."""
    name = "ebpfmon"
    doc = "ebpfmon -o report.json, watching the workload's container"
    counts_all = True
    options = []
    output_name = "report.json"
    start_s = None

    def target(self):
        """The id of the container that is watched."""
        return self.bench.ident

    def select(self):
        """The options that select what is watched."""
        return ["-c", self.target(), "--wait"]  # nobody is in it yet

    def start(self):
        begin = time.monotonic()
        out = Path(tempfile.mkdtemp(dir=self.bench.disk)) / self.output_name
        self.result = out
        self.spawn([str(self.bench.exe)] + self.select() + self.options + ["-o", str(out)],
                   env=dict(os.environ, NO_COLOR="1"))
        self.wait_until(lambda: "recording" in self.messages())
        self.start_s = time.monotonic() - begin

    def stop(self):
        cost = self.end()
        said = self.messages()
        if self.process.returncode:
            raise RuntimeError(f"ebpfmon ended with {self.process.returncode}: {said}")
        cost["start_s"] = self.start_s
        cost["lost"] = sum(int(n) for n in re.findall(r"lost: .*?(\d+) (?:records|runs)", said))
        cost.update(self.seen())
        return cost

    def seen(self):
        """Events in the report: what was counted, and each record besides."""
        with open(self.result, encoding="utf-8") as f:
            report = json.load(f)
        events = sum(e["count"] for e in report["events"].values())
        calls = report["syscalls"]["count"]
        return {"events": events + calls, "calls_seen": calls}


class Other(Ebpfmon):
    """What everybody else pays."""
    name = "other"
    doc = "ebpfmon watching another container"
    counts_all = False

    def target(self):
        return self.bench.other_ident

    def seen(self):
        return {}


class Calls(Ebpfmon):
    """No more than the peers that count system calls do."""
    name = "calls"
    doc = "ebpfmon -e syscall: counts system calls, as the peers do"
    options = ["-e", "syscall"]


class Opens(Ebpfmon):
    """What opensnoop does, of one container."""
    name = "opens"
    doc = "ebpfmon -e file.open: what opensnoop does"
    counts_all = False
    options = ["-e", "file.open", "-f", "jsonl"]
    output_name = "events.jsonl"

    def seen(self):
        return {}


class Execs(Opens):
    """What execsnoop does."""
    name = "execs"
    doc = "ebpfmon -e process.exec: what execsnoop does"
    options = ["-e", "process.exec", "-f", "jsonl"]


class Trace(Ebpfmon):
    """The whole stream."""
    name = "trace"
    doc = "ebpfmon --syscalls=trace, JSON lines to a file"
    options = ["--syscalls=trace", "-f", "jsonl"]
    output_name = "events.jsonl"

    def seen(self):
        size, lines = 0, 0
        with open(self.result, "rb") as f:
            while chunk := f.read(1 << 20):
                lines += chunk.count(b"\n")
                size += len(chunk)
        self.result.unlink()
        return {"events": lines, "output_bytes": size}


class Strace(Watcher):
    """strace's summary, of the workload only."""
    same_job = "calls"
    name = "strace"
    doc = "strace -f -c"
    peer = counts_all = True
    slow = 20

    def wrap(self, command):
        return [host.have("strace"), "-f", "-c", "-o", "/dev/null"] + command


class PerfTrace(Watcher):
    """perf's summary, of the workload only."""
    same_job = "calls"
    name = "perf trace"
    doc = "perf trace -s"
    peer = counts_all = True
    slow = 20

    def wrap(self, command):
        self.dir = Path(tempfile.mkdtemp(dir=self.bench.disk))
        return [host.have("perf"), "trace", "-s", "-o", str(self.dir / "summary")] + command

    def stop(self):
        said = (self.dir / "summary").read_text(encoding="utf-8", errors="replace")
        return {"lost": sum(int(n) for n in re.findall(r"LOST (\d+) events", said))}


class Peer(Watcher):
    """A tool of its own that watches until it is told to stop."""
    peer = True
    command = []

    def arguments(self):
        """Of this very run."""
        return self.command[1:]

    def start(self):
        self.spawn([host.have(self.command[0])] + self.arguments(), env=dict(os.environ, BPFTRACE_STRLEN="64"))
        self.attached, self.since = 0, 0
        self.wait_until(self.is_attached)

    def is_attached(self):
        """None of these says when it is ready: it is when it has attached and attaches no more."""
        kinds = host.fd_kinds(self.process.pid)
        nr = sum("bpf_link" in k or "perf_event" in k or "raw-tracepoint" in k or "bpf-link" in k for k in kinds)
        if nr != self.attached:
            self.attached, self.since = nr, time.monotonic()
        return nr and time.monotonic() - self.since > 0.3

    def stop(self):
        cost = self.end()
        cost["lost"] = sum(int(n) for n in re.findall(r"[Ll]ost (\d+) events", self.messages() + self.output()))
        return cost


class Bpftrace(Peer):
    """A one-liner."""
    same_job = "calls"
    name = "bpftrace"
    doc = "bpftrace: @[cgroup] = count() at raw_syscalls:sys_exit"
    counts_all = True
    command = ["bpftrace", "-e", "tracepoint:raw_syscalls:sys_exit { @[cgroup] = count(); }"]


class Syscount(Peer):
    """libbpf-tools."""
    same_job = "calls"
    name = "syscount"
    doc = "syscount -c CGROUP"
    counts_all = True
    command = ["syscount"]

    def arguments(self):
        return ["-c", str(self.bench.container)]


class Opensnoop(Peer):
    """libbpf-tools; it cannot be told a cgroup."""
    same_job = "opens"
    name = "opensnoop"
    doc = "opensnoop (of the whole machine: it has no filter by cgroup)"
    command = ["opensnoop"]


class Execsnoop(Peer):
    """libbpf-tools."""
    same_job = "execs"
    name = "execsnoop"
    doc = "execsnoop -c CGROUP"
    command = ["execsnoop"]

    def arguments(self):
        return ["-c", str(self.bench.container)]


ALL = [Watcher, Floor, Ebpfmon, Other, Calls, Opens, Execs, Trace, Ring, Strace, PerfTrace, Bpftrace, Syscount, Opensnoop, Execsnoop]
