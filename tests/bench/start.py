#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long from start to attached, and from the stop signal to a written report. Prints, judges nothing."""
import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time

ATTACHED = b"recording "  # what ebpfmon says on standard error when every program is attached


def once(exe, report):
    """Seconds to attached, and to the end of the process with the report in place."""
    command = [exe, "--output", report, "--container", "bench-start-no-such", "--wait"]
    begin = time.monotonic()
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        for line in process.stderr:
            if ATTACHED in line:
                break
        else:
            raise SystemExit(f"ebpfmon did not attach, it ended with {process.wait()}")
        attached = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        process.wait()
        return attached - begin, time.monotonic() - attached


def run_once(exe, report):
    """Seconds of a whole `run -- true`, which leaves a report of a container."""
    begin = time.monotonic()
    subprocess.run([exe, "run", "-q", "-o", report, "--", "true"], check=True)
    if not os.path.getsize(report):
        raise SystemExit("no report")
    os.unlink(report)
    return time.monotonic() - begin


def show(what, values):
    """One line: minimum, median, maximum in milliseconds."""
    low, mid, high = (f"{1000 * f(values):.0f}" for f in (min, statistics.median, max))
    print(f"{what:<42} {low:>6} {mid:>6} {high:>6}")


def main():
    """Measure as often as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ebpfmon", default="./ebpfmon")
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.json")
        pairs = [once(options.ebpfmon, report) for _ in range(options.times)]
        runs = [run_once(options.ebpfmon, report) for _ in range(options.times)]
    print(f"{'milliseconds, of ' + str(options.times):<42} {'min':>6} {'median':>6} {'max':>6}")
    show("start to attached", [p[0] for p in pairs])
    show("SIGINT to ended", [p[1] for p in pairs])
    show("run -- true, start to report written", runs)


if __name__ == "__main__":
    main()
