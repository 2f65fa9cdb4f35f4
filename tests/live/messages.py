# SPDX-License-Identifier: MIT
"""What ebpfmon says when it cannot do what it was asked: one line, which names the thing and the
reason, on standard error alone, and the documented exit code."""
import os
import re
import shutil
import subprocess

from lib import CONTAINERS, RUN_TIMEOUT, check

FAIL, USAGE, CONTAINER, RUN_FAIL = 1, 2, 5, 125	# docs/manual/README.md, "Exit status"

# name: (arguments, exit code, what the line must match). {dir} is a directory of the test's own. None of them records for long.
REFUSALS = {
    "event": (["-e", "file.opne"], USAGE, "no event or subsystem 'file.opne'; did you mean 'file.open'"),
    "subsystem": (["-e", "process,-fille"], USAGE, "'fille'; did you mean 'file'"),
    "no_event": (["-e", ""], USAGE, "--events needs a value"),
    "no_event_comma": (["-e", ","], USAGE, "--events needs a value"),
    "option": (["--contaner", "x"], USAGE, "unknown option '--contaner'"),
    "value": (["-o"], USAGE, "a value is missing after '-o'"),
    "command": (["recorrd"], USAGE, "no command 'recorrd'"),
    "pid": (["-p", "init"], USAGE, "--pid: 'init' is not a number"),
    "pid_large": (["-p", "4294967296"], USAGE, "--pid: '4294967296' is not a number from 0 to"),
    "port": (["--port", "65536"], USAGE, "--port: '65536' is not a number from 0 to 65535"),
    "duration": (["-d", "soon"], USAGE, "--duration: 'soon'"),
    "format": (["-f", "yaml"], USAGE, "'yaml' is none of json, jsonl, csv, text"),
    "doctor_format": (["doctor", "-f", "yaml"], USAGE, "'yaml' is neither text nor json"),
    "list": (["list", "pods"], USAGE, "'pods' is neither events nor containers"),
    "run_nothing": (["run"], USAGE, "run: something is missing"),
    "container": (["-c", "no-such-one"], CONTAINER, "no container matches 'no-such-one'.*there are: "),
    "container_hostile": (["-c", "no\n\x1bc"], CONTAINER, r"no container matches 'no\?\?c'"),
    "unit": (["--unit", "no-such-unit"], CONTAINER, "no running unit is called 'no-such-unit'"),
    "csv_where": (["-f", "csv"], FAIL, "csv has a file per event: say where with -o DIR/"),
    "report_place": (["-o", "{dir}/no/r.json"], FAIL, "{dir}/no/r.json: No such file"),
    "stream_place": (["-f", "jsonl", "-o", "{dir}/no/r"], FAIL, "{dir}/no/r: No such file"),
    "csv_place": (["-f", "csv", "-o", "/proc/version"], FAIL, "/proc/version: Not a directory"),
    "report_link": (["-o", "{dir}/link"], FAIL, "{dir}/link is a symbolic link"),
    "report_full": (["run", "-q", "-o", "/dev/full", "--", "true"], RUN_FAIL, "/dev/full: No space left"),
    "stream_full": (["run", "-q", "-f", "jsonl", "-o", "/dev/full", "--", "true"], RUN_FAIL,
                    r"/dev/full: No space left on device \(\d+ lines are missing\)"),
    "none_came": (["-q", "-c", "no-such-*", "-d", "100ms", "-o", "{dir}/r.json"], FAIL,
                  "no container was seen: {dir}/r.json is not written"),
}


def one_line(done, status, pattern):
    """That was all it said."""
    said = done.stderr.decode("utf-8", "replace")
    check(done.returncode == status, "exit code %d, not %d: %r" % (done.returncode, status, said))
    check(re.fullmatch(r"ebpfmon: error: [^\n]*\n", said), "not one line: %r" % said)
    check(re.search(pattern, said), "%r is not in %r" % (pattern, said))
    check(not done.stdout, "on standard output: %r" % done.stdout)


def told(command):
    """What it says, when it ends by itself."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=RUN_TIMEOUT, check=False)


def refusal(setup, name):
    """One row of the table."""
    args, status, pattern = REFUSALS[name]
    work = setup.subdir(setup.name())
    os.symlink("elsewhere", os.path.join(work, "link"))
    one_line(told([setup.ebpfmon] + [a.replace("{dir}", work) for a in args]), status,
             pattern.replace("{dir}", re.escape(work)))


def not_root(setup):
    """As nobody, it says what to do."""
    work = setup.subdir(setup.name())
    os.chmod(setup.dir, 0o755)
    os.chmod(work, 0o755)
    exe = shutil.copy(setup.ebpfmon, work)
    for args, status in ((["-d", "1"], FAIL), (["run", "--", "true"], RUN_FAIL)):
        one_line(told(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", exe] + args), status, "root.*sudo")


def no_btf(setup):
    """Where the kernel's types are hidden."""
    for args, status in ((["-d", "1"], FAIL), (["run", "--", "true"], RUN_FAIL)):
        one_line(told(["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "-",
                       setup.ebpfmon] + args), status, "/sys/kernel/btf/vmlinux.*CONFIG_DEBUG_INFO_BTF")


def what_there_is(setup):
    """No such container: those that there are stand in the same line."""
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "-w", "file.mkdir"])
    with container:
        container.wait_line(0)
        done = told([setup.ebpfmon, "-c", "no-such-one"])
        container.kill()
        container.wait()
    # others may run here as well, and only the first are listed
    one_line(done, CONTAINER, "there are: .*(%s|and [0-9]+ more)" % re.escape(container.name))


def tests(setup, runtimes):
    """(name, function) of each message; they need no runtime but for one."""
    for name in REFUSALS:
        yield "message/" + name, lambda n=name: refusal(setup, n)
    yield "message/not_root", lambda: not_root(setup)
    yield "message/no_btf", lambda: no_btf(setup)
    if "runc" in runtimes:
        yield "runc/message.what_there_is", lambda: what_there_is(setup)
