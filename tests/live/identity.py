# SPDX-License-Identifier: MIT
"""Who a container is, by what its runtime says of it; and which ones --container means."""
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import uuid

from compare import compare
from events import run_phase
from lib import (CONTAINERS, DockerContainer, Recording, RUN_TIMEOUT, RuncContainer, Skip, check, need_docker,
                 read_text, remove_cgroup, say, v2_root, wait_until)

NO_CONTAINER = 5	# the exit code when no container is what was asked for, or several are


def listed(setup):
    """What `ebpfmon list containers -f json` says, by id."""
    return {c["id"]: c for c in json.loads(say([setup.ebpfmon, "list", "containers", "-f", "json"]))}


def refused(setup, args):
    """The message of an ebpfmon that must refuse to record."""
    done = subprocess.run([setup.ebpfmon, "record", "-d", "100ms"] + args, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == NO_CONTAINER, "%r: exit code %d, not %d\n%s" %
          (args, done.returncode, NO_CONTAINER, done.stderr))
    return done.stderr


def list_runc(setup):
    """The list against `runc state` and the bundle."""
    container = RuncContainer(setup, ["/bin/trigger", "-w", "file.mkdir"],
                              annotations={"app": "live", "io.kubernetes.cri.image-name": "\x1b[2Jx\u202ey"},
                              mounts=[{"destination": "/vol", "type": "bind", "source": setup.dir,
                                       "options": ["rbind", "ro"]}])
    left = os.path.join("ebpfmon-live", setup.name() + ".slice", "docker-%s.scope" % ("0" * 64))
    os.makedirs(os.path.join(v2_root(), left))
    with container:
        container.wait_line(0)
        state = json.loads(say(["runc", "--root", container.root, "state", container.name]))
        all_listed = listed(setup)
        got = all_listed.get(container.name)
        check(got, "not listed: %r" % all_listed)
        check("0" * 64 not in all_listed, "listed, but nothing runs in it: %r" % all_listed)
        text = say([setup.ebpfmon, "list", "containers"])
        container.kill()
        container.wait()
    remove_cgroup(left)
    remove_cgroup(os.path.dirname(left))
    with open(os.path.join(state["bundle"], "config.json")) as f:
        config = json.load(f)
    want = {"runtime": "runc", "init_pid": state["pid"], "bundle": state["bundle"], "rootfs": state["rootfs"],
            "processes": 1, "readonly_root": config["root"]["readonly"], "hostname": config["hostname"],
            "seccomp": "unconfined", "user": "0:0", "cgroup": config["linux"]["cgroupsPath"]}
    check({k: got.get(k) for k in want} == want, "want %r\ngot %r" % (want, got))
    check(set(got["capabilities"]) == set(config["process"]["capabilities"]["bounding"]),
          "capabilities: %r" % got["capabilities"])
    check(got["first_process"]["seccomp"] == "none" and
          set(got["first_process"]["effective"]) == set(config["process"]["capabilities"]["effective"]),
          "first process: %r" % got["first_process"])
    check({l["key"]: l["value"] for l in got["labels"]} == state["annotations"], "labels: %r" % got["labels"])
    check({"destination": "/vol", "source": setup.dir, "type": "bind", "read_only": True} in got["mounts"],
          "mounts: %r" % got["mounts"])
    # the JSON is the exact name, the table is safe for a terminal
    check(got["image"]["name"] == "\x1b[2Jx\u202ey", "image: %r" % got["image"])
    line = [l for l in text.splitlines() if container.name in l]
    check(len(line) == 1 and "\\u001b[2Jx\\u202ey" in line[0], "the table's line: %r" % line)
    check(not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text), "the table is not safe: %r" % text)


def list_docker(setup):
    """The list against `docker inspect` and `docker ps`."""
    need_docker(setup)
    volume = setup.name()
    container = DockerContainer(setup, ["/bin/trigger", "-w", "file.mkdir"], docker_args=[
        "--label", "app=live", "--label", "odd=a=b", "-v", volume + ":/data", "-v", setup.dir + ":/vol:ro",
        "--read-only", "-u", "7:8", "-h", "host7"])
    with container:
        container.wait_line(0)
        told = json.loads(say(setup.docker.command("inspect", container.name)))[0]
        status = read_text("/proc/%d/status" % told["State"]["Pid"])
        ps = say(setup.docker.command("ps", "-q", "--no-trunc")).split()
        all_listed = listed(setup)
        text = say([setup.ebpfmon, "list", "containers"])
        container.kill()
        container.wait()
    say(setup.docker.command("volume", "rm", volume))
    got = all_listed.get(told["Id"])
    check(got, "not listed: %r" % all_listed)
    check(set(ps) <= set(all_listed), "docker ps: %r\nlisted: %r" % (ps, list(all_listed)))
    want = {"name": told["Name"][1:], "runtime": "docker", "init_pid": told["State"]["Pid"], "processes": 1,
            "readonly_root": True, "user": "7:8", "hostname": "host7", "seccomp": "unconfined",
            "image": {"name": told["Config"]["Image"], "id": told["Image"]},
            "networks": list(told["NetworkSettings"]["Networks"])}
    check({k: got.get(k) for k in want} == want, "want %r\ngot %r" % (want, got))
    check("privileged" not in got, "it is not privileged: %r" % got)
    check({l["key"]: l["value"] for l in got["labels"]} == told["Config"]["Labels"], "labels: %r" % got["labels"])
    mounts = {m["Destination"]: (m["Type"], m["Source"], not m["RW"], m.get("Name")) for m in told["Mounts"]}
    check({m["destination"]: (m["type"], m.get("source"), m["read_only"], m.get("name")) for m in got["mounts"]
           if m["type"] != "tmpfs"} == mounts, "mounts: want %r, got %r" % (mounts, got["mounts"]))
    bounding = int(re.search(r"CapBnd:\s*(\w+)", status).group(1), 16)
    first = got["first_process"]
    added = {"CAP_" + c.removeprefix("CAP_") for c in told["HostConfig"]["CapAdd"]}	# Docker 20 leaves it out
    for which in (got["capabilities"], first["bounding"]):
        check(len(which) == bin(bounding).count("1") and added <= set(which),
              "capabilities: %r, by /proc %x, by docker %r" % (which, bounding, added))
    check((first["uid"], first["gid"], first["effective"]) == (7, 8, []), "first process: %r" % first)
    check(any(l.startswith(told["Id"][:12] + " ") and container.name in l for l in text.splitlines()),
          "the table: %s" % text)


def short_lives(setup, runtime):
    """Containers that end at once, selected by what only their metadata says, are all there by name."""
    if runtime == "docker":
        need_docker(setup)
    number = 8 if runtime == "docker" else 20
    word = setup.name()
    options = {"docker_args": ["--label", "word=" + word]} if runtime == "docker" else {"annotations": {"word": word}}
    other = CONTAINERS[runtime](setup, ["/bin/true"])
    names = []
    with Recording(setup, ["-c", "label:word=" + word, "-e", "process,container"]) as recording:
        with other:
            check(other.wait() == 0, other.errors())
        for _ in range(number):
            container = CONTAINERS[runtime](setup, ["/bin/true"], **dict(options))
            names.append(container.name)
            with container:
                check(container.wait() == 0, container.errors())
        recording.stop()
    events = recording.events()
    check({e["container.name"] for e in events} == set(names), "containers: %r, want %r" %
          ({e["container.name"] for e in events}, names))
    for name in names:
        mine = run_phase([e for e in events if e["container.name"] == name])
        execs = [e["process.command_args"] for e in mine if e["event"] == "process.exec"]
        check(execs == [["/bin/true"]], "%s executed %r" % (name, execs))
        check(len([e for e in mine if e["event"] == "process.exit"]) == 1, "%s: no end: %r" % (name, mine))
        stops = [e for e in events if e["container.name"] == name and e["event"] == "container.stop"]
        check(len(stops) == 1, "%s stopped %d times" % (name, len(stops)))


def select(setup):
    """Names, prefixes, images, labels; what fits several or none is refused, with those that there are."""
    need_docker(setup)
    word = setup.name()
    docker = DockerContainer(setup, ["/bin/trigger", "-w", "file.mkdir"], docker_args=["--label", "word=" + word])
    twin = RuncContainer(setup, ["/bin/trigger", "-w", "file.mkdir"], name=docker.name)
    twin.out_path += ".twin"
    with docker:
        docker.wait_line(0)
        docker.init_pid()
        with twin:
            twin.wait_line(0)
            said = refused(setup, ["-c", docker.name])
            check(docker.id[:12] in said and "%s (runc)" % twin.name in said, "not both: %s" % said)
            said = refused(setup, ["-c", "no-such-one"])
            check(docker.name in said and docker.id[:12] in said, "not what there is: %s" % said)
            refused(setup, ["-c", docker.id[:12], "-c", "no-such-one"])
            refused(setup, ["-c", "label:word=x" + word])
            refused(setup, ["-c", "image:ebpfmon-live:2"])
            refused(setup, ["--unit", "no-such-unit"])
            for pattern in (docker.id[:12], docker.id, "id:" + docker.id[:6], "label:word=" + word, "label:word=*" +
                            word[-5:], "image:ebpfmon-live", "image:ebpfmon-l*", "runtime:docker"):
                output = os.path.join(setup.subdir(setup.name()), "dir") + "/"
                done = subprocess.run([setup.ebpfmon, "record", "-d", "100ms", "-c", pattern, "-o", output],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                      timeout=RUN_TIMEOUT, check=False)
                check(done.returncode == 0, "-c %s: %d: %s" % (pattern, done.returncode, done.stdout))
                ids = []
                for name in os.listdir(output):
                    with open(output + name) as f:
                        ids.append(json.load(f)["container"]["id"])
                if pattern.startswith("runtime:"):	# others may have containers, too
                    ids = [i for i in ids if i in (docker.id, twin.name)]
                check(ids == [docker.id], "-c %s recorded %r, not %s" % (pattern, ids, docker.id))
            twin.kill()
            twin.wait()
        docker.kill()
        docker.wait()


def later(setup):
    """Every kind of pattern means a container that starts later, and no other; two ids that begin alike are refused."""
    word = setup.name()
    number = hashlib.sha256(word.encode()).hexdigest()
    patterns = [number[:12], "n-" + word, "n-*" + word[-6:], "image:live.example/" + word, "label:word=" + word,
                "pod:ns/p-" + word, "pod:" + word]
    mine = RuncContainer(setup, ["/bin/true"], name=number, annotations={
        "word": word, "io.kubernetes.cri.image-name": "live.example/%s:1" % word, "io.kubernetes.pod.uid": word,
        "io.kubernetes.cri.container-name": "n-" + word, "io.kubernetes.pod.name": "p-" + word,
        "io.kubernetes.pod.namespace": "ns"})
    other = RuncContainer(setup, ["/bin/true"], annotations={
        "word": "x" + word, "io.kubernetes.cri.image-name": "live.example/x%s:1" % word,
        "io.kubernetes.pod.name": "p-" + word + "x", "io.kubernetes.pod.namespace": "ns"})
    with contextlib.ExitStack() as stack:
        recordings = [(p, stack.enter_context(Recording(setup, ["-c", p, "-e", "container"]))) for p in patterns]
        for container in (other, mine):
            with container:
                check(container.wait() == 0, container.errors())
        for pattern, recording in recordings:
            recording.stop()
            ids = [e["container.id"] for e in recording.events() if e["event"] == "container.start"]
            check(ids == [number], "-c %s recorded %r, not %s" % (pattern, ids, number))
    twins = [RuncContainer(setup, ["/bin/sleep", "600"], name=number[:32] + end * 32) for end in "ab"]
    with twins[0], twins[1]:
        wait_until(lambda: {t.name for t in twins} <= set(listed(setup)), RUN_TIMEOUT, "both in the list")
        for pattern in (number[:12], "id:" + number[:32]):
            said = refused(setup, ["-c", pattern])
            check(all(t.name[:12] in said for t in twins), "-c %s: not both: %s" % (pattern, said))


def left_behind(setup):
    """A cgroup with nobody in it is no second container of that name."""
    name = setup.name()
    container = RuncContainer(setup, ["/bin/sleep", "600"], name=name, cgroup="/lxc/" + name)
    os.mkdir(os.path.join(v2_root(), "lxc.payload." + name))
    try:
        with container:
            wait_until(lambda: name in listed(setup), RUN_TIMEOUT, "it in the list")
            say([setup.ebpfmon, "record", "-d", "100ms", "-c", name, "-o", os.path.join(setup.subdir(setup.name()), "r.json")])
    finally:
        for path in ("lxc.payload." + name, "lxc"):
            remove_cgroup(path)


def nested(setup):
    """A container in a container: attributed to the innermost, with the chain; watched with the outer one."""
    name = setup.name()
    outer = RuncContainer(setup, ["/bin/trigger", "-w", "file.mkdir"], name=name,
                          cgroup="/lxc.payload.%s" % name)
    inner = RuncContainer(setup, ["/bin/trigger", "file.rmdir"], cgroup="/lxc.payload.%s/lxc.payload.in" % name)
    other = RuncContainer(setup, ["/bin/true"], cgroup="/lxc.payload.%s-other" % name)
    try:
        with Recording(setup, ["-c", name]) as recording, outer:
            outer.wait_line(0)
            with inner, other:
                check(inner.wait() == 0, inner.errors())
                check(other.wait() == 0, other.errors())
            outer.go()
            outer.wait_line(1)
            outer.go()
            check(outer.wait() == 0, outer.errors())
            recording.stop()
    finally:
        remove_cgroup("lxc.payload.%s/lxc.payload.in" % name)
        remove_cgroup("lxc.payload.%s" % name)
    events = recording.events()
    chains = {(e["container.id"], tuple(e.get("container.parents", ()))) for e in events}
    check(chains == {(name, ()), ("in", (name,))}, "containers and what is around them: %r" % chains)
    compare(inner.account(), run_phase([e for e in events if e["container.id"] == "in"]))
    compare(outer.account(), run_phase([e for e in events if e["container.id"] == name]))


def unit(setup):
    """--unit: a service's cgroup is recorded from its first task on, as of one phase."""
    name = setup.name() + ".service"
    path = os.path.join(v2_root(), "ebpfmon-live", name)
    work = setup.subdir(setup.name())
    out = os.path.join(work, "out")
    with Recording(setup, ["--unit", name[:-8]]) as recording:
        with open(out, "wb") as f:
            done = subprocess.run(["/bin/sh", "-c", 'mkdir "$1" && echo $$ >"$1/cgroup.procs" && exec "$2" file.rename',
                                   "sh", path, setup.trigger], cwd=work, stdin=subprocess.DEVNULL, stdout=f,
                                  stderr=subprocess.PIPE, timeout=RUN_TIMEOUT, check=False)
        check(done.returncode == 0, "%r" % done.stderr)
        os.rmdir(path)
        recording.stop()
    with open(out) as f:
        account = json.load(f)
    events = recording.events()
    check({(e["container.id"], e["container.name"], e["phase"]) for e in events} == {(name, name, "run")},
          "%r" % {(e["container.id"], e["container.name"], e["phase"]) for e in events})
    starts = [e for e in events if e["event"] == "container.start"]
    check([e.get("container.runtime.name") for e in starts] == ["systemd"], "starts: %r" % starts)
    compare(account, [e for e in events if e["process.comm"] == "trigger"])


def ctr(setup):
    """containerd without Docker or Kubernetes: ctr, in a namespace of its own, against `ctr containers info`."""
    if not shutil.which("ctr"):
        raise Skip("ctr is not installed")
    need_docker(setup)	# it brings a containerd
    command = ["ctr", "-a", os.path.join(setup.docker.dir, "exec/containerd/containerd.sock"), "-n", "live"]
    name, short = setup.name(), setup.name()
    run = command + ["run", "--rm", "--label", "word=" + name, "--rootfs", setup.rootfs]
    with Recording(setup, ["-c", "label:word=" + name, "-e", "process,container"]) as recording:
        process = subprocess.Popen(run + [name, "/bin/sleep", "60"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_until(lambda: any(name in l for l in say(command + ["tasks", "ls", "-q"]).split()), RUN_TIMEOUT,
                       "the task to run")
            told = json.loads(say(command + ["containers", "info", name]))
            got = wait_until(lambda: listed(setup).get(name), RUN_TIMEOUT, "it to be listed")
            say(run + [short, "/bin/true"])
        finally:
            subprocess.run(command + ["tasks", "kill", "-s", "KILL", name], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            process.wait(RUN_TIMEOUT)
            process.stdout.close()
        recording.stop()
    check((told["ID"], got["runtime"], got["cgroup"]) == (name, "containerd", told["Spec"]["linux"]["cgroupsPath"]),
          "containerd %r, ebpfmon %r" % (told, got))
    check(set(got["capabilities"]) == set(told["Spec"]["process"]["capabilities"]["bounding"]), "%r" % got)
    check(told["Labels"].items() <= {l["key"]: l["value"] for l in got["labels"]}.items(), "%r" % got["labels"])
    events = recording.events()
    starts = {e["container.id"]: e["container.runtime.name"] for e in events if e["event"] == "container.start"}
    check(starts == {name: "containerd", short: "containerd"}, "starts: %r" % starts)


def pod(setup):
    """A container of a pod, as the kubelet has containerd make it: its cgroup, and the CRI plugin's annotations; and
    a command that is brought in the way `kubectl exec` does it."""
    if not shutil.which("ctr"):
        raise Skip("ctr is not installed")
    need_docker(setup)	# it brings a containerd
    command = ["ctr", "-a", os.path.join(setup.docker.dir, "exec/containerd/containerd.sock"), "-n", "k8s.io"]
    name, uid = setup.name(), str(uuid.uuid4())
    number = hashlib.sha256(name.encode()).hexdigest()
    parents = ["ebpfmon-live/kubepods", "ebpfmon-live/kubepods/burstable", "ebpfmon-live/kubepods/burstable/pod" + uid]
    said = {"container-type": "container", "container-name": "app", "image-name": "registry.example/app:7",
            "sandbox-name": name, "sandbox-namespace": "prod", "sandbox-uid": uid}
    run = command + ["run", "--rm", "--cgroup", "/%s/%s" % (parents[-1], number)]
    for key, value in said.items():
        run += ["--annotation", "io.kubernetes.cri.%s=%s" % (key, value)]
    with Recording(setup, ["-c", "pod:prod/" + name, "-e", "process,container"]) as recording:
        process = subprocess.Popen(run + ["--rootfs", setup.rootfs, number, "/bin/sleep", "60"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            wait_until(lambda: any(number in l for l in say(command + ["tasks", "ls", "-q"]).split()), RUN_TIMEOUT,
                       "the task to run")
            got = wait_until(lambda: listed(setup).get(number), RUN_TIMEOUT, "it to be listed")
            text = say([setup.ebpfmon, "list", "containers"])
            say(command + ["tasks", "exec", "--exec-id", "one", number, "/bin/echo", "one"])
        finally:
            subprocess.run(command + ["tasks", "kill", "-s", "KILL", number], check=False, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
            process.wait(RUN_TIMEOUT)
            process.stdout.close()
            for path in reversed(parents):
                remove_cgroup(path)
        recording.stop()
    want = {"name": "app", "image": {"name": "registry.example/app:7"}, "runtime": "containerd",
            "pod": {"name": name, "namespace": "prod", "uid": uid, "qos": "burstable"}}
    check({k: got.get(k) for k in want} == want, "want %r\ngot %r" % (want, got))
    check(any(l.startswith(number[:12]) and "prod/" + name in l for l in text.splitlines()), "the table: %s" % text)
    events = run_phase(recording.events())
    execs = [(e["container.name"], e["process.command_args"][0], "exec_session.pid" in e) for e in events
             if e["event"] == "process.exec"]
    check(execs == [("app", "/bin/sleep", False), ("app", "/bin/echo", True)], "executed: %r" % execs)


CASES = {
    "docker/identity.pod": pod, "runc/identity.list": list_runc, "docker/identity.list": list_docker, "docker/identity.select": select, "docker/identity.ctr": ctr,
    "runc/identity.later": later, "runc/identity.left_behind": left_behind, "runc/identity.nested": nested, "run/identity.unit": unit,
    "runc/identity.short_lives": lambda s: short_lives(s, "runc"),
    "docker/identity.short_lives": lambda s: short_lives(s, "docker"),
}


def tests(setup, runtimes):
    """(name, function) of each case with each runtime that was asked for."""
    for name, function in CASES.items():
        if name.split("/")[0] in runtimes:
            yield name, lambda f=function: f(setup)
