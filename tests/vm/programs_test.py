#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""programs.py notices what it is there for: a doctor that says what the table says, and then something else."""
import contextlib
import io
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import programs	# noqa: E402

KERNEL = "6.1"


def doctor(**changed):
    """The coverage that fits the table, but for these programs' fields."""
    rows = []
    for program, cell in programs.read_table()[KERNEL].items():
        row = {"program": program, "active": cell.isdigit(), "missing": cell == "missing"}
        if cell.isdigit():
            row["verified_insns"] = int(cell)
        rows.append({**row, **changed.get(program, {})})
    return rows


def differences(rows, *options):
    """How many lines programs.check() finds different."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f, contextlib.redirect_stdout(io.StringIO()):
        json.dump({"coverage": rows}, f)
        f.flush()
        return programs.check(KERNEL, f.name, *options)


def main():
    """Each line: what is expected, what came."""
    size = int(programs.read_table()[KERNEL]["file_open"])
    lost = {"active": False, "missing": True}
    spare = {"active": False, "missing": False}
    tests = (
        ("as the table says", 0, differences(doctor())),
        ("9% more instructions", 0, differences(doctor(file_open={"verified_insns": int(size * 1.09)}))),
        ("11% more instructions", 1, differences(doctor(file_open={"verified_insns": int(size * 1.11)}))),
        ("20% more on another kernel", 0, differences(doctor(file_open={"verified_insns": int(size * 1.2)}), True)),
        ("26% more on another kernel", 1, differences(doctor(file_open={"verified_insns": int(size * 1.26)}), True)),
        ("an unknown number of them", 1, differences(doctor(file_open={"verified_insns": "?"}))),
        ("a program that is missing", 1, differences(doctor(file_open=lost))),
        ("a kprobe that is not there", 1, differences(doctor(paths_link=spare))),
        ("the same where there are no kprobes", 0, differences(doctor(paths_link=spare), True)),
        ("a program that is not in the table", 1, differences(doctor() + [{"program": "x", **lost}])),
        ("a program that is gone", 1, differences(doctor()[1:])))
    bad = [t for t in tests if t[1] != t[2]]
    for name, expected, got in bad:
        print("%s: %d lines differ, expected: %d" % (name, got, expected))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
