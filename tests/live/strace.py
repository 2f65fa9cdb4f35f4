# SPDX-License-Identifier: MIT
"""Reads what "strace -f -yy -o FILE" wrote. The rules are in docs/test/live.md.

A call counts once, when it is complete: at its line, at its "resumed" line, or at the end of a
thread that never came back from it.
"""
import collections
import re

LINE = re.compile(r"^(\d+)\s+(.*)$")
RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
CALL = re.compile(r"^(\w+)\((.*)$", re.S)
# "<unavailable>": the thread was killed on its way out of the call
RESULT = re.compile(r"^(.*)\)\s+= (\?|-?\d+|0x[0-9a-f]+)(?: <unavailable>)?(<.*>)?(?: (E[A-Z0-9_]+) \(.*\)| \(.*\))?\s*$", re.S)
FD = re.compile(r"^\d+<(.*)$")
OPENS = {"open", "openat", "openat2", "creat"}
READS = {"read", "pread64", "readv", "preadv", "preadv2", "recvfrom", "recvmsg", "recv"}
WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "send"}
EXITS = {"exit", "exit_group"}
FORKS = {"fork", "vfork", "clone", "clone3"}

# since: how many of the trace's calls had ended when it began
Call = collections.namedtuple("Call", "pid name args result decoration error since")


def number(text):
    """A result: decimal, 0x…, or umask's octal; None for "?"."""
    if text == "?":
        return None
    return int(text, 8 if re.match("0[0-7]", text) else 0)


def parse_call(pid, text, since):
    """One complete call, or None if the line is something else."""
    head = CALL.match(text)
    if not head:
        return None
    found = RESULT.match(head.group(2))
    if not found:
        return None
    args, result, decoration, error = found.groups()
    if result == "?" and not error:
        return unreturned(pid, text, since)
    return Call(pid, head.group(1), args, number(result), decoration, error, since)


def parse(lines):
    """All calls of a trace, in the order in which they ended."""
    pending, calls = {}, []		# of each thread: the call that it is in, and what had ended when it began
    for line in lines:
        found = LINE.match(line.rstrip("\n"))
        if not found:
            continue
        pid, text = int(found.group(1)), found.group(2)
        # ???: the thread was killed before strace had asked which call it makes
        if text.startswith(("--- ", "[ Process", "???")):
            continue
        # ???: it was killed, and strace no longer asks which call that was
        if text.startswith(("+++ ", "<... ??? resumed>")):
            if pid in pending:		# it ended inside the call
                calls.append(unreturned(pid, *pending.pop(pid)))
            continue
        resumed, since = RESUMED.match(text), len(calls)
        if resumed:
            text, since = pending.pop(pid, (resumed.group(1) + "(", 0))
            text += resumed.group(2)
        if text.endswith("<unfinished ...>"):
            text = text[:-len("<unfinished ...>")]
            if text.rstrip().endswith(") = ?"):	# exit, seen to end later
                calls.append(unreturned(pid, text, since))
            else:
                pending[pid] = text, since
            continue
        call = parse_call(pid, text, since)
        if call is None:
            raise ValueError("strace said what is not understood: " + line)
        calls.append(call)
    for pid, call in pending.items():
        calls.append(unreturned(pid, *call))
    return calls


def unreturned(pid, text, since):
    """A call that never came back: because it is made to end, or because the thread was killed in it."""
    name = CALL.match(text).group(1)
    return Call(pid, name, text, None, None, None if name in EXITS else "KILLED", since)


def clean_path(text):
    """A decoration's path, without what strace adds to say what kind of thing it is."""
    text = re.sub(r"<(char|block) [\d:]+>", "", text)
    text = text[:-len(" (deleted)")] if text.endswith(" (deleted)") else text
    text = text.replace("(deleted)", "") if text.endswith("(deleted)") else text
    return re.sub(r"\\(\d{1,3})", lambda m: chr(int(m.group(1), 8)), text)


def counts(calls):
    """{(name, error): how often}. The result of rt_sigreturn is what it interrupted: not its own."""
    return collections.Counter((c.name, None if c.name == "rt_sigreturn" else c.error) for c in calls)


def opened(calls):
    """{path: how often it was opened}, and {error: how often an open failed}."""
    paths, errors = collections.Counter(), collections.Counter()
    for c in calls:
        if c.name not in OPENS:
            continue
        if c.error or c.result is None:
            errors[c.error] += 1
        elif c.decoration:
            paths[clean_path(c.decoration[1:-1])] += 1
    return paths, errors


def split_arguments(args):
    """The arguments as far as they are simple: enough to find descriptors."""
    return re.findall(r"\d+<(?:->|[^<>]|<[^>]*>)*>|[^,]+", args)


def descriptor(arg):
    """What a descriptor argument leads to: "/path", "TCP:[…]", "pipe:[…]", or None."""
    found = FD.match(arg.strip())
    return found.group(1)[:-1] if found and found.group(1).endswith(">") else None


def transfers(calls):
    """(what, read bytes, written bytes, calls) of each call that moved data, by what it moved."""
    for c in calls:
        if c.result is None or c.error or c.result < 0:
            continue
        args = split_arguments(c.args)
        if c.name in READS:
            yield descriptor(args[0]), c.result, 0
        elif c.name in WRITES:
            yield descriptor(args[0]), 0, c.result
        elif c.name == "sendfile":
            yield descriptor(args[0]), 0, c.result
            yield descriptor(args[1]), c.result, 0
        elif c.name in ("copy_file_range", "splice"):
            yield descriptor(args[0]), c.result, 0
            yield descriptor(args[2]), 0, c.result


def is_file(what):
    """A regular file (or one of proc), by strace's decoration."""
    return bool(what) and what.startswith("/") and not re.search(r"<(char|block) ", what)


def file_bytes(calls):
    """{path: [bytes read, bytes written]}"""
    sums = collections.defaultdict(lambda: [0, 0])
    for what, got, put in transfers(calls):
        if is_file(what):
            sums[clean_path(what)][0] += got
            sums[clean_path(what)][1] += put
    return {k: v for k, v in sums.items() if any(v)}


def tcp_bytes(calls):
    """{(local, peer): [bytes received, bytes sent]} with "address:port" as strace writes it."""
    sums = collections.defaultdict(lambda: [0, 0])
    for what, got, put in transfers(calls):
        found = re.match(r"TCP(?:v6)?:\[(.*)->(.*)\]$", what or "")
        if found:
            sums[found.groups()][0] += got
            sums[found.groups()][1] += put
    return dict(sums)


def changed_names(calls):
    """True of a path whose name some call changed or removed: its bytes count under either name."""
    text = "\n".join(c.args for c in calls if c.name.startswith(("rename", "unlink", "link")))
    return lambda path: '%s"' % path.rsplit("/", 1)[-1] in text
