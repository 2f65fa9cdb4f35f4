#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: container.py RUNTIME WORKLOAD BUNDLE NAME STATE

Runs a workload's container to its end, does to it what workloads.py says, and prints what came of it: its output,
what clients got, and the files that it leaves. It is the command that `ebpfmon recommend --verify` repeats:
what it prints is the oracle. Each start finds STATE as it was set up, which is kept in STATE.pristine, and an empty /tmp.
"""
import os
import re
import shutil
import stat
import subprocess
import sys
import time

from workloads import WORKLOADS

TIMEOUT = int(os.environ.get("VERIFY_TIMEOUT", "30"))	# seconds for one question, and to start


def out(text):
    """Bytes, at once."""
    sys.stdout.buffer.write(text)
    sys.stdout.flush()


class Container:
    """One start of a bundle."""

    def __init__(self, runtime, bundle, name):
        self.runtime, self.name = runtime, name
        self.delete()
        self.process = subprocess.Popen([runtime, "run", "-b", bundle, name], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)

    def delete(self):
        """Whatever became of it; or what a run before left."""
        subprocess.run([self.runtime, "delete", "-f", self.name], check=False, capture_output=True)

    def do(self, *words):
        """One command of the runtime's; its output and whether it went well are part of the oracle."""
        done = subprocess.run([self.runtime, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=TIMEOUT,
                              check=False)
        out(b"%s: %d %s\n" % (words[0].encode(), done.returncode, done.stdout))

    def end(self):
        """Its output; the exit status."""
        text = self.process.communicate(timeout=TIMEOUT)[0]
        out(text)
        return self.process.returncode


def answer(workload, state):
    """What the server says to all questions. A client may be there before the server listens."""
    for argv in workload.ask:
        done = subprocess.run([w.replace("{state}", state) for w in argv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=TIMEOUT, check=False)
        out(b"%d %s\n" % (done.returncode, done.stdout))


def ready(workload, container, state):
    """The first question gets an answer, or the container ends."""
    end = time.monotonic() + TIMEOUT
    while container.process.poll() is None and time.monotonic() < end:
        if any(os.path.exists("%s/%s" % (state, s)) for s in ("sock", ".s.PGSQL.5432")):
            probe = [w.replace("{state}", state) for w in workload.ask[-1 if "psql" in workload.ask[-1] else 0]]
            if subprocess.run(probe, stdin=subprocess.DEVNULL, check=False, capture_output=True,
                              timeout=TIMEOUT).returncode == 0:
                return
        time.sleep(0.05)


def serve(workload, container, state):
    """Questions, and between them what seldom happens."""
    name = container.name
    ready(workload, container, state)
    answer(workload, state)
    container.do("pause", name)
    container.do("resume", name)
    answer(workload, state)
    container.do("kill", name, "STOP")
    time.sleep(0.1)
    container.do("kill", name, "CONT")
    container.do("exec", name, "/bin/busybox", "echo", "in it")
    if workload.reload:
        container.do("kill", name, workload.reload)
        time.sleep(0.3)
    answer(workload, state)
    container.do("kill", name, workload.stop)


def refresh(state):
    """What runs before left is gone. The directories themselves stay: they are mounted."""
    for where in (state, state + ".tmp"):
        for entry in os.scandir(where):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
    subprocess.run(["cp", "-a", state + ".pristine/.", state], check=True)


def left(workload, state):
    """Type, mode, owner, and size of the files that are left; numbers in names may differ from run to run."""
    lines = set()
    for top in (state, state + ".tmp"):
        for directory, directories, files in os.walk(top):
            for path in (os.path.join(directory, f) for f in directories + files):
                s = os.lstat(path)
                size = s.st_size if workload.sizes and stat.S_ISREG(s.st_mode) else "-"
                lines.add("%s %d:%d %s %s" % (stat.filemode(s.st_mode), s.st_uid, s.st_gid, size,
                                              re.sub("[0-9A-F]+", "N", os.path.relpath(path, state))))
    out("".join(line + "\n" for line in sorted(lines)).encode())


def play(workload, state, make):
    """One start, by make(), and all that is done to it; its exit status."""
    refresh(state)
    container = make()
    try:
        if workload.ask:
            serve(workload, container, state)
        status = container.end()
        left(workload, state)
    finally:
        container.process.kill()
        container.delete()
    return status


def main():
    runtime, name, bundle, cid, state = sys.argv[1:]
    sys.exit(play(WORKLOADS[name], state, lambda: Container(runtime, bundle, cid)))


if __name__ == "__main__":
    main()
