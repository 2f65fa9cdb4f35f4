#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks reports against docs/report.schema.json, and against themselves: sums must agree.

usage: validate_report.py [--schema FILE] REPORT...
Exits 0 when every report is right, 1 when one is not, 2 on wrong usage.
"""
import argparse
import json
import os
import sys

import jsonschema

HERE = os.path.dirname(os.path.abspath(__file__))
STATS = ("opens", "failed", "created", "inherited", "reads", "read_bytes", "writes",
         "written_bytes", "mmaps")


def no_duplicates(pairs):
    """json.load keeps the last of two equal keys; a report must not have two."""
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key twice in one object: {sorted(keys)}")
    return dict(pairs)


def walk(processes, parent=None, depth=0):
    for p in processes:
        yield p, parent, depth
        yield from walk(p.get("children", []), p, depth + 1)


class Checks:
    def __init__(self):
        self.errors = []

    def same(self, what, got, want):
        if got != want:
            self.errors.append(f"{what}: {got} is not {want}")

    def true(self, what, holds):
        if not holds:
            self.errors.append(what)


def total(rows, key):
    return sum(r.get(key, 0) for r in rows)


def check_processes(c, doc):
    ps = doc["processes"]
    seen = {}
    for p, parent, _ in walk(ps["tree"]):
        c.true(f"process id {p['id']} twice", p["id"] not in seen)
        seen[p["id"]] = p
        if parent is None:
            c.true(f"process {p['id']} has a parent but is at the top", "parent" not in p)
        elif not p.get("flattened"):
            c.same(f"process {p['id']}: parent", p.get("parent"), parent["id"])
        if "end" in p:
            c.true(f"process {p['id']} ends before it starts", p["end"] >= p["start"])
        calls = p.get("syscalls")
        if calls:
            c.same(f"process {p['id']}: syscalls", total(calls["calls"], "count") +
                   calls.get("folded", 0), calls["count"])
            if not calls.get("folded"):
                c.same(f"process {p['id']}: failed syscalls",
                       sum(x["count"] for x in calls["calls"] if "error" in x), calls["errors"])
    c.same("processes.listed", len(seen), ps["listed"])
    c.same("ids are dense", sorted(seen), list(range(len(seen))))
    c.same("summary.processes.count", doc["summary"]["processes"]["count"],
           sum(not p.get("setup", False) for p in seen.values()))
    return seen


def check_references(c, doc, seen):
    """Whatever names a process names one that is in the tree."""
    def visit(o, path):
        if isinstance(o, dict):
            if isinstance(o.get("process"), int) and "peer_end" not in path:
                p = seen.get(o["process"])
                c.true(f"{path}: no process {o['process']}", p is not None)
                if p and "pid" in o:
                    c.same(f"{path}: pid of process {o['process']}", o["pid"], p["pid"])
            for k, v in o.items():
                # the other end may be a process of another container
                if k != "peer_end" and not (k == "ends" and any("container" in e for e in v)):
                    visit(v, f"{path}.{k}")
        elif isinstance(o, list):
            for i, v in enumerate(o):
                visit(v, f"{path}.{i}")
    for key in ("files", "ipc", "tcp", "udp", "processes"):
        visit(doc[key] if key != "processes" else
              {k: v for k, v in doc[key].items() if k != "tree"}, key)


def check_syscalls(c, s, where):
    c.same(f"{where}.count", total(s["calls"], "count") + s["folded"], s["count"])
    c.same(f"{where}.distinct", len(s["calls"]), s["distinct"])
    if not s["folded"]:
        c.same(f"{where}.errors", sum(sum(x.get("errors", {}).values()) for x in s["calls"]),
               s["errors"])
    for x in s["calls"]:
        c.true(f"{where}: more errors than calls of {x['name']}",
               sum(x.get("errors", {}).values()) <= x["count"])


def check_files(c, doc):
    f = doc["files"]
    c.same("files.listed", len(f["list"]), f["listed"])
    for key in STATS:
        parts = (total(f["list"], key) + total(f["folded"]["directories"], key) +
                 f["folded"]["rest"].get(key, 0) + f["unknown"].get(key, 0))
        c.same(f"files: {key} of all parts", parts, f["total"].get(key, 0))
        c.same(f"volumes: {key}", total(doc["volumes"], key), f["total"].get(key, 0))
    for x in f["list"]:
        if "errors" in x:
            c.same(f"errors of {x['path']!r}", sum(x["errors"].values()), x.get("failed", 0))
    for key in ("opens", "read_bytes", "written_bytes"):
        c.same(f"summary.files.{key}", doc["summary"]["files"][key], f["total"][key])


def check_tcp(c, doc):
    t = doc["tcp"]
    for key in ("sent_bytes", "received_bytes"):
        c.same(f"tcp: {key} of connections", total(t["connections"], key) + t["folded"][key],
               t["total"][key])
        c.same(f"tcp: {key} of peers", total(t["peers"], key) + t["folded"]["peer_sums"][key],
               t["total"][key])
    c.same("tcp.listed", len(t["connections"]), t["listed"])
    if not t["folded"]["connections"]:
        c.same("tcp: failed", sum(x["count"] for x in t["connections"] if "connect_error" in x),
               t["total"]["failed"])


def check_rest(c, doc):
    lost = doc["lost"]
    c.same("lost.total", sum(lost["events"].values()) + lost["other"], lost["total"])
    c.same("recording.complete", doc["recording"]["complete"], not doc["recording"]["partial"])
    c.true("the recording ends before it starts",
           doc["recording"]["end"] >= doc["recording"]["start"])
    events = doc["events"]
    for event, figure in (("tcp.connect", ("opened", "failed")), ("tcp.accept", ("accepted",))):
        c.same(f"events.{event}", events.get(event, {}).get("count", 0),
               sum(doc["tcp"]["total"][k] for k in figure))
    opens = events.get("file.open", {})
    c.same("events.file.open", opens.get("count", 0) - opens.get("failed", 0),
           doc["files"]["total"]["opens"])


def check(doc):
    c = Checks()
    seen = check_processes(c, doc)
    check_references(c, doc, seen)
    check_syscalls(c, doc["syscalls"], "syscalls")
    check_syscalls(c, doc["setup"]["syscalls"], "setup.syscalls")
    check_files(c, doc)
    check_tcp(c, doc)
    check_rest(c, doc)
    return c.errors


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schema", default=os.path.join(HERE, "../../docs/report.schema.json"))
    parser.add_argument("reports", nargs="+", metavar="REPORT")
    args = parser.parse_args()
    with open(args.schema, encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    bad = 0
    sys.setrecursionlimit(20000)
    for name in args.reports:
        try:
            with open(name, encoding="utf-8") as f:
                doc = json.load(f, object_pairs_hook=no_duplicates)
        except (OSError, ValueError) as e:
            print(f"{name}: {e}", file=sys.stderr)
            bad += 1
            continue
        errors = [f"{'.'.join(map(str, e.absolute_path))}: {e.message[:300]}"
                  for e in validator.iter_errors(doc)]
        if not errors:
            errors = check(doc)
        for e in errors[:20]:
            print(f"{name}: {e}", file=sys.stderr)
        if len(errors) > 20:
            print(f"{name}: and {len(errors) - 20} more", file=sys.stderr)
        bad += bool(errors)
        if not errors:
            print(f"{name}: right")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
