# SPDX-License-Identifier: MIT
"""ebpfmon's own safety: what it may do while it records, where it writes, how it is built."""
import os
import re
import shutil
import subprocess

from lib import CONTAINERS, RUN_TIMEOUT, Recording, Skip, TOP, check, parse_events, read_text, say

# src/privilege.c says what each is for
KEPT = {"DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "FOWNER": 3, "SYS_PTRACE": 19, "BPF": 39}
NOBODY = 65534


def status(pid):
    """/proc/PID/status, as a dictionary."""
    return dict(re.findall(r"^(\w+):\s*(.*)$", read_text("/proc/%s/status" % pid), re.M))


def privileges(setup, sandbox):
    """While it records it has no more than it needs, for good."""
    container = CONTAINERS["runc"](setup, ["/bin/trigger", "-w", "file.mkdir"])
    with Recording(setup, ["-c", container.name] + (["--sandbox"] if sandbox else [])) as recording, container:
        container.wait_line(0)
        have = status(recording.process.pid)
        container.go()
        container.wait_line(1)
        container.go()
        check(container.wait() == 0, container.errors())
        check(recording.stop() == 0, recording.said())
    most = sum(1 << bit for bit in KEPT.values())
    own = int(status("self")["CapEff"], 16)
    for name in ("CapEff", "CapPrm"):
        check(int(have[name], 16) == own & most, "%s is %s" % (name, have[name]))
    for name in ("CapInh", "CapBnd", "CapAmb"):
        check(int(have[name], 16) == 0, "%s is %s" % (name, have[name]))
    check(have["NoNewPrivs"] == "1", "no_new_privs is not set")
    check(have["Seccomp"] == ("2" if sandbox else status("self")["Seccomp"]), "Seccomp is %s" % have["Seccomp"])
    check(any(e["event"] == "file.mkdir" for e in recording.events()), "nothing recorded")


def command_keeps(setup):
    """The command of `run` keeps what ebpfmon was started with."""
    out = os.path.join(setup.subdir(setup.name()), "out")
    done = subprocess.run([setup.ebpfmon, "run", "--sandbox", "-f", "jsonl", "-o", out, "--", "/bin/sh", "-c",
                           "sleep 0.3; cat /proc/self/status; nice"], stdout=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT, check=True)
    have, own = dict(re.findall(r"^(\w+):\s*(.*)$", done.stdout, re.M)), status("self")
    for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "NoNewPrivs", "Seccomp"):
        check(have[name] == own[name], "%s: %s, was %s" % (name, have[name], own[name]))
    check(done.stdout.splitlines()[-1] == str(os.nice(0)), "another priority")


def sandbox_suffices(setup, form):
    """The filter allows all that recording in each form takes: a call that it does not would end ebpfmon."""
    work = setup.subdir(setup.name())
    # the last: so much at once that it is written in another way (src/output.c)
    for name, options in (("file.paths", []), ("tcp.talk", []), ("ipc.unix", []),
                          ("flood open 100", ["--syscalls=trace"])):
        sub = os.path.join(work, name)
        os.mkdir(sub)
        out = sub + ("/csv/" if form == "csv" else "/out")
        done = subprocess.run(["unshare", "--net", "--ipc", setup.ebpfmon, "run", "--sandbox", *options, "-f", form,
                               "-o", out, "--", setup.trigger, *name.split()], cwd=sub, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=RUN_TIMEOUT,
                              check=False)
        check(done.returncode == 0, "%s: status %d: %s" % (name, done.returncode, done.stderr))
        check(os.path.exists(out), "nothing written")


def record_to(setup, form, out):
    """A short recording; its exit status and what it said."""
    done = subprocess.run([setup.ebpfmon, "run", "-f", form, "-o", out, "--", "/bin/cat", "/etc/hostname"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          timeout=RUN_TIMEOUT, check=False)
    return done.returncode, done.stderr


class Trap:
    """A directory that everybody writes to, and a file that nobody must change."""

    def __init__(self, setup):
        self.dir = setup.subdir(setup.name())
        os.chmod(self.dir, 0o1777)
        self.victim = setup.subdir(setup.name()) + "/victim"
        with open(self.victim, "w") as f:
            f.write("precious")

    def at(self, name):
        """A path in the directory."""
        return os.path.join(self.dir, name)

    def check(self, what):
        """Still as it was."""
        check(read_text(self.victim) == "precious", "%s changed the file that the link led to" % what)


def symlinks(setup):
    """Links that somebody else put where the output goes are not followed, in any form."""
    trap = Trap(setup)
    for form in ("jsonl", "text", "json"):
        os.symlink(trap.victim, trap.at(form))
        code, said = record_to(setup, form, trap.at(form))
        check(code == 125 and "symbolic link" in said, "%s: status %d: %s" % (form, code, said))
        trap.check(form)
    os.mkdir(trap.at("csv"))
    os.symlink(trap.victim, trap.at("csv/process.exec.csv"))
    check(record_to(setup, "csv", trap.at("csv/"))[0] == 0, "csv failed")
    trap.check("csv")
    check(os.path.isfile(trap.at("csv/process.exec.csv")) and not os.path.islink(trap.at("csv/process.exec.csv")),
          "the link is still there")


def others_files(setup):
    """A file or hard link that somebody else put there is replaced, not written into; a FIFO is refused. All output has
    mode 0600."""
    trap = Trap(setup)
    for form in ("jsonl", "json"):
        path = trap.at(form)
        with open(path, "w") as f:
            f.write("theirs")
        os.chmod(path, 0o666)
        os.chown(path, NOBODY, NOBODY)
        with open(path) as theirs:
            code, said = record_to(setup, form, path)
            check(code == 0, "%s: status %d: %s" % (form, code, said))
            theirs.seek(0)
            check(theirs.read() == "theirs", "%s: written into a file that another user has open" % form)
        st = os.stat(path)
        check((st.st_uid, st.st_mode & 0o7777) == (os.geteuid(), 0o600), "%s: owner and mode %r" % (form, st))
        os.unlink(path)
        os.link(trap.victim, path)
        check(record_to(setup, form, path)[0] == 0, "%s on a hard link failed" % form)
        trap.check(form)
    check(parse_events(trap.at("jsonl")), "no events")
    os.mkfifo(trap.at("fifo"))
    os.chown(trap.at("fifo"), NOBODY, NOBODY)
    code, said = record_to(setup, "jsonl", trap.at("fifo"))
    check(code == 125, "into another user's FIFO: status %d: %s" % (code, said))


def readelf(setup, *options):
    """What readelf says of the executable."""
    if not shutil.which("readelf"):
        raise Skip("readelf is not installed")
    return say(["readelf", "-W", *options, setup.ebpfmon])


def hardened(setup):
    """Position independent, relocations read-only from the start, no executable stack, checked copies, guarded stack."""
    header, segments = readelf(setup, "-h"), readelf(setup, "-l")
    dynamic, symbols = readelf(setup, "-d"), readelf(setup, "--dyn-syms")
    check(re.search(r"Type:\s*DYN", header) and re.search(r"FLAGS_1.*PIE", dynamic), "not PIE: %s" % dynamic)
    check("GNU_RELRO" in segments, "no RELRO")
    check(re.search(r"BIND_NOW|FLAGS.*NOW", dynamic), "no BIND_NOW")
    check(re.search(r"GNU_STACK.*RW ", segments), "an executable stack")
    check("TEXTREL" not in dynamic, "text relocations")
    check("__stack_chk_fail" in symbols, "no stack protector")
    check(len(re.findall(r"__\w+_chk@", symbols)) > 3, "no FORTIFY: %s" % re.findall(r"__\w+_chk@", symbols))
    if "X86-64" in header:
        # a linked archive without the marks takes them from the whole: then the own objects still must have them
        notes = readelf(setup, "-n")
        objects = [os.path.join(TOP, "build/src", o) for o in ("main.o", "privilege.o", "record.o")]
        marked = [subprocess.run(["readelf", "-n", o], stdout=subprocess.PIPE, text=True, check=False).stdout
                  for o in objects if os.path.exists(o)]
        check("IBT, SHSTK" in notes or (marked and all("IBT, SHSTK" in m for m in marked)), "no CET: %s" % notes)


def no_shell(setup):
    """Nothing is run through a shell: the executable does not even know how."""
    symbols = set(re.findall(r"(\w+)@", readelf(setup, "--dyn-syms")))
    check("write" in symbols, "no symbols read")
    check(not symbols & {"system", "popen", "wordexp", "posix_spawnp"}, "it can run a shell: %r" % symbols)


CASES = {
    "privileges": lambda s: privileges(s, False), "privileges.sandbox": lambda s: privileges(s, True),
    "command_keeps": command_keeps, "symlinks": symlinks, "others_files": others_files, "hardened": hardened,
    "no_shell": no_shell,
}
CASES.update({"sandbox." + f: lambda s, f=f: sandbox_suffices(s, f) for f in ("json", "jsonl", "csv", "text")})


def tests(setup, runtimes):
    """(name, function)"""
    if "runc" in runtimes:
        for name, function in CASES.items():
            yield "safety." + name, lambda f=function: f(setup)
