#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks every BPF program against the kernels of tests/vm/kernels.tsv, of which none is booted.

For each of them the program `core` (core.c) resolves all relocations, as libbpf would there; then the
arguments that each program takes, by its source, are compared with those that the kernel's BTF has for
its hook. Last it is proved that a kernel which lacks something is noticed.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def kernels():
    """(name, architecture) of each line of kernels.tsv."""
    with open(os.path.join(TOP, "tests/vm/kernels.tsv")) as f:
        return [tuple(line.split("\t")[:2]) for line in f if not line.startswith("#")]


def declared_arguments():
    """What the sources say that hooks hand over: {program: [type]}, as core.c writes types."""
    found = {}
    for name in sorted(os.listdir(os.path.join(TOP, "bpf"))):
        with open(os.path.join(TOP, "bpf", name)) as f:
            text = f.read()
        for program, arguments in re.findall(
                r'^(?:SEC\("(?:tp_btf|fexit|kprobe)/\w+"\)\nint (?:BPF_PROG|BPF_KPROBE|SYS_EXIT)\(|TRACED\("\w+/\w+", )'
                r'(\w+)((?:,[^,)]*)*)\)', text, re.M):
            types = [one_type(a) for a in arguments.split(",")[1:]]
            if types and re.search(r'SEC\("fexit/\w+"\)\nint BPF_PROG\(%s\b' % program, text):
                types.pop()	# what the function returned
            found[program] = types
    return found


def stand_ins():
    """(program, the one that it stands in for when the kernel refuses that), of hooks.def."""
    with open(os.path.join(TOP, "src/hooks.def")) as f:
        return re.findall(r"^FALLBACK\(\w+, (\w+), (\w+),", f.read(), re.M)


def one_type(declaration):
    """"const struct cred *cred" as "cred *"; all that is no pointer as "value"."""
    m = re.fullmatch(r"\s*(?:const )?(?:struct )?(\w+) \*\w+\s*", declaration)
    return m.group(1) + " *" if m else "value"


class Result:
    """What came of one kernel."""

    def __init__(self, core, btf, release):
        done = subprocess.run([core, btf, release], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            sys.exit("%s %s: exit code %d\n%s" % (core, btf, done.returncode, done.stderr))
        self.log = done.stderr
        self.rows = [line.split("\t") for line in done.stdout.splitlines()]
        self.refused = [r[0] for r in self.rows if r[1] == "refused"]
        self.wrong = self.compare_arguments()

    def compare_arguments(self):
        """Programs that take other arguments than the kernel gives; it may give more."""
        wrong = []
        declared = declared_arguments()
        for program, state, hook, given in self.rows:
            taken = declared.get(program, [])
            known = given.split(", ") if given != "-" else None
            if state not in ("spare", "lacking") and known is not None and not self.fit(taken, known):
                wrong.append("%s takes (%s), %s gives (%s)" % (program, ", ".join(taken), hook, given))
            if state == "ok" and known is None and hook.startswith(("tp_btf/", "fexit/")):
                wrong.append("%s: the kernel does not say what %s gives" % (program, hook))
        return wrong

    @staticmethod
    def fit(taken, given):
        """Does the kernel give what a program takes? What a void * points to, the kernel does not say."""
        return len(taken) <= len(given) and all(
            g == t or (g == "void *" and t.endswith("*")) for t, g in zip(taken, given))

    def reasons(self):
        """What libbpf says of fields that are not there."""
        return sorted(set(re.findall(r"(?:failed to resolve CO-RE relocation|failed to find kernel BTF type ID of) .*",
                                     self.log)))


class Suite:
    """Counts, and says what failed."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, problems):
        """One test: it passed if there are no problems."""
        print("%s  %s" % ("failed" if problems else "passed", name))
        for p in problems:
            print("  %s" % p)
        self.failed += bool(problems)
        self.passed += not problems


def fetch(kernel, arch):
    """(path of the BTF, release) of a kernel, downloaded if need be."""
    done = subprocess.run([os.path.join(TOP, "tests/vm/btf.sh"), kernel, arch], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    for line in done.stderr.splitlines():	# which kernel stands in for one that is not to be had
        print("  " + line)
    if done.returncode:
        sys.exit("no BTF of %s %s" % (kernel, arch))
    path = done.stdout.strip()
    with open(os.path.join(os.path.dirname(path), "release")) as f:
        return path, f.read().strip()


def without(btf, names, path):
    """Writes to @path a kernel's BTF in which these names of fields or types are others."""
    with open(btf, "rb") as f:
        data = f.read()
    for name in names:
        old = b"\0" + name.encode() + b"\0"
        if data.count(old) != 1:
            sys.exit("the name %s is %d times in %s" % (name, data.count(old), btf))
        data = data.replace(old, old.replace(name[:1].encode(), b"Z", 1))
    with open(path, "wb") as f:
        f.write(data)


def prove(suite, core, btf, release):
    """A kernel that lacks what programs need is noticed; one that lacks what they can do without is not."""
    whole = {r[0] for r in Result(core, btf, release).rows if r[1] == "ok"}
    with tempfile.TemporaryDirectory() as work:
        path = os.path.join(work, "btf")
        for names, refused, said in (
                (["group_leader"], None, "group_leader"),	# a field, read by many
                (["skc_dport"], None, "skc_dport"),	# a field of one object's
                (["filter_count"], [], ""),	# a field behind bpf_core_field_exists(): seccomp
                (["i_ctime"], ["process_exec"], "i_ctime"),	# both forms of a field that was renamed
                (["btf_trace_sched_process_exec"], ["process_exec", "syscall_exec"], "sched_process_exec")):
            without(btf, names, path)
            r = Result(core, path, release)
            problems = []
            if refused is None and not r.refused:
                problems.append("no program is refused")
            if refused is not None and r.refused != refused:
                problems.append("refused: %s" % " ".join(r.refused))
            if said not in "\n".join(r.reasons()):
                problems += ["libbpf does not name it:"] + r.reasons()
            known = {row[0] for row in r.rows if row[1] == "ok"} | set(r.refused)
            for second, first in stand_ins():	# of the two, one is there
                if second in known:
                    known = known - {second} | {first}
            if known != whole:
                problems.append("one that is refused takes others with it")
            suite.check("a kernel without %s" % " ".join(names), problems)
        without(btf, ["linux_binprm"], path)
        r = Result(core, path, release)
        suite.check("a tracepoint with another argument",
                    [] if any("process_exec takes" in w for w in r.wrong) else ["not noticed"] + r.wrong)


def main():
    """Runs all, or the kernels that were named."""
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("--build", default="build", help="where core-amd64 and core-arm64 are, in tests/core")
    args = p.parse_args()
    suite = Suite()
    for kernel, arch in kernels():
        btf, release = fetch(kernel, arch)
        r = Result(os.path.join(args.build, "tests/core/core-" + arch), btf, release)
        suite.check("%s %s (%s)" % (kernel, arch, release),
                    ["refused: " + p for p in r.refused] + r.reasons() + r.wrong)
    prove(suite, os.path.join(args.build, "tests/core/core-amd64"), *fetch("6.1", "amd64"))
    print("%d passed, %d failed, 0 skipped" % (suite.passed, suite.failed))
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
