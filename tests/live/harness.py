# SPDX-License-Identifier: MIT
"""Tests of the tests: do triggers do what they say, do the runtimes start and stop cleanly, are
strace's lines read rightly? None of them needs ebpfmon."""
import json
import os
import subprocess

from compare import compare
from events import OWN_TEST, WAIT, trigger_names
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
    yield "compare", lambda: comparison_notices(setup)
    for runtime in runtimes:
        if runtime != "run":
            yield "container/" + runtime, lambda r=runtime: container_runs(setup, r)
    yield from truth.self_tests(setup)
