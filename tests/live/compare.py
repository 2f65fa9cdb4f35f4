# SPDX-License-Identifier: MIT
"""Compares what a trigger says it did (facts) with what ebpfmon says it saw (events).

Each fact must be matched by exactly one event, and of the events that the account is complete for
no event may be left over.
"""
import os
import re

from lib import Failure

# Sums: lines of one key are drained at intervals and add up. What they are told apart by here.
COUNTERS = {
    "syscall.calls": (["process.vpid", "syscall.name", "error"], ["syscall.count"]),
    "syscall.arguments": (["process.vpid", "syscall.name", "syscall.argument.first",
                           "syscall.argument.second", "syscall.argument.third", "error"], ["syscall.count"]),
    "syscall.io_uring": (["process.vpid", "io_uring.operation"], ["io_uring.count", "io_uring.silent"]),
    "capability.checks": (["process.vpid", "capability.name", "capability.granted", "capability.probe",
                           "capability.own_credentials", "syscall.name", "error"], ["capability.count"]),
    "file.io": (["process.vpid", "file.path"],
                ["file.reads", "file.read_bytes", "file.writes", "file.written_bytes", "file.mmaps"]),
    "ipc.io": (["process.vpid", "ipc.type", "ipc.inode"],
               ["ipc.reads", "ipc.read_bytes", "ipc.writes", "ipc.written_bytes"]),
    "ipc.sysv": (["process.vpid", "ipc.operation", "ipc.id", "ipc.key", "error"],
                 ["ipc.count", "ipc.bytes"]),
    "tcp.datagrams": (["process.vpid", "network.type", "network.local.address", "network.local.port",
                       "network.peer.address", "network.peer.port"],
                      ["network.sent_datagrams", "network.sent_bytes",
                       "network.received_datagrams", "network.received_bytes"]),
}

OPEN_FLAGS = {"O_CREAT", "O_EXCL", "O_TRUNC", "O_APPEND", "O_NONBLOCK", "O_CLOEXEC", "O_DIRECTORY",
              "O_NOFOLLOW", "O_PATH"}

CAPABILITIES = """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP
    LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE
    SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
    SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()


def event_bytes(text):
    """The bytes behind a string of ebpfmon: U+F700+b stands for the byte b (docs/manual)."""
    out = bytearray()
    for c in text:
        out += bytes([ord(c) - 0xf700]) if 0xf700 <= ord(c) <= 0xf7ff else c.encode()
    return bytes(out)


def fact_bytes(text):
    """The bytes behind a string of the trigger: a character is a byte."""
    return text.encode("latin-1")


def as_set(value):
    """A set of names, however it is shown."""
    if value is None:
        return set()
    if isinstance(value, str):
        return set(value.replace("|", " ").replace(",", " ").split())
    return set(value)


def add_up(events):
    """Sums the counters; other events stay as they are."""
    sums, others = {}, []
    for e in events:
        if e["event"] not in COUNTERS:
            others.append(e)
            continue
        keys, values = COUNTERS[e["event"]]
        key = (e["event"],) + tuple(str(e.get(k)) for k in keys)
        total = sums.setdefault(key, dict(e, **{v: 0 for v in values}))
        for v in values:
            total[v] += e.get(v) or 0
    return others + list(sums.values())


def host_pids(events):
    """{pid in the container: pids on the host}, by ebpfmon's own events."""
    pids = {}
    for e in events:
        pids.setdefault(e.get("process.vpid"), set()).add(e.get("process.pid"))
        if "process.child.vpid" in e:
            pids.setdefault(e["process.child.vpid"], set()).add(e["process.child.pid"])
    return pids


def args_match(want, event):
    """An argument vector; a cut one must say so, and be what was at the beginning."""
    got = event.get("process.command_args") or []
    got = [event_bytes(a) for a in got]
    want = [fact_bytes(a) for a in want]
    if not event.get("process.command_args_truncated"):
        return got == want
    if sum(len(a) + 1 for a in want) <= 4096:
        return False
    return len(got) > 1 and got[:-1] == want[:len(got) - 1] and want[len(got) - 1].startswith(got[-1])


def text_matches(key, want, event):
    """A string, byte by byte; a path that says it was cut must be the end of the true one."""
    got = event.get(key)
    if not isinstance(got, str):
        return False
    want, got = fact_bytes(want), event_bytes(got)
    if key == "file.path" and len(want) > 1000 and "truncated" in as_set(event.get("file.path_flags")):
        return want.endswith(got.lstrip(b"./")[-500:]) and len(got) > 250
    return want == got


def resolved_matches(key, want, event):
    """A path that cannot be found afterwards: exact, or said to be only the call's argument."""
    flags = as_set(event.get(key + "_flags"))
    if "in_call" in flags or "argument" not in flags or in_vm():
        return text_matches(key, want, event)
    return os.path.basename(event.get(key) or "") == os.path.basename(want)


def in_vm():
    """There every kernel has kprobes; here they may be refused."""
    return "EBPFMON_VM" in os.environ


def matches(key, want, event, pids):
    """Does the event say of @key what the fact says?"""
    if key == "file.path.any":	# the directory's name changed during the call
        return event.get("file.path") in want
    if key.endswith(".resolved"):
        return resolved_matches(key[:-len(".resolved")], want, event)
    got = event.get(key)
    if key == "process.command_args":
        return args_match(want, event)
    if key == "error" and want == "KILLED":	# docs/test/live.md, rule 4
        return not got or got.startswith("ERESTART")
    if key == "error" and want == "EINTR" and event["event"].startswith("syscall."):
        return got == "EINTR" or str(got).startswith("ERESTART")	# docs/test/live.md, rule 3
    if key == "process.executable.flags.any":
        return as_set(want["set"]) <= as_set(event.get("process.executable.flags"))
    if key == "file.open_flags.bits":
        return as_set(want["set"]) == as_set(event.get("file.open_flags")) & OPEN_FLAGS
    if key == "ipc.key.number":
        return int(str(event.get("ipc.key") or 0), 0) == want
    if key == "caps.effective":
        names = {"CAP_" + c for i, c in enumerate(CAPABILITIES) if want >> i & 1}
        return as_set(event.get("process.capabilities.effective")) == names
    if isinstance(want, dict) and "vpid" in want:
        return got in pids.get(want["vpid"], ())
    if isinstance(want, dict) and "set" in want:
        return as_set(want["set"]) == as_set(got)
    if isinstance(want, dict) and "octal" in want:
        return got is not None and int(str(got), 8) == want["octal"]
    if want in (None, False, 0):
        return not got
    if isinstance(want, str):
        return text_matches(key, want, event)
    return got == want


def differences(fact, event, pids):
    """The keys of which fact and event say different things."""
    return [k for k, v in fact.items() if not matches(k, v, event, pids)]


NOT_SHOWN = re.compile(r"^(container\.|time$|schema_version$|process\.(user|group|executable|parent_pid|tid|capab))")


def show(value):
    """For messages: what tells one event from another, sorted, and not without end."""
    text = ", ".join("%s=%r" % (k, v) for k, v in sorted(value.items()) if not NOT_SHOWN.match(k))
    return text if len(text) < 900 else text[:900] + " …"


def entry_facts(account):
    """The trigger's own exec and exit, which it cannot tell itself."""
    return [{"event": "process.exec", "process.vpid": account["pid"],
             "process.executable.path": account["exe"]},
            {"event": "process.exit", "process.vpid": account["pid"], "process.exit.code": 0}]


def unmatched(fact, events, pids):
    """Words for a fact without an event: the event that comes nearest, and how it differs."""
    same = [e for e in events if e["event"] == fact["event"]]
    if not same:
        return "expected  %s\n  ebpfmon saw no further %s" % (show(fact), fact["event"])
    near = min(same, key=lambda e: len(differences(fact, e, pids)))
    wrong = differences(fact, near, pids)
    return "expected  %s\n  nearest   %s" % (show(fact), ", ".join(
        "%s: expected %r, got %r" % (k, fact[k], near.get(k)) for k in wrong))


def compare(account, events, limit=12):
    """Raises Failure unless the events are what the account says."""
    pids = host_pids(events)
    wanted = set(account["complete"]) | {f["event"] for f in account["facts"]}
    left = add_up([e for e in events if e["event"] in wanted])
    facts = list(account["facts"])
    facts += [f for f in entry_facts(account) if f["event"] in wanted]
    problems, missing = [], []
    for fact in sorted(facts, key=lambda f: -len(f)):
        for event in left:
            if event["event"] == fact["event"] and not differences(fact, event, pids):
                left.remove(event)
                break
        else:
            missing.append(fact)
    for fact in missing:
        problems.append(unmatched(fact, left, pids))
    for event in left:
        if event.get("signal.crosses_container"):
            continue	# the trigger's own SIGCHLD to the runtime, or a signal that the runtime passes on
        if event["event"] in account["complete"]:
            problems.append("not caused  %s" % show(event))
    if problems:
        raise Failure("%d of %d facts without their event, %d problems in all:\n%s" % (
            len(missing), len(facts), len(problems), "\n".join(problems[:limit])))
