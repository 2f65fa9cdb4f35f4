#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Many starts of a trivial container under its own profile: the runtime's rare calls are in it, or some fail.

usage: sudo STARTS=1000 tests/verify/starts.py   (from the repository, after make)
Half of the starts are made with no-new-privileges and half without, two at a time. RUNTIME=/path/to/runc: another one.
"""
import collections
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile

import verify
from workloads import Workload

STARTS = int(os.environ.get("STARTS", "1000"))
TRIVIAL = Workload(["/bin/busybox", "echo", "started"])
AT_ONCE = 2


def start(where, number):
    """What one start printed and ended with."""
    done = subprocess.run([verify.RUNTIME, "run", "-b", where, "starts-%d-%d" % (os.getpid(), number)],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr[-300:]


def advised(where, reports, nnp):
    """The bundle under the advice of the reports."""
    advise = lambda what, *more: json.loads(verify.run(["./ebpfmon", "recommend", what, *more, *reports]))
    with open(where + "/config.json") as f:
        c = json.load(f)
    c["linux"]["seccomp"] = advise("seccomp", "--for", "runc")
    c["process"].update(noNewPrivileges=nnp, capabilities=advise("capabilities")["oci"])
    os.makedirs(where + ("-nnp" if nnp else "-plain"))
    c["root"]["path"] = where + "/rootfs"
    where += "-nnp" if nnp else "-plain"
    with open(where + "/config.json", "w") as f:
        json.dump(c, f)
    return where


def main():
    verify.RUNTIME = os.environ.get("RUNTIME", verify.RUNTIME)
    work = tempfile.mkdtemp(prefix="ebpfmon-starts-")
    try:
        os.makedirs(work + "/state")
        verify.bundle(work + "/bundle", TRIVIAL, work + "/state")
        cid, report = "starts-%d" % os.getpid(), work + "/report.json"
        verify.record([verify.RUNTIME, "run", "-b", work + "/bundle", cid], cid, report)
        bundles = [advised(work + "/bundle", [report], nnp) for nnp in (True, False)]
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            ends = collections.Counter(pool.map(lambda i: start(bundles[i % 2], i), range(STARTS)))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    good = ends.pop((0, b"started\n", b""), 0)
    for end, count in ends.most_common(5):
        print("  %d times: %r" % (count, end))
    print("%d passed, %d failed, 0 skipped" % (good, STARTS - good))
    sys.exit(good != STARTS)


if __name__ == "__main__":
    main()
