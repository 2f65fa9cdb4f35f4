#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the live tests: python3 tests/live/run.py [--ebpfmon ./ebpfmon] [--runtime run,runc,docker] [-k PATTERN]

Needs root. Each failing test shows what was expected and what ebpfmon said; each skipped one says
why. The last line is "N passed, N failed, N skipped"; the exit code is 1 if a test failed.
"""
import argparse
import concurrent.futures
import os
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import advice	# noqa: E402
import attacks	# noqa: E402
import attribution	# noqa: E402
import cases	# noqa: E402
import engines	# noqa: E402
import events	# noqa: E402
import faults	# noqa: E402
import flood	# noqa: E402
import harness	# noqa: E402
import identity	# noqa: E402
import messages	# noqa: E402
import refused	# noqa: E402
import safety	# noqa: E402
import swarm	# noqa: E402
import truth	# noqa: E402
from lib import Failure, Setup, SharedRecording, Skip, TOP	# noqa: E402


def parse_arguments():
    """The command line."""
    p = argparse.ArgumentParser(description="The live tests of ebpfmon; needs root.")
    p.add_argument("--ebpfmon", default=os.path.join(TOP, "ebpfmon"), help="the executable to test")
    p.add_argument("--trigger", help="the trigger program, if it is not to be built")
    p.add_argument("--runtime", default="run,runc,docker", help="which of run, runc, docker, engines; by comma")
    p.add_argument("-k", metavar="PATTERN", default="", help="only tests whose name this is found in (re)")
    p.add_argument("-j", metavar="N", type=int, default=1, help="so many tests at once; default 1")
    p.add_argument("-x", action="store_true", help="end at the first failure")
    p.add_argument("--list", action="store_true", help="say the names and end")
    p.add_argument("--harness", action="store_true",
                   help="only what needs no ebpfmon: triggers against strace, runtimes, parsers")
    return p.parse_args()


def run_one(name, function):
    """Runs a test; returns "passed", "failed" or "skipped", and says how it went."""
    begin = time.monotonic()
    try:
        function()
        word, text = "passed", ""
    except Skip as e:
        word, text = "skipped", str(e)
    except Failure as e:
        word, text = "failed", str(e)
    except Exception:	# pylint: disable=broad-except
        word, text = "failed", traceback.format_exc()
    lines = ["%-7s %s (%.1f s)%s" % (word, name, time.monotonic() - begin,
                                     ": " + text.strip().split("\n")[0] if word == "skipped" else "")]
    if word == "failed":
        lines.append("  " + text.strip().replace("\n", "\n  "))
    sys.stdout.write("\n".join(lines) + "\n")	# at once: others write as well
    sys.stdout.flush()
    return word


# What these do to the machine, or measure of it, would be the others' as well: one at a time, behind the others.
ALONE = re.compile(r"^(refused|swarm|flood|attacks|faults|safety)\.|pid_reuse|identity.select$")


def run_all(tests, jobs, stop_at_failure):
    """Runs them, @jobs at a time where they may; returns how many ended how."""
    numbers = {"passed": 0, "failed": 0, "skipped": 0}

    def run(test):
        if not (stop_at_failure and numbers["failed"]):
            return run_one(*test)
        return None
    if jobs > 1:	# those of real programs take longest
        tests.sort(key=lambda t: "/truth." not in t[0])
    for alone in (False, True):
        with concurrent.futures.ThreadPoolExecutor(1 if alone else jobs) as pool:
            todo = [pool.submit(run, t) for t in tests if bool(ALONE.search(t[0])) == alone]
            for done in concurrent.futures.as_completed(todo):
                if done.result():
                    numbers[done.result()] += 1
    if SharedRecording.all:
        numbers[run_one("shared recording", SharedRecording.end)] += 1
    return numbers


def all_tests(setup, args):
    """Every test that the options ask for."""
    runtimes = args.runtime.split(",")
    found = []
    if "engines" in runtimes:
        runtimes.remove("engines")
        found = list(engines.tests(setup))
    if args.harness:
        found = list(harness.tests(setup, runtimes))
    else:
        modules = (
            events,
            messages,
            cases,
            attribution,
            identity,
            advice,
            refused,
            swarm,
            flood,
            attacks,
            faults,
            safety,
            truth,
        )
        found += [t for m in modules for t in m.tests(setup, runtimes)]
    return [(n, f) for n, f in found if re.search(args.k, n)]


def main():
    """Runs what was asked for and says the numbers."""
    args = parse_arguments()
    if os.geteuid() and not args.list:
        sys.exit("the live tests need root")
    if not args.harness and not args.list and not os.access(args.ebpfmon, os.X_OK):
        sys.exit("%s is not there: build it first, or say --ebpfmon" % args.ebpfmon)
    setup = Setup(args.ebpfmon, args.trigger)
    try:
        tests = all_tests(setup, args)
        if args.list:
            print("\n".join(name for name, _ in tests))
            return 0
        numbers = run_all(tests, args.j, args.x)
    finally:
        engines.Ctr.close()
        setup.close()
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % numbers)
    return 1 if numbers["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
