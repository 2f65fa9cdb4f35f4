# SPDX-License-Identifier: MIT
"""Many containers at once: all attributed, none mixed up, none left behind.

They are made by "trigger swarm": cgroups named as Docker's, namespaces of their own, a short process in
each; what it says it did is the truth. SWARM_COUNT and SWARM_SECRETS say how many.
"""
import collections
import json
import os
import re
import shutil
import subprocess

from lib import (CONTAINERS, Recording, RUN_TIMEOUT, Skip, check, read_text, remove_cgroup, say, v2_root, wait_until)

COUNT = int(os.environ.get("SWARM_COUNT", "300"))
SECRETS = int(os.environ.get("SWARM_SECRETS", "100"))
WORD = re.compile(rb"w[0-9a-f]{16}")
# What the kernel side keeps of containers and processes: entries must go with them.
MAPS = ("cgroups", "members", "namespaces", "socks", "leaders_owned", "syscall_calls", "syscall_first", "file_io", "old_comm")


class Slice:
    """A cgroup for a swarm, where systemd would put Docker's scopes."""

    def __init__(self, setup):
        self.name = setup.name() + ".slice"
        self.path = os.path.join(v2_root(), self.name)

    def __enter__(self):
        os.mkdir(self.path)
        return self.path

    def __exit__(self, *exc):
        remove_cgroup(self.name)


def swarm(setup, path, count, wave, what):
    """Makes them; what each did, by id."""
    done = subprocess.run([setup.trigger, "swarm", path, str(count), str(wave), what], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=RUN_TIMEOUT + count, check=False)
    check(done.returncode == 0, "swarm: %r" % done.stderr)
    made = {m["id"]: m for m in map(json.loads, done.stdout.splitlines())}
    check(len(made) == count and not any(m["status"] for m in made.values()), "not all of the swarm did their work")
    return made


def lines(recording, made):
    """The recording's lines of containers in @made: (line as bytes, event)."""
    with open(recording.output, "rb") as f:
        for line in f:
            event = json.loads(line)
            if event["container"]["id"] in made:
                yield line, event


def entries(pid, names):
    """How many entries the BPF maps of process @pid have, by name."""
    if not shutil.which("bpftool"):
        raise Skip("bpftool is not installed")
    ids, sums = set(), collections.Counter()
    for fd in os.listdir("/proc/%d/fdinfo" % pid):
        found = re.search(r"^map_id:\s*(\d+)", read_text("/proc/%d/fdinfo/%s" % (pid, fd)), re.M)
        if found:
            ids.add(found.group(1))
    for number in ids:
        name = json.loads(say(["bpftool", "-j", "map", "show", "id", number])).get("name", "")
        for want in names:
            if name and want.startswith(name):	# the kernel keeps 15 characters
                sums[want] += len(json.loads(say(["bpftool", "-j", "map", "dump", "id", number])) or [])
    check(set(sums) == set(names), "maps that are not there: %r" % (set(names) - set(sums)))
    return sums


def scale(setup):
    """Short containers in a loop: each is told whole and as itself, and the kernel's maps are empty again."""
    where = Slice(setup)
    with Recording(setup, ["-c", "/%s/*" % where.name]) as recording, where as path:
        before = entries(recording.process.pid, MAPS)
        made = swarm(setup, path, COUNT, 10, "exit")
        # others may make cgroups meanwhile, though not as many
        most = {k: before[k] + (COUNT // 5 if k == "cgroups" else 3) for k in MAPS}
        wait_until(lambda: (lambda e: e if all(e[k] <= most[k] for k in MAPS) else None)(
            entries(recording.process.pid, MAPS)), 20, "the maps to be as before: %r, now %r" %
            (before, entries(recording.process.pid, MAPS)))
        recording.stop()
    seen = collections.defaultdict(collections.Counter)
    for _, e in lines(recording, made):
        seen[e["container"]["id"]][e["event"]] += 1
        if e["event"] == "process.exec":
            check(e["process"]["pid"] == made[e["container"]["id"]]["pid"], "another process: %r" % e)
            check(e["process"]["command_args"] == ["trigger", "exit", "0"] and e["phase"] == "run", "%r" % e)
    for number, m in made.items():
        got = {k: seen[number][k] for k in ("container.start", "process.exec", "process.exit", "container.stop")}
        check(set(got.values()) == {1}, "of %s (pid %d): %r" % (number, m["pid"], got))


def secrets(setup):
    """Each keeps a secret word (in an argument, a file's name) and size (of what goes through a socket): all are
    seen, and none under another container."""
    runcs = [CONTAINERS["runc"](setup, ["/bin/trigger", "secret", "w%016x" % (0xabcd0000 + i), str(900000 + i)])
             for i in range(max(4, SECRETS // 50))] if shutil.which("runc") else []
    with Recording(setup, []) as recording, Slice(setup) as path:
        for c in runcs:
            c.start()
        made = swarm(setup, path, SECRETS, 20, "secret")
        for i, c in enumerate(runcs):
            check(c.wait() == 0, c.errors())
            made[c.name] = {"word": "w%016x" % (0xabcd0000 + i), "size": 900000 + i}
        recording.stop()
        check("lost" not in recording.said(), recording.said()[-500:])
    owner = {m["word"].encode(): n for n, m in made.items()}
    sizes = {m["size"]: n for n, m in made.items()}
    argued, opened, sent, received = (collections.Counter() for _ in range(4))
    for line, e in lines(recording, made):
        number = e["container"]["id"]
        for word in set(WORD.findall(line)):
            check(owner.get(word, number) == number, "the secret of %s under %s: %r" % (owner.get(word), number, e))
        if e["event"] == "process.exec" and made[number]["word"] in e["process"]["command_args"]:
            argued[number] += 1
        if e["event"] == "file.open" and e["file"]["path"] == "/tmp/" + made[number]["word"]:
            opened[number] += 1
        if e["event"] == "tcp.close":
            for key, sums in (("sent_bytes", sent), ("received_bytes", received)):
                size = e["network"].get(key, 0)
                check(sizes.get(size, number) == number, "the size of %s under %s: %r" % (sizes.get(size), number, e))
                sums[number] += size == made[number]["size"]
    for what, seen in (("argument", argued), ("file", opened), ("sent", sent), ("received", received)):
        wrong = {n: seen[n] for n in made if seen[n] != 1}
        check(not wrong, "%s: not once each: %r" % (what, dict(list(wrong.items())[:5])))


def tests(setup, runtimes):
    """(name, function)"""
    del runtimes
    yield "swarm.scale", lambda: scale(setup)
    yield "swarm.secrets", lambda: secrets(setup)
