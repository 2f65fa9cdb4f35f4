# SPDX-License-Identifier: MIT
"""Every event: its trigger runs in a container and tells what it did; ebpfmon must say the same.

A trigger is run by each runtime (ebpfmon run, runc, docker), with the recording started before the
container; those of WAIT are started first, and recorded when they have prepared themselves.
"""
import json
import os
import re
import subprocess

from compare import compare
from lib import (CONTAINERS, Failure, RUN_TIMEOUT, Recording, Skip, check, need_docker, parse_events, record,
                 wait_until)

# Started before the recording: what was there already is what they are about.
WAIT = {"file.inherit", "tcp.existing"}
# The recording ends before they do.
STOP_FIRST = {"syscall.blocked", "tcp.still_open"}
# They need an argument, or a test of their own (cases.py).
OWN_TEST = {"tcp.client", "process.tree"}
TRACE = {"syscall.call"}


def trigger_names(setup):
    """The names in the trigger's own list."""
    text = subprocess.run([setup.trigger], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True, check=False).stdout
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def options_of(trigger):
    """What ebpfmon is to be asked for."""
    return ["--syscalls=trace"] if trigger in TRACE else []


def check_common(events, name, ids):
    """What every event must carry, whichever it is."""
    for e in events:
        check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", e.get("time", "")),
              "time is not RFC 3339 with nanoseconds: %r" % e)
        check(e.get("phase") in ("run", "setup"), "no phase: %r" % e)
        check(e.get("container.id") in ids, "of another container than %s: %r" % (ids, e))
        # a signal of the kernel's own, or of somebody outside, has no process here
        if e["event"].split(".")[0] not in ("container", "tcp") and e["event"] != "ipc.signal":
            for key in ("process.pid", "process.tid", "process.vpid"):
                check(e.get(key), "no %s: %r" % (key, e))


def run_phase(events):
    """Without what the runtime did before the entry point was executed."""
    return [e for e in events if e.get("phase") == "run"]


def find_id(container, ids):
    """Docker's id of 64 digits is known to Docker only while the container is there."""
    if container.runtime != "docker":
        return
    def there():
        try:
            container.init_pid()
            return True
        except Failure:
            return container.process.poll() is not None
    wait_until(there, RUN_TIMEOUT, "docker to know %s: %s" % (container.name, container.errors()))
    ids.add(container.id)


def by_container(setup, runtime, trigger):
    """The trigger in a container of @runtime."""
    if runtime == "docker":
        need_docker(setup)
    early, hold = trigger in WAIT, trigger in STOP_FIRST
    argv = ["/bin/trigger", "-w", trigger]	# it waits, so that Docker can be asked for the id
    container = CONTAINERS[runtime](setup, argv)
    ids = {container.name} if runtime != "docker" else set()
    if early or hold:
        recording = Recording(setup, ["--container", container.name])
    else:
        recording = record(setup, container, options_of(trigger))
    if early:
        with container:
            container.wait_line(0)
            find_id(container, ids)
            with recording:
                finish(container, recording, hold)
    else:
        with recording, container:
            container.wait_line(0)
            find_id(container, ids)
            finish(container, recording, hold)
    verdict(trigger, container.account(), recording, container.name, ids)


def finish(container, recording, hold):
    """Lets the trigger go, and ends container and recording in the order asked for."""
    container.go()
    container.wait_line(1)
    if not hold:
        check_exit(container)
    code = recording.stop()
    check(code == 0, "ebpfmon ended with %d:\n%s" % (code, recording.said()))
    if hold:
        check_exit(container)


def check_exit(container):
    """The trigger must have been content."""
    container.go()
    code = container.wait()
    check(code == 0, "the trigger ended with %d: %s" % (code, container.errors()))


def verdict(trigger, account, recording, name, ids):
    """Compares, once both accounts are there."""
    events = recording.events()
    check(events, "no events at all; ebpfmon said:\n%s" % recording.said())
    check_common(events, name, ids)
    if trigger in WAIT or trigger in STOP_FIRST:
        account["complete"] = [c for c in account["complete"] if not c.startswith("process.")]
    compare(account, run_phase(events))


def by_run(setup, trigger):
    """The trigger as a command of "ebpfmon run"."""
    if trigger in WAIT or trigger in STOP_FIRST:
        raise Skip("ebpfmon run starts the command itself and ends with it")
    work = setup.subdir(setup.name())
    os.chmod(work, 0o755)
    output = work + ".jsonl"
    command = [setup.ebpfmon, "run"] + options_of(trigger) + ["-f", "jsonl", "-o", output, "--",
                                                             setup.rootfs + "/bin/trigger", trigger]
    done = subprocess.run(["unshare", "--net", "--ipc"] + command, cwd=work, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == 0, "%s: exit code %d\n%s" % (" ".join(command), done.returncode, done.stderr))
    account = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"trigger"')]
    check(account, "the trigger said nothing: %s%s" % (done.stdout, done.stderr))
    events = parse_events(output)
    check(events, "no events at all; ebpfmon said:\n%s" % done.stderr)
    check_common(events, None, {events[0].get("container.id")})
    compare(account[0], run_phase(events))


def tests(setup, runtimes):
    """(name, function) of each trigger with each runtime."""
    for runtime in runtimes:
        for trigger in trigger_names(setup):
            if trigger in OWN_TEST or (trigger.startswith("attack.") and runtime != "runc"):
                continue
            if runtime == "run":
                yield "run/" + trigger, lambda t=trigger: by_run(setup, t)
            else:
                yield "%s/%s" % (runtime, trigger), lambda r=runtime, t=trigger: by_container(setup, r, t)
