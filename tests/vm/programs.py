#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is expected of each BPF program on each kernel: tests/vm/programs.tsv.

A line for each program, a column for each kernel. A number: it is attached, and the verifier walked so
many instructions; "spare": not attached, and the record lacks nothing; "missing": the record lacks what
it gives. `ebpfmon doctor -f json` is compared with that.

    programs.py check KERNEL doctor.json    ends with 1, and says what is different
    programs.py native doctor.json          the same for a kernel that is not in the table: by the nearest
    programs.py update DIR                  makes the table anew from DIR/KERNEL.json; / in KERNEL is +
"""
import errno
import json
import os
import re
import sys

TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs.tsv")
GROWTH = 1.10	# of a program's instructions, and so many more, are too much: compilers differ a little
NATIVE_GROWTH = 1.25	# of a kernel that is not in the table, but the nearest is
SLACK = 32
KPROBES = "/sys/bus/event_source/devices/kprobe"	# there where they are


def cell(row):
    """What the table would say of one row of the doctor's coverage."""
    if row["active"]:
        return str(row.get("verified_insns", "?"))
    return "missing" if row["missing"] else "spare"


def read_doctor(path):
    """{program: (cell, reason)}, in the doctor's order."""
    with open(path) as f:
        return {r["program"]: (cell(r), r.get("reason", "")) for r in json.load(f)["coverage"]}


def read_table():
    """{kernel: {program: cell}}"""
    with open(TABLE) as f:
        lines = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    return {k: {row[0]: row[i + 1] for row in lines[1:]} for i, k in enumerate(lines[0][1:])}


def differs(expected, got, states_only=False, growth=GROWTH):
    """Why @got is not what is expected, or nothing."""
    if expected.isdigit() and got.isdigit():
        if not states_only and int(got) > int(expected) * growth and int(got) > int(expected) + SLACK:
            return "the verifier walks %s instructions, %d%% more than %s" % (
                got, (int(got) - int(expected)) * 100 / int(expected), expected)
        return None
    if expected.isdigit() and got == "?":
        return "the verifier's number of instructions is not known"
    return None if expected == got else "%s, expected: %s" % (got, expected if not expected.isdigit() else "attached")


def check(kernel, path, host=False):
    """
    Compares; returns how many lines differ. KERNEL/v1 has the same programs, of which other branches are walked.
    @host: not a machine of ours. Its kernel is another, may have no kprobes, or a policy that refuses some programs.
    """
    states_only = kernel.endswith("/v1")
    kernel = re.sub("/(v1|hybrid)$", "", kernel)
    table = read_table()
    if kernel not in table:
        sys.exit("programs.tsv has no column %s" % kernel)
    expected, got = table[kernel], read_doctor(path)
    bad, refused = 0, False
    for program in list(dict.fromkeys(list(expected) + list(got))):
        state, reason = got.get(program, ("not there", ""))
        if host and state == "spare" and program.startswith("paths_") and not os.path.exists(KPROBES):
            continue
        if host and state == "spare" and reason.endswith(os.strerror(errno.EPERM)):
            print("%s: this machine's policy refuses it, and another gives it" % program)
            refused = True
            continue
        if refused and expected.get(program) == "spare" and state.isdigit():
            continue
        why = differs(expected.get(program, "not in programs.tsv"), state, states_only,
                      NATIVE_GROWTH if host else GROWTH)
        if why:
            print("%s: %s: %s%s" % (kernel, program, why, " (%s)" % reason if reason else ""))
            bad += 1
    if bad:
        print("if that is meant: make test-vm-update KERNEL='%s'" % kernel)
    return bad


def nearest(release, machine):
    """The newest kernel of the table that is not newer than a release."""
    def version(name):
        return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", name).groups())
    names = [k for k in read_table() if ("arm64" in k) == (machine == "aarch64") and "-rt" not in k]
    older = [k for k in names if version(k) <= version(release)]
    return max(older or names, key=version)


def native(path):
    """This machine's kernel."""
    release = os.uname().release
    kernel = nearest(release, os.uname().machine)
    print("kernel %s, by the column %s" % (release, kernel))
    return check(kernel, path, host=True)


def update(directory):
    """Makes the table anew: columns that are not in @directory stay as they are."""
    try:
        table = read_table()
    except FileNotFoundError:
        table = {}
    programs = []
    for name in os.listdir(directory):
        if name.endswith(".json"):
            doctor = read_doctor(os.path.join(directory, name))
            programs = list(doctor)
            table[name[:-5].replace("+", "/")] = {p: c for p, (c, _) in doctor.items()}
    order = sorted(table, key=lambda k: ("arm64" in k, [int(n) for n in re.findall(r"\d+", k)[:2]], "-rt" in k))
    with open(TABLE, "w") as f:
        f.write("# SPDX-License-Identifier: MIT\n# Made by `make test-vm-update`; what it says: programs.py.\n")
        f.write("\t".join(["program"] + order) + "\n")
        for p in programs:
            f.write("\t".join([p] + [table[k].get(p, "?") for k in order]) + "\n")
    return 0


def main():
    """The command line."""
    commands = {("check", 2): check, ("native", 1): native, ("update", 1): update}
    command = commands.get((sys.argv[1] if len(sys.argv) > 1 else "", len(sys.argv) - 2))
    if not command:
        sys.exit(__doc__)
    return 1 if command(*sys.argv[2:]) else 0


if __name__ == "__main__":
    sys.exit(main())
