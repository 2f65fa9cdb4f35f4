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
from lib import (Container, Recording, RUN_TIMEOUT, RuncContainer, Skip, START_TIMEOUT, check, mounted, read_text,
                 read_text_if, remove_cgroup, say, v2_root, wait_until)


EXIT = 3	# of the command in the container
SIZE = 654321	# bytes that go through a socket


class Crun(RuncContainer):
    """runc's smaller brother: the same bundle, options and state, but for the program."""

    program = "crun"

    def told(self):
        return {"id": self.name, "runtime": "crun", "init_pid": self.init_pid()}


class Podman(Container):
    """Rootful, with its default storage."""

    program, image, more = "podman", "localhost/ebpfmon-live:1", ()

    def command(self, *args):
        """A podman command line."""
        return ["podman", "--cgroup-manager", "cgroupfs", *args]

    def start(self):
        with open(self.setup.archive, "rb") as archive:	# its name may be closed to the user who reads it
            say(self.command("import", "-q", "-", self.image), stdin=archive)
        self.popen(self.command("run", "--rm", "-i", "--name", self.name, "--network", "none", "--label", "app=live",
                                "--security-opt", "seccomp=unconfined", "--tmpfs", "/work", "-w", "/work", *self.more,
                                self.image, *self.argv))

    def exec_command(self, argv):
        """The command that runs a further one in it."""
        return self.command("exec", self.name, *argv)

    def told(self):
        state = json.loads(say(self.command("inspect", self.name)))[0]
        image = json.loads(say(self.command("image", "inspect", self.image)))[0]
        return {"id": state["Id"], "name": state["Name"], "runtime": "podman", "init_pid": state["State"]["Pid"],
                "image": state["ImageName"], "image_digest": image["Digest"]}

    def kill(self):
        subprocess.run(self.command("rm", "-f", self.name), check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)


class Ctr(Container):
    """
    containerd's own client, in containerd's default namespace. The socket is not where one is looked for: a dockerd that is
    started beside it would take it for its own.
    """

    program = "ctr"
    daemon = None

    def ctr(self, *args):
        """A command line of the client."""
        return ["ctr", "-a", os.path.join(self.setup.dir, "containerd.sock"), *args]

    def start(self):
        if not Ctr.daemon:
            with open(os.path.join(self.setup.dir, "containerd.log"), "w") as log:
                Ctr.daemon = subprocess.Popen(["containerd", "-a", os.path.join(self.setup.dir, "containerd.sock")],
                                              stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            wait_until(lambda: subprocess.run(self.ctr("version"), check=False, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL).returncode == 0,
                       2 * START_TIMEOUT, "containerd to answer")
        self.popen([*self.ctr("run"), "--rm", "--rootfs", "--label", "app=live", "--cwd", "/work", self.setup.rootfs,
                    self.name, *self.argv])

    def exec_command(self, argv):
        """The command that runs a further one in it."""
        return self.ctr("task", "exec", "--exec-id", "session", self.name, *argv)

    def told(self):
        task = [l.split() for l in say(self.ctr("task", "list")).splitlines() if l.split()[0] == self.name]
        return {"id": self.name, "runtime": "containerd", "init_pid": int(task[0][1])}

    def kill(self):
        subprocess.run(self.ctr("task", "kill", "-s", "SIGKILL", self.name), check=False, stdout=subprocess.DEVNULL,
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
        # as if one had been left from before: LXC goes on to NAME-1
        os.mkdir(os.path.join(v2_root(), "lxc.payload." + self.name))
        os.makedirs("/var/lib/lxc/" + self.name)
        with open("/var/lib/lxc/%s/config" % self.name, "w") as f:
            f.write("lxc.uts.name = %s\nlxc.rootfs.path = dir:%s\nlxc.net.0.type = empty\nlxc.net.0.flags = up\nlxc.console.path = none\n"
                    "lxc.mount.auto = proc:mixed sys:ro\n" % (self.name, self.setup.rootfs))
        self.popen(["lxc-start", "-F", "-n", self.name, "--", *self.argv])

    def exec_command(self, argv):
        """The command that runs a further one in it."""
        return ["lxc-attach", "-n", self.name, "--", *argv]

    def told(self):
        check(say(["lxc-info", "-n", self.name, "-s", "-H"]).strip() == "RUNNING", "lxc-info does not know it")
        return {"id": self.name, "name": self.name, "runtime": "lxc"}

    def wait(self):
        code = super().wait()
        remove_cgroup("lxc.payload." + self.name)
        return code

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
daemon() {
	dockerd -H unix:///work/socket --data-root /work/data --exec-root /work/exec -p /work/pid --iptables=false --bridge=none \
		--storage-driver vfs >> $0/dockerd.log 2>&1 &
}
daemon
tries=1
until $docker version > /dev/null 2>&1; do
	if ! kill -0 $!; then # it gives its containerd 15 s to start
		[ $tries -lt 3 ] || { tail -n 20 $0/dockerd.log >&2; exit 8; }
		tries=$((tries + 1))
		daemon
	fi
	sleep 0.2
done
$docker import $1 live:1 > /dev/null
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
    host, secret = setup.subdir(setup.name()), "secret-in-docker-in-docker"
    outer = RuncContainer(setup, ["/bin/sh", "-c", IN_DOCKER, setup.dir, setup.archive, secret], rootfs=host,
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


UNIT = """[Unit]
DefaultDependencies=no
SuccessAction=exit-force
SuccessActionExitStatus=%d
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'while [ ! -e %s ]; do sleep 0.2; done; exec /bin/cat /etc/passwd > /tmp/%s'
"""


def systemd(setup):
    """systemd in a container: its services are the container's, each in its cgroup, and no containers or units."""
    need_vm("systemd-nspawn")	# systemd is there, too
    host, units, secret, go = setup.subdir(setup.name()), setup.subdir("units"), "secret-of-a-service", setup.dir + "/go"
    with open(os.path.join(units, "secret.service"), "w") as f:
        f.write(UNIT % (EXIT, go, secret))
    container = RuncContainer(setup, ["/lib/systemd/systemd", "--unit=secret.service"], rootfs=host, readonly=False,
                              env=["container=runc"], more_namespaces=["cgroup"], mounts=[
        {"destination": "/sys", "type": "sysfs", "source": "sysfs"},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]},
        {"destination": "/run", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/run/systemd/system", "type": "none", "source": units, "options": ["rbind"]},
        {"destination": setup.dir, "type": "none", "source": setup.dir, "options": ["rbind"]}])
    with mounted("/", host), Recording(setup, ["-c", container.name, "-e", "container,process,file.open"]) as recording, \
            container:
        shell = wait_until(lambda: [p for p in os.listdir("/proc") if p.isdigit() and
                                    read_text_if("/proc/%s/cgroup" % p).rstrip().endswith("/system.slice/secret.service")],
                           RUN_TIMEOUT, "the service; systemd said: %s" % container.errors())
        rows = [r for r in listed(setup).values() if r["id"] == container.name or r["id"].endswith(".service") or
                container.name in [p["id"] for p in r.get("parents", [])]]
        with open(go, "w"):
            pass
        code = container.wait()
        check(code == EXIT, "exit code %d: %s" % (code, container.errors()))
        recording.stop()
    check([(r["id"], "parents" in r) for r in rows] == [(container.name, False)] and
          rows[0]["processes"] >= 1 + len(shell), "the list: %r" % rows)
    events = recording.events()
    check({e["container.id"] for e in events} == {container.name}, "ids: %r" % {e["container.id"] for e in events})
    opens = [e for e in events if e["event"] == "file.open" and e.get("file.path") == "/tmp/" + secret]
    check([(e["phase"], "exec_session.pid" in e) for e in opens] == [("run", False)], "opens of the secret: %r" % opens)
    made = [e["cgroup.path"] for e in events if e["event"] == "container.cgroup_create"]
    check(sum(p.endswith("/%s/system.slice/secret.service" % container.name) for p in made) == 1, "cgroups: %r" % made)
    starts, stops = ([e for e in events if e["event"] == "container." + w] for w in ("start", "stop"))
    check(len(starts) == 1 and [e.get("process.exit.code") for e in stops] == [EXIT], "%r %r" % (starts, stops))


class RootlessPodman(Podman):
    """An ordinary user's, in a service that his manager delegated to itself (--cgroups=split, as Quadlet does)."""

    more = ("--cgroups=split",)
    uid, service = 1234, "user.slice/user-1234.slice/user@1234.service/app.slice/web.service"

    @staticmethod
    def need():
        """Skips where it cannot be."""
        need_vm("newuidmap")
        if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            raise Skip("on cgroup v1 users' containers have no cgroups of their own")

    def start(self):
        self.home, self.service = "/home/live", os.path.join("/sys/fs/cgroup", self.service)
        for name, line in (("passwd", "live:x:1234:1234::/home/live:/bin/sh"), ("group", "live:x:1234:"),
                           ("subuid", "live:200000:65536"), ("subgid", "live:200000:65536")):
            if "live:" not in read_text("/etc/" + name):
                with open("/etc/" + name, "a") as f:
                    f.write(line + "\n")
        for path in (self.home, "/run/user/1234", self.service):
            os.makedirs(path, exist_ok=True)
            os.chown(path, self.uid, self.uid)
        for name in ("cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(os.path.join(self.service, name), self.uid, self.uid)
        super().start()

    def command(self, *args):
        return ["/bin/sh", "-c", "echo $$ > %s/cgroup.procs; cd /; exec \"$@\"" % self.supervisor(), "sh", "setpriv",
                "--reuid=1234", "--regid=1234", "--clear-groups", "env", "HOME=" + self.home, "USER=live",
                "XDG_RUNTIME_DIR=/run/user/1234", "podman", "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", *args]

    def supervisor(self):
        """Where podman moves itself to, before there may be children with controllers."""
        path = os.path.join(self.service, "supervisor")
        return path if os.path.exists(path) else self.service


ENGINES = (Crun, Podman, RootlessPodman, Ctr, Lxc, Nspawn)


def need_vm(program):
    """The engines' own directories, and a machine that nobody else uses."""
    if "EBPFMON_VM" not in os.environ:
        raise Skip("only in a virtual machine: it wants the engines' own directories")
    if not shutil.which(program):
        raise Skip("%s is not installed" % program)


SESSION = ["/bin/echo", "a session"]
SHORT = ["/bin/sleep", "0.02"]


def executed(events, argv):
    """The executions of exactly this."""
    return [e for e in events if e["event"] == "process.exec" and e["process.command_args"] == argv]


def told_whole(events, secret, session):
    """What the container with the secret did, once each; and what was brought into it, as such."""
    runs = [(e["phase"], "exec_session.pid" in e) for e in executed(events, ["/bin/trigger", "secret", secret, str(SIZE)])]
    check(runs == [("run", False)], "execs of the secret, in a session or not: %r" % runs)
    runs = [(e["phase"], "exec_session.pid" in e) for e in executed(events, SESSION)]
    check(runs == [("run", True)] * session, "execs of a further command, in a session or not: %r" % runs)
    opens = [e for e in events if e["event"] == "file.open" and e.get("file.path") == "/tmp/" + secret]
    check(len(opens) == 1, "opens of the secret: %r" % opens)
    closes = [e for e in events if e["event"] == "tcp.close"]
    for key in ("network.sent_bytes", "network.received_bytes"):
        check([e[key] for e in closes if e.get(key)] == [SIZE], "%s: %r" % (key, closes))
    stops = [e for e in events if e["event"] == "container.stop"]
    check([e.get("process.exit.code") for e in stops] == [EXIT], "stop: %r" % stops)


def engine(setup, kind):
    """A secret in an argument, a file's name and a socket's bytes: told once each, of this container, as the engine
    calls it; also a command that is brought in later, and a container of 20 ms."""
    need_vm(kind.program)
    getattr(kind, "need", lambda: None)()
    secret = "secret-of-" + kind.__name__.lower()
    container = kind(setup, ["/bin/sh", "-c", "echo up; read x; /bin/trigger secret $0 $1 || exit 9; exit %d" % EXIT,
                             secret, str(SIZE)])
    session = hasattr(container, "exec_command")
    short = kind(setup, SHORT)
    with Recording(setup, ["-c", container.name, "-c", short.name]) as recording, container:
        container.wait_line(0)
        told = container.told()
        row = wait_until(lambda: listed(setup).get(told["id"]), RUN_TIMEOUT, "%r in the list" % told)
        if session:
            check(say(container.exec_command(SESSION)) == SESSION[1] + "\n", "it said something else")
        container.go()
        code = container.wait()
        check(code == getattr(kind, "passes_on", EXIT), "exit code %d: %s" % (code, container.errors()))
        with short:
            check(short.wait() == 0, short.errors())
        recording.stop()
    shown = dict(row, image=row.get("image", {}).get("name"), image_digest=row.get("image", {}).get("digest"))
    check({k: shown.get(k) for k in told} == told, "the engine: %r\nthe list: %r" % (told, row))
    events = {name: [e for e in recording.events() if e["container.name"] == name]
              for name in {e["container.name"] for e in recording.events()}}
    check(set(events) == {told.get("name", told["id"]), short.name}, "names: %r" % list(events))
    starts = [e for e in events[short.name] if e["event"] == "container.start"]
    check([e.get("container.image.name") for e in starts] == [told.get("image")] and
          [e["phase"] for e in executed(events[short.name], SHORT)] == ["run"], "of 20 ms: %r" % events[short.name])
    events = events[told.get("name", told["id"])]
    check({e["container.id"] for e in events} == {told["id"]}, "ids: %r" % {e["container.id"] for e in events})
    told_whole(events, secret, session)


def tests(setup):
    """(name, function) of each engine."""
    for kind in ENGINES:
        yield "engines/%s" % kind.__name__.lower(), lambda k=kind: engine(setup, k)
    yield "engines/docker-in-docker", lambda: docker_in_docker(setup)
    yield "engines/systemd", lambda: systemd(setup)
