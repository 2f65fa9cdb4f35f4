# SPDX-License-Identifier: MIT
"""Hostile containers: too many of everything, and the known ways out. Attempts to have the record say something
else than what was done are triggers (tests/triggers/attack.c).

ATTACK_FILES says how many files (20,000). What is tried against the host is tried against a process that the
test started, and stops where it would do harm.
"""
import collections
import contextlib
import json
import os
import re
import socket
import subprocess

from events import run_phase
from lib import (CONTAINERS, Recording, Skip, check, make_executable, read_text, v2_root, wait_until)

FILES = int(os.environ.get("ATTACK_FILES", "20000"))
MEMORY_MAX = 400	# MiB that ebpfmon may take, whatever a container does; docs/test/faults.md


def peak(recording):
    """The most memory that ebpfmon has had, MiB."""
    return int(re.search(r"VmHWM:\s*(\d+)", read_text("/proc/%d/status" % recording.process.pid)).group(1)) / 1024


def report_of(setup, argv, **options):
    """A container's own account, and its report, which took no more than MEMORY_MAX."""
    container = CONTAINERS["runc"](setup, argv, **options)
    with Recording(setup, ["-c", container.name], form="report") as recording, container:
        check(container.wait() == 0, container.errors())
        most = peak(recording)
        check(recording.stop() == 0, recording.said())
    check(most < MEMORY_MAX, "ebpfmon took %d MiB" % most)
    with open(recording.output, encoding="utf-8") as f:
        return container.account(), json.load(f)


def told(report, event):
    """How many of an event were recorded or counted as lost."""
    return report["events"].get(event, {}).get("count", 0) + report["lost"]["events"].get(event, 0)


def files(setup):
    """More distinct files than a report lists: the sums are exact, memory is bounded."""
    account, report = report_of(setup, ["/bin/trigger", "crowd", "files", str(FILES)])
    for event in ("file.open", "file.unlink"):
        check(told(report, event) == account[event] == FILES, "%s: made %d, told %d" %
              (event, FILES, told(report, event)))
    listed, limits = report["files"]["listed"], report["limits"]
    check(listed <= limits["files"] and len(report["files"]["list"]) == listed, "listed %d" % listed)


def fork_bomb(setup):
    """A fork bomb up to the limit of its pids cgroup: each fork once, those refused as errors."""
    account, report = report_of(setup, ["/bin/trigger", "crowd", "bomb"], pids_limit=80)
    check(account["made"] >= 40 and account["refused"] >= 100, "no bomb: %r" % account)
    check(told(report, "process.fork") == account["made"], "forks: %r, told %d" %
          (account, told(report, "process.fork")))
    errors = collections.Counter()
    for call in report["syscalls"]["calls"]:
        if call["name"] in ("fork", "clone"):
            errors.update(call.get("errors", {}))
    check(errors["EAGAIN"] == account["refused"], "refused: %r, told %r" % (account, errors))


def pids_again(setup):
    """Pids that come again: each process is one of its own, with its own program."""
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 14):
        raise Skip("pid_max is the whole machine's before 6.14")
    count = 800
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "crowd", "pids", str(count)])
    with Recording(setup, ["-c", container.name, "-e", "process"]) as recording, container:
        check(container.wait() == 0, container.errors())
        check(recording.stop() == 0, recording.said())
    events = run_phase(recording.events())
    execs = [e for e in events if e["event"] == "process.exec" and e["process.command_args"][1] == "noop"]
    words = collections.Counter(e["process.command_args"][2] for e in execs)
    check(words == collections.Counter("w%d" % i for i in range(count)), "not each word once: %d" % len(words))
    check(len({e["process.vpid"] for e in execs}) < count, "no pid came again: that proves nothing")
    exits = [e for e in events if e["event"] == "process.exit"]
    check(len(exits) == count + 1, "%d processes, %d exits" % (count + 1, len(exits)))


def listener(path):
    """A socket where a container daemon's would be."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(1)
    return sock


def escape_recorded(setup):
    """The ways out, tried in one container: how each ended by its own word, and its events."""
    volume = setup.subdir(setup.name() + ".vol")
    sock = listener(os.path.join(volume, "docker.sock"))
    victim = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    container = CONTAINERS["runc"](
        setup, ["/bin/trigger", "escape", str(victim.pid)], host_pid=True,
        mounts=[{"destination": "/vol", "type": "none", "source": volume, "options": ["rbind", "rw"]}])
    try:
        with Recording(setup, ["-c", container.name]) as recording, container:
            check(container.wait() == 0, container.errors())
            check(recording.stop() == 0, recording.said())
    finally:
        sock.close()
        victim.kill()
        victim.wait()
    return container.account(), run_phase(recording.events()), victim.pid


def ends(setup):
    """Processes whose threads end at the same moment: each ends once, with its own code."""
    count = 10000
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "crowd", "ends", str(count)])
    with Recording(setup, ["-c", container.name, "-e", "process.exit"]) as recording, container:
        check(container.wait() == 0, container.errors())
        check(recording.stop() == 0, recording.said())
    exits = [e for e in run_phase(recording.events()) if e["event"] == "process.exit" and e["process.vpid"] != 1]
    codes = collections.Counter(e["process.exit.code"] for e in exits)
    check(codes == collections.Counter(i % 100 for i in range(count)), "of %d processes %d ends, codes %r" %
          (count, len(exits), codes))


def error_of(word):
    """The error that an attempt's own word means; None: it was done."""
    return None if word == "done" else word


def escapes(setup):
    """Of each way out the record holds what was tried, on what, and how it ended."""
    did, events, victim = escape_recorded(setup)
    wanted = {
        "disk": {"event": "file.mount", "mount.source": "sdz", "mount.type": "ext4", "file.path": "/work/disk"},
        "core_pattern": {"event": "file.open", "file.path": "/proc/sys/kernel/core_pattern"},
        "cgroup": {"event": "file.mount", "mount.type": "cgroup", "file.path": "/work/cg"},
        "release_agent": {"event": "file.open", "file.path": "/work/cg/release_agent"},
        "docker.sock": {"event": "ipc.unix_connect", "ipc.peer_name": "/vol/docker.sock"},
        "module": {"event": "syscall.calls", "syscall.name": "init_module"},
        "ptrace": {"event": "ipc.ptrace", "ptrace.request": "PTRACE_ATTACH", "ipc.target": victim},
        "nsenter": {"event": "process.namespaces"},
        "handle": {"event": "syscall.calls", "syscall.name": "open_by_handle_at"},
    }
    problems = []
    for name, want in wanted.items():
        want = dict(want)
        target = want.pop("ipc.target", None)
        found = [e for e in events if all(e.get(k) == v for k, v in want.items())
                 and e.get("error") == error_of(did[name])
                 and (not target or e["ptrace.target.pid"] == target)]
        if not found:
            near = [e for e in events if e["event"] == want["event"]]
            problems.append("%s ended with %s; wanted %r, got %r" % (name, did[name], want, near[-3:]))
    check(not problems, "\n".join(problems))
    nodes = [e for e in events if e["event"] == "file.create" and e["file.path"] == "/work/sdz"]
    check([e["file.type"] for e in nodes] == ["block_device"], "the device node: %r" % nodes)
    asked = {e["capability.name"] for e in events if e["event"] == "capability.checks" and e["capability.granted"]}
    if did["module"] == "ENOEXEC":	# the kernel looked at the module: it had asked for the capability
        wanted_caps = {"CAP_SYS_MODULE", "CAP_DAC_READ_SEARCH", "CAP_MKNOD", "CAP_SYS_ADMIN"}
        check(wanted_caps <= asked or not asked, "capabilities: %r" % asked)	# none: no cap_capable before 6.14
    # the call failed and left no file to ask: the argument leads by its number to the open before it
    own = [e for e in events if e["event"] == "file.open" and e["file.path"] == "/bin/trigger"]
    check(len(own) == 1 and "O_PATH" in own[0]["file.open_flags"], "of its own file: %r" % own)
    written = [e for e in events if e["event"] == "file.open" and "O_WRONLY" in e["file.open_flags"] and
               e["file.path"] in ("/proc/self/fd/%d" % own[0]["file.descriptor"], "/bin/trigger")]
    check([e.get("error") for e in written] == [error_of(did["overwrite"])], "to write to it: %r" % written)
    host = [e for e in events if e["event"] == "file.open" and e.get("file.path", "").endswith("/etc/hostname")]
    check([e.get("error") for e in host] == [error_of(did["root"])], "by /proc/PID/root: %r" % host)


def shell_recorded(setup, script, volume):
    """A shell in a container with the directory @volume at /vol: what it said, its events."""
    container = CONTAINERS["runc"](
        setup, ["/bin/sh", "-ec", script],
        mounts=[{"destination": "/vol", "type": "none", "source": volume, "options": ["rbind", "rw"]}])
    with Recording(setup, ["-c", container.name]) as recording, container:
        check(container.wait() == 0, container.errors())
        check(recording.stop() == 0, recording.said())
    return container.lines(), run_phase(recording.events())


def one_of(events, **want):
    """The one event that has these values, with __ for a dot."""
    want = {k.replace("__", "."): v for k, v in want.items()}
    found = [e for e in events if all(e.get(k) == v for k, v in want.items())]
    check(len(found) == 1, "%d of %r; of that kind: %r" %
          (len(found), want, [e for e in events if e["event"] == want["event"]][-5:]))
    return found[0]


def need_vm(why):
    """What would change the machine is done to one that is thrown away."""
    if "EBPFMON_VM" not in os.environ:
        raise Skip("in a virtual machine only: " + why)


def host_disk(setup):
    """A privileged container mounts the disk that the host's root is on, and reads what it likes."""
    need_vm("it mounts the host's disk")
    name = setup.name()
    device = os.stat("/").st_dev
    number = "%d:%d" % (os.major(device), os.minor(device))
    fs = [line.split()[2] for line in read_text("/proc/self/mounts").splitlines() if line.split()[1] == "/"][-1]
    secret = os.path.join("/root", name)
    with open(secret, "w") as f:
        f.write("the host's\n")
    try:
        said, events = shell_recorded(
            setup, "mkdir disk; busybox mknod node b %d %d; busybox mount -t %s node disk; cat disk%s" %
            (os.major(device), os.minor(device), fs, secret), setup.subdir(name))
    finally:
        os.unlink(secret)
    check(said == ["the host's"], "it was not read: %r" % said)
    one_of(events, event="file.create", file__path="/work/node", file__type="block_device", file__node_device=number,
           error=None)
    one_of(events, event="file.mount", file__path="/work/disk", mount__source="node", mount__type=fs, error=None)
    path = "/work/disk" + secret
    one_of(events, event="file.open", file__path=path, file__mount__path="/work/disk", file__device=number, file__fs=fs,
           error=None)
    read = [e for e in events if e["event"] == "file.io" and e.get("file.path") == path]
    check(sum(e["file.read_bytes"] for e in read) == len("the host's\n"), "bytes: %r" % read)
    asked = {e["capability.name"] for e in events if e["event"] == "capability.checks" and e["capability.granted"]}
    check({"CAP_MKNOD", "CAP_SYS_ADMIN"} <= asked, "capabilities: %r" % asked)


def v1_hierarchy():
    """A controller of cgroup v1 by which containers are not told, and where it is mounted."""
    mounts = [line.split()[:4] for line in read_text("/proc/self/mounts").splitlines()]
    for controller in ("freezer", "memory"):	# a new cgroup of these takes processes at once
        for _, point, kind, options in mounts:
            if kind == "cgroup" and controller in options.split(",") and point != v2_root():
                return controller, point
    raise Skip("no hierarchy of cgroup v1")


def release_agent(setup):
    """release_agent of cgroup v1: the kernel executes, as the host's root, what a container wrote there."""
    need_vm("it has the host's kernel execute something")
    controller, point = v1_hierarchy()
    name = setup.name()
    volume = setup.subdir(name)
    agent, ran = os.path.join(volume, "agent"), os.path.join(volume, "ran")
    make_executable(agent, "#!/bin/sh\nid -u >%s\n" % ran)
    before = read_text(os.path.join(point, "release_agent"))
    try:
        _, events = shell_recorded(
            setup, "mkdir cg; busybox mount -t cgroup -o %s none cg; mkdir cg/%s; echo 1 >cg/%s/notify_on_release; "
            "echo %s >cg/release_agent; sh -c 'echo 0 >cg/%s/cgroup.procs'" % (controller, name, name, agent, name), volume)
        wait_until(lambda: read_text(ran) == "0\n", 30, "the kernel to execute the agent")
    finally:
        with open(os.path.join(point, "release_agent"), "w") as f:
            f.write(before or "\n")
    one_of(events, event="file.mount", file__path="/work/cg", mount__type="cgroup", error=None)
    opened = one_of(events, event="file.open", file__path="/work/cg/release_agent", error=None)
    check("O_WRONLY" in opened["file.open_flags"] and opened["file.mount.path"] == "/work/cg", "%r" % opened)
    written = [e for e in events if e["event"] == "file.io" and e.get("file.path") == "/work/cg/release_agent"]
    check(sum(e["file.written_bytes"] for e in written) == len(agent) + 1, "written: %r" % written)
    check([e for e in events if e["event"] == "file.open" and e["file.path"].endswith("/notify_on_release")],
          "notify_on_release is not there")


@contextlib.contextmanager
def misc_format(name, interpreter):
    """Files NAME.NAME are executed by an interpreter, by binfmt_misc."""
    point = "/proc/sys/fs/binfmt_misc"
    subprocess.run(["modprobe", "-q", "binfmt_misc"], check=False, stderr=subprocess.DEVNULL)
    if "binfmt_misc" not in read_text("/proc/filesystems"):
        raise Skip("this kernel has no binfmt_misc")
    mounted_here = not os.path.exists(point + "/register")
    if mounted_here:
        subprocess.run(["mount", "-t", "binfmt_misc", "none", point], check=True)
    try:
        with open(point + "/register", "w") as f:
            f.write(":%s:E::%s::%s:" % (name, name, interpreter))
        yield
        with open(os.path.join(point, name), "w") as f:
            f.write("-1")
    finally:
        if mounted_here:
            subprocess.run(["umount", point], check=True)


def binfmt(setup):
    """A file that the kernel knows an interpreter for only by binfmt_misc: both are told."""
    name = setup.name()
    volume = setup.subdir(name)
    make_executable(os.path.join(volume, "x." + name), "echo by-misc $0 $1; exit 0\n")
    with misc_format(name, "/bin/sh"):
        said, events = shell_recorded(setup, "/vol/x.%s word; true" % name, volume)
    path = "/vol/x." + name
    check(said == ["by-misc %s word" % path], "it did not run: %r" % said)
    e = one_of(events, event="process.exec", process__exec__filename=path)
    check(e["process.exec.interpreter"] == "/bin/sh" and e["process.executable.path"] == "/bin/busybox" and
          e["process.command_args"] == ["/bin/sh", path, "word"], "%r" % e)


CASES = {"files": files, "fork_bomb": fork_bomb, "pids": pids_again, "ends": ends,
         "escapes": escapes, "host_disk": host_disk,
         "release_agent": release_agent, "binfmt": binfmt}


def tests(setup, runtimes):
    """(name, function)"""
    if "runc" in runtimes:
        for name, function in CASES.items():
            yield "attacks." + name, lambda f=function: f(setup)
