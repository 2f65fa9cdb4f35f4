# SPDX-License-Identifier: MIT
"""The entries of advice against an independent source: what strace saw of the same run.

Both look at one start of the container: strace follows the runtime and all that it starts, and of what it saw
those calls count that were made by a process under a seccomp filter. Where one thread gives all of its process a
filter (SECCOMP_FILTER_FLAG_TSYNC), calls of the others that overlap with that call may or may not have been under it:
strace shows a call before the kernel looks at the filter, and the end of a call after others have gone on. Such calls
are neither asked for nor objected to.
"""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import strace	# noqa: E402  # the reader of the live tests

NEVER = 1 << 62
# strace decodes these of 32-bit programs: it says what the first argument asks for
MULTIPLEXED = {"socketcall": set("socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom "
                                 "shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg".split()),
               "ipc": set("semop semget semctl semtimedop msgsnd msgrcv msgget msgctl shmat shmdt shmget shmctl".split())}


def filter_from(calls):
    """{pid: index of the call that gave it its filter; -1: it was born with one}"""
    parent, group, members, began = {}, {}, {}, {}
    for i, c in enumerate(calls):
        if c.name in strace.FORKS and c.result and c.result > 0:
            parent[c.result] = (c.pid, i)
            group[c.result] = group.get(c.pid, c.pid) if "CLONE_THREAD" in c.args else c.result
            members.setdefault(group[c.result], []).append(c.result)
        elif c.result == 0 and (c.name == "seccomp" and c.args.startswith("SECCOMP_SET_MODE_FILTER")
                                or c.name == "prctl" and re.match("PR_SET_SECCOMP, SECCOMP_MODE_FILTER", c.args)):
            whole = "SECCOMP_FILTER_FLAG_TSYNC" in c.args
            leader = group.get(c.pid, c.pid)
            for pid in [leader, *members.get(leader, [])] if whole else [c.pid]:
                began.setdefault(pid, i)

    def inherited(pid):
        """A child is under what its parent was under when it was made."""
        if pid in parent:
            by, when = parent[pid]
            if inherited(by) < when:
                return -1
        return began.get(pid, NEVER)
    return {pid: inherited(pid) for pid in {c.pid for c in calls}}


def seen(lines):
    """Names of the calls of a trace that were made under a filter, and of those that perhaps were."""
    # a new process has one number for its parent and one for us
    calls = strace.parse(re.sub(r"= \d+ /\* (\d+) in strace's PID NS \*/", r"= \1", line) for line in lines)
    filters = filter_from(calls)
    certain, perhaps = set(), set()
    for i, c in enumerate(calls):
        given = filters[c.pid]
        if given < c.since:		# it began after that call had ended
            certain.add(c.name)
        elif given != NEVER and i != given and i >= calls[given].since:
            perhaps.add(c.name)
    return certain, perhaps


def names(profile):
    """What a profile allows."""
    return {n for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for n in rule["names"]}


def advised(runtime, report):
    """The entries of the profile for a report."""
    return names(json.loads(subprocess.run([os.environ.get("EBPFMON", "./ebpfmon"), "recommend", "seccomp", "--for", runtime, report],
                                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout))


def traced(trace, command):
    """The command, followed."""
    return ["strace", "-f", "-qq", "-s", "0", "--decode-pids=pidns", "-o", trace, *command]


def differences(runtime, report, trace):
    """Entries that strace did not see, and calls that it saw and that are no entries. Those that are in
    without a record prove nothing."""
    empty = report + ".empty"
    with open(empty, "w") as f:
        # exit is always in; that it was made by a 32-bit program brings in what is so of such programs
        json.dump({"schema": "ebpfmon.report", "schema_version": 1,
                   "syscalls": {"calls": [{"name": "compat:exit", "count": 1}]}}, f)
    entries = advised(runtime, report)
    with open(trace, errors="replace") as f:
        truth, perhaps = seen(f)
    for whole, parts in MULTIPLEXED.items():
        if whole in entries and truth & parts - entries:
            truth = truth - (parts - entries) | {whole}
    return {"not_in_strace": sorted(entries - advised(runtime, empty) - truth - perhaps), "only_in_strace": sorted(truth - entries)}


SAMPLE = """\
1 clone(child_stack=0, flags=CLONE_VM|CLONE_THREAD) = 2
2 epoll_pwait(4,  <unfinished ...>
1 seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, {} <unfinished ...>
2 <... epoll_pwait resumed>[], 128, 0, NULL, 0) = 0
2 futex(0x1, FUTEX_WAIT) = 0
1 <... seccomp resumed>) = 0
1 getpid() = 1
2 gettid() = 2
1 clone(child_stack=0, flags=SIGCHLD) = 3
3 getppid() = 1
"""

if __name__ == "__main__":	# the reader by itself: what it makes of two threads, of which one gives both a filter
    got = seen(SAMPLE.splitlines())
    want = {"getpid", "gettid", "clone", "getppid"}, {"epoll_pwait", "futex"}
    sys.exit(0 if got == want else "expected %r, got %r" % (want, got))
