# SPDX-License-Identifier: MIT
"""Faults: what ebpfmon does when something around it fails. The table is docs/test/faults.md.

FAULT_EACH=1 refuses every BPF program by itself, not only those of a subsystem together.
"""
import datetime
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

from attacks import MEMORY_MAX, need_vm, peak
from events import run_phase
from refused import doctor, refusing
from lib import (CONTAINERS, Docker, Failure, READY, RUN_TIMEOUT, Recording, START_TIMEOUT, Skip, check, parse_events,
                 read_text, remove_cgroup, say, v2_root, wait_until)

# When a signal comes: while this is made, after ebpfmon is ready or not, so many seconds later, so many times.
MOMENTS = (("json", False, 0.1, 1), ("jsonl", False, 0.3, 1), ("jsonl", True, 0.2, 1), ("json", True, 0.2, 1),
           ("json", True, 0.4, 2))
SUBSYSTEMS = ("process", "file", "ipc", "tcp", "capability", "paths", "syscall", "container")


def run_command(setup, output, form, command, before=(), env=None):
    """`ebpfmon run` of a command; what subprocess.run says."""
    return subprocess.run([*before, setup.ebpfmon, "run", "-f", form, "-o", output, "--", *command],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT, check=False, env=dict(os.environ, **(env or {})))


def whole(path, form):
    """Fails unless the output is not there, or whole."""
    if not os.path.exists(path):
        return False
    with open(path, "rb") as f:
        data = f.read()
    if form == "json":
        json.loads(data)
    else:
        check(not data or data.endswith(b"\n"), "the last line is torn: %r" % data[-100:])
        parse_events(path)
    return True


def signals(setup, sig):
    """A signal at any moment, while it starts, records and writes: a report is whole or absent, lines are whole."""
    work, seen = setup.subdir(setup.name()), {"json": 0, "jsonl": 0}
    for turn, (form, ready, delay, times) in enumerate(MOMENTS):
        path = os.path.join(work, "%d.%s" % (turn, form))
        with open(path + ".stderr", "w") as stderr:
            process = subprocess.Popen(
                [setup.ebpfmon, "run", "-f", form, "-o", path, "--", setup.trigger, "flood", "open", "600"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, start_new_session=True, cwd=work)
        if ready:
            wait_until(lambda p=path: READY in read_text(p + ".stderr"), START_TIMEOUT, "ebpfmon to be ready")
        time.sleep(delay)
        for _ in range(times):
            process.send_signal(sig)
        process.wait(RUN_TIMEOUT)
        if sig == signal.SIGKILL:
            remove_left(process.pid)
        if sig == signal.SIGKILL and form == "jsonl":
            whole_lines(path)
        else:
            seen[form] += whole(path, form)
    check(sig == signal.SIGKILL or all(seen.values()), "never was there an output: that proves nothing: %r" % seen)


def remove_left(pid):
    """The cgroup that a killed `ebpfmon run` could not remove, once its command has ended."""
    name = "ebpfmon-run-%d" % pid

    def gone():
        remove_cgroup(name)
        return not os.path.exists(os.path.join(v2_root(), name))
    wait_until(gone, RUN_TIMEOUT, "%s to be empty" % name)


def nothing_left(setup, call, there):
    """SIGKILL when a report is written and before it has its name: nothing is left behind, what was there stays."""
    if not shutil.which("strace"):
        raise Skip("strace is not installed")
    path = os.path.join(setup.subdir(setup.name()), "r.json")
    if there:
        with open(path, "w") as f:
            f.write("before")
    done = run_command(setup, path, "json", ["/bin/true"], before=[
        "strace", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", "inject=%s:signal=SIGKILL:when=1" % call,
        "sh", "-c", 'echo $$; exec "$@"', "sh"])
    remove_left(int(done.stdout))
    check(done.returncode == -signal.SIGKILL, "it was not killed: %d: %s" % (done.returncode, done.stderr))
    left = os.listdir(os.path.dirname(path))
    check(left == (["r.json"] if there else []) and (not there or read_text(path) == "before"), "left: %r" % left)


def cgroup_left(setup):
    """The cgroup of a killed ebpfmon that had our pid: an empty one is taken away, beside one with a process there is another."""
    work, root = setup.subdir(setup.name()), v2_root()
    script = ('cg=%s/ebpfmon-run-$$; mkdir $cg; if [ "$0" = busy ]; then sleep 600 >/dev/null 2>&1 & echo $! >$cg/cgroup.procs; echo $! $cg; '
              'else echo 0 $cg; fi; exec "$@"' % root)
    for how in ("empty", "busy"):
        path = os.path.join(work, how + ".json")
        done = run_command(setup, path, "json", ["/bin/true"], before=["sh", "-c", script, how])
        sleeper, left = done.stdout.split()
        if how == "busy":
            os.kill(int(sleeper), signal.SIGKILL)
            wait_until(lambda d=left: not read_text(d + "/cgroup.procs"), RUN_TIMEOUT, "the sleeper to end")
            os.rmdir(left)
        check(done.returncode == 0 and whole(path, "json"), "%s: %d: %s" % (how, done.returncode, done.stderr))
        check(not glob.glob(left + "*"), "cgroups are left: %r" % glob.glob(left + "*"))


def whole_lines(path):
    """After SIGKILL a write may have been cut by the kernel, but only at the end: all lines before it are whole."""
    if os.path.exists(path):
        with open(path, "rb") as f:
            for line in f.read().split(b"\n")[:-1]:
                json.loads(line)


class SmallDisk:
    """A tmpfs of 256 KiB."""

    def __init__(self, setup):
        self.path = setup.subdir(setup.name())

    def __enter__(self):
        say(["mount", "-t", "tmpfs", "-o", "size=256k", "small", self.path])
        return self.path

    def __exit__(self, *exc):
        subprocess.run(["umount", "-l", self.path], check=True)


def full_disk(setup, form):
    """ENOSPC: the container is not disturbed, the status is 1 and says so, a report is absent, lines are whole."""
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "flood", "open", "1000"])
    with SmallDisk(setup) as disk:
        path = os.path.join(disk, "out")
        if form == "report":
            with open(os.path.join(disk, "filler"), "wb") as f:
                f.write(b"x" * 250000)
        with Recording(setup, ["-c", container.name], form=form, output=path) as recording, container:
            os.set_blocking(recording.stderr.fileno(), True)
            check(container.wait() == 0, container.errors())
            code = recording.stop()
            said = recording.said()
        check(code == 1, "status %d: %s" % (code, said))
        check("No space left" in said or "space" in said, "it does not say why: %s" % said)
        if form == "report":
            check(sorted(os.listdir(disk)) == ["filler", "out.stderr"], "left behind: %r" % os.listdir(disk))
        else:
            check(whole(path, "jsonl"), "no lines at all")


def closed_pipe(setup):
    """`| head`: it ends by itself, well, and the container goes on."""
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "flood", "open", "1500"])
    err = os.path.join(setup.subdir(setup.name()), "stderr")
    with open(err, "w") as stderr:
        process = subprocess.Popen([setup.ebpfmon, "--wait", "-c", container.name, "-f", "jsonl"],
                                   stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL)
    wait_until(lambda: READY in read_text(err), START_TIMEOUT, "ebpfmon to be ready: " + read_text(err))
    with container:
        json.loads(process.stdout.readline())
        process.stdout.close()
        check(process.wait(RUN_TIMEOUT) == 0, read_text(err))
        check(container.wait() == 0, container.errors())


def slow_reader(setup):
    """Nobody reads stdout: the container is not stalled, memory is bounded, and once somebody reads, what is not told is
    counted as lost."""
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "flood", "open", "1500"])
    err = os.path.join(setup.subdir(setup.name()), "stderr")
    with open(err, "w") as stderr:
        process = subprocess.Popen([setup.ebpfmon, "--wait", "-c", container.name, "-f", "jsonl", "--buffer", "64K"],
                                   stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL)
    recording = type("", (), {"process": process})
    try:
        wait_until(lambda: READY in read_text(err), START_TIMEOUT, "ebpfmon to be ready: " + read_text(err))
        begin = time.monotonic()
        with container:
            check(container.wait() == 0, container.errors())
        lasted = time.monotonic() - begin
        check(lasted < 30, "the container took %g s" % lasted)
        check(peak(recording) < MEMORY_MAX, "%d MiB" % peak(recording))
        told = sum(b'"event":"file.open"' in line and b'"phase":"run"' in line for line in read_then_end(process))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    lost = sum(map(int, re.findall(r"lost: (\d+) records of file\.open", read_text(err))))
    made = container.account()["events"]["file.open"] + container.account()["workers"]
    # who does not read decides nothing: what other containers did meanwhile is among what was lost
    check(told and lost and told + lost >= made, "made %d, told %d, lost %d: %s" % (made, told, lost, read_text(err)))


def read_then_end(process):
    """Its lines, with SIGINT once reading has begun: all that was kept comes."""
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    return [first] + process.stdout.readlines()


def never_read(setup):
    """Nobody ever reads stdout: SIGTERM ends it all the same, and it says what is missing."""
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "flood", "open", "500"])
    err = os.path.join(setup.subdir(setup.name()), "stderr")
    with open(err, "w") as stderr:
        process = subprocess.Popen([setup.ebpfmon, "--wait", "-c", container.name, "-f", "jsonl", "--buffer", "64K"],
                                   stdout=subprocess.PIPE, stderr=stderr, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: READY in read_text(err), START_TIMEOUT, "ebpfmon to be ready: " + read_text(err))
        with container:
            check(container.wait() == 0, container.errors())
        process.terminate()
        check(process.wait(20) == 1, "status %d: %s" % (process.returncode, read_text(err)))
    except subprocess.TimeoutExpired:
        raise Failure("SIGTERM does not end it while nobody reads")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def no_btf(setup):
    """A kernel without BTF: it says so, and leaves nothing."""
    path = os.path.join(setup.subdir(setup.name()), "r.json")
    done = run_command(setup, path, "json", ["/bin/true"], before=[
        "unshare", "-m", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"])
    check(done.returncode == 125 and "BTF" in done.stderr, "status %d: %s" % (done.returncode, done.stderr))
    check(not os.listdir(os.path.dirname(path)), "left behind")


def capabilities(setup, without, works):
    """Root without some capabilities: it records all the same, or names the one that is missing."""
    if not shutil.which("setpriv"):
        raise Skip("setpriv is not installed")
    path = os.path.join(setup.subdir(setup.name()), "r.json")
    words = ",".join("-" + w for w in without.split())
    done = run_command(setup, path, "json", ["/bin/cat", "/etc/hostname"],
                       before=["setpriv", "--bounding-set", words, "--inh-caps", "-all"])
    if works:
        check(done.returncode == 0, "status %d: %s" % (done.returncode, done.stderr))
        with open(path, encoding="utf-8") as f:
            report = json.load(f)
        check(report["events"]["process.exec"]["count"] == 1 and report["syscalls"]["count"] > 20, "not all is there")
    else:
        check(done.returncode == 125 and "CAP_" in done.stderr, "status %d: %s" % (done.returncode, done.stderr))
        check(not os.path.exists(path), "a report all the same")


def memlock(setup):
    """A low RLIMIT_MEMLOCK, which counts for BPF before 5.11: the soft limit is raised, the hard one only with
    CAP_SYS_RESOURCE; without it the limit is named, by the doctor as well, and nothing is left behind."""
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (5, 11):
        raise Skip("from 5.11 on the memory of BPF is not limited by RLIMIT_MEMLOCK")
    path = os.path.join(setup.subdir(setup.name()), "r.json")
    without = ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-all"]
    some, plenty = 1 << 16, 1 << 29
    for soft, hard, before, works in ((some, some, [], True), (some, plenty, without, True), (some, some, without, False)):
        limited = ["prlimit", "--memlock=%d:%d" % (soft, hard), *before]
        done = run_command(setup, path, "json", ["/bin/cat", "/etc/hostname"], before=limited)
        said = "%d:%d %r: status %d: %s" % (soft, hard, before, done.returncode, done.stderr)
        if works:
            check(done.returncode == 0, said)
            with open(path, encoding="utf-8") as f:
                report = json.load(f)
            check(not any("MEMLOCK" in c.get("reason", "") for c in report["coverage"]), "not all is there: " + said)
            check(report["events"]["process.exec"]["count"] == 1, "no process.exec: " + said)
            os.unlink(path)
        else:
            check(done.returncode == 125 and "RLIMIT_MEMLOCK" in done.stderr, said)
            check(not os.listdir(os.path.dirname(path)), "left behind")
            asked = subprocess.run([*limited, setup.ebpfmon, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, timeout=RUN_TIMEOUT, check=False)
            check(asked.returncode == 1 and "RLIMIT_MEMLOCK" in asked.stderr, "the doctor: %d: %s" %
                  (asked.returncode, asked.stderr))


def refused(setup, names):
    """Programs that the kernel refuses are named with the reason, and never stop the rest."""
    path = os.path.join(setup.subdir(setup.name()), "r.json")
    done = run_command(setup, path, "json", ["/bin/cat", "/etc/hostname"], before=refusing(setup, *names))
    if done.returncode == 125 and "syscall_exit" in names:	# nothing could be told without it
        check("cannot" in done.stderr, done.stderr)
        return
    check(done.returncode == 0, "without %r: status %d: %s" % (names, done.returncode, done.stderr))
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
    rows = [c for c in report["coverage"] if c["program"] in names]
    check(len(rows) == len(names) and not any(c["active"] for c in rows), "not all refused: %r" % rows)
    check(all(c["reason"] for c in rows), "without a reason: %r" % rows)
    check(sum(c["active"] for c in report["coverage"]) > 20, "the rest did not go on")
    # without process.exec nobody sees where the set-up ends
    calls = report["syscalls"]["count"] + report["setup"]["syscalls"]["count"]
    check(calls > 20, "calls: %d" % calls)


def refused_subsystem(setup, subsystem):
    """All programs of a subsystem."""
    refused(setup, [p for p in doctor(setup) if p.startswith(subsystem + "_")])


def each_refused(setup):
    """Every program by itself."""
    if not os.environ.get("FAULT_EACH"):
        raise Skip("make test-faults refuses every program by itself")
    for name in doctor(setup):
        refused(setup, [name])


def opened(events):
    """{path below /tmp: the names of the containers whose processes opened it}"""
    found = {}
    for e in events:
        if e["event"] == "file.open" and e.get("file.path", "").startswith("/tmp/"):
            found.setdefault(e["file.path"][5:], []).append(e.get("container.name"))
    return found


def restart(setup):
    """dockerd and its containerd end, and come back, while a container runs: it keeps its name, and its events go on, also for
    who begins to record only then."""
    daemon, name = Docker(setup, ["--live-restore"], "docker-restarted"), setup.name()
    try:	# without a client, who would end with the daemon: the container waits for files
        say(daemon.command("run", "-d", "--name", name, "--network", "none", "--security-opt", "seccomp=unconfined",
                           "--security-opt", "apparmor=unconfined", "--tmpfs", "/tmp", "ebpfmon-live:1", "/bin/sh", "-c",
                           "n=0; while :; do [ -e /tmp/go$n ] && { : >/tmp/done$n; n=$((n + 1)); }; sleep 0.05; done"))
        with Recording(setup, ["-c", name]) as recording:
            touch(daemon, name, 0)
            daemon.stop()
            daemon.start()
            with Recording(setup, ["-c", name]) as later:
                touch(daemon, name, 1)
                check(later.stop() == 0, later.said())
            check(recording.stop() == 0, recording.said())
        for r, wanted in ((recording, ("go0", "done0", "go1", "done1")), (later, ("go1", "done1"))):
            got = opened(run_phase(r.events()))
            check(all(got.get(f) and set(got[f]) == {name} for f in wanted), "%s: %r" % (r.output, got))
    finally:
        subprocess.run(daemon.command("rm", "-f", name), check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        daemon.close()


def touch(daemon, name, number):
    """By `docker exec`; the container answers with a file of its own."""
    say(daemon.command("exec", name, "/bin/touch", "/tmp/go%d" % number))
    wait_until(lambda: subprocess.run(daemon.command("exec", name, "/bin/ls", "/tmp/done%d" % number), check=False,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0,
               RUN_TIMEOUT, "the container to answer")


def seconds(text):
    """RFC 3339 as seconds; nanoseconds are cut to microseconds."""
    return datetime.datetime.fromisoformat(text[:26] + "+00:00").timestamp()


def clock_back(setup):
    """The clock is set back by an hour during the recording: times go on as they began, nothing lasts a negative time."""
    need_vm("it sets the clock")
    container = CONTAINERS["runc"](setup, ["/bin/sh", "-c", "/bin/sleep 0.2; echo a; read x; /bin/sleep 0.2; exit 0"])
    report = Recording(setup, ["-c", container.name], form="report")
    with Recording(setup, ["-c", container.name]) as recording, report:
        begin = time.time()
        with container:
            container.wait_line(0)
            time.clock_settime(time.CLOCK_REALTIME, time.time() - 3600)
            try:
                container.go()
                check(container.wait() == 0, container.errors())
                check(recording.stop() == 0 and report.stop() == 0, recording.said() + report.said())
            finally:
                time.clock_settime(time.CLOCK_REALTIME, time.time() + 3600)
        end = time.time()
    exits = [e for e in recording.events() if e["event"] == "process.exit"]
    check(len(exits) >= 3 and all(0 <= e["process.duration"] < (end - begin + 60) * 1e9 for e in exits), "%r" % exits)
    # records of two CPUs may change places, by no more than the ring holds
    times = [seconds(e["time"]) for e in recording.events() if e.get("phase") == "run"]
    check(times and all(begin - 60 <= t <= end + 60 for t in times), "times: %r" % times)
    execs = [e for e in recording.events() if e["event"] == "process.exec" and e.get("phase") == "run"]
    check([e["time"] for e in execs] == sorted(e["time"] for e in execs), "%r" % [e["time"] for e in execs])
    with open(report.output, encoding="utf-8") as f:
        told = json.load(f)["recording"]
    check(0 <= told["duration"] < (end - begin + 60) * 1e9 and seconds(told["start"]) <= seconds(told["end"]), "%r" % told)


CASES = {
    "clock_back": clock_back,
    "killed.new": lambda s: nothing_left(s, "fsync", False), "killed.replaced": lambda s: nothing_left(s, "fsync", True),
    "killed.cgroup": cgroup_left,
    "signal.SIGINT": lambda s: signals(s, signal.SIGINT), "signal.SIGTERM": lambda s: signals(s, signal.SIGTERM),
    "signal.SIGHUP": lambda s: signals(s, signal.SIGHUP), "signal.SIGKILL": lambda s: signals(s, signal.SIGKILL),
    "full_disk.jsonl": lambda s: full_disk(s, "jsonl"), "full_disk.report": lambda s: full_disk(s, "report"),
    "closed_pipe": closed_pipe, "slow_reader": slow_reader, "never_read": never_read, "no_btf": no_btf,
    "without.bpf_perfmon": lambda s: capabilities(s, "bpf perfmon", True),
    "without.sys_resource": lambda s: capabilities(s, "sys_resource", True),
    "without.sys_admin": lambda s: capabilities(s, "sys_admin", True),
    "without.bpf_sys_admin": lambda s: capabilities(s, "bpf sys_admin", False),
    "without.perfmon_sys_admin": lambda s: capabilities(s, "perfmon sys_admin", False),
    "memlock": memlock, "refused.each": each_refused,
}
CASES.update({"refused." + p: lambda s, p=p: refused_subsystem(s, p) for p in SUBSYSTEMS})


def tests(setup, runtimes):
    """(name, function)"""
    if "runc" in runtimes:
        for name, function in CASES.items():
            yield "faults." + name, lambda f=function: f(setup)
    if "docker" in runtimes:
        yield "faults.restart", lambda: restart(setup)
