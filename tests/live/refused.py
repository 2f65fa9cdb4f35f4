# SPDX-License-Identifier: MIT
"""What the kernel refuses or lacks is left out, and said; the rest goes on.

A program is refused by a library that comes before the C library's syscall() (refuse.c). A field is
missing where another BTF, in which it has another name, lies over the kernel's. A processor goes off line
in virtual machines only.
"""
import json
import os
import shutil
import subprocess

from events import check_common, finish, run_phase
from compare import compare
from lib import Recording, RuncContainer, RUN_TIMEOUT, Skip, TOP, check

BTF = "/sys/kernel/btf/vmlinux"
CPU1 = "/sys/devices/system/cpu/cpu1/online"
# of each object one or two
REFUSED = ("process_credentials", "syscall_arguments_exit", "file_open", "tcp_state", "process_existing",
           "ipc_signal", "ipc_unix_bind")


def library(setup):
    """refuse.c as it is built for this machine; in a virtual machine there is no compiler."""
    built = os.path.join(os.path.dirname(setup.trigger), "refuse.so")
    if os.path.exists(built):
        return built
    if not shutil.which("gcc"):
        raise Skip("no compiler, and no %s" % built)
    made = os.path.join(setup.dir, "refuse.so")
    if not os.path.exists(made):
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-o", made,
                        os.path.join(TOP, "tests/live/refuse.c")], check=True)
    return made


def refusing(setup, *programs):
    """The beginning of a command line under which the kernel refuses these programs."""
    return ["env", "LD_PRELOAD=" + library(setup), "EBPFMON_TEST_REFUSE=" + ",".join(programs)]


def without_field(setup, name):
    """The beginning of a command line for which the kernel's BTF has no field of that name."""
    with open(BTF, "rb") as f:
        data = f.read()
    old = b"\0%s\0" % name.encode()
    check(data.count(old) == 1, "%s is %d times in %s" % (name, data.count(old), BTF))
    path = os.path.join(setup.subdir(setup.name()), "btf")
    with open(path, "wb") as f:
        f.write(data.replace(old, b"\0Z" + old[2:]))
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" %s && exec "$@"' % BTF, path]


def doctor(setup, before=()):
    """{program: its row} of the doctor's coverage; without anything before it only the first time."""
    if before:
        return ask_doctor(setup, before)
    with setup.lock:
        setup.usual = setup.usual or ask_doctor(setup, ())
        return setup.usual


def ask_doctor(setup, before):
    """The same, asked now."""
    done = subprocess.run([*before, setup.ebpfmon, "doctor", "-f", "json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=False)
    check(done.returncode in (0, 3), "the doctor ended with %d: %s" % (done.returncode, done.stderr))
    return {row["program"]: row for row in json.loads(done.stdout)["coverage"]}


def lost_to(setup, before):
    """Which programs are active only without @before, and the doctor's rows with it."""
    usual, now = doctor(setup), doctor(setup, before)
    check(usual.keys() == now.keys(), "other programs: %s" % (usual.keys() ^ now.keys()))
    return {p for p in usual if usual[p]["active"] and not now[p]["active"]}, now


def recorded(setup, trigger, before=()):
    """A container's trigger under a recording that is started so: what it did is recorded."""
    container = RuncContainer(setup, ["/bin/trigger", "-w", trigger])
    recording = Recording(setup, ["-c", container.name])
    recording.command = [*before, *recording.command]
    with recording, container:
        container.wait_line(0)
        finish(container, recording, False)
    events = recording.events()
    check_common(events, container.name, {container.name})
    compare(container.account(), run_phase(events))
    return events


def one_program(setup, program):
    """It is missing, with the reason, and every other one is there."""
    lost, rows = lost_to(setup, refusing(setup, program))
    check(lost == {program}, "lost: %s" % sorted(lost))
    check(rows[program]["missing"] and "the kernel refuses it" in rows[program]["reason"], rows[program])


def program(setup):
    """Programs of two objects are refused: other events of the same and of other objects are recorded."""
    events = recorded(setup, "file.mkdir", refusing(setup, "file_rename", "ipc_signal"))
    check(any(e["event"] == "process.exec" for e in events), "no process.exec")
    recorded(setup, "process.credentials", refusing(setup, "file_open", "tcp_io"))


def field(setup):
    """A field that is only read by the programs for TCP: they are refused, and nothing else."""
    before = without_field(setup, "skc_dport")
    lost, rows = lost_to(setup, before)
    check(lost and all(p.startswith("tcp_") for p in lost), "lost: %s" % sorted(lost))
    check(all("the kernel refuses it" in rows[p]["reason"] for p in lost), [rows[p] for p in lost])
    recorded(setup, "file.mkdir", before)


def online(yes):
    """Switches the second processor."""
    with open(CPU1, "w") as f:
        f.write("1" if yes else "0")


def offline(setup):
    """A processor is off line: at the start, from then on, and again."""
    if not os.environ.get("EBPFMON_VM"):
        raise Skip("processors go off line in virtual machines only")
    if not os.access(CPU1, os.W_OK):
        raise Skip("there is no second processor that can go off line")
    usual = doctor(setup)
    online(False)
    try:
        now = ask_doctor(setup, ())
        check({p for p in usual if usual[p]["active"] != now[p]["active"]} == set(), "other programs are active")
        container = RuncContainer(setup, ["/bin/trigger", "-w", "file.mkdir"])
        recording = Recording(setup, ["-c", container.name])
        with recording, container:	# started without it, it comes back, and goes again
            online(True)
            container.wait_line(0)
            online(False)
            finish(container, recording, False)
        compare(container.account(), run_phase(recording.events()))
    finally:
        online(True)
    recorded(setup, "file.mkdir")


def tests(setup, runtimes):
    """(name, function); the container is runc's."""
    if "runc" not in runtimes:
        return
    for name in REFUSED:
        yield "refused.one.%s" % name, lambda p=name: one_program(setup, p)
    yield "refused.program", lambda: program(setup)
    yield "refused.field", lambda: field(setup)
    yield "refused.offline", lambda: offline(setup)
