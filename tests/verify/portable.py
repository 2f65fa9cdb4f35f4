#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gate D: one and the same profile, made of a recording in this host's runc, under other runtimes and versions of them.

usage: sudo tests/verify/portable.py record            (from the repository, after make)
       sudo tests/verify/portable.py verify RUNTIME...
       tests/verify/portable.py run RUNTIME WORKLOAD NAME STATE {}     what `ebpfmon recommend --verify` repeats

record leaves report and profile in build/portable, where virtual machines find them as well. RUNTIME is runc, crun, docker, podman;
"newer:runc", "newer:crun": those of newer.sh; "docker:newer:runc", "podman:runc": with that OCI runtime.
PORTABLE_WORKLOAD=busybox takes another of workloads.py than redis. verify's last line is "N passed, N failed, N skipped".
"""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import container
import truth
import verify
from workloads import WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "live"))
import lib	# of the live tests: a Docker daemon of our own

KEPT = "build/portable"
WORKLOAD = os.environ.get("PORTABLE_WORKLOAD", "redis")
ENGINES = ("docker", "podman")
IMAGE = "ebpfmon-live:1"	# as lib.Docker calls it
CALIBRATION = 60	# starts, of a runtime that ebpfmon has no base set of
BASE_STARTS = 8	# of each mode: twice in each way that calibrate starts containers


# ---- the command that is repeated ----

class Engine(container.Container):
    """Docker's or podman's, with the host's programs in it, as verify.bundle() has them."""

    def __init__(self, runtime, workload, name, state, options):
        engine, _, oci = runtime.partition(":")
        self.name = name
        self.command = [engine, *json.loads(os.environ["PORTABLE_" + engine.upper()])]
        mounts = [w for d in ("usr", "bin", "sbin", "lib", "lib64", "etc")
                  for w in ("-v", "%s:/%s:ro" % (os.path.realpath("/" + d), d))]
        self.delete()
        self.process = subprocess.Popen(
            [*self.command, "run", "--name", name, "--network", "none", "--read-only", *mounts, "-v", state + ":/state",
             "-v", state + ".tmp:/tmp", "-e", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "-e", "LC_ALL=C",
             "--user", "%d:%d" % (workload.user, workload.user), *(["--runtime", oci] if oci else []), *options, IMAGE,
             *workload.argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def do(self, *words):
        """runc's words in the engine's."""
        if words[0] == "kill":
            words = ("kill", "-s", words[2], words[1])
        done = subprocess.run([*self.command, {"resume": "unpause"}.get(words[0], words[0]), *words[1:]],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=container.TIMEOUT, check=False)
        container.out(b"%s: %d %s\n" % (words[0].encode(), done.returncode, done.stdout))

    def delete(self):
        """Whatever became of it; or what a run before left."""
        subprocess.run([*self.command, "rm", "-f", self.name], check=False, capture_output=True)


def repeat(runtime, name, cid, state, *place):
    """A start of the workload, and what clients and operators do to it."""
    workload = WORKLOADS[name]
    if runtime.split(":")[0] in ENGINES:
        return container.play(workload, state, lambda: Engine(runtime, workload, cid, state, place))
    return container.play(workload, state, lambda: container.Container(runtime, place[0], cid))


# ---- one profile ----

def newer():
    """Where Debian's newest runtimes are."""
    done = subprocess.run([HERE + "/newer.sh"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise verify.Skip((done.stderr.strip().splitlines() or ["newer.sh failed"])[-1])
    return done.stdout.strip()


def base_sets(report):
    """Measures a runtime that the shipped tables do not have."""
    with contextlib.suppress(verify.Skip):
        runc = newer() + "/runc"
        version = verify.run([runc, "--version"]).split()[2].decode()
        if subprocess.run(["./ebpfmon", "recommend", "seccomp", "--for", "runc", "--runtime-version", version, report], check=False,
                          capture_output=True).returncode:
            verify.run(["./ebpfmon", "calibrate", "--starts", str(CALIBRATION), "--state", KEPT + "/state", runc])


@contextlib.contextmanager
def prepared():
    """A directory with the workload's bundle and state, for a while."""
    work = tempfile.mkdtemp(prefix="ebpfmon-portable-")
    try:
        os.chmod(work, 0o755)
        for name in ("state", "state.pristine"):
            os.makedirs("%s/%s" % (work, name))
        verify.bundle(work + "/bundle", WORKLOADS[WORKLOAD], work + "/state")
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def record():
    """The report of a run in this host's runc, and the profile of it."""
    shutil.rmtree(KEPT, ignore_errors=True)
    os.makedirs(KEPT)
    report, cid = KEPT + "/report.json", "portable-%d" % os.getpid()
    with prepared() as work:
        verify.record([sys.executable, __file__, "run", "runc", WORKLOAD, cid, work + "/state", work + "/bundle"], cid, report)
    base_sets(report)
    with open(KEPT + "/profile.json", "wb") as f:
        f.write(verify.run(["./ebpfmon", "recommend", "seccomp", "--args", "--state", KEPT + "/state", report]))


def base_set(runtime):
    """What calibrate measures of a runtime is in the set that ships: a line for each mode that is not so."""
    version = verify.run([runtime, "--version"]).split()[2].decode()
    name, wrong = os.path.basename(runtime), []
    with tempfile.TemporaryDirectory(prefix="ebpfmon-portable-") as state:
        verify.run(["./ebpfmon", "calibrate", "--starts", str(BASE_STARTS), "--state", state, runtime])
        with open("%s/base/%s-%s.json" % (state, name, version)) as f:
            modes = json.load(f)["modes"]
        with open(state + "/empty.json", "w") as f:
            json.dump({"schema": "ebpfmon.report", "schema_version": 1}, f)
        for mode, options in ("plain", []), ("nnp", ["--no-new-privileges"]):
            shipped = truth.names(json.loads(verify.run(
                ["./ebpfmon", "recommend", "seccomp", "--state", state + "/none", "--for", name, "--runtime-version", version,
                 *options, state + "/empty.json"])))
            measured = {c["name"] for c in modes[mode]}
            if name == "crun" and mode == "plain" and not {"pselect6", "read"} <= measured:
                wrong.append("%s: the wait of what was created, for its start, was not measured: %s" % (version, sorted(measured)))
            if not measured or measured - shipped:
                wrong.append("%s, %s: measured, and not shipped: %s" % (version, mode, sorted(measured - shipped) or "nothing"))
    return wrong


# ---- under others ----

class Podman:
    """Nothing runs: only an image is needed."""

    def __init__(self, setup, newest):
        del newest
        self.words = ["--cgroup-manager", "cgroupfs"]
        subprocess.run(["podman", *self.words, "import", "-q", setup.archive, IMAGE], check=True, capture_output=True)

    def close(self):
        """The machine goes away with it."""


class Docker(lib.Docker):
    """A daemon of our own, which knows the newer runc too."""

    def __init__(self, setup, newest):
        super().__init__(setup, ["--add-runtime", "newer=%s/runc" % newest] if newest else [])
        self.words = ["-H", self.socket]


class Places:
    """Where lib.Docker puts its files and finds its image."""

    def __init__(self, work):
        self.dir, self.archive = work, work + "/rootfs.tar"
        if not os.path.exists(self.archive):
            lib.archive_of(work + "/bundle/rootfs", self.archive)

    def subdir(self, name):
        """A directory."""
        os.makedirs(self.dir + "/" + name)
        return self.dir + "/" + name


def gate(work, runtimes, words):
    """`ebpfmon recommend --verify` with these runtimes, all by bundles or all by options: its findings."""
    done = subprocess.run(
        ["./ebpfmon", "recommend", "--verify", "--json", "--profile", KEPT + "/profile.json", "--runs", "2",
         "--timeout", str(10 * container.TIMEOUT), "--runtime", ",".join(runtimes), *words, KEPT + "/report.json", "--", sys.executable, __file__, "run", "{runtime}", WORKLOAD,
         "portable-%d-%s" % (os.getpid(), os.path.basename(work)), work + "/state", "{}"],
        stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode not in (0, 3, 4):
        raise RuntimeError("recommend --verify ended with %d: %s" % (done.returncode, done.stderr.decode()))
    return json.loads(done.stdout)


def try_family(family, runtimes, newest):
    """Those that are started alike: of one engine, or the OCI runtimes."""
    with prepared() as work:
        if family not in ENGINES:
            return gate(work, runtimes, ["--bundle", work + "/bundle"])
        engine = {"docker": Docker, "podman": Podman}[family](Places(work), newest)
        try:
            os.environ["PORTABLE_" + family.upper()] = json.dumps(engine.words)
            return gate(work, runtimes, [])
        finally:
            engine.close()


def named(runtime, newest):
    """As the program, or as the engine knows it."""
    engine, is_newer, oci = runtime.rpartition("newer:")
    if not is_newer:
        return runtime
    return "docker:newer" if engine == "docker:" else "%s%s/%s" % (engine, newest, oci)


def report_family(findings, names):
    """One line for each runtime; how many passed, and how many did not."""
    passed = 0
    for name, found in zip(names, findings.get("portability", {}).get("runtimes", [])):
        good = found["same"] and all(e == "NONE" for m in found["modes"] for e in m["effects"])
        passed += good
        print("%s  portable.%s: %s" % ("passed" if good else "failed", name, "; ".join(
            "%s no-new-privileges: %s" % ("with" if m["no_new_privileges"] else "without", " ".join(m["effects"]))
            for m in found.get("modes", []))))
    if passed < len(names) or not findings.get("passed"):
        print("  " + json.dumps(findings, indent=1).replace("\n", "\n  "))
    return passed, max(len(names) - passed, not findings.get("passed"))


def verify_all(runtimes):
    """Each family by itself."""
    passed = failed = skipped = 0
    newest = None
    try:
        newest = newer()
    except verify.Skip as e:
        for r in [r for r in runtimes if "newer:" in r]:
            print("skipped portable.%s: %s" % (r, e))
            runtimes.remove(r)
            skipped += 1
    for r in [r for r in runtimes if r.removeprefix("newer:") in ("runc", "crun")]:
        try:
            wrong = base_set(named(r, newest))
        except RuntimeError as e:
            wrong = [e]
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print("%s  base.%s%s" % ("failed" if wrong else "passed", r, "".join("\n  %s" % w for w in wrong)))
    families = {}
    for r in runtimes:
        families.setdefault(re.match("(docker|podman)?", r).group(), []).append(r)
    for family, names in families.items():
        try:
            good, bad = report_family(try_family(family, [named(r, newest) for r in names], newest), names)
            passed, failed = passed + good, failed + bad
        except (verify.Skip, lib.Skip) as e:
            print("skipped portable.%s: %s" % (family, e))
            skipped += len(names)
        except (RuntimeError, subprocess.SubprocessError) as e:
            print("failed  portable.%s\n  %s" % (family, e))
            failed += len(names)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    return failed != 0


def main():
    sys.stdout.reconfigure(line_buffering=True)	# what is known is said, should a machine be ended
    what, *words = sys.argv[1:]
    if what == "run":
        return repeat(*words)
    if what == "record":
        return record()
    return verify_all(words)


if __name__ == "__main__":
    sys.exit(main())
