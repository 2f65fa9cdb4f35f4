#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What containers cost ebpfmon: 2,000 of them, started and stopped one wave after the other, each a cgroup with
namespaces and a short process (tests/triggers/swarm.c). Shown are its CPU time and the time to start one, with and
without it; its memory before, at the peak, after the first round was forgotten, and after a second: what leaks would
grow; and how long it takes to start while as many run. Needs root: make bench-containers; COUNT=2000."""
import hashlib
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "live"))

from lib import Recording, Setup, read_text	# noqa: E402
from swarm import Slice, lines, swarm	# noqa: E402

COUNT = int(os.environ.get("COUNT", "2000"))
WAVE = 10
FORGOTTEN = 65	# seconds: what is gone is forgotten after 30, looked for every 30


def memory(pid, key):
    """VmRSS or VmHWM, in KiB."""
    return int(re.search(key + r":\s*(\d+)", read_text("/proc/%d/status" % pid)).group(1))


def cpu(pid):
    """Seconds of CPU time so far."""
    fields = read_text("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(setup):
    """A round of the swarm: what it made, and seconds."""
    with Slice(setup) as path:
        begin = time.monotonic()
        made = swarm(setup, path, COUNT, WAVE, "exit")
        return made, time.monotonic() - begin


def start_among(setup):
    """Seconds until recording, with COUNT containers there."""
    sleepers = []
    with Slice(setup) as path:
        try:
            for i in range(COUNT):
                name = os.path.join(path, "docker-%s.scope" % hashlib.sha256(b"%d" % i).hexdigest())
                os.mkdir(name)
                sleepers.append((name, subprocess.Popen(["/bin/sleep", "600"], stdin=subprocess.DEVNULL)))
                with open(os.path.join(name, "cgroup.procs"), "w") as f:
                    f.write(str(sleepers[-1][1].pid))
            begin = time.monotonic()
            with Recording(setup, []) as recording:
                seconds = time.monotonic() - begin
                recording.stop()
            return seconds
        finally:
            for name, process in sleepers:
                process.kill()
                process.wait()
                while os.path.isdir(name):	# an exiting task leaves its cgroup a moment later
                    try:
                        os.rmdir(name)
                    except OSError:
                        time.sleep(0.01)


def main():
    """Prints the table."""
    setup = Setup(os.path.join(TOP, "ebpfmon"))
    try:
        timed(setup)	# warms up
        _, alone = timed(setup)
        with Recording(setup, []) as recording:
            pid = recording.process.pid
            first = memory(pid, "VmRSS")
            used = cpu(pid)
            made, watched = timed(setup)
            time.sleep(2)
            used = cpu(pid) - used
            peak = memory(pid, "VmHWM")
            time.sleep(FORGOTTEN)
            after = memory(pid, "VmRSS")
            timed(setup)
            peak2 = memory(pid, "VmHWM")
            time.sleep(FORGOTTEN)
            again = memory(pid, "VmRSS")
            recording.stop()
        start = start_among(setup)
        starts = sum(e["event"] == "container.start" for _, e in lines(recording, made))
    finally:
        setup.close()
    print("%d containers, %d of them told as started" % (COUNT, starts))
    print("one container, without ebpfmon  %8.2f ms" % (alone / COUNT * 1000))
    print("                with it         %8.2f ms" % (watched / COUNT * 1000))
    print("CPU time of ebpfmon for one     %8.2f ms" % (used / COUNT * 1000))
    print("its memory before               %8d KiB" % first)
    print("  at the peak                   %8d KiB" % peak)
    print("  %d s later                    %8d KiB" % (FORGOTTEN, after))
    print("  peak after as many again      %8d KiB" % peak2)
    print("  %d s later                    %8d KiB" % (FORGOTTEN, again))
    print("start with %d running          %8.2f s" % (COUNT, start))
    return 0 if starts == COUNT and again - after < max(1024, after // 20) else 1


if __name__ == "__main__":
    sys.exit(main())
