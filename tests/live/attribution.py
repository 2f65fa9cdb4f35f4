# SPDX-License-Identifier: MIT
"""Whose is it? Processes that come into a container and go out of it by unusual ways. The truth is
what /proc said at that moment, and what the test itself did."""
import os
import subprocess

from events import run_phase
from lib import CONTAINERS, Recording, Skip, check, need_docker, read_text, remove_cgroup, v2_root, wait_until

MOVES = ["-e", "container,process,file"]	# container.cgroup_attach is not shown unless asked for


def of(events, name):
    """The events of one type."""
    return [e for e in events if e["event"] == name]


def sleeper(setup, runtime, seconds="600"):
    """A container that does nothing for long."""
    if runtime == "docker":
        need_docker(setup)
    return CONTAINERS[runtime](setup, ["/bin/sh", "-c", "echo up; /bin/sleep %s; exit 0" % seconds])


def cgroup_id(path):
    """The id of a cgroup is its directory's inode number."""
    return os.stat(v2_root() + path).st_ino


def cgroup_of(pid):
    """Path of a process's cgroup, by /proc."""
    for line in read_text("/proc/%d/cgroup" % pid).splitlines():
        if line.startswith("0::"):
            return line[3:]
    return None


def nsenter(setup, runtime):
    """A host process in the container's namespaces is told, and is not the container's."""
    container = sleeper(setup, runtime)
    with Recording(setup, ["-c", container.name]) as recording, container:
        container.wait_line(0)
        pid = container.init_pid()
        entered = subprocess.Popen(["nsenter", "-t", str(pid), "-m", "-u", "-i", "-n", "-p",
                                    "/bin/cat", "/etc/passwd"], stdout=subprocess.PIPE)
        out = entered.communicate()[0]
        check(out.startswith(b"root"), "nsenter said %r" % out)
        container.kill()
        recording.stop()
    events = recording.events()
    enters = of(events, "container.enter")
    check(all(e.get("process.outside") for e in enters), "not marked as outside: %r" % enters)
    setns = [e for e in enters if e["process.pid"] == entered.pid and "process.command_args" not in e]
    check(setns, "no container.enter of nsenter (%d): %r" % (entered.pid, enters))
    check({"CLONE_NEWNS", "CLONE_NEWUTS", "CLONE_NEWIPC", "CLONE_NEWNET", "CLONE_NEWPID"} <=
          {f for e in setns for f in e["process.namespaces"]}, "not all namespaces: %r" % setns)
    execs = [e for e in enters if e.get("process.command_args") == ["/bin/cat", "/etc/passwd"]]
    check(len(execs) == 1, "expected the program that was executed inside: %r" % enters)
    check(execs[0]["process.parent_pid"] == entered.pid, "not a child of nsenter: %r" % execs)
    check(not [e for e in run_phase(events) if e["event"] == "file.open" and e["file.path"] == "/etc/passwd"],
          "what it opened is not the container's")
    check(not [e for e in of(events, "process.exec") if e["process.command_args"] == ["/bin/cat", "/etc/passwd"]],
          "its exec is not the container's")


def left(setup, runtime):
    """A process that is moved out of the cgroup: that it went is told, what it does then is not its."""
    container = CONTAINERS[runtime](setup, ["/bin/sh", "-c",
                                             "(echo up; read x; : > /tmp/after; /bin/sleep 0; :); exit 0"])
    if runtime == "docker":
        need_docker(setup)
    name = setup.name() + "-away"
    away = os.path.join(v2_root(), name)
    os.mkdir(away)
    try:
        with Recording(setup, ["-c", container.name]) as recording, container:
            container.wait_line(0)
            init = container.init_pid()
            pid = int(read_text("/proc/%d/task/%d/children" % (init, init)))
            with open(away + "/cgroup.procs", "w") as f:
                f.write(str(pid))
            check(cgroup_of(pid) == "/" + name, "not moved: %r" % cgroup_of(pid))
            container.go()
            container.wait()
            recording.stop()
        leaves = of(recording.events(), "container.leave")
        check(len(leaves) == 1, "expected one container.leave: %r" % leaves)
        e = leaves[0]
        check((e["process.target.pid"], e["process.mover.pid"], e["cgroup.id"], e["cgroup.path"]) ==
              (pid, os.getpid(), cgroup_id("/" + name), "/" + name), "not what was done: %r" % e)
        late = [e for e in recording.events() if e.get("file.path") == "/tmp/after"]
        check(not late, "told as the container's, which it was not any more: %r" % late)
        execs = [e for e in of(recording.events(), "container.enter") if e.get("process.command_args")]
        check([e["process.command_args"] for e in execs] == [["/bin/sleep", "0"]] and execs[0]["process.outside"],
              "that it still is in the container's namespaces is not told: %r" % execs)
    finally:
        remove_cgroup(name)


def moved_in(setup, runtime):
    """A host process that is moved in is told, with who did it; its events are of the set-up phase, not the
    workload's."""
    container = sleeper(setup, runtime)
    with Recording(setup, ["-c", container.name] + MOVES) as recording, container:
        container.wait_line(0)
        cgroup = cgroup_of(container.init_pid())
        number = cgroup_id(cgroup)
        mover = subprocess.Popen(["/bin/sh", "-c", "read x; /bin/cat /etc/hostname"], stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL)
        with open(v2_root() + cgroup + "/cgroup.procs", "w") as f:
            f.write(str(mover.pid))
        mover.communicate(b"\n")
        container.kill()
        recording.stop()
    events = recording.events()
    attaches = [e for e in of(events, "container.cgroup_attach") if e["process.target.pid"] == mover.pid]
    check(len(attaches) == 1 and attaches[0]["process.mover.pid"] == os.getpid(),
          "expected to be told of the move of %d: %r" % (mover.pid, attaches))
    check(attaches[0]["cgroup.id"] == number, "another cgroup: %r" % attaches)
    opened = [e for e in of(events, "file.open") if e["file.path"] == "/etc/hostname"]
    check(len(opened) == 1 and opened[0]["phase"] == "setup", "expected one open, of the set-up: %r" % opened)


def inner_move(setup, runtime):
    """A manager inside that puts its children into cgroups of their own, as systemd does: the child moves
    itself, and is the workload's, not a runtime's."""
    if runtime != "runc":
        raise Skip("only runc is asked to leave the cgroups open to the container")
    container = CONTAINERS[runtime](
        setup, ["/bin/sh", "-c", "mkdir /cg/sub; echo up; read x; (echo 0 > /cg/sub/cgroup.procs; : > /tmp/moved;"
                " /bin/cat /etc/passwd); rmdir /cg/sub; exit 0"],
        mounts=[{"destination": "/cg", "type": "none", "options": ["rbind", "rw"],
                 "source": os.path.join(v2_root(), "ebpfmon-live", "inner")}])
    container.name = container.id = "inner"
    with Recording(setup, ["-c", "inner"] + MOVES) as recording:
        os.makedirs(os.path.join(v2_root(), "ebpfmon-live", "inner"), exist_ok=True)
        with container:
            container.wait_line(0)
            container.go()
            check(container.wait() == 0, container.errors())
            recording.stop()
    events = recording.events()
    for path in ("/tmp/moved", "/etc/passwd"):
        opened = [e for e in of(run_phase(events), "file.open") if e["file.path"] == path]
        check(len(opened) == 1, "expected one open of %s, of the run: %r" %
              (path, [e for e in events if e.get("file.path") == path]))
    moves = [e for e in of(events, "container.cgroup_attach") if e["phase"] == "run"]
    check(len(moves) == 1 and moves[0]["process.target.pid"] == moves[0]["process.mover.pid"], "%r" % moves)
    check(len(of(events, "container.start")) == 1, "more than one start: %r" % of(events, "container.start"))


CASES = {"nsenter": nsenter, "left": left, "moved_in": moved_in, "inner_move": inner_move}


def one(setup, runtime, name):
    """Runs one case; the Docker daemon starts before anything is recorded."""
    if runtime == "docker":
        need_docker(setup)
    CASES[name](setup, runtime)


def tests(setup, runtimes):
    """(name, function) of each case with each runtime that has containers."""
    for runtime in runtimes:
        if runtime == "run":
            continue
        for name in CASES:
            yield "%s/attribution.%s" % (runtime, name), lambda r=runtime, n=name: one(setup, r, n)
