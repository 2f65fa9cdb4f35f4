# SPDX-License-Identifier: MIT
"""What the live tests stand on: a root file system, containers by runc and Docker, and ebpfmon.

Nothing here uses what was not started here, and everything that is started is ended by its pid.
"""
import atexit
import collections
import contextlib
import glob
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# A sanitizer's report, of an executable built with SANITIZE=1.
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error: |LeakSanitizer has encountered")
READY = "ebpfmon: recording"	# how the line begins that ebpfmon says on stderr once it is attached
START_TIMEOUT = float(os.environ.get("LIVE_START_TIMEOUT", "30"))	# emulated machines are slow
RUN_TIMEOUT = float(os.environ.get("LIVE_RUN_TIMEOUT", "120"))


class Skip(Exception):
    """The test cannot run here; the message says why."""


class Failure(Exception):
    """Something is not as it must be; the message shows all sides."""


def check(condition, message):
    """Fails with @message unless @condition."""
    if not condition:
        raise Failure(message)


def wait_until(condition, timeout, what):
    """Polls @condition until it gives something true, which is returned."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failure("waited %g s in vain: %s" % (timeout, what))


def read_text(path):
    """A file's text, or "" while it is not there."""
    try:
        with open(path, errors="surrogateescape") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def make_executable(path, text):
    """Writes a script."""
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o755)


def say(command, stdin=None):
    """Runs a command that must succeed and returns what it says on stdout."""
    done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT)
    check(done.returncode == 0, "%s: exit code %d\n%s%s" %
          (" ".join(command), done.returncode, done.stdout, done.stderr))
    return done.stdout


# --- what is run ---

class Setup:
    """Paths and options of one test run, and what is shared between tests."""

    def __init__(self, ebpfmon, trigger=None):
        self.dir = tempfile.mkdtemp(prefix="ebpfmon-live-")
        self.ebpfmon = os.path.abspath(ebpfmon)
        self.trigger = trigger or build_trigger(self.dir)
        self.rootfs = make_rootfs(os.path.join(self.dir, "rootfs"), self.trigger)
        # for engines that import images; of now, as containers make mount points in the tree later
        self.archive = self.rootfs + ".tar"
        archive_of(self.rootfs, self.archive)
        self.serial = itertools.count(1)
        os.makedirs(os.path.join(v2_root(), "ebpfmon-live"), exist_ok=True)
        self.docker = None
        self.usual = None	# what the doctor says: refused.py
        self.lock = threading.Lock()

    def name(self):
        """A container name not used before."""
        return "ebpfmon-live-%d-%d" % (os.getpid(), next(self.serial))

    def subdir(self, name):
        """A new directory for one test."""
        path = os.path.join(self.dir, name)
        os.mkdir(path)
        return path

    def close(self):
        """Ends the Docker daemon and removes all files."""
        if self.docker:
            self.docker.close()
        remove_cgroup("ebpfmon-live")
        shutil.rmtree(self.dir, ignore_errors=True)


def v2_root():
    """Where the hierarchy is mounted by which ebpfmon tells containers apart: cgroup v2, else v1's pids."""
    mounts = [line.split() for line in read_text("/proc/self/mounts").splitlines()]
    for m in mounts:
        if m[2] == "cgroup2":
            return m[1]
    for m in mounts:
        if m[2] == "cgroup" and "pids" in m[3].split(","):
            return m[1]
    raise SystemExit("no cgroup hierarchy is mounted")


def remove_cgroup(name):
    """Removes an empty cgroup of that path in every hierarchy."""
    for line in read_text("/proc/self/mounts").splitlines():
        if line.split()[2].startswith("cgroup"):
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(line.split()[1], name))


def build_trigger(where):
    """The trigger program: one that was built already (in a VM there is no compiler), or a new one."""
    built = os.path.join(TOP, "build", "tests", "trigger")
    sources = sorted(glob.glob(os.path.join(TOP, "tests", "triggers", "*.c")))
    newest = max(os.path.getmtime(s) for s in sources) if sources else 0
    if os.path.exists(built) and os.path.getmtime(built) >= newest:
        return built
    cc = os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    if not cc:
        if os.path.exists(built):
            return built
        raise SystemExit("no compiler, and no %s" % built)
    program = os.path.join(where, "trigger")
    say([cc, "-Wall", "-Wextra", "-Werror", "-O1", "-static", "-pthread", "-o", program] + sources)
    return program


def make_rootfs(path, trigger):
    """A root file system of busybox and the trigger, small enough for any machine."""
    busybox = shutil.which("busybox") or "/bin/busybox"
    for sub in ("bin", "dev", "etc", "proc", "sys", "tmp", "usr", "work", "vol"):
        os.makedirs(os.path.join(path, sub))
    shutil.copy(busybox, os.path.join(path, "bin/busybox"))
    shutil.copy(trigger, os.path.join(path, "bin/trigger"))
    for applet in ("sh", "cat", "sleep", "true", "ls", "echo", "touch", "rm", "mkdir"):
        os.symlink("busybox", os.path.join(path, "bin", applet))
    with open(os.path.join(path, "etc/passwd"), "w") as f:
        f.write("root:x:0:0:root:/:/bin/sh\n")
    return path


def archive_of(tree, path):
    """A tar of it."""
    say(["tar", "-C", tree, "-cf", path, "."])


# --- ebpfmon ---

class SharedRecording:
    """What one ebpfmon that watches all of a run's containers says of one of them.

    For machines on which attaching takes seconds (emulated ones): LIVE_SHARED=1. Counters come
    when their process has ended and been swept, so after the container's end there is a wait.
    """

    SWEEP = 2.5		# seconds: ebpfmon sweeps once a second
    all = None		# the one Recording
    lock = threading.Lock()
    lines = collections.defaultdict(list)	# by the container's name, which each of them holds
    unnamed = []
    rest = b""		# of a line that is not whole yet
    file = None

    def __init__(self, setup, container):
        self.name = container.name
        with SharedRecording.lock:
            if SharedRecording.all is None:
                SharedRecording.begin(setup)

    @staticmethod
    def begin(setup):
        """With the first test that wants it."""
        output = os.path.join(setup.dir, "shared.jsonl")
        every = Recording(setup, ["-c", "ebpfmon-live-%d-*" % os.getpid(), "--buffer", "64M"], output=output)
        every.__enter__()
        SharedRecording.file = open(output, "rb")
        SharedRecording.all = every
        atexit.register(every.__exit__)

    @staticmethod
    def read():
        """Takes what ebpfmon has written since, each line to those whose names are in it."""
        cls = SharedRecording
        with cls.lock:
            *whole, cls.rest = (cls.rest + cls.file.read()).split(b"\n")
            for line in whole:
                names = set(re.findall(rb"ebpfmon-live-%d-\d+(?:-\w+)?" % os.getpid(), line))
                for name in names:
                    cls.lines[name.decode()].append(line)
                if not names:
                    cls.unnamed.append(line)

    @staticmethod
    def end():
        """With the whole run: it must have gone well, too."""
        code = SharedRecording.all.stop()
        SharedRecording.read()
        said = SharedRecording.all.said()
        check(code == 0, "ebpfmon ended with %d:\n%s" % (code, said))
        check("lost:" not in said and "malformed" not in said, "not all arrived:\n%s" % said)
        check(not SharedRecording.unnamed, "%d events of no container that was started, as: %r" %
              (len(SharedRecording.unnamed), SharedRecording.unnamed[:3]))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def said(self):
        """What ebpfmon wrote to stderr, of whatever container."""
        return SharedRecording.all.said()

    def own_lines(self):
        """The lines so far in which this container's name is."""
        self.read()
        return list(SharedRecording.lines[self.name])

    def events(self):
        """Those of this container so far."""
        return [e for e in map(parse_event, self.own_lines()) if e.get("container.name") == self.name]

    def stop(self):
        """Waits until everything of the container must have come."""
        wait_until(lambda: any(b'"container.stop"' in line for line in self.own_lines()), RUN_TIMEOUT,
                   "%s to stop; ebpfmon said:\n%s" % (self.name, self.said()))
        time.sleep(self.SWEEP)
        return 0


def record(setup, container, args=()):
    """A recording of the container: of its own, or the run's, if nothing special is asked for."""
    if os.environ.get("LIVE_SHARED") and not args:
        return SharedRecording(setup, container)
    return Recording(setup, ["-c", container.name] + list(args))


class Recording:
    """One run of ebpfmon that writes JSON lines (or what @form says) to a file."""

    def __init__(self, setup, args, form="jsonl", output=None, stderr=None):
        self.output = output or os.path.join(setup.subdir(setup.name()), "events." + form)
        self.stderr_path = stderr or self.output.rstrip("/") + ".stderr"
        self.command = [setup.ebpfmon, "record", "--wait"] + args + ["-o", self.output]
        if form != "report":
            self.command += ["-f", form]
        self.stderr = open(self.stderr_path, "w")
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=self.stderr,
                                        stdout=self.stderr, start_new_session=True)
        wait_until(self.ready, START_TIMEOUT, "%s to say %r; it said:\n%s" %
                   (" ".join(self.command), READY, self.said()))
        return self

    def ready(self):
        """True once ebpfmon has attached."""
        if self.process.poll() is not None:
            raise Failure("%s ended with %d before it was attached:\n%s" %
                          (" ".join(self.command), self.process.returncode, self.said()))
        return READY in self.said()

    def said(self):
        """What it wrote to stderr so far."""
        return read_text(self.stderr_path)

    def stop(self, sig=signal.SIGINT):
        """Ends the recording and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failure("ebpfmon did not end after %s:\n%s" % (signal.Signals(sig).name, self.said()))
        finally:
            check(not SANITIZER.search(self.said()), "a sanitizer's report:\n" + self.said())

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.stderr.close()

    def events(self):
        """All events, flat: {"file.path": …}. Call after stop()."""
        return parse_events(self.output)


def parse_events(path):
    """The events of a file of JSON lines."""
    with open(path, "rb") as f:
        return [parse_event(line) for line in f]


def parse_event(line):
    """One line."""
    try:
        return flatten(json.loads(line.decode("utf-8")))
    except ValueError as e:
        raise Failure("not JSON in UTF-8: %s: %r" % (e, line[:300]))


def flatten(value, prefix=""):
    """Nested objects as one object of dotted keys; lists stay."""
    flat = {}
    for key, v in value.items():
        if isinstance(v, dict):
            flat.update(flatten(v, prefix + key + "."))
        else:
            flat[prefix + key] = v
    return flat


# --- containers ---

class Container:
    """A container that was started here: its process's pipes, its id, its name."""

    runtime = None

    def __init__(self, setup, argv, **options):
        self.setup = setup
        self.name = options.pop("name", None) or setup.name()
        self.id = self.name
        self.argv = argv
        self.options = options
        self.process = None
        self.out_path = os.path.join(setup.dir, self.name + ".out")

    def popen(self, command):
        """Starts it; stdin is a pipe to say "go" through, stdout a file, so that nobody blocks."""
        with open(self.out_path, "wb") as out, open(self.out_path + ".err", "wb") as err:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err,
                                            start_new_session=True)

    def lines(self):
        """The complete lines of its standard output so far."""
        text = read_text(self.out_path)
        return text[:text.rfind("\n") + 1].splitlines()

    def errors(self):
        """What it said on stderr."""
        return read_text(self.out_path + ".err")

    def wait_line(self, number):
        """The line of that number (from 0) once it is there."""
        def there():
            if self.process.poll() is not None and len(self.lines()) <= number:
                raise Failure("%s ended with %s: %s" % (self.argv, self.process.returncode, self.errors()))
            return len(self.lines()) > number
        wait_until(there, RUN_TIMEOUT, "line %d of %s; stderr: %s" % (number, self.argv, self.errors()))
        return self.lines()[number]

    def go(self):
        """What "trigger -w" waits for."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def wait(self):
        """Its exit code, once it has ended."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            return self.process.wait(RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure("%s did not end: %s" % (self.argv, self.errors()))

    def account(self):
        """The trigger's own account of what it did."""
        for line in reversed(self.lines()):
            value = json.loads(line)
            if "trigger" in value:
                return value
        raise Failure("%s said nothing; stderr: %s" % (self.argv, self.errors()))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        if self.process and self.process.poll() is None:
            self.kill()
        if self.process:
            self.process.wait(RUN_TIMEOUT)

    def kill(self):
        """Ends it by force."""
        self.process.kill()


def own_capabilities():
    """The capabilities that this machine lets root have; runc refuses to give more."""
    names = """chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
        linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module
        sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time
        sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog
        wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore""".split()
    mask = int(re.search(r"CapEff:\s*(\w+)", read_text("/proc/self/status")).group(1), 16)
    return ["CAP_" + n.upper() for i, n in enumerate(names) if mask >> i & 1]


def known_capabilities():
    """Those that runc 1.1 knows by name on this kernel."""
    return [c for c in own_capabilities() if c not in ("CAP_CHECKPOINT_RESTORE", "CAP_PERFMON", "CAP_BPF")]


def oci_config(argv, rootfs, cgroup, host_net=False, mounts=(), readonly=True, env=(),
               annotations=None, more_namespaces=(), host_pid=False, pids_limit=0,
               seccomp=None, capabilities=None, no_new_privs=False):
    """config.json of an OCI bundle."""
    caps = known_capabilities() if capabilities is None else capabilities
    namespaces = ([] if host_pid else ["pid"]) + ["ipc", "uts", "mount", *more_namespaces] + ([] if host_net else ["network"])
    base = [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["mode=1777"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
        {"destination": "/work", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    ]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": argv, "cwd": "/work",
                    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/work", "LC_ALL=C"] + list(env),
                    "noNewPrivileges": no_new_privs,
                    "capabilities": {s: caps for s in ("bounding", "effective", "permitted")}},
        "root": {"path": rootfs, "readonly": readonly},
        "hostname": "live",
        "annotations": annotations or {},
        "mounts": base + list(mounts),
        "linux": {"cgroupsPath": cgroup, "namespaces": [{"type": n} for n in namespaces],
                  "resources": {"devices": [{"allow": True, "access": "rwm"}],
                                **({"pids": {"limit": pids_limit}} if pids_limit else {})},
                  **({"seccomp": seccomp} if seccomp else {})},
    }


class RuncContainer(Container):
    """A container by runc, with a state directory of its own."""

    runtime = "runc"
    program = "runc"

    def start(self):
        """Writes the bundle and runs it."""
        if not shutil.which(self.program):
            raise Skip("%s is not installed" % self.program)
        self.root = os.path.join(self.setup.dir, self.program + "-root")
        bundle = self.setup.subdir(self.name + ".bundle")
        parent = self.options.pop("cgroup_parent", "ebpfmon-live")
        cgroup = self.options.pop("cgroup", "/%s/%s" % (parent, self.name))
        config = oci_config(self.argv, self.options.pop("rootfs", self.setup.rootfs), cgroup, **self.options)
        with open(os.path.join(bundle, "config.json"), "w") as f:
            json.dump(config, f)
        self.popen([self.program, "--root", self.root, "run", "--bundle", bundle, self.name])

    def init_pid(self):
        """The host's pid of the container's first process, by runc's own record."""
        return json.loads(say([self.program, "--root", self.root, "state", self.name]))["pid"]

    def exec_command(self, argv):
        """The command that runs a further one in it."""
        return [self.program, "--root", self.root, "exec", self.name] + argv

    def exec(self, argv):
        """Runs a further command in it and waits for it."""
        return say(self.exec_command(argv))

    def kill(self):
        subprocess.run([self.program, "--root", self.root, "delete", "--force", self.name], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Docker:
    """A Docker daemon of our own: no service, no network, its files in our directory."""

    def __init__(self, setup, options=(), name="docker"):
        for program in ("dockerd", "docker"):
            if not shutil.which(program):
                raise Skip("%s is not installed" % program)
        self.dir, self.options = setup.subdir(name), options
        self.socket = "unix://" + os.path.join(self.dir, "docker.sock")
        self.log = open(os.path.join(self.dir, "log"), "w")
        self.process = None
        try:
            self.start()
            self.import_image(setup.archive)
        except Failure as e:
            self.close()
            raise Skip("dockerd does not run here: %s\n%s" %
                       (e, read_text(self.dir + "/log")[-1000:]))

    def start(self):
        """Until it answers."""
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", self.dir + "/data", "--exec-root", self.dir + "/exec",
             "-H", self.socket, "-p", self.dir + "/pid", "--iptables=false", "--bridge=none",
             "--storage-driver", "vfs", "--add-runtime", "plain=/usr/sbin/runc", *self.options],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        wait_until(self.answers, 2 * START_TIMEOUT, "dockerd to answer")

    def command(self, *args):
        """A docker command line for this daemon."""
        return ["docker", "-H", self.socket] + list(args)

    def answers(self):
        """True once the daemon serves."""
        if self.process.poll() is not None:
            raise Failure("dockerd ended with %d" % self.process.returncode)
        return subprocess.run(self.command("version"), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False).returncode == 0

    def import_image(self, archive):
        """The image, of our own tree: there is no registry."""
        done = subprocess.run(self.command("import", archive, "ebpfmon-live:1"),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        check(done.returncode == 0, "docker import: " + done.stdout)

    def stop(self):
        """Ends the daemon; it ends its containerd."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        """For good."""
        self.stop()
        self.log.close()
        unmount_below(self.dir)


@contextlib.contextmanager
def mounted(what, where):
    """A bind mount, for a while."""
    subprocess.run(["mount", "--bind", what, where], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", where], check=True)


def unmount_below(path):
    """Lets go of what a daemon left mounted, so that the directory can be removed."""
    points = [line.split()[1] for line in read_text("/proc/self/mounts").splitlines()]
    for point in sorted((p for p in points if p.startswith(path)), reverse=True):
        subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)


class DockerContainer(Container):
    """A container by docker run."""

    runtime = "docker"

    def start(self):
        """Runs it in the foreground."""
        need_docker(self.setup)
        self.docker = self.setup.docker
        network = "host" if self.options.get("host_net") else "none"
        ipv6 = [] if network == "host" else [a for i in ("all", "default", "lo") for a in (
            "--sysctl", "net.ipv6.conf.%s.disable_ipv6=0" % i)]	# Docker turns it off on "none"
        caps = [a for c in known_capabilities() for a in ("--cap-add", c[4:])]
        self.popen(self.docker.command(
            "run", "--rm", "-i", "--name", self.name, "--network", network, *caps, *ipv6,
            "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--tmpfs", "/work:exec", "--tmpfs", "/tmp", "-w", "/work",
            *self.options.get("docker_args", ()), "ebpfmon-live:1", *self.argv))

    def inspect(self, form):
        """What Docker says of it."""
        return say(self.docker.command("inspect", "--format", form, self.name)).strip()

    def init_pid(self):
        """The host's pid of its first process, by Docker's own record."""
        self.id = self.inspect("{{.Id}}")
        return int(self.inspect("{{.State.Pid}}"))

    def exec_command(self, argv):
        """The command that runs a further one in it."""
        return self.docker.command("exec", self.name, *argv)

    def exec(self, argv):
        """Runs a further command in it and waits for it."""
        return say(self.exec_command(argv))

    def kill(self):
        subprocess.run(self.docker.command("rm", "-f", self.name), check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


CONTAINERS = {"runc": RuncContainer, "docker": DockerContainer}


def need_docker(setup):
    """Starts the daemon outside of any recording, or skips."""
    with setup.lock:
        if not setup.docker:
            setup.docker = Docker(setup)


def ns_pids(cgroup_of_pid):
    """{pid in the innermost namespace: pid on the host} of all processes of a process's cgroup."""
    want = read_text("/proc/%d/cgroup" % cgroup_of_pid)
    pids = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or not want or read_text_if("/proc/%s/cgroup" % entry) != want:
            continue
        found = re.search(r"^NSpid:\s*(.*)$", read_text_if("/proc/%s/status" % entry), re.M)
        if found:
            pids[int(found.group(1).split()[-1])] = int(entry)
    return pids


def read_text_if(path):
    """Like read_text, of a process that may be gone by now."""
    try:
        return read_text(path)
    except OSError:
        return ""
