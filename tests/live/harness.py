# SPDX-License-Identifier: MIT
"""Tests of the tests: do triggers do what they say, do the runtimes start and stop cleanly, are
strace's lines read rightly? None of them needs ebpfmon."""
import collections
import json
import os
import shutil
import subprocess

import strace
from compare import compare
from events import OWN_TEST, trigger_names
from lib import CONTAINERS, Failure, RUN_TIMEOUT, Skip, check, need_docker


def trigger_runs(setup, name):
    """The trigger ends well and gives an account that is complete JSON."""
    work = setup.subdir(setup.name())
    done = subprocess.run(["unshare", "--net", "--ipc", setup.trigger, name], cwd=work,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == 0 and not done.stderr, "exit code %d: %r" % (done.returncode, done.stderr))
    account = json.loads(done.stdout)
    check(account["facts"], "no facts")


def traced(setup, name):
    """A trigger's account, and what strace saw of it."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    work = setup.subdir(setup.name())
    out = work + ".strace"
    done = subprocess.run(["strace", "-f", "-yy", "-s", "0", "-o", out, setup.trigger, name], cwd=work,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == 0, "exit code %d" % done.returncode)
    with open(out, errors="surrogateescape") as f:
        return json.loads(done.stdout), strace.parse(f)


def trigger_counts(setup):
    """The calls that syscall.calls says it made are those that strace saw."""
    account, calls = traced(setup, "syscall.calls")
    seen = {}
    for (pid, name, error), n in collections.Counter((c.pid, c.name, c.error) for c in calls).items():
        error = "EINTR" if error and error.startswith("ERESTART") else error
        key = (pid, name, None if name == "rt_sigreturn" else error)
        seen[key] = seen.get(key, 0) + n
    want = collections.Counter()
    for fact in account["facts"]:	# strace gives calls of both ABIs the same name
        name = fact["syscall.name"].replace("compat:", "")
        want[(fact["process.vpid"], name, fact["error"])] += fact["syscall.count"]
    for key, count in want.items():
        if key[1:] != ("getpid", None):
            check(seen.get(key) == count, "%r: trigger %d, strace %r" % (key, count, seen.get(key)))


def trigger_opens(setup):
    """The opens that file.open says it made, and nothing else, are those that strace saw."""
    account, calls = traced(setup, "file.open")
    paths, errors = strace.opened(calls)
    facts = [f for f in account["facts"] if f["event"] == "file.open"]
    want = collections.Counter(f["file.path"] for f in facts if not f["error"])
    check(want == paths, "trigger %r, strace %r" % (want - paths, paths - want))
    want = collections.Counter(f["error"] for f in facts if f["error"])
    check(want == errors, "trigger %r, strace %r" % (want, errors))


def trigger_bytes(setup):
    """The bytes that file.io says it moved are those that strace saw."""
    account, calls = traced(setup, "file.io")
    want = collections.defaultdict(lambda: [0, 0])
    for f in account["facts"]:
        if f["event"] == "file.io":
            want[f["file.path"]][0] += f["file.read_bytes"]
            want[f["file.path"]][1] += f["file.written_bytes"]
    want = {k: v for k, v in want.items() if any(v)}
    got = strace.file_bytes(calls)
    check(want == got, "trigger %r, strace %r" % (want, got))


def container_runs(setup, runtime):
    """A container says what it was asked to, twice, and leaves nothing behind."""
    if runtime == "docker":
        need_docker(setup)
    for _ in range(2):
        container = CONTAINERS[runtime](setup, ["/bin/trigger", "-w", "file.mkdir"])
        with container:
            container.wait_line(0)
            pid = container.init_pid()
            check(os.path.exists("/proc/%d" % pid), "its first process is not there")
            container.go()
            container.wait_line(1)
            container.go()
            check(container.wait() == 0, container.errors())
        check(container.account()["pid"] == 1, "not in a pid namespace of its own")
        check(not os.path.exists("/proc/%d" % pid), "its first process is still there")


def comparison_notices(setup):
    """What is missing, too much, or different is found; what agrees passes."""
    account = {"pid": 7, "exe": "/t", "complete": ["file.mkdir"], "facts": [
        {"event": "file.mkdir", "process.vpid": 7, "file.path": "/a\u00ff", "error": None},
        {"event": "file.mkdir", "process.vpid": 7, "file.path": "/b", "error": "EEXIST"}]}
    right = [{"event": "file.mkdir", "process.vpid": 7, "process.pid": 70, "file.path": "/b", "error": "EEXIST"},
             {"event": "file.mkdir", "process.vpid": 7, "process.pid": 70, "file.path": "/a\uf7ff"}]
    compare(account, right)
    for wrong in (right[:1], right + right[1:], [dict(right[0], error="EPERM"), right[1]]):
        try:
            compare(account, wrong)
        except Failure:
            continue
        raise Failure("not noticed: %r" % wrong)


def tests(setup, runtimes):
    """(name, function)"""
    import truth
    for name in trigger_names(setup):
        if name not in OWN_TEST - {"process.tree"}:
            yield "trigger/" + name, lambda n=name: trigger_runs(setup, n)
    for function in (trigger_counts, trigger_opens, trigger_bytes):
        yield "strace/" + function.__name__, lambda f=function: f(setup)
    yield "compare", lambda: comparison_notices(setup)
    for runtime in runtimes:
        if runtime != "run":
            yield "container/" + runtime, lambda r=runtime: container_runs(setup, r)
    yield from truth.self_tests(setup)
