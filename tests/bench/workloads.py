# SPDX-License-Identifier: MIT
"""
What runs in the watched container. A workload returns what one run of it took: operations, system
calls (0: not known), wall-clock and CPU nanoseconds. It runs inside; what puts load on a server
stays outside, on a CPU that it shares with everybody.
"""
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import host


class Workload:
    """A loop of tests/bench/workload.c, on one CPU."""
    real = False
    pinned = True

    def __init__(self, name, operations, unit="operation"):
        self.name, self.operations, self.unit = name, operations, unit

    def prepare(self, bench):
        """Once, before all runs."""

    def inside(self, bench, watcher, command):
        """The command line that runs @command in the container under the watcher."""
        pin = ["-c", str(bench.cpu)] if self.pinned else []
        return watcher.wrap([str(bench.workload), "enter"] + pin + [str(bench.container), "--"] + command)

    def measure(self, bench, watcher, command):
        """Runs a command that prints its own measurement."""
        done = subprocess.run(self.inside(bench, watcher, command), cwd=bench.room, capture_output=True,
                              text=True, check=False, timeout=600)
        line = done.stdout.strip().splitlines()
        if done.returncode or not line:
            said = (done.stderr.strip().splitlines() or ["no message"])[-1]
            if watcher.peer:
                raise host.Unavailable(said)
            raise RuntimeError(f"{self.name}: {done.returncode}: {said}")
        return json.loads(line[-1])

    def run(self, bench, watcher):
        """One run."""
        n = max(1, int(self.operations * bench.size) // watcher.slow)
        return self.measure(bench, watcher, [str(bench.workload), self.name, str(n)])


class Command(Workload):
    """A real program; one operation is the whole of it."""
    real = True
    pinned = False

    def __init__(self, name, script):
        super().__init__(name, 1, "run")
        self.script = script

    def run(self, bench, watcher):
        work = bench.room / self.name
        work.mkdir()
        result = self.measure(bench, watcher, [str(bench.workload), "time", "/bin/sh", "-ec",
                                               f"cd {work}; " + self.script.format(room=bench.room)])
        shutil.rmtree(work)
        return result


class Compile(Command):
    """gcc -O1, two at a time."""

    def __init__(self):
        super().__init__("compile", "xargs -P 2 -n 1 sh -c 'gcc -O1 -w -std=gnu11 -D_GNU_SOURCE "
                         "-I{room}/source -I{room}/source/src -I{room}/source/include "
                         "-I{room}/source/include/events -c $0 -o $(basename $0).o' < {room}/sources")

    def prepare(self, bench):
        host.have("gcc")
        root, source = Path(__file__).resolve().parents[2], bench.room / "source"
        for part in ("src", "include"):
            shutil.copytree(root / part, source / part)
        files = sorted(str(p) for p in source.glob("src/container/*.c"))
        (bench.room / "sources").write_text("\n".join(files[:6]) + "\n")


class Tar(Command):
    """Pack a tree, and unpack it."""

    def __init__(self):
        super().__init__("tar", "tar -C /usr/include -cf tree.tar .; mkdir tree; tar -xf tree.tar -C tree")


class Server(Workload):
    """A server inside, its load generator outside."""
    real = True
    pinned = False

    def __init__(self, name, operations, programs):
        super().__init__(name, operations, "request")
        self.programs = programs
        self.port = 0

    def prepare(self, bench):
        for program in self.programs:
            host.have(program)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]

    def server(self, bench):
        """Its command."""
        raise NotImplementedError

    def load(self, bench, n):
        """The command that sends @n requests."""
        raise NotImplementedError

    def answers(self):
        """Is it there?"""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def end(self, bench, process):
        """Ends the server by its processes in the container, and whatever was put in front of it."""
        for pid in (bench.container / "cgroup.procs").read_text().split():
            try:
                os.kill(int(pid), 15)
            except ProcessLookupError:
                pass
        process.wait(60)

    def run(self, bench, watcher):
        process = subprocess.Popen(self.inside(bench, watcher, self.server(bench)), cwd=bench.room,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while not self.answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise host.Unavailable(f"{self.name} did not start under {watcher.name}")
                time.sleep(0.02)
            n = max(100, int(self.operations * bench.size) // watcher.slow)
            subprocess.run(self.load(bench, n // 20 + 1), check=True, capture_output=True)
            begin = time.monotonic_ns()
            subprocess.run(self.load(bench, n), check=True, capture_output=True)
            wall = time.monotonic_ns() - begin
        finally:
            self.end(bench, process)
        return {"ops": n, "calls": 0, "wall_ns": wall, "cpu_ns": 0}


class Redis(Server):
    """redis under redis-benchmark."""

    def __init__(self):
        super().__init__("redis", 100000, ["redis-server", "redis-benchmark"])

    def server(self, bench):
        return ["redis-server", "--port", str(self.port), "--save", "", "--appendonly", "no",
                "--daemonize", "no", "--bind", "127.0.0.1"]

    def load(self, bench, n):
        return ["redis-benchmark", "-p", str(self.port), "-q", "-c", "20", "-n", str(n // 2), "-t", "set,get"]


NGINX = """daemon off; worker_processes 1; pid {room}/nginx.pid; error_log /dev/null;
events {{ worker_connections 256; }}
http {{ access_log off; client_body_temp_path {room}/t1; proxy_temp_path {room}/t2; fastcgi_temp_path {room}/t3;
uwsgi_temp_path {room}/t4; scgi_temp_path {room}/t5;
server {{ listen 127.0.0.1:{port}; root {room}/www; }} }}
"""


class Nginx(Server):
    """nginx under ab, a connection per request."""

    def __init__(self):
        super().__init__("nginx", 12000, ["nginx", "ab"])

    def prepare(self, bench):
        super().prepare(bench)
        bench.room.chmod(0o755)
        bench.scratch.chmod(0o755)
        (bench.room / "www").mkdir()
        (bench.room / "www/index.html").write_text("x" * 4096)
        (bench.room / "nginx.conf").write_text(NGINX.format(room=bench.room, port=self.port))

    def server(self, bench):
        return ["nginx", "-c", str(bench.room / "nginx.conf"), "-e", "/dev/null"]

    def load(self, bench, n):
        return ["ab", "-q", "-n", str(n), "-c", "8", f"http://127.0.0.1:{self.port}/index.html"]


ALL = [
    Workload("getppid", 3000000, "call"),
    Workload("pread", 1000000, "call"),
    Workload("files", 40000, "create, write, close, unlink"),
    Workload("exec", 1000, "fork, exec, wait"),
    Workload("pipe", 40000, "round trip"),
    Workload("unix", 40000, "round trip"),
    Workload("tcp4", 15000, "connection"),
    Workload("tcp6", 15000, "connection"),
    Workload("readwrite", 3000, "MiB written and read"),
    Compile(),
    Tar(),
    Redis(),
    Nginx(),
]
