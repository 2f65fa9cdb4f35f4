# SPDX-License-Identifier: MIT
"""One container by every engine that Debian has: who it is, by the engine's own word, and what it did.

podman, containerd (ctr), crun, LXC and systemd-nspawn keep their state where they always do, and
some want the whole machine: these tests run in virtual machines only (VM_OPTIONS, docs/test/live.md).
"""
import json
import os
import shutil
import subprocess

from identity import listed
from lib import (Container, Recording, RUN_TIMEOUT, RuncContainer, Skip, START_TIMEOUT, check, mounted,
                 say, v2_root, wait_until)


EXIT = 3	# of the command in the container


class Crun(RuncContainer):
    """runc's smaller brother: the same bundle, options and state, but for the program."""

    program = "crun"

    def told(self):
        return {"id": self.name, "runtime": "crun", "init_pid": self.init_pid()}


class Podman(Container):
    """Rootful, with its default storage."""

    program, image = "podman", "localhost/ebpfmon-live:1"

    def start(self):
        tar = subprocess.Popen(["tar", "-C", self.setup.rootfs, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["podman", "import", "-q", "-", self.image], stdin=tar.stdout, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check(tar.wait() == 0, "tar failed")
        self.popen(["podman", "--cgroup-manager", "cgroupfs", "run", "--rm", "-i", "--name", self.name, "--network",
                    "none", "--label", "app=live", "--security-opt", "seccomp=unconfined", "--tmpfs", "/work",
                    "-w", "/work", self.image, *self.argv])

    def told(self):
        state = json.loads(say(["podman", "inspect", self.name]))[0]
        return {"id": state["Id"], "name": state["Name"], "runtime": "podman", "init_pid": state["State"]["Pid"],
                "image": state["ImageName"]}

    def kill(self):
        subprocess.run(["podman", "rm", "-f", self.name], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


class Ctr(Container):
    """containerd's own client, in containerd's default namespace."""

    program = "ctr"
    daemon = None

    def start(self):
        if not Ctr.daemon:
            with open(os.path.join(self.setup.dir, "containerd.log"), "w") as log:
                Ctr.daemon = subprocess.Popen(["containerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            wait_until(lambda: subprocess.run(["ctr", "version"], check=False, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL).returncode == 0,
                       2 * START_TIMEOUT, "containerd to answer")
        self.popen(["ctr", "run", "--rm", "--rootfs", "--label", "app=live", "--cwd", "/work", self.setup.rootfs,
                    self.name, *self.argv])

    def told(self):
        task = [l.split() for l in say(["ctr", "task", "list"]).splitlines() if l.split()[0] == self.name]
        return {"id": self.name, "runtime": "containerd", "init_pid": int(task[0][1])}

    def kill(self):
        subprocess.run(["ctr", "task", "kill", "-s", "SIGKILL", self.name], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @staticmethod
    def close():
        """Ends the daemon."""
        if Ctr.daemon:
            Ctr.daemon.terminate()
            Ctr.daemon.wait(30)
            Ctr.daemon = None


class Lxc(Container):
    """A system container's runtime, running one command."""

    program, passes_on = "lxc-start", 0

    def start(self):
        os.makedirs("/var/lib/lxc/" + self.name)
        with open("/var/lib/lxc/%s/config" % self.name, "w") as f:
            f.write("lxc.uts.name = %s\nlxc.rootfs.path = dir:%s\nlxc.net.0.type = empty\nlxc.console.path = none\n"
                    "lxc.mount.auto = proc:mixed sys:ro\n" % (self.name, self.setup.rootfs))
        self.popen(["lxc-start", "-F", "-n", self.name, "--", *self.argv])

    def told(self):
        check(say(["lxc-info", "-n", self.name, "-s", "-H"]).strip() == "RUNNING", "lxc-info does not know it")
        return {"id": self.name, "name": self.name, "runtime": "lxc"}

    def kill(self):
        subprocess.run(["lxc-stop", "-k", "-n", self.name], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


class Nspawn(Container):
    """systemd-nspawn without a manager, in the scope that the manager would have made."""

    program = "systemd-nspawn"

    def start(self):
        self.scope = os.path.join(v2_root(), "machine.slice", "machine-%s.scope" % self.name)
        os.makedirs(self.scope, exist_ok=True)
        self.popen(["/bin/sh", "-c", "echo $$ > %s/cgroup.procs; exec \"$@\"" % self.scope, "sh", "systemd-nspawn",
                    "-q", "--register=no", "--keep-unit", "--console=pipe", "-M", self.name, "-D",
                    self.setup.rootfs, *self.argv])

    def told(self):
        return {"id": self.name, "runtime": "systemd-nspawn"}	# nobody registered its name


IN_DOCKER = """
mkdir /sys/fs/cgroup/manager && echo 0 > /sys/fs/cgroup/manager/cgroup.procs || exit 9
docker="docker -H unix:///work/socket"
dockerd -H unix:///work/socket --data-root /work/data --exec-root /work/exec -p /work/pid --iptables=false --bridge=none \
	--storage-driver vfs > $0/dockerd.log 2>&1 &
until $docker version > /dev/null 2>&1; do kill -0 $! || exit 8; sleep 0.2; done
tar -C $1 -c . | $docker import - live:1 > /dev/null
$docker run --rm -i --network none --name inner live:1 /bin/sh -c 'echo up; read x; /bin/cat /etc/passwd > /tmp/$0; exit 3' $2
code=$?
kill $!
wait
exit $code
"""


def docker_in_docker(setup):
    """A Docker daemon in a container, as its image for that does it: a cgroup namespace, the manager in a leaf."""
    need_vm("dockerd")
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        raise Skip("cgroup v1: the daemon inside would need a hierarchy of each controller's")
    host, secret = setup.subdir("host"), "secret-in-docker-in-docker"
    outer = RuncContainer(setup, ["/bin/sh", "-c", IN_DOCKER, setup.dir, setup.rootfs, secret], rootfs=host,
                          readonly=False, more_namespaces=["cgroup"], mounts=[
        {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]},
        {"destination": "/run", "type": "tmpfs", "source": "tmpfs"},
        {"destination": setup.dir, "type": "none", "source": setup.dir, "options": ["rbind", "rw"]}])
    with mounted("/", host), Recording(setup, ["-c", outer.name]) as recording, outer:
        outer.wait_line(0)
        inner = outer.exec(["docker", "-H", "unix:///work/socket", "ps", "-q", "--no-trunc"]).strip()
        row = listed(setup).get(inner, {})
        outer.go()
        code = outer.wait()
        check(code == EXIT, "exit code %d: %s" % (code, outer.errors()))
        recording.stop()
    check([p["id"] for p in row.get("parents", [])] == [outer.name] and row["runtime"] == "docker",
          "the list of %s in %s: %r" % (inner, outer.name, row))
    events = recording.events()
    check({e["container.id"] for e in events} == {outer.name, inner}, "ids: %r" % {e["container.id"] for e in events})
    opens = [e["container.id"] for e in events if e["event"] == "file.open" and
             e.get("file.path") == "/tmp/" + secret]
    check(opens == [inner], "opens of the secret: %r" % opens)


ENGINES = (Crun, Podman, Ctr, Lxc, Nspawn)


def need_vm(program):
    """The engines' own directories, and a machine that nobody else uses."""
    if "EBPFMON_VM" not in os.environ:
        raise Skip("only in a virtual machine: it wants the engines' own directories")
    if not shutil.which(program):
        raise Skip("%s is not installed" % program)


def engine(setup, kind):
    """A secret in an argument and in a file's name: told once each, of this container, as the engine calls it."""
    need_vm(kind.program)
    secret = "secret-of-%s" % kind.program
    container = kind(setup, ["/bin/sh", "-c", "echo up; read x; /bin/cat /etc/passwd > /tmp/$0; exit %d" % EXIT, secret])
    with Recording(setup, ["-c", container.name]) as recording, container:
        container.wait_line(0)
        told = container.told()
        row = wait_until(lambda: listed(setup).get(told["id"]), RUN_TIMEOUT, "%r in the list" % told)
        container.go()
        code = container.wait()
        check(code == getattr(kind, "passes_on", EXIT), "exit code %d: %s" % (code, container.errors()))
        recording.stop()
    shown = dict(row, image=row.get("image", {}).get("name"))
    check({k: shown.get(k) for k in told} == told, "the engine: %r\nthe list: %r" % (told, row))
    events = recording.events()
    check({e["container.id"] for e in events} == {told["id"]}, "ids: %r" % {e["container.id"] for e in events})
    execs = [e for e in events if e["event"] == "process.exec" and secret in e.get("process.command_args", [])]
    check(any(e["phase"] == "run" for e in execs), "exec of the secret: %r" % execs)
    opens = [e for e in events if e["event"] == "file.open" and e.get("file.path") == "/tmp/" + secret]
    check(len(opens) == 1, "opens of the secret: %r" % opens)
    stops = [e for e in events if e["event"] == "container.stop"]
    check([e.get("process.exit.code") for e in stops] == [EXIT], "stop: %r" % stops)


def tests(setup):
    """(name, function) of each engine."""
    for kind in ENGINES:
        yield "engines/%s" % kind.program, lambda k=kind: engine(setup, k)
    yield "engines/docker-in-docker", lambda: docker_in_docker(setup)
