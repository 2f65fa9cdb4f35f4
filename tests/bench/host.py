# SPDX-License-Identifier: MIT
"""The machine: cgroups that look like containers, and what a process costs."""
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


class Unavailable(Exception):
    """Something cannot be run on this machine, with the reason."""


def cgroup_mount():
    """Where the cgroup v2 hierarchy is mounted."""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            left, right = line.split(" - ")
            if right.startswith("cgroup2 "):
                return Path(left.split()[4])
    raise Unavailable("no cgroup v2 hierarchy is mounted")


class Containers:
    """Cgroups named as Docker names them, below a slice of the benchmark's own."""

    def __init__(self):
        self.slice = cgroup_mount() / f"ebpfmonbench{os.getpid()}.slice"
        self.slice.mkdir()
        self.made = []

    def make(self, prefix=""):
        """A new container: its id, which begins with @prefix, and its directory."""
        ident = (prefix + secrets.token_hex(32))[:64]
        path = self.slice / f"docker-{ident}.scope"
        path.mkdir()
        self.made.append(path)
        return ident, path

    def remove(self, path):
        """Removes one whose processes are ending."""
        for _ in range(200):
            try:
                path.rmdir()
                break
            except OSError:
                time.sleep(0.02)
        if path in self.made:
            self.made.remove(path)

    def close(self):
        """Removes what is left; only processes that the benchmark moved there can be in it."""
        for path in list(self.made):
            for pid in (path / "cgroup.procs").read_text().split():
                os.kill(int(pid), 9)
            self.remove(path)
        self.slice.rmdir()


def scratch():
    """A directory in memory: a disk would be measured otherwise."""
    shm = "/dev/shm"
    return Path(tempfile.mkdtemp(prefix="ebpfmon-bench-", dir=shm if os.path.isdir(shm) else None))


def have(program):
    """The path of a program."""
    path = shutil.which(program)
    if not path:
        raise Unavailable(f"{program} is not installed")
    return path


def cpu_seconds(pid):
    """What a running process used, to the nanosecond, with its threads that have ended: clock_getcpuclockid(3)."""
    return time.clock_gettime(~pid << 3 | 2)  # CPUCLOCK_SCHED of the kernel


def status_bytes(pid, key):
    """VmRSS, VmHWM, … of a running process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 0


def resident_bytes(pid):
    """What a process has in memory. The ring is mapped twice and is a kernel map: it is counted there, once."""
    total, counts = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024 * counts
        elif "-" in line.split(" ", 1)[0]:
            counts = "bpf-map" not in line
    return total


def fd_kinds(pid):
    """What the descriptors of a process lead to."""
    kinds = []
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds.append(os.readlink(fd))
        except OSError:
            pass
    return kinds


def fdinfo(pid):
    """The fields of each descriptor's fdinfo."""
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = path.read_text()
        except OSError:
            continue
        yield dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def kernel_bytes(pid):
    """Memory of the BPF maps and programs that a process holds: (maps, programs)."""
    maps, programs = {}, {}
    for f in fdinfo(pid):
        for key, into in (("map_id", maps), ("prog_id", programs)):
            if key in f:
                into[f[key].strip()] = int(f.get("memlock", "0"))
    return sum(maps.values()), sum(programs.values())


def program_ids(pid):
    """Ids of the BPF programs that a process holds."""
    return {int(f["prog_id"]) for f in fdinfo(pid) if "prog_id" in f}


def machine():
    """What a reader must know of the machine."""
    model = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True,
                            check=False).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"kernel": os.uname().release, "machine": os.uname().machine, "cpu": model,
            "cpus": os.cpu_count(), "memory_bytes": memory, "commit": commit,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "load": os.getloadavg()[0]}
