#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Least privilege, proven: each workload is recorded, advised, and verified by `ebpfmon recommend --verify`.

usage: sudo tests/verify/verify.py [--quick] [--ablate] [-k PATTERN] [--runs N]   (from the repository, after make)

The last line is "N passed, N failed, N skipped"; the table goes to standard error, or with --table to FILE.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import truth
from workloads import QUICK, QUICK_TRUTH, SOURCES, WORKLOADS

HERE = os.path.dirname(os.path.abspath(__file__))
EBPFMON = os.environ.get("EBPFMON", "./ebpfmon")
RUNTIME = "runc"
# what Docker gives
CAPS = ["CAP_" + c for c in "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE "
        "SYS_CHROOT KILL AUDIT_WRITE".split()]
RECORDINGS = 2


class Skip(Exception):
    """It cannot be done here."""


def run(argv, **options):
    """Captures; a failure is told whole."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, **options)
    if done.returncode:
        raise RuntimeError("%s ended with %d: %s" % (argv, done.returncode, (done.stdout + done.stderr).decode()))
    return done.stdout


def bundle(where, workload, state):
    """The host's programs, read-only, under the profile to record under."""
    os.makedirs(where + "/rootfs")
    run([RUNTIME, "spec"], cwd=where)
    with open(where + "/config.json") as f:
        c = json.load(f)
    c["process"].update(terminal=False, args=workload.argv, noNewPrivileges=False, cwd="/",
                        env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"],
                        capabilities={k: CAPS for k in ("bounding", "effective", "permitted")},
                        user={"uid": workload.user, "gid": workload.user})
    c["root"]["readonly"] = True
    for d in ("usr", "bin", "sbin", "lib", "lib64", "etc"):
        c["mounts"].append({"destination": "/" + d, "source": os.path.realpath("/" + d), "type": "bind",
                            "options": ["rbind", "ro"]})
    for d in ("usr", "bin", "sbin", "lib", "lib64", "etc", "tmp", "proc", "dev", "sys", "state"):
        os.makedirs("%s/rootfs/%s" % (where, d))
    os.makedirs(state + ".tmp")
    os.chmod(state + ".tmp", 0o1777)
    c["mounts"] += [{"destination": "/tmp", "source": state + ".tmp", "type": "bind", "options": ["rbind", "rw"]},
                    {"destination": "/state", "source": state, "type": "bind", "options": ["rbind", "rw"]}]
    c["linux"]["seccomp"] = json.loads(run([EBPFMON, "recommend", "seccomp", "--recording-profile"]))
    c["linux"].pop("cgroupsPath", None)
    with open(where + "/config.json", "w") as f:
        json.dump(c, f)


def build(name, state):
    """A program of our own."""
    if name not in SOURCES:
        return
    compiler, words = SOURCES[name]
    if not shutil.which(compiler):
        raise Skip(compiler + " is not installed")
    try:
        run([compiler, *(w.replace("{out}", state + "/program") for w in words)], cwd=HERE,
            env=dict(os.environ, CGO_ENABLED="0", GOCACHE=os.path.abspath("build/go-cache"), GO111MODULE="off"))
    except RuntimeError as e:
        if name != "i386":
            raise
        raise Skip("no 32-bit C library: %s" % str(e).splitlines()[-1])
    if name == "i386":
        try:
            subprocess.run([state + "/program"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        except OSError as e:
            raise Skip("the kernel runs no 32-bit programs: %s" % e.strerror)


def record(command, cid, report):
    """One start of the container, recorded from its first instruction to its end."""
    mon = subprocess.Popen([EBPFMON, "-c", cid, "-w", "-x", "-d", "120", "-o", report], stdin=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
    for line in mon.stderr:
        if b"recording" in line:
            break
    said = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120, check=False).stdout
    mon.communicate(timeout=150)
    for line in re.findall(rb"^(?:pause|resume|kill|exec): [1-9].*", said, re.M):
        raise RuntimeError("what is to be done to it does not work without a profile either: %s" % line)


def verify(name, work, options):
    """The findings, as `ebpfmon recommend --verify --json` gives them."""
    workload = WORKLOADS[name]
    for needed in workload.needs:
        if not shutil.which(needed):
            raise Skip(needed + " is not installed")
    state, cid, where = work + "/state", "verify-%s-%d" % (name, os.getpid()), work + "/bundle"
    os.makedirs(state)
    os.chmod(work, 0o755)
    os.chmod(state, 0o777)	# servers that become another user make their sockets here
    build(name, state)
    if workload.setup:
        workload.setup(state)
    run(["cp", "-a", state, state + ".pristine"])
    bundle(where, workload, state)
    command = lambda b: [sys.executable, HERE + "/container.py", RUNTIME, name, b, cid, state]
    reports = ["%s/report-%d.json" % (work, i) for i in range(RECORDINGS)]
    for report in reports:
        record(command(where), cid, report)
    done = subprocess.run([EBPFMON, "recommend", "--verify", "--json", *(["--args"] if options.args else []), "--for", RUNTIME, "--runs", str(options.runs),
                           *(["--ablate"] if options.ablate else []),
                           *(word for regex in workload.ignore for word in ("--ignore", regex)), "--bundle", where, *reports, "--", *command("{}")],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False,
                          # what was left out may leave a server silent: no reason to wait long, each time
                          env=dict(os.environ, **({"VERIFY_TIMEOUT": "8"} if options.ablate else {})))
    if done.returncode not in (0, 3, 4):
        raise RuntimeError("recommend --verify ended with %d: %s" % (done.returncode, done.stderr.decode()))
    findings = json.loads(done.stdout)
    if shutil.which("strace") and (not options.quick or name in QUICK_TRUTH):
        trace, report = work + "/trace", work + "/traced.json"
        record(truth.traced(trace, command(where)), cid, report)
        findings["truth"] = truth.differences(RUNTIME, report, trace)
        findings["passed"] = bool(findings.get("passed")) and not any(findings["truth"].values())
    return findings


def row(name, d):
    """Of the table."""
    word = lambda gate: "passed" if d.get(gate, {}).get("passed") else "FAILED" if gate in d else "-"
    same = "-" if "truth" not in d else "the same" if not any(d["truth"].values()) else "NOT the same"
    caps = d["profile"]["capabilities"]
    score, lost, precision = "-", "-", "-"
    if "minimality" in d:
        m = d["minimality"]
        score = "%d of %d" % (m["needed"], m["scored"])
        lost = " ".join(e["name"] for e in m["entries"] if e["class"] == "NONE") or "none"
        precision = "%d of %d" % (sum(c["class"] != "NONE" for c in m["capabilities"]), len(caps)) if caps else "-"
    return "| %s | %s | %s | %s | %d | %.0f%% | %s | %s | %s | %s |" % (
        name, word("replay"), word("negative"), same, d["profile"]["entries"], 100 * d["profile"]["blocked"],
        " ".join(c[4:] for c in caps) or "none", precision, score, lost)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-k", default="")
    p.add_argument("--quick", action="store_true")
    p.add_argument("--ablate", action="store_true")
    p.add_argument("--args", action="store_true", help="calls narrowed by all arguments, not sockets by their family alone")
    p.add_argument("--runs", type=int, default=2)
    p.add_argument("--table", default="/dev/stderr")
    options = p.parse_args()
    count = {"passed": 0, "failed": 0, "skipped": 0}
    table = open(options.table, "w")
    print("| workload | A | B | strace | entries | refused | capabilities | needed | entries needed | not needed in these runs |\n"
          "|---|---|---|---|---|---|---|---|---|---|", file=table, flush=True)
    for name in WORKLOADS:
        if not re.search(options.k, name) or (options.quick and name not in QUICK):
            continue
        work = tempfile.mkdtemp(prefix="ebpfmon-verify-")
        try:
            findings = verify(name, work, options)
            verdict = "passed" if findings.get("passed") else "failed"
            print(row(name, findings), file=table, flush=True)
            print("%s  %s" % (verdict, name), flush=True)
            if verdict == "failed":
                print("  " + json.dumps(findings, indent=1).replace("\n", "\n  "), flush=True)
        except Skip as e:
            verdict = "skipped"
            print("skipped %s: %s" % (name, e), flush=True)
        except (RuntimeError, ValueError, subprocess.TimeoutExpired) as e:
            verdict = "failed"
            print("failed  %s\n  %s" % (name, e), flush=True)
        finally:
            if not os.environ.get("VERIFY_KEEP"):
                shutil.rmtree(work, ignore_errors=True)
        count[verdict] += 1
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % count)
    sys.exit(count["failed"] != 0)


if __name__ == "__main__":
    main()
