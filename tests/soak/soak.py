#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Soak: ebpfmon watches containers that come and go, 50 at a time, in rounds.

A round is a time of churn and a time of quiet, in which what is gone is forgotten. How much is kept while
containers come and go depends on how fast they do; at the end of each quiet time the same must be left:
bytes that are allocated, resident memory, open files, the memory of the BPF maps. Samples of every
second (minute, in a long run), a picture (SVG) and the verdict are left in --out. Needs root and touches
only what it started.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))

from lib import CONTAINERS, Recording, Setup, check, read_text	# noqa: E402
from swarm import Slice	# noqa: E402

WAVE = 50	# containers at a time
# Forms of it: (seconds of churn, of quiet, what containers do). What is gone is forgotten after 30 seconds
# (UNDECIDED_NS in src/recorder.c), and files' names up to 30 later; who had connections, after 300 (LINGER in
# src/container/table.c).
SHORT = (20, 40, "exit")
LONG = (600, 345, "secret")
# By how much the end of the last quiet time may be above that of the first: in parts of it, and in any case. Heap:
# a table that once was larger keeps its buckets. Resident memory: glibc takes and returns it in steps.
BOUNDS = {"heap_kib": (0, 128), "rss_kib": (0.10, 4096), "fds": (0, 0), "maps_kib": (0.02, 512)}


def maps_kib(pid):
    """What the kernel charges for the BPF maps that the process holds open, each once."""
    charged = {}
    for fd in os.listdir("/proc/%d/fdinfo" % pid):
        text = read_text("/proc/%d/fdinfo/%s" % (pid, fd))
        number, bytes_ = (re.search(r"^%s:\s*(\d+)" % key, text, re.M) for key in ("map_id", "memlock"))
        if number and bytes_:
            charged[number.group(1)] = int(bytes_.group(1))
    return sum(charged.values()) // 1024


def sample(pid, heap, began):
    """The values now."""
    rss = re.search(r"VmRSS:\s*(\d+)", read_text("/proc/%d/status" % pid))
    check(rss, "ebpfmon is gone")
    return {"seconds": round(time.monotonic() - began, 2), "heap_kib": int(read_text(heap) or 0) // 1024,
            "rss_kib": int(rss.group(1)), "fds": len(os.listdir("/proc/%d/fd" % pid)), "maps_kib": maps_kib(pid)}


class Churn(threading.Thread):
    """Containers in waves until told to end: plain cgroups by the trigger, and now and then one by runc."""

    def __init__(self, setup, path, what):
        super().__init__(daemon=True)
        self.setup, self.path, self.what = setup, path, what
        self.made = 0
        self.error = None
        self.ending = threading.Event()

    def run(self):
        try:
            while not self.ending.is_set():
                done = subprocess.run([self.setup.trigger, "swarm", self.path, str(WAVE), str(WAVE), self.what],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, check=False)
                check(done.returncode == 0, "swarm: %r" % done.stderr)
                self.made += WAVE
                if shutil.which("runc"):
                    with CONTAINERS["runc"](self.setup, ["/bin/trigger", "file.mkdir"]) as container:
                        check(container.wait() == 0, container.errors())
                    self.clean(container)
                    self.made += 1
        except Exception as e:	# pylint: disable=broad-except
            self.error = e

    def clean(self, container):
        """Hours of bundles would fill the disk."""
        shutil.rmtree(os.path.join(self.setup.dir, container.name + ".bundle"), ignore_errors=True)
        for end in (".out", ".out.err"):
            os.unlink(os.path.join(self.setup.dir, container.name + end))


def judge(quiet):
    """(what, first, last, allowed) of each value; @quiet: for each round, the samples of the end of its quiet time. The
    least of them is the level: records of a cgroup that nobody has asked for are kept until that is known."""
    levels = [{key: min(s[key] for s in samples) for key in BOUNDS} for samples in quiet]
    for key, (part, least) in BOUNDS.items():
        first = levels[0][key]
        yield key, first, levels[-1][key], max(part * first, least)


def picture(samples, path):
    """Each value over time, as SVG."""
    width, height, parts = 800, 160, []
    end = samples[-1]["seconds"] or 1
    for row, key in enumerate(BOUNDS):
        top = max(s[key] for s in samples) or 1
        points = " ".join("%.1f,%.1f" % (60 + s["seconds"] / end * (width - 80),
                                        (row + 1) * height - 20 - s[key] / top * (height - 50)) for s in samples)
        parts.append('<text x="60" y="%d">%s, up to %d</text><polyline points="%s"/>' %
                     (row * height + 16, key, top, points))
    parts.append('<text x="60" y="%d">%g seconds</text>' % (len(BOUNDS) * height, end))
    with open(path, "w", encoding="utf-8") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d"><style>text{font:14px sans-serif}'
                'polyline{fill:none;stroke:#246}</style>%s</svg>\n' %
                (width, len(BOUNDS) * height + 10, "".join(parts)))


def rounds(setup, recording, heap, path, form):
    """Yields (samples, samples of the end of the quiet time, containers) of one round after the other."""
    churn_s, quiet_s, what = form
    every = 1 if churn_s < 120 else 10
    began = time.monotonic()
    while True:
        churn, samples = Churn(setup, path, what), []
        until = time.monotonic() + churn_s
        churn.start()
        while time.monotonic() < until and not churn.error:
            samples.append(sample(recording.process.pid, heap, began))
            time.sleep(every)
        churn.ending.set()
        churn.join()
        if churn.error:
            raise churn.error
        until = time.monotonic() + quiet_s
        still = []
        while time.monotonic() < until:
            samples.append(sample(recording.process.pid, heap, began))
            if time.monotonic() > until - quiet_s / 4:
                still.append(samples[-1])
            time.sleep(every)
        yield samples, still, churn.made


def soak(setup, form, nr, out):
    """Runs @nr rounds; True if nothing grows and nothing is lost."""
    everything, quiet, made = [], [], 0
    heap, stderr = os.path.join(setup.dir, "heap"), os.path.join(setup.dir, "stderr")
    where = Slice(setup)
    # others' containers are not ours to count; events go nowhere: the recording itself must be bounded
    ours = ["-c", "/%s/*" % where.name, "-c", setup.name().rsplit("-", 1)[0] + "-*"]
    with Recording(setup, ours, output="/dev/null", stderr=stderr) as recording, where as path:
        for samples, still, containers in rounds(setup, recording, heap, path, form):
            everything += samples
            quiet.append(still)
            made += containers
            print("round %d of %d: %d containers; " % (len(quiet), nr, containers) +
                  ", ".join("%s %d" % (key, min(s[key] for s in still)) for key in BOUNDS), flush=True)
            if len(quiet) == nr:
                break
        code = recording.stop(signal.SIGTERM)
        said = recording.said()
    check(code == 0, "ebpfmon ended with %d: %s" % (code, said[-500:]))
    with open(os.path.join(out, "samples.json"), "w", encoding="utf-8") as f:
        json.dump(everything, f)
    picture(everything, os.path.join(out, "soak.svg"))
    good = made > 0
    for key, first, last, allowed in judge(quiet):
        good &= last - first <= allowed
        print("%-8s %d after the first round, %d after the last; %d more are allowed" % (key, first, last, allowed))
    lost = re.findall(r".*\blost\b.*", said)
    print("%d containers in %d s; lost: %s" % (made, everything[-1]["seconds"], "; ".join(lost) or "nothing"))
    return good and not lost


def main():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--ebpfmon", default="./ebpfmon")
    p.add_argument("--trigger")
    p.add_argument("--heap", default="build/tests/heap.so", help="tests/soak/heap.c")
    p.add_argument("--out", default="build/soak")
    p.add_argument("--hours", type=float, help="default: the short form, three rounds of a minute")
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    form = LONG if args.hours else SHORT
    nr = max(2, round(args.hours * 3600 / (form[0] + form[1]))) if args.hours else 3
    setup = Setup(args.ebpfmon, args.trigger and os.path.abspath(args.trigger))
    # of the recording alone, which is why it goes by a program between
    setup.ebpfmon = os.path.join(setup.dir, "ebpfmon")
    with open(setup.ebpfmon, "w", encoding="utf-8") as f:
        f.write('#!/bin/sh\nSOAK_HEAP=%s LD_PRELOAD=%s exec %s "$@"\n' %
                (os.path.join(setup.dir, "heap"), os.path.abspath(args.heap), os.path.abspath(args.ebpfmon)))
    os.chmod(setup.ebpfmon, 0o755)
    try:
        good = soak(setup, form, nr, args.out)
    finally:
        setup.close()
    print("passed" if good else "failed: see %s" % args.out)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
