# SPDX-License-Identifier: MIT
"""What is advised, used: the runtimes take it, and the workload does the same under it."""
import collections
import contextlib
import copy
import json
import os
import re
import shutil
import signal
import subprocess
import textwrap

from lib import (DockerContainer, Recording, RUN_TIMEOUT, RuncContainer, Skip, START_TIMEOUT, TOP, check, make_executable,
                 need_docker, read_text, say, wait_until)

# writes, changes an owner, makes sockets, has children, and says what became of it
WORK = "echo hello > /tmp/f && busybox chown 5:6 /tmp/f && busybox stat -c '%u %g %s' /tmp/f && busybox nslookup x 127.0.0.1" \
       " >/dev/null 2>&1; busybox ls /bin | busybox wc -l; exit 3"
CHANGED = WORK.replace("exit 3", "busybox mkfifo /tmp/p; exit 3")


def ebpfmon(setup, *args, code=0):
    """What it says on stdout; it must end with @code."""
    done = subprocess.run([setup.ebpfmon, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == code, "%r: exit code %d, not %d\n%s%s" %
          (args, done.returncode, code, done.stdout, done.stderr))
    return done.stdout


def outcome(container):
    """What it said, and how it ended."""
    with container:
        code = container.wait()
    return container.lines(), code, container.errors()


def recorded(setup, container, args=()):
    """The path of its report, and its outcome."""
    report = os.path.join(setup.subdir(setup.name()), "report.json")
    with Recording(setup, ["-c", container.name, "-x", *args], form="report", output=report) as recording:
        got = outcome(container)
        check(recording.process.wait(RUN_TIMEOUT) == 0, recording.said())
    with open(report) as f:
        first = json.load(f)["container"]["first_process"]
    check(first["seccomp"] == "filter", "it was not recorded under a filter: %r" % first)
    return report, got


def recording_profile(setup):
    """The profile that is to be recorded under: it allows every call."""
    profile = json.loads(ebpfmon(setup, "recommend", "seccomp", "--recording-profile"))
    check(profile["defaultAction"] == "SCMP_ACT_ALLOW" and profile["syscalls"] == [], "it allows not all: %r" % profile)
    return profile


def runc_work(setup, work=WORK):
    """The report of the workload in runc, under the profile that is to be recorded under."""
    return recorded(setup, RuncContainer(setup, ["/bin/sh", "-c", work], seccomp=recording_profile(setup)))


def seccomp_runc(setup):
    """The profile and the capabilities, narrowed to arguments: accepted, and the same comes out."""
    report, want = runc_work(setup)
    check(want[1] == 3, "the workload itself: %r" % (want,))
    for options in ([], ["--args"], ["--args", "--no-new-privileges"]):
        text = ebpfmon(setup, "recommend", "seccomp", "--for", "runc", *options, report)
        profile = json.loads(text)
        caps = json.loads(ebpfmon(setup, "recommend", "capabilities", "-f", "oci", report))
        check(caps["bounding"] == ["CAP_CHOWN"], "capabilities: %r" % caps)
        narrowed = {n for r in profile["syscalls"] if "args" in r for n in r["names"]}
        check("socket" in narrowed if options else narrowed == {"socket"}, "%r: narrowed: %r" % (options, narrowed))
        got = outcome(RuncContainer(setup, ["/bin/sh", "-c", WORK], seccomp=profile, capabilities=caps["bounding"],
                                    no_new_privs="--no-new-privileges" in options))
        check(got == want, "%r: under the profile %r, without %r" % (options, got, want))
        path = os.path.join(os.path.dirname(report), "profile.json")
        with open(path, "w") as f:
            f.write(text)
        check(ebpfmon(setup, "check", "--profile", path, report) == "", "its own profile is not clean")
    # what is not there is found: a call that is taken away, an architecture, and one too many
    profile["syscalls"][0]["names"].remove("fchownat" if "fchownat" in profile["syscalls"][0]["names"] else "chown")
    profile["syscalls"][0]["names"].append("keyctl")
    with open(path, "w") as f:
        json.dump(profile, f)
    found = json.loads(ebpfmon(setup, "check", "-f", "json", "--profile", path, report, code=3))
    check([x["name"] in ("fchownat", "chown") for x in found["blocked"]] == [True] and
          [x["name"] for x in found["unneeded"]] == ["keyctl"], "found: %r" % found)


def diff(setup):
    """Of two runs that differ by one call and one file."""
    first, second = runc_work(setup)[0], runc_work(setup, CHANGED)[0]
    check(ebpfmon(setup, "diff", first, first) == "", "it differs from itself")
    got = json.loads(ebpfmon(setup, "diff", "-f", "json", first, second, code=3))
    check(got["files_written"] == {"only_first": [], "only_second": ["/tmp/p"]}, "files: %r" % got)
    check(set(got["syscalls"]["only_second"]) & {"mknod", "mknodat"}, "calls: %r" % got)
    check(got["executables"] == {"only_first": [], "only_second": []}, "executables: %r" % got)


LISTENER = [{"local_addr": "::", "local_port": 80}]
# what is said of a report, and what has to happen to one that leaves nothing to doubt
DOUBTS = {
    "records were lost": lambda r: r["lost"].update(total=1),
    "its start is missing": lambda r: r["recording"]["partial"].append("was_running_before"),
    "shorter than 10 s": lambda r: r["recording"].update(duration=9.9e9),
    "could not be loaded": lambda r: r["recording"]["partial"].append("missing_coverage"),
    "folded entries": lambda r: r["recording"]["partial"].append("folded"),
    "no seccomp filter while recording": lambda r: [c.pop("filtered") for c in r["syscalls"]["calls"]],
    "io_uring was used": lambda r: r["syscalls"]["calls"].append({"name": "io_uring_setup", "count": 1}),
    "set-up was not recorded": lambda r: r.pop("setup"),
    "has no system calls": lambda r: r["syscalls"].update(calls=[]),
    "capability checks were not recorded": lambda r: [c.update(active=False) for c in r["coverage"]
                                                      if c["subsystem"] == "capability"],
    "a filter denied calls": lambda r: r["syscalls"]["calls"][0].update(denied=1),
    "its stop is missing": lambda r: r["recording"]["partial"].append("still_running"),
    "graceful stop is missing": lambda r: r["container"].update(exit_signal="SIGKILL"),
    "a reload, if it has one, is missing": lambda r: r["tcp"].update(listeners=LISTENER),
    "by exec is missing": lambda r: r["tcp"].update(listeners=LISTENER),
    "all calls of these failed": lambda r: r["syscalls"]["calls"].append(
        {"name": "keyctl", "count": 1, "filtered": 1, "errors": {"EPERM": 1}}),
}


def strict(setup):
    """Each doubt is a warning, beside the advice; with --strict nothing is written and the status is 4. Without any, neither."""
    path = runc_work(setup)[0]
    with open(path) as f:
        clean = json.load(f)

    def said(code, *options):
        done = subprocess.run([setup.ebpfmon, "recommend", *options, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=RUN_TIMEOUT, check=False)
        check(done.returncode == code and bool(done.stdout) == (code == 0), "%r: status %d\n%s" %
              (options, done.returncode, done.stderr))
        return done.stderr

    # as it was recorded, only its length is doubtful
    short = said(4, "seccomp", "--strict")
    check("shorter than 10 s" in short and short.count("warning: ") == 1, "of a short record: %s" % short)
    clean["recording"]["duration"] = 10e9
    for words, change in {"": lambda r: None, **DOUBTS}.items():
        changed = copy.deepcopy(clean)
        change(changed)
        with open(path, "w") as f:
            json.dump(changed, f)
        warned = said(4 if words else 0, "seccomp", "--strict")
        check("warning: " in warned and words in warned if words else not warned, "%r: %s" % (words, warned))
        check(said(0, "seccomp") == warned, "%r: without --strict: %s" % (words, said(0, "seccomp")))
    for what in ("capabilities", "docker", "compose", "kubernetes", "apparmor"):
        said(4, what, "--strict")
    # a container without a filter, in truth
    path = os.path.join(setup.subdir(setup.name()), "report.json")
    container = RuncContainer(setup, ["/bin/true"])
    with Recording(setup, ["-c", container.name, "-x"], form="report", output=path) as recording:
        outcome(container)
        check(recording.process.wait(RUN_TIMEOUT) == 0, recording.said())
    warned = said(4, "seccomp", "--strict")
    check("start it under `ebpfmon recommend seccomp --recording-profile`" in warned, "without a filter: %s" % warned)


def denied(setup):
    """Calls that a profile denied while recording: known and left out when timed, told to be doubtful when not."""
    profile = recording_profile(setup)
    profile["syscalls"] = [{"names": ["chown", "lchown", "fchownat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]
    for args, said, allowed in (([], "perhaps by the filter", True), (["--syscalls=time"], "they are left out", False)):
        report = recorded(setup, RuncContainer(setup, ["/bin/sh", "-c", WORK], seccomp=profile), args)[0]
        done = subprocess.run([setup.ebpfmon, "recommend", "seccomp", report], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=True)
        warned = [line for line in done.stderr.splitlines() if said in line and "chown" in line]
        names = json.loads(done.stdout)["syscalls"][0]["names"]
        check(len(warned) == 1 and allowed == bool({"chown", "lchown", "fchownat"} & set(names)),
              "%r: %s\nallowed: %r" % (args, done.stderr, names))


def io_uring(setup):
    """No filter sees what requests do: the advice names what was seen."""
    container = RuncContainer(setup, ["/bin/trigger", "syscall.io_uring"], seccomp=recording_profile(setup))
    report, (_, code, errors) = recorded(setup, container)
    if code:
        raise Skip("no io_uring here: %s" % errors)
    done = subprocess.run([setup.ebpfmon, "recommend", "seccomp", report], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=True)
    warned = [line for line in done.stderr.splitlines() if "io_uring" in line]
    check(len(warned) == 1 and "operations pass seccomp by: " in warned[0] and "nop" in warned[0], done.stderr)


SERVER = "trap 'echo reloaded' HUP; trap 'kill $!; exit 0' TERM; busybox nc -l -p 4321 >/dev/null & " \
         "until busybox grep -q :10E1 /proc/net/tcp /proc/net/tcp6; do busybox sleep 0.05; done; echo up; " \
         "while :; do busybox sleep 0.1; done"


def phases(setup):
    """Each phase of a server that no record shows is a warning; none is left when one record shows them all."""
    wanted = {"start": "its start is missing", "end": "its stop is missing", "graceful": "a graceful stop is missing",
              "reload": "a reload", "exec": "by exec is missing"}

    def missing(*reports):
        done = subprocess.run([setup.ebpfmon, "recommend", "seccomp", *reports], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=True)
        return {k for k, v in wanted.items() if v in done.stderr}

    def server(work, joined=False):
        """The report of one, on which @work is done; not from its start if @joined."""
        out = os.path.join(setup.subdir(setup.name()), "report.json")
        container = RuncContainer(setup, ["/bin/sh", "-c", SERVER], seccomp=recording_profile(setup))
        with contextlib.ExitStack() as stack:
            if joined:
                stack.enter_context(container)
                container.wait_line(0)
            recording = stack.enter_context(Recording(setup, ["-c", container.name, "-x"], form="report", output=out))
            if not joined:
                stack.enter_context(container)
                container.wait_line(0)
            work(container)
            if joined:
                recording.stop()
            check(recording.process.wait(RUN_TIMEOUT) == 0, recording.said())
        return out

    def killed(container):
        os.kill(container.init_pid(), signal.SIGKILL)
        container.wait()

    def whole(container):
        container.exec(["/bin/busybox", "true"])
        os.kill(container.init_pid(), signal.SIGHUP)
        container.wait_line(1)
        os.kill(container.init_pid(), signal.SIGTERM)
        check(container.wait() == 0, "it did not stop gracefully: %s" % container.errors())

    joined = server(lambda container: None, joined=True)
    check(missing(joined) >= {"start", "end"}, "joined: %r" % missing(joined))
    check(ebpfmon(setup, "recommend", "seccomp", "--strict", joined, code=4) == "", "something was written")
    whole_life = server(whole)
    check(missing(whole_life) == set(), "of a whole life: %r" % missing(whole_life))
    short_life = server(killed)
    check(missing(short_life) == {"graceful", "reload", "exec"}, "killed: %r" % missing(short_life))
    check(missing(joined, short_life, whole_life) == set(), "together: %r" % missing(joined, short_life, whole_life))


def yaml_documents(setup):
    """Compose and Kubernetes, as PyYAML reads them, against what the container was."""
    try:
        import yaml
    except ImportError:
        raise Skip("python3-yaml is not installed") from None
    report = runc_work(setup)[0]
    service = list(yaml.safe_load(ebpfmon(setup, "recommend", "compose", report))["services"].values())[0]
    check(service["cap_drop"] == ["ALL"] and service["cap_add"] == ["CHOWN"] and service["read_only"] is True and
          "no-new-privileges:true" in service["security_opt"] and "/tmp" in service["tmpfs"], "compose: %r" % service)
    pod, policy = yaml.safe_load_all(ebpfmon(setup, "recommend", "kubernetes", report))
    security = pod["spec"]["containers"][0]["securityContext"]
    check(pod["kind"] == "Pod" and security["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]} and
          security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"] and
          security["seccompProfile"]["type"] == "Localhost", "pod: %r" % pod)
    mounts = {m["name"]: m["mountPath"] for m in pod["spec"]["containers"][0]["volumeMounts"]}
    check({v["name"] for v in pod["spec"]["volumes"]} == set(mounts) and "/tmp" in mounts.values(), "mounts: %r" % pod)
    check(policy["kind"] == "NetworkPolicy" and set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} and
          policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items(), "policy: %r" % policy)


def apparmor(setup):
    """The profile, as apparmor_parser reads it; odd names are no patterns."""
    if not shutil.which("apparmor_parser"):
        raise Skip("apparmor_parser is not installed")
    report = runc_work(setup, WORK.replace("/tmp/f", "'/tmp/a*{b\" ]@\u00e9'"))[0]
    text = ebpfmon(setup, "recommend", "apparmor", report)
    done = subprocess.run(["apparmor_parser", "-Q", "-K"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == 0, "refused: %s\n%s" % (done.stdout, text))
    check("\tcapability chown,\n" in text and '\t"/bin/busybox" ' in text, "the profile: %s" % text)


def docker_command(setup):
    """The command line that is advised, run as it is, with what only this test needs."""
    need_docker(setup)
    allow = os.path.join(setup.dir, "allow.json")
    with open(allow, "w") as f:
        json.dump(recording_profile(setup), f)
    first = DockerContainer(setup, ["/bin/sh", "-c", WORK], docker_args=["--security-opt", "seccomp=" + allow])
    report, want = recorded(setup, first)
    profile = os.path.join(os.path.dirname(report), "profile.json")
    text = ebpfmon(setup, "recommend", "docker", "--args", "--for", "docker", "--profile", profile, report)
    check("--cap-drop=ALL --cap-add=CHOWN \\\n" in text and "--read-only \\\n" in text and "--tmpfs /tmp \\\n" in text,
          "the command: %s" % text)
    script = ('docker() { shift; command %s run --rm --network none -w /tmp --security-opt apparmor=unconfined "$@" '
              '/bin/sh -c "$WORK"; }\n%s' % (" ".join(setup.docker.command()), text))
    done = subprocess.run(["bash", "-c", script], env={**os.environ, "WORK": WORK}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT, check=False)
    check((done.stdout.splitlines(), done.returncode) == want[:2], "got %r %d %s\nwant %r\n%s" %
          (done.stdout, done.returncode, done.stderr, want, text))


# answers, reads again, stops when it is told to
HTTPD = "trap 'echo reloaded' HUP; trap 'kill $!; echo stopped; exit 0' TERM; busybox httpd -f -p 8080 -h /etc & " \
        "while :; do busybox sleep 0.1; done"


# nc always polls; wget only when it is quicker than the server
ASK = "printf 'GET /passwd HTTP/1.0\\r\\n\\r\\n' | busybox nc 127.0.0.1 8080 | busybox grep root:"


def docker_life(setup):
    """The script of the manual, recorded and verified: all that happens to a server is part of what has to be the same."""
    need_docker(setup)
    where = setup.subdir(setup.name())
    with open(os.path.join(TOP, "docs/manual/recommend.md")) as f:
        text = re.search(r"\n    #!/bin/sh\n    # life.sh.*?\n\n(?=\S)", f.read(), re.S).group()
    for old, new in (("curl -s http://localhost:8080/", "docker exec $name sh -c \"%s\"" % ASK),
                     ("-p 8080:80", "--network none --security-opt apparmor=unconfined"),
                     ("web:1", "ebpfmon-live:1 /bin/sh -c \"$HTTPD\""), ("name=life-", "name=%s-" % setup.name())):
        check(old in text, "%r is not in the script: %s" % (old, text))
        text = text.replace(old, new)
    script, allow, report = (os.path.join(where, name) for name in ("life.sh", "allow.json", "report.json"))
    with open(script, "w") as f:
        f.write(textwrap.dedent(text))
    with open(allow, "w") as f:
        json.dump(recording_profile(setup), f)
    env = {**os.environ, "HTTPD": HTTPD, "DOCKER_HOST": setup.docker.socket}
    pattern = re.search("name=(.*-)", text).group(1) + "*"
    with Recording(setup, ["-c", pattern, "-x"], form="report", output=report) as recording:
        done = subprocess.run(["sh", script, "--security-opt", "seccomp=" + allow], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_TIMEOUT, check=False)
        check(recording.process.wait(RUN_TIMEOUT) == 0, recording.said())
    answers = done.stdout.split("root:x:0:0:root:/:/bin/sh\n")
    check(len(answers) == 5 and done.stdout.endswith("reloaded\nstopped\nended: 0\n") and "failed" not in done.stdout,
          "a life: %d %s" % (done.returncode, done.stdout))
    command = [setup.ebpfmon, "recommend", "--json", "--for", "docker", "--verify", "--runs", "2", report, "--", "sh", script, "{}"]
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT, check=False)
    check(done.returncode == 0, "verified: %d\n%s\n%s" % (done.returncode, done.stdout, done.stderr))
    found = json.loads(done.stdout)
    check(found["replay"]["effects"] == ["NONE", "NONE"] and found["negative"]["passed"], "found: %r" % found)
    missing = [line for line in done.stderr.splitlines() if "missing" in line]
    check(not missing, "not all of a life was recorded: %r" % missing)


def calibrate(setup):
    """A set is measured, in each way that containers are started, and kept; what was recorded of an ordinary start is in it."""
    state = setup.subdir(setup.name())
    told = os.path.join(state, "told")
    runtime = os.path.join(state, "runtime")	# tells what it is asked for, and does it
    make_executable(runtime, '#!/bin/sh\necho "$*" >>%s\nexec runc "$@"\n' % told)
    ebpfmon(setup, "calibrate", "--starts", "4", "--state", state, runtime)
    with open(told) as f:
        asked = [re.sub(r"calibrate-\S*-(?=plain|nnp)|--bundle \S*/|--pid-file \S*|--root \S* ", "", line).split() for line in f]
    started = collections.Counter((words[0], words[1]) for words in asked if words[0] in ("run", "create"))
    check(started == {(way, "%s-%d" % (mode, user)): 1 for way in ("run", "create") for mode in ("plain", "nnp")
                      for user in (0, 65534)}, "started: %r" % started)
    check([w[0] for w in asked].count("start") == [w[0] for w in asked].count("delete") == 4, "asked for: %r" % asked)
    (name,) = os.listdir(state + "/base")
    with open(os.path.join(state, "base", name)) as f:
        kept = json.load(f)
    version = say(["runc", "--version"]).split()[2]
    check(name == "runc-%s.json" % version and kept["version"] == version, "kept: %s %r" % (name, kept["version"]))
    plain, nnp = ({c["name"]: c["starts"] for c in kept["modes"][m]} for m in ("plain", "nnp"))
    # runc(8) sets the user and the capabilities under the filter, unless with no_new_privs: it is loaded last then
    check({"capset", "setuid", "setgid", "prctl"} <= set(plain) and not {"capset", "setuid", "prctl"} & set(nnp),
          "plain %r, nnp %r" % (plain, nnp))
    # the output of a container is given to its user, if that is not root (and under the filter, if it is loaded before)
    check(plain["fchown"] == 2 and "fchown" not in nnp, "plain %r, nnp %r" % (plain, nnp))
    check(plain["capset"] == 4 and {"close", "openat", "write"} <= set(nnp), "plain %r, nnp %r" % (plain, nnp))
    text = ebpfmon(setup, "recommend", "seccomp", "--state", state, "--runtime-version", version, "--explain",
                   runc_work(setup, "exit 0")[0])
    check("capset " in text, "not in the advice: %s" % text)
    with open(os.path.join(state, "base", name), "w") as f:
        f.write('{"schema": "ebpfmon.base_set", "schema_version": 1, "runtime": "../x", "version": "1"}')
    ebpfmon(setup, "recommend", "seccomp", "--state", state, runc_work(setup, "exit 0")[0], code=1)


def calibrate_interrupted(setup):
    """Nothing is kept, and no container that was created is left to wait for its start."""
    state = setup.subdir(setup.name())
    told, runtime = os.path.join(state, "told"), os.path.join(state, "runtime")
    make_executable(runtime, '#!/bin/sh\necho "$*" >>%s\nexec runc "$@"\n' % told)
    process = subprocess.Popen([setup.ebpfmon, "calibrate", "--starts", "1000", "--state", state, runtime], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: " create " in read_text(told), START_TIMEOUT, "a container to be created")
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=RUN_TIMEOUT)
    finally:
        process.kill()
    check(process.returncode == 1 and "interrupted; nothing is kept" in errors and not out, "ended with %d: %s %s" %
          (process.returncode, out, errors))
    asked = [word for word in read_text(told).split() if word in ("create", "delete")]
    check(asked and asked == ["create", "delete"] * (len(asked) // 2), "asked for: %r" % asked)
    check(sorted(os.listdir(state)) == ["runtime", "told"], "left: %r" % os.listdir(state))
    places = re.findall("/tmp/ebpfmon-calibrate-[^/ ]*", read_text(told))
    check(places and not any(os.path.exists(p) for p in places), "left: %r" % set(places))


def verify_oracle(setup):
    """What is not the same each time, or never ends, proves nothing of a profile: it is rejected before any is tried."""
    report = runc_work(setup)[0]
    gates = lambda code, command, *options: json.loads(ebpfmon(
        setup, "recommend", "--verify", "--json", "--runs", "2", *options, report, "--", *command, "{}", code=code))
    noisy = ["sh", "-c", "echo hello; date +%N; exit 3"]
    fails_later = ["sh", "-c", "echo hello; mkdir %s/there" % setup.subdir(setup.name())]
    for command, options, status in (noisy, (), 3), (fails_later, (), 0), (["sleep", "99"], ("--timeout", "1"), -1):
        found = gates(4, command, *options)
        check(not found["oracle"]["same"] and "replay" not in found and "passed" not in found and
              found["oracle"]["exit_status"] == status, "%r: %r" % (command, found))
    found = gates(0, noisy, "--ignore", "^[0-9]+$")
    check(found["oracle"]["same"] and found["replay"]["effects"] == ["NONE", "NONE"], "without the noise: %r" % found)


def tests(setup, runtimes):
    """One of each; what has a runtime in its name, if it is asked for."""
    alone = {"advice.seccomp": seccomp_runc, "advice.diff": diff, "advice.strict": strict, "advice.phases": phases,
             "advice.denied": denied, "advice.io_uring": io_uring, "advice.yaml": yaml_documents, "advice.apparmor": apparmor,
             "advice.calibrate": calibrate, "advice.calibrate_interrupted": calibrate_interrupted,
             "advice.verify_oracle": verify_oracle}
    if "runc" in runtimes:
        for name, function in alone.items():
            yield "runc/" + name, lambda f=function: f(setup)
    if "docker" in runtimes:
        yield "docker/advice.command", lambda: docker_command(setup)
        yield "docker/advice.life", lambda: docker_life(setup)
