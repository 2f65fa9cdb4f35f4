# SPDX-License-Identifier: MIT
"""Whose is it? Processes that come into a container and go out of it by unusual ways. The truth is
what /proc said at that moment, and what the test itself did."""
import hashlib
import json
import os
import subprocess
import time

from events import run_phase
from lib import (CONTAINERS, RUN_TIMEOUT, Recording, Skip, check, mounted, need_docker, oci_config, parse_events, read_text, remove_cgroup, say,
                 v2_root, wait_until)

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
    v1 = os.path.basename(v2_root()) == "pids"
    for line in read_text("/proc/%d/cgroup" % pid).splitlines():
        number, controllers, path = line.split(":", 2)
        if "pids" in controllers.split(",") if v1 else number == "0":
            return path
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


def signalled(setup, runtime):
    """A host process that signals one of the container's is told as its sender, and is not the container's: nor
    is the call that it is in when recording ends."""
    container = sleeper(setup, runtime)
    with Recording(setup, ["-c", container.name]) as recording, container:
        container.wait_line(0)
        pid = container.init_pid()
        sender = subprocess.Popen(["/bin/sh", "-c", "kill -URG %d && echo && exec /bin/sleep 600" % pid],
                                  stdout=subprocess.PIPE)
        try:
            check(sender.stdout.readline() == b"\n", "the signal was not sent")
            wait_until(lambda: read_text("/proc/%d/comm" % sender.pid).strip() == "sleep", RUN_TIMEOUT, "sleep")
            recording.stop()
        finally:
            sender.kill()
            sender.communicate()
        container.kill()
    its = [e for e in recording.events() if e.get("process.pid") == sender.pid]
    check([(e["event"], e["signal.name"], e["signal.target.pid"]) for e in its] == [("ipc.signal", "SIGURG", pid)],
          "expected its signal and nothing else: %r" % its)
    check(its[0]["process.outside"] and its[0]["signal.crosses_container"], "not told as from outside: %r" % its[0])


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
        setup, ["/bin/sh", "-c", "mkdir /cg/sub; ls -di /cg/sub; read x; (echo 0 > /cg/sub/cgroup.procs; : > /tmp/moved;"
                " /bin/cat /etc/passwd); rmdir /cg/sub; exit 0"],
        mounts=[{"destination": "/cg", "type": "none", "options": ["rbind", "rw"],
                 "source": os.path.join(v2_root(), "ebpfmon-live", "inner")}])
    container.name = container.id = "inner"
    with Recording(setup, ["-c", "inner"] + MOVES) as recording:
        os.makedirs(os.path.join(v2_root(), "ebpfmon-live", "inner"), exist_ok=True)
        with container:
            inode = int(container.wait_line(0).split()[0])
            container.go()
            check(container.wait() == 0, container.errors())
            recording.stop()
    events = recording.events()
    made = [e.get("cgroup.path", "") for e in of(events, "container.cgroup_create") if e["cgroup.id"] == inode]
    check(len(made) == 1 and made[0].endswith("/ebpfmon-live/inner/sub"), "cgroup %d made at %r" % (inode, made))
    gone = [e["cgroup.id"] for e in of(events, "container.cgroup_remove")]
    check(gone.count(inode) == 1, "of cgroup %d, removed: %r" % (inode, gone))
    for path in ("/tmp/moved", "/etc/passwd"):
        opened = [e for e in of(run_phase(events), "file.open") if e["file.path"] == path]
        check(len(opened) == 1, "expected one open of %s, of the run: %r" %
              (path, [e for e in events if e.get("file.path") == path]))
    moves = [e for e in of(events, "container.cgroup_attach") if e["phase"] == "run"]
    check(len(moves) == 1 and moves[0]["process.target.pid"] == moves[0]["process.mover.pid"], "%r" % moves)
    check(len(of(events, "container.start")) == 1, "more than one start: %r" % of(events, "container.start"))


def session(setup, runtime):
    """What "exec" brings in is told from what the entry point started, with all that descends from it."""
    container = CONTAINERS[runtime](setup, ["/bin/sh", "-c", "/bin/true; echo up; read x; /bin/ls /; exit 0"])
    with Recording(setup, ["-c", container.name]) as recording, container:
        container.wait_line(0)
        for word in ("one", "two"):
            container.exec(["/bin/sh", "-c", "/bin/cat /etc/passwd > /tmp/%s; exit 0" % word])
        container.go()
        check(container.wait() == 0, container.errors())
        recording.stop()
    events = run_phase(recording.events())
    own = {"/bin/true", "/bin/ls"}
    sessions = {}
    for e in of(events, "process.exec"):
        argv, pid = e["process.command_args"], e.get("exec_session.pid")
        if argv[0] in own or "echo up" in argv[-1]:
            check(not pid, "of the entry point, but in a session: %r" % e)
        else:
            check(pid, "of an exec, but in no session: %r" % e)
            sessions.setdefault((pid, e["exec_session.start"]), []).append(argv)
    check(sorted(len(v) for v in sessions.values()) == [2, 2], "expected two sessions of two programs: %r" % sessions)
    for (pid, _), argvs in sessions.items():
        word = argvs[0][2].split("/tmp/")[1].split(";")[0]
        opened = [e for e in of(events, "file.open") if e["file.path"] == "/tmp/" + word]
        check(len(opened) == 1 and opened[0].get("exec_session.pid") == pid, "in its session: %r" % opened)
    check(len(of(events, "container.start")) == len(of(events, "container.stop")) == 1, "one start, one stop")


def existing(setup, runtime):
    """What runs already is in the report's tree with its parents, idle or not; an exec of before, too."""
    container = CONTAINERS[runtime](setup, ["/bin/sh", "-c", "/bin/sleep 600 & echo up; wait"])
    output = os.path.join(setup.subdir(setup.name()), "report.json")
    with container:
        container.wait_line(0)
        init = container.init_pid()
        late = subprocess.Popen(container.exec_command(["/bin/sh", "-c", "/bin/sleep 601; exit 0"]),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # forked is not enough: a child that has not yet executed sleep has its parent's arguments
        want = wait_until(lambda: (lambda t: t if len(t) == 4 and [a[0] for _, a in t.values()].count("/bin/sleep") == 2
                                   else None)(tree_of(init)), RUN_TIMEOUT, "2 shells and 2 sleeps")
        with Recording(setup, ["-c", container.name], form="report", output=output) as recording:
            check(tree_of(init) == want, "the container changed meanwhile")
            recording.stop()
        container.kill()
        late.wait()
    with open(output, encoding="utf-8") as f:
        got = dict(told(json.load(f)["processes"]["tree"], None))
    check({p: v[:2] for p, v in got.items()} == {p: v[:2] for p, v in want.items()},
          "(parent inside, arguments) by pid: /proc has %r, the report %r" % (want, got))
    for pid, (_, argv, exec_session, old) in got.items():
        check(old, "not marked as there before: %r" % (argv,))
        check(bool(exec_session) == ("601" in argv[-1] or argv[-1].startswith("/bin/sleep 601")),
              "%d %r: exec session %r" % (pid, argv, exec_session))


def existing_sockets(setup, runtime):
    """Connections and listeners from before are in the report, and marked."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "-w", "tcp.existing"])
    output = os.path.join(setup.subdir(setup.name()), "report.json")
    with container:
        container.wait_line(0)
        with Recording(setup, ["-c", container.name], form="report", output=output) as recording:
            container.go()
            container.wait_line(1)
            container.go()
            check(container.wait() == 0, container.errors())
            recording.stop()
    ends = ("network.local.port", "network.peer.port")
    facts = [f for f in container.account()["facts"] if f["event"] == "tcp.existing"]
    with open(output, encoding="utf-8") as f:
        tcp = json.load(f)["tcp"]
    want = sorted(tuple(f[k] for k in ends) for f in facts if not f["network.listening"])
    got = sorted((c["local"]["port"], c["peer"]["port"]) for c in tcp["connections"] if c.get("existing"))
    check(got == want and len(got) == len(tcp["connections"]) == 2, "connections: want %r\ngot %r" % (want, tcp))
    want = [f["network.local.port"] for f in facts if f["network.listening"]]
    got = [l["local_port"] for l in tcp["listeners"] if l.get("existing")]
    check(got == want and len(got) == 1, "listeners: want %r\ngot %r" % (want, tcp["listeners"]))


def zombie(setup, runtime):
    """A process that had ended, unasked for, when recording started is told as what it is; and the end of a
    container that was there before."""
    container = CONTAINERS[runtime](setup, ["/bin/sh", "-c", "/bin/sleep 0.3 & echo up; exec /bin/sleep 600"])
    with container:
        container.wait_line(0)
        init = container.init_pid()
        child = wait_until(lambda: [p for p in read_text("/proc/%d/task/%d/children" % (init, init)).split()
                                    if "State:\tZ" in read_text("/proc/%s/status" % p)], RUN_TIMEOUT, "a zombie")
        with Recording(setup, ["-c", container.name]) as recording:
            container.kill()
            container.wait()
            recording.stop()
    stops = of(recording.events(), "container.stop")
    check([(e["process.pid"], e["process.exit.signal"]) for e in stops] == [(init, "SIGKILL")], "%r" % stops)
    got = {e["process.pid"]: e["process.zombie"] for e in of(recording.events(), "process.existing")}
    check(got == {init: False, int(child[0]): True}, "/proc has %d, zombie %s; told: %r" % (init, child, got))


def pid_reuse(setup):
    """Two processes with the same pid are two."""
    work = setup.subdir(setup.name())
    outputs = {f: os.path.join(work, "out." + f) for f in ("jsonl", "json")}
    pids = {}
    for form, path in outputs.items():
        done = subprocess.run([setup.ebpfmon, "run", "-f", form, "-o", path, "--",
                               setup.trigger, "reuse"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        check(done.returncode == 0, "%r" % done.stderr)
        pids[form] = json.loads([x for x in done.stdout.splitlines() if x.startswith(b'{"pid"')][0])["pid"]
    events = [e for e in parse_events(outputs["jsonl"]) if e.get("process.pid") == pids["jsonl"]]
    execs = [e["process.command_args"][2] for e in of(events, "process.exec")]
    check(execs == ["first", "second"], "%r" % execs)
    check(len(of(events, "process.exit")) == 2, "%r" % of(events, "process.exit"))
    calls = [e for e in of(events, "syscall.calls") if e["syscall.name"] == "execve"]
    check([e["syscall.count"] for e in calls] == [1, 1], "each executed one program: %r" % calls)
    with open(outputs["json"], encoding="utf-8") as f:
        tree = list(walk(json.load(f)["processes"]["tree"]))
    two = [p for p in tree if p["pid"] == pids["json"]]
    check([p["args"][2] for p in two] == ["first", "second"] and two[0]["start"] < two[1]["start"], "%r" % two)


def walk(tree):
    """All processes of a report's tree."""
    for p in tree:
        yield p
        yield from walk(p.get("children", []))


def tree_of(init):
    """The processes in @init's pid namespace, by /proc: pid to (parent inside, arguments)."""
    space, tree = os.readlink("/proc/%d/ns/pid" % init), {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink("/proc/%s/ns/pid" % entry) == space:
                with open("/proc/%s/cmdline" % entry, "rb") as f:
                    argv = f.read().decode().rstrip("\0").split("\0")
                tree[int(entry)] = [int(read_text("/proc/%s/stat" % entry).rsplit(")", 1)[1].split()[1]), argv]
        except OSError:
            continue
    return {p: (v[0] if v[0] in tree else None, v[1]) for p, v in tree.items() if v[1][0].startswith("/bin/")}


def told(tree, parent):
    """The same of a report: pid, (parent, arguments, exec session, existing)."""
    for p in tree:
        yield p["pid"], (parent, p.get("args"), p.get("exec_session"), p.get("existing"))
        yield from told(p.get("children", []), p["pid"])


def short(setup, runtime):
    """A container of 20 ms is told whole: its name and image, the program, its end."""
    container = CONTAINERS[runtime](setup, ["/bin/sleep", "0.02"])
    with Recording(setup, ["-c", container.name]) as recording:
        begin = time.monotonic()
        with container:
            check(container.wait() == 0, container.errors())
        took = 1000 * (time.monotonic() - begin)
        recording.stop()
    events = recording.events()
    check({e["container.name"] for e in events} == {container.name}, "names: %r" % {e["container.name"] for e in events})
    starts, stops = of(events, "container.start"), of(events, "container.stop")
    check(len(starts) == 1 and len(stops) == 1 and stops[0]["process.exit.code"] == 0, "%r %r" % (starts, stops))
    if runtime == "docker":
        check(starts[0].get("container.image.name") == "ebpfmon-live:1", "its image: %r" % starts)
    execs = of(run_phase(events), "process.exec")
    check([e["process.command_args"] for e in execs] == [["/bin/sleep", "0.02"]], "%r" % execs)
    lived = stops[0]["container.duration"] / 1e6
    check(20 <= lived < took, "lived for %g ms, of %g from before its start" % (lived, took))


def nested(setup, runtime):
    """runc in a container of runc's, by cgroups that are called as Docker's: what the inner one does is its own, and the report knows the chain."""
    if runtime != "runc":
        raise Skip("only runc is asked to leave the cgroups open to the container")
    host = setup.subdir(setup.name())	# this machine's programs, with runc
    outer = CONTAINERS[runtime](setup, None, rootfs=host, mounts=[
        {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "rw"]},
        {"destination": setup.dir, "type": "none", "source": setup.dir, "options": ["rbind", "rw"]}])
    inner, secret = hashlib.sha256(outer.name.encode()).hexdigest(), "secret-of-the-inner"
    bundle = setup.subdir(inner + ".bundle")
    with open(os.path.join(bundle, "config.json"), "w") as f:
        json.dump(oci_config(["/bin/sh", "-c", "echo up; read x; /bin/cat /etc/passwd > /tmp/%s; exit 5" % secret], setup.rootfs,
                             "/ebpfmon-live/%s/docker/%s" % (outer.name, inner)), f)
    # a cgroup with processes has no children that controllers divide: the manager goes to a leaf
    outer.argv = ["/bin/sh", "-c", "mkdir -p $0/manager && echo 0 > $0/manager/cgroup.procs && runc --root $1 run --bundle $2 $3; "
                  "echo ended $?; exit 0", os.path.join(v2_root(), "ebpfmon-live", outer.name),
                  os.path.join(setup.dir, "inner-root"), bundle, inner]
    with mounted("/", host), Recording(setup, ["-c", outer.name, "-c", inner]) as recording, outer:
        outer.wait_line(0)
        listed = {c["id"]: c for c in json.loads(say([setup.ebpfmon, "list", "containers", "-f", "json"]))}
        outer.go()
        check(outer.wait_line(1) == "ended 5", "%s\n%s" % (outer.lines(), outer.errors()))
        check(outer.wait() == 0, outer.errors())
        recording.stop()
    check([p["id"] for p in listed[inner]["parents"]] == [outer.name], "the list: %r" % listed[inner])
    events = recording.events()
    opened = [e for e in of(events, "file.open") if e.get("file.path", "").endswith("/tmp/" + secret)]
    check([(e["container.id"], e["file.path"]) for e in opened] == [(inner, "/tmp/" + secret)], "opens: %r" % opened)
    shells = [e for e in of(events, "process.exec") if secret in e["process.command_args"][-1]]
    check([e["container.id"] for e in shells] == [inner], "execs: %r" % shells)


CASES = {"nsenter": nsenter, "signalled": signalled, "left": left, "moved_in": moved_in, "inner_move": inner_move, "session": session,
         "existing": existing, "existing_sockets": existing_sockets, "nested": nested, "short": short, "zombie": zombie}


def one(setup, runtime, name):
    """Runs one case; the Docker daemon starts before anything is recorded."""
    if runtime == "docker":
        need_docker(setup)
    CASES[name](setup, runtime)


def tests(setup, runtimes):
    """(name, function) of each case with each runtime that has containers."""
    for runtime in runtimes:
        if runtime == "run":
            yield "run/attribution.pid_reuse", lambda: pid_reuse(setup)
            continue
        for name in CASES:
            yield "%s/attribution.%s" % (runtime, name), lambda r=runtime, n=name: one(setup, r, n)
