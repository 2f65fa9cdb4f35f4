#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Gates A and B of least privilege, with runc: record a workload under an allow-all filter, advise,
run it again under the advice (seccomp, capabilities, no-new-privileges), and compare output and
exit status; then show that canaries which were not recorded get ENOSYS.

usage: sudo tests/verify/replay.py [-k PATTERN]   (from the repository, after make)
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

CANARIES = {"unshare": 272, "ptrace": 101, "bpf": 321, "keyctl": 250, "mount": 165}
# the host's root, read-only: a workload is whatever is installed
WORKLOADS = {
    "busybox": "busybox sh -c 'echo hello; busybox ls / | busybox wc -l; exit 3'",
    "sh-chown": "cd /tmp; touch f; chown 5:5 f; stat -c %u f; rm f",
    "sqlite3": "sqlite3 /tmp/db 'create table t(x); insert into t values(1),(2); select sum(x) from t'",
    "gcc": "cd /tmp; echo 'int main(){return 7;}' > a.c; gcc -o a a.c && ./a",
    "python3": "/usr/bin/python3 -c 'import json,threading; t=threading.Thread(target=print,args=(1,));"
               " t.start(); t.join(); print(json.dumps([1]))'",
    "su": "setpriv --reuid=1000 --regid=1000 --clear-groups id -u",
    "redis": "redis-server --port 0 --unixsocket /tmp/r.sock --save '' >/dev/null & sleep 1;"
             " redis-cli -s /tmp/r.sock set a 1; redis-cli -s /tmp/r.sock incr a;"
             " redis-cli -s /tmp/r.sock shutdown nosave; wait",
}
CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETUID", "CAP_SETGID", "CAP_KILL",
        "CAP_NET_BIND_SERVICE", "CAP_SETPCAP", "CAP_SYS_CHROOT", "CAP_MKNOD", "CAP_FSETID"]


def bundle(where, command, seccomp, caps, nnp):
    os.makedirs(f"{where}/rootfs", exist_ok=True)
    subprocess.run(["runc", "spec"], cwd=where, check=False, capture_output=True)
    with open(f"{where}/config.json") as f:
        c = json.load(f)
    c["process"].update(terminal=False, args=["/bin/sh", "-c", command], noNewPrivileges=nnp,
                        capabilities={k: caps for k in ("bounding", "effective", "permitted")})
    c["process"]["env"] = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
    c["root"] = {"path": "rootfs", "readonly": True}
    for d in ("usr", "bin", "sbin", "lib", "lib64", "etc"):
        c["mounts"].append({"destination": f"/{d}", "source": os.path.realpath(f"/{d}"),
                            "type": "bind", "options": ["rbind", "ro"]})
        os.makedirs(f"{where}/rootfs/{d}", exist_ok=True)
    for d in ("tmp", "proc", "dev", "sys"):
        os.makedirs(f"{where}/rootfs/{d}", exist_ok=True)
    c["mounts"].append({"destination": "/tmp", "source": "tmpfs", "type": "tmpfs"})
    c["linux"]["seccomp"] = seccomp
    c["linux"].pop("cgroupsPath", None)
    with open(f"{where}/config.json", "w") as f:
        json.dump(c, f)


def run(where, name):
    p = subprocess.run(["runc", "run", "-b", where, name], capture_output=True, timeout=60,
                       stdin=subprocess.DEVNULL, check=False)
    return p.returncode, p.stdout, p.stderr


def record(where, name, report):
    mon = subprocess.Popen(["./ebpfmon", "-c", name, "-w", "-x", "-d", "60", "-o", report],
                           stderr=subprocess.PIPE)
    for line in mon.stderr:
        if b"recording" in line:
            break
    result = run(where, name)
    mon.communicate(timeout=70)
    return result


def advise(what, report, *options):
    out = subprocess.run(["./ebpfmon", "recommend", what, *options, report], capture_output=True, check=True)
    return json.loads(out.stdout)


def canary(where, seccomp):
    """Each call that must not go through, made by number: its errno."""
    code = "import ctypes;l=ctypes.CDLL(None,use_errno=True)\n" + "\n".join(
        f"r=l.syscall({nr},-1,-1,-1,-1);print('{c}',r,ctypes.get_errno())" for c, nr in CANARIES.items())
    # python's own calls are allowed here; what is tested are the canaries
    rules = [dict(r) for r in seccomp["syscalls"]]
    rules[1]["names"] = [n for n in rules[1]["names"] if n in CANARIES]
    bundle(where, f"/usr/bin/python3 -c \"{code}\"", {**seccomp, "defaultAction": "SCMP_ACT_ALLOW",
                                                     "syscalls": [rules[1]]}, [], True)
    with open(f"{where}/config.json") as f:
        c = json.load(f)
    c["linux"]["seccomp"].pop("defaultErrnoRet", None)
    with open(f"{where}/config.json", "w") as f:
        json.dump(c, f)
    got = dict((line.split()[0], line.split()[1:]) for line in run(where, f"adv-c-{os.getpid()}")[1].decode().splitlines())
    return [n for n in CANARIES if n in rules[1]["names"] and got.get(n) != ["-1", "38"]]


def verify(name, command):
    where = tempfile.mkdtemp(prefix="ebpfmon-verify-")
    cid = f"adv-{name}-{os.getpid()}"
    try:
        bundle(where, command, {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}, CAPS, False)
        first = run(where, cid)
        want = record(where, cid, f"{where}/report.json")
        if first[:2] != want[:2]:
            return "REJECTED: its output differs without a profile", 0, []
        seccomp = advise("seccomp", f"{where}/report.json", "--for", "runc")
        caps = advise("capabilities", f"{where}/report.json")["oci"]["bounding"]
        bundle(where, command, seccomp, caps, True)
        got = run(where, cid)
        names = seccomp["syscalls"][0]["names"]
        if got[:2] != want[:2]:
            return f"FAILED A: {got} is not {want}", len(names), caps
        wrong = canary(where, seccomp)
        return f"FAILED B: {wrong}" if wrong else "passed", len(names), caps
    finally:
        shutil.rmtree(where, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-k", default="")
    bad = 0
    print("| workload | gates A, B | entries | capabilities |\n|---|---|---|---|")
    for name, command in WORKLOADS.items():
        if re.search(p.parse_args().k, name):
            result, entries, caps = verify(name, command)
            bad += result != "passed"
            print(f"| {name} | {result} | {entries} | {' '.join(caps) or 'none'} |", flush=True)
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
