# SPDX-License-Identifier: MIT
"""Tests that are not of one event: who a process is, which container, which phase, what is left out."""
import contextlib
import glob
import json
import os
import re
import signal
import socket
import threading

from compare import compare, host_pids
from events import check_common, find_id, run_phase
from lib import (CONTAINERS, RUN_TIMEOUT, Recording, Skip, check, flatten, need_docker, ns_pids, read_text, record,
                 remove_cgroup, wait_until)


def of(events, name):
    """The events of one type."""
    return [e for e in events if e["event"] == name]


def start_stop(setup, runtime):
    """container.start and container.stop, once each, with the exit code."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "exit", "3"])
    with record(setup, container) as recording, container:
        check(container.wait() == 3, "the container did not end with 3: " + container.errors())
        recording.stop()
    events = recording.events()
    starts, stops = of(events, "container.start"), of(events, "container.stop")
    check(len(starts) == 1, "expected one container.start, got %r" % starts)
    check(len(stops) == 1, "expected one container.stop, got %r" % stops)
    check(stops[0].get("process.exit.code") == 3, "expected exit code 3: %r" % stops[0])
    check(starts[0].get("container.name") == container.name, "expected the name %s: %r" %
          (container.name, starts[0]))
    if runtime == "docker":
        check(starts[0].get("container.image.name", "").startswith("ebpfmon-live"),
              "expected the image's name: %r" % starts[0])


def tree(setup, runtime):
    """Host pids as /proc has them, and the parents, while the processes are there."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "-w", "process.tree"])
    ids = set() if runtime == "docker" else {container.name}
    with record(setup, container) as recording, container:
        container.wait_line(0)
        find_id(container, ids)
        init = container.init_pid()
        container.go()
        pids = wait_until(lambda: (lambda p: p if len(p) == 4 else None)(ns_pids(init)), RUN_TIMEOUT, "4 processes")
        container.go()
        container.wait_line(1)
        container.go()
        container.wait()
        recording.stop()
    events = recording.events()
    check_common(events, container.name, ids)
    events = run_phase(events)
    compare(container.account(), events)
    # runc forwards signals, Go's own SIGURG among them: it is no process of the container
    inside = [e for e in events if not e.get("signal.crosses_container")]
    seen = {v: p for v, p in host_pids(inside).items() if v}
    check(seen == {v: {p} for v, p in pids.items()}, "pids: /proc has %r, ebpfmon %r" % (pids, seen))
    for e in of(events, "process.exit"):
        if e["process.vpid"] != 1:
            check(e["process.parent_pid"] == init, "expected the parent %d: %r" % (init, e))


def phases(setup, runtime):
    """The runtime's own work is setup; the first event of the run is the entry point's exec."""
    container = CONTAINERS[runtime](setup, ["/bin/sh", "-c", "exit 0"])
    with Recording(setup, ["-c", container.name, "-e", "process,file.open"]) as recording, container:
        check(container.wait() == 0, container.errors())
        recording.stop()
    events = recording.events()
    setup_events = [e for e in events if e["phase"] == "setup" and e["event"] != "container.start"]
    check(setup_events, "no event of the set-up phase")
    run = [e for e in run_phase(events) if not e["event"].startswith("container.")]
    check(run and run[0]["event"] == "process.exec", "the run does not begin with an exec: %r" % run[:1])
    check(run[0]["process.command_args"] == ["/bin/sh", "-c", "exit 0"], "not the entry point: %r" % run[0])
    check(len(of(run, "process.exec")) == 1, "more than one exec in the run: %r" % of(run, "process.exec"))


def two(setup, runtime):
    """Of two containers only the one asked for; with a glob both, each with its own."""
    pair = setup.name()
    names = [pair + "-a", pair + "-b"]
    containers = [CONTAINERS[runtime](setup, ["/bin/sh", "-c", "echo x > /tmp/%s; cat /tmp/%s" % (n, n)],
                                      name=n) for n in names]
    with Recording(setup, ["-c", names[0], "-e", "file"]) as one, \
            Recording(setup, ["-c", pair + "-[ab]", "-e", "file"]) as both, \
            containers[0], containers[1]:
        for c in containers:
            check(c.wait() == 0, c.errors())
        one.stop()
        both.stop()
    for recording, wanted in ((one, names[:1]), (both, names)):
        opens = [e for e in run_phase(recording.events()) if e["event"] == "file.open"]
        got = {(e["container.name"], e["file.path"]) for e in opens if e["file.path"].startswith("/tmp/")}
        check(got == {(n, "/tmp/" + n) for n in wanted}, "expected the files of %r, got %r" % (wanted, got))
        check(all(e.get("container.name") in wanted for e in recording.events()), "another container's event")


def exec_in(setup, runtime):
    """A command brought in by "exec" belongs to the container, and is of its run."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "-w", "syscall.call"])
    with record(setup, container) as recording, container:
        container.wait_line(0)
        check(container.exec(["/bin/cat", "/etc/passwd"]).startswith("root"), "exec said something else")
        container.kill()
        container.wait()
        recording.stop()
    events = run_phase(recording.events())
    execs = [e for e in of(events, "process.exec") if e["process.command_args"] == ["/bin/cat", "/etc/passwd"]]
    check(len(execs) == 1, "expected one exec of cat, got %r" % of(events, "process.exec"))
    opens = [e for e in of(events, "file.open") if e["file.path"] == "/etc/passwd"]
    check(len(opens) == 1, "expected one open of /etc/passwd, got %r" % opens)


def tcp_peer(setup, runtime, family, address):
    """A connection to a peer outside that counts what it got."""
    server = socket.socket(family)
    server.bind((address, 0))
    server.listen(1)
    port = server.getsockname()[1]
    counted = {}

    def serve():
        conn, peer = server.accept()
        got = 0
        while True:
            data = conn.recv(65536)
            if not data:
                break
            got += len(data)
        conn.sendall(b"y" * 54321)
        conn.close()
        counted.update(got=got, port=peer[1])
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "tcp.client", address, str(port), "1234567"],
                                    host_net=True)
    with record(setup, container) as recording, container:
        check(container.wait() == 0, container.errors())
        thread.join(RUN_TIMEOUT)
        recording.stop()
    server.close()
    events = run_phase(recording.events())
    compare(container.account(), events)
    closes = of(events, "tcp.close")
    check(len(closes) == 1, "expected one tcp.close: %r" % closes)
    check((closes[0]["network.sent_bytes"], closes[0]["network.received_bytes"],
           closes[0]["network.local.port"]) == (counted["got"], 54321, counted["port"]),
          "the peer counted %r, ebpfmon says %r" % (counted, closes[0]))
    check(closes[0].get("network.rtt", 0) > 0, "no round-trip time: %r" % closes[0])


def selection(setup, runtime):
    """-e leaves out what was not asked for."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "file.rename"])
    with Recording(setup, ["-c", container.name, "-e", "file,-file.open"]) as recording, container:
        check(container.wait() == 0, container.errors())
        recording.stop()
    kinds = {e["event"] for e in recording.events()}
    check("file.rename" in kinds, "no file.rename: %r" % kinds)
    check(all(k.startswith("file.") for k in kinds) and "file.open" not in kinds,
          "not asked for: %r" % kinds)


def tracepoints_of(pid):
    """What a process's programs are attached to, as the kernel says: raw tracepoints by name, all else by its kind."""
    found = set()
    for path in glob.glob("/proc/%d/fdinfo/*" % pid):
        found.update(re.findall(r"^(?:tp_name|link_type):\s*(\S+)$", read_text(path), re.MULTILINE))
    return found


def attached(setup, runtime):
    """For events that do not come from system calls nothing is attached to these, and such events are told all the same."""
    if runtime != "runc":
        raise Skip("what is attached does not depend on the runtime")
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "process.exec"])
    with contextlib.ExitStack() as stack:
        few, more = (stack.enter_context(Recording(setup, ["-c", container.name, "-e", events]))
                     for events in ("process.exec", "process.exec,process.exec_failed"))
        stack.enter_context(container)
        least, added = tracepoints_of(few.process.pid), tracepoints_of(more.process.pid)
        check("task_newtask" in least and "sys_exit" not in least, "for process.exec alone: %r" % least)
        # since 7.1 it is a classic tracepoint, the only one
        check((added - least) & {"sys_exit", "perf_event"}, "for process.exec_failed: %r" % added)
        check(container.wait() == 0, container.errors())
        few.stop()
        more.stop()
    account = container.account()
    account["facts"] = of(account["facts"], "process.exec")
    account["complete"] = ["process.exec"]
    compare(account, run_phase(few.events()))
    compare(account, of(run_phase(more.events()), "process.exec"))


def filters(setup, runtime):
    """Each filter leaves what it asks for, of every subsystem, and nothing else."""
    if runtime != "runc":
        raise Skip("what is left out does not depend on the runtime")
    server = socket.create_server(("127.0.0.1", 0), backlog=8)
    port = server.getsockname()[1]
    threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
    container = CONTAINERS[runtime](setup, [
        "/bin/trigger", "start", "/bin/sh", "-c", "/bin/cat /etc/passwd; /bin/trigger file.open; /bin/trigger tcp.talk; "
        "/bin/trigger tcp.client 127.0.0.1 %d 1000; true" % port], host_net=True)
    with container, contextlib.ExitStack() as stack:
        container.wait_line(0)
        init = container.init_pid()
        asked = {		# what must hold for each event, and which events must be there
            "comm": (["--comm", "cat"], lambda e: e.get("process.comm") == "cat",
                     {"process.exec", "process.exit", "file.open", "file.io", "syscall.calls"}),
            "uid": (["-u", "12345"], lambda e: e.get("process.user.id") == 12345,
                    {"process.exit", "file.open", "syscall.calls"}),
            "pid": (["-p", str(init)], lambda e: e.get("process.pid") == init,
                    {"process.fork", "process.exit", "syscall.calls"}),
            "path": (["--path", "/etc/"], lambda e: "file.path" not in e or e["file.path"].startswith("/etc/"),
                     {"file.open", "file.io", "tcp.close", "syscall.calls"}),
            "port": (["--port", str(port)], lambda e: "network.peer.port" not in e or
                     port in (e["network.peer.port"], e["network.local.port"]),
                     {"tcp.connect", "tcp.close", "file.open", "syscall.calls"}),
        }
        recordings = {name: stack.enter_context(Recording(setup, ["-c", container.name] + row[0]))
                      for name, row in asked.items()}
        container.go()
        container.wait()
        for recording in recordings.values():
            recording.stop()
    server.close()
    for name, (_, holds, there) in asked.items():
        # the container's own life is told whatever is asked for; a signal is its target's as well
        events = [e for e in recordings[name].events()
                  if not e["event"].startswith("container.") and e["event"] != "ipc.signal"]
        wrong = [e for e in events if not holds(e)]
        check(not wrong, "%s: %d of %d events were not asked for: %r" % (name, len(wrong), len(events), wrong[:1]))
        missing = there - {e["event"] for e in events}
        check(not missing, "%s: no %r" % (name, missing))


def report(setup, runtime):
    """-o report.json: one document, of the container, with nothing lost and the calls counted."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "syscall.calls"])
    output = os.path.join(setup.subdir(setup.name()), "report.json")
    with Recording(setup, ["-c", container.name], form="report", output=output) as recording, container:
        check(container.wait() == 0, container.errors())
        recording.stop(signal.SIGTERM)
    with open(output, encoding="utf-8") as f:
        document = json.load(f)
    text = json.dumps(document)
    check(container.name in text, "the container's name is not in the report")
    flat = flatten(document)
    lost = {k: v for k, v in flat.items() if k.startswith("lost") and isinstance(v, int)}
    check(not any(lost.values()), "lost events: %r" % lost)
    check('"getppid"' in text and "1000" in text, "getppid, called 1000 times, is not in the report")


def interrupted_end(setup, runtime):
    """SIGTERM ends a recording as well as SIGINT does: all lines are there, the code is 0."""
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "file.mkdir"])
    with Recording(setup, ["-c", container.name]) as recording, container:
        check(container.wait() == 0, container.errors())
        check(recording.stop(signal.SIGTERM) == 0, "exit code %r" % recording.process.returncode)
    compare(container.account(), run_phase(recording.events()))


def new_parent(setup, runtime):
    """The first container below a cgroup: its parent is created together with it, and is none."""
    if runtime != "runc":
        raise Skip("only runc lets the test choose the cgroup")
    parent = setup.name() + "-parent"
    container = CONTAINERS[runtime](setup, ["/bin/trigger", "file.rmdir"], cgroup_parent=parent)
    try:
        with record(setup, container) as recording, container:
            check(container.wait() == 0, container.errors())
            recording.stop()
    finally:
        remove_cgroup(parent)
    compare(container.account(), run_phase(recording.events()))


CASES = {
    "new_parent": new_parent,
    "start_stop": start_stop, "tree": tree, "phases": phases, "two": two, "exec": exec_in,
    "selection": selection, "attached": attached, "filters": filters, "report": report, "sigterm": interrupted_end,
    "tcp_peer.ipv4": lambda s, r: tcp_peer(s, r, socket.AF_INET, "127.0.0.1"),
    "tcp_peer.ipv6": lambda s, r: tcp_peer(s, r, socket.AF_INET6, "::1"),
}


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
            yield "%s/case.%s" % (runtime, name), lambda r=runtime, n=name: one(setup, r, n)
