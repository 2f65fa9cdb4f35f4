# SPDX-License-Identifier: MIT
"""Loss: what a flood made, by its own count, is what was recorded and what was counted as lost, together,
for each event exactly; sums made in the kernel lack nothing. FLOOD_SECONDS says how long (1)."""
import json
import os
import signal
import time

from lib import CONTAINERS, Failure, Recording, check

SECONDS = float(os.environ.get("FLOOD_SECONDS", "1"))
# What the flood does not count itself: of the container's first process, and of each of its workers.
FIRST = {"process.exec": 1, "process.exit": 1, "execve": 1}
WORKER = {"process.fork": 1, "process.exit": 1, "file.open": 1, "openat": 1, "wait4": 1}
# A ring in which opens and connections seldom all find room; they cannot while ebpfmon is stopped.
SMALL = "64K"


def flooded(setup, kind, buffer, pause):
    """A flood in a container; its own account, and the report. ebpfmon is stopped for @pause seconds of it,
    which must not stop the container."""
    milliseconds = int((SECONDS + pause) * 1000)
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "flood", kind, str(milliseconds)])
    with Recording(setup, ["-c", container.name, "--buffer", buffer], form="report") as recording, container:
        if pause:
            container.wait_line(0)
            recording.process.send_signal(signal.SIGSTOP)
            time.sleep(pause)
            recording.process.send_signal(signal.SIGCONT)
        check(container.wait() == 0, container.errors())
        check(recording.stop() == 0, recording.said())
    with open(recording.output, encoding="utf-8") as f:
        report = json.load(f)
    check(report["container"]["id"] == container.name, "another container's report")
    return container.account(), report


def made_in_all(made, name):
    """How many there must be of an event or a call that the flood counted."""
    count = made["events"].get(name) or made["calls"][name]
    return count + FIRST.get(name, 0) + made["workers"] * WORKER.get(name, 0)


class TooMany(Failure):
    """While ebpfmon was behind, other containers of the machine's lost records, too."""


def account(setup, kind, buffer, pause=0):
    """Tries once more when others have disturbed the account."""
    for last in (False, False, True):
        try:
            return once(setup, kind, buffer, pause)
        except TooMany:
            if last:
                raise
    return None


def once(setup, kind, buffer, pause):
    """Recorded and lost are what was made; something must be lost while nobody reads."""
    made, report = flooded(setup, kind, buffer, pause)
    lost = report["lost"]["events"]
    for event in made["events"]:
        recorded = report["events"].get(event, {}).get("count", 0)
        if recorded <= made_in_all(made, event) < recorded + lost.get(event, 0):
            raise TooMany("%s: made %d, recorded %d and lost %d" %
                          (event, made_in_all(made, event), recorded, lost[event]))
        check(recorded + lost.get(event, 0) == made_in_all(made, event), "%s: made %d, recorded %d and lost %d" %
              (event, made_in_all(made, event), recorded, lost.get(event, 0)))
    totals = {c["name"]: c["count"] for c in report["syscalls"]["calls"] if c["abi"] == "native"}
    for call in made["calls"]:
        check(totals.get(call) == made_in_all(made, call), "calls of %s: made %d, summed %r; lost %r" %
              (call, made_in_all(made, call), totals.get(call), lost))
    if pause:
        check(sum(lost.values()), "nothing was lost while nobody read: that proves nothing: %r" % made)


def tests(setup, runtimes):
    """(name, function)"""
    if "runc" not in runtimes:
        return
    for kind in ("fork", "open", "connect"):
        for buffer in ("8M", SMALL):
            yield "flood.%s/%s" % (kind, buffer), lambda k=kind, b=buffer: account(setup, k, b)
        yield "flood.%s/stopped" % kind, lambda k=kind: account(setup, k, SMALL, 2)
