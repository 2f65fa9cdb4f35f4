#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Soak: ebpfmon watches 50 containers at a time that come and go, for hours.

Every second (every minute of a long run) ebpfmon's memory, open files, the memory of its BPF maps and the
lost records are sampled; then the slope of each, after a warm-up, decides. Samples, a picture
(SVG) and the verdict are left in --out. Needs root and touches only what it started.
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
WARM = 32	# seconds: what is gone is forgotten after 30 (UNDECIDED_NS in src/recorder.c)
# What a value may grow by in the measured part, in parts of where it began, and in any case. Memory: glibc
# takes and returns it in steps; files: a container's state file may be open at that moment.
BOUNDS = {"rss_kib": (0.10, 4096), "fds": (0, 6), "maps_kib": (0.02, 512)}


def maps_kib(pid):
    """What the kernel charges for the BPF maps that the process holds open, each once."""
    charged = {}
    for fd in os.listdir("/proc/%d/fdinfo" % pid):
        text = read_text("/proc/%d/fdinfo/%s" % (pid, fd))
        number, bytes_ = (re.search(r"^%s:\s*(\d+)" % key, text, re.M) for key in ("map_id", "memlock"))
        if number and bytes_:
            charged[number.group(1)] = int(bytes_.group(1))
    return sum(charged.values()) // 1024


def sample(pid, began):
    """The values now."""
    rss = re.search(r"VmRSS:\s*(\d+)", read_text("/proc/%d/status" % pid))
    check(rss, "ebpfmon is gone")
    return {"seconds": round(time.monotonic() - began, 2), "rss_kib": int(rss.group(1)),
            "fds": len(os.listdir("/proc/%d/fd" % pid)), "maps_kib": maps_kib(pid)}


class Churn(threading.Thread):
    """Containers in waves until told to end: plain cgroups by the trigger, and now and then one by runc."""

    def __init__(self, setup, path):
        super().__init__(daemon=True)
        self.setup, self.path = setup, path
        self.made = 0
        self.error = None
        self.ending = threading.Event()

    def run(self):
        try:
            while not self.ending.is_set():
                done = subprocess.run([self.setup.trigger, "swarm", self.path, str(WAVE), str(WAVE), "secret"],
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


def slope(samples, key):
    """Growth of a value a second, by least squares."""
    xs, ys = [s["seconds"] for s in samples], [s[key] for s in samples]
    mx, my = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)


def judge(samples):
    """(what, begin, grown by, allowed) of each value, without the warm-up."""
    end = samples[-1]["seconds"]
    warm = [s for s in samples if s["seconds"] >= max(end / 4, min(WARM, end / 2))]
    check(len(warm) >= 10, "only %d samples" % len(warm))
    span = warm[-1]["seconds"] - warm[0]["seconds"]
    for key, (part, least) in BOUNDS.items():
        begin = warm[0][key]
        yield key, begin, slope(warm, key) * span, max(part * begin, least)


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


def soak(setup, seconds, out):
    """Runs it; True if nothing grows and nothing is lost."""
    samples, every = [], max(1, min(60, seconds / 120))
    # events go nowhere: the recording itself must be bounded
    with Recording(setup, [], output="/dev/null", stderr=os.path.join(setup.dir, "stderr")) as recording, \
            Slice(setup) as path:
        churn = Churn(setup, path)
        began = time.monotonic()
        churn.start()
        while time.monotonic() - began < seconds and not churn.error:
            samples.append(sample(recording.process.pid, began))
            time.sleep(every)
        churn.ending.set()
        churn.join()
        code = recording.stop(signal.SIGTERM)
        said = recording.said()
    if churn.error:
        raise churn.error
    check(code == 0, "ebpfmon ended with %d: %s" % (code, said[-500:]))
    with open(os.path.join(out, "samples.json"), "w", encoding="utf-8") as f:
        json.dump(samples, f)
    picture(samples, os.path.join(out, "soak.svg"))
    good = True
    for key, begin, grown, allowed in judge(samples):
        good &= grown <= allowed
        print("%-8s %d after the warm-up, grew by %.0f; %.0f is allowed" % (key, begin, grown, allowed))
    lost = re.findall(r".*\blost\b.*", said)
    print("%d containers in %d s; lost: %s" % (churn.made, samples[-1]["seconds"], "; ".join(lost) or "nothing"))
    return good and not lost


def main():
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--ebpfmon", default="./ebpfmon")
    p.add_argument("--trigger")
    p.add_argument("--out", default="build/soak")
    p.add_argument("--hours", type=float, default=0)
    p.add_argument("--seconds", type=float, default=0)
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    setup = Setup(args.ebpfmon, args.trigger and os.path.abspath(args.trigger))
    try:
        good = soak(setup, args.hours * 3600 + args.seconds, args.out)
    finally:
        setup.close()
    print("passed" if good else "failed: see %s" % args.out)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
