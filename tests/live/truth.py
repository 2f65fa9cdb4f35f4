# SPDX-License-Identifier: MIT
"""Real programs in a container, under strace and ebpfmon in one and the same run: both must agree.

strace attaches to the container's first process, a starter that waits; the program is its child,
which is traced from its first instruction. Whatever pid 1 does is left out on both sides. What is
compared, and by which rules: docs/test/live.md.
"""
import collections
import os
import shutil
import socket
import subprocess

import strace
from compare import event_bytes
from events import check_common, run_phase
from lib import CONTAINERS, Failure, RUN_TIMEOUT, Skip, check, read_text, record, wait_until

# name: (programs needed, script); $PORT is a free port. All work is done in /work, a tmpfs.
PROGRAMS = {
    "shell": ([], """
        i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i >> log; done
        (cd / && ls usr > /work/ls.txt); cat log ls.txt | sort | uniq -c | wc -l > n
        mkdir d && mv log d/ && cp d/log copy && rm -r d; test -e gone || ln -s copy link; cat link > /dev/null
        for s in 1 2 3; do sh -c 'kill -TERM $$'; sleep 0.01 & done; wait
    """),
    "tar": (["tar", "gzip"], """
        tar -C /usr/include -cf a.tar linux asm-generic && mkdir x && tar -C x -xf a.tar && gzip a.tar && tar -tzf a.tar.gz > list
    """),
    "gcc": (["gcc"], """
        printf '#include <stdio.h>\\n#include <string.h>\\nint main(void) { return puts("hello") < 0; }\\n' > a.c
        gcc -O2 -Wall -c a.c && gcc -o a a.o && ./a > out
    """),
    "sqlite3": (["sqlite3"], """
        sqlite3 t.db 'create table t(a, b); with recursive c(x) as (select 1 union all select x+1 from c where x<500) insert into t select x, x*x from c; create index i on t(b);'
        sqlite3 t.db 'pragma journal_mode=wal; update t set b = a; delete from t where a > 250; vacuum; select count(*) from t' > out
    """),
    "python3": (["/usr/bin/python3"], """
        /usr/bin/python3 -c '
import json, os, subprocess, threading, tempfile, hashlib
threads = [threading.Thread(target=lambda n=n: open("f%d" % n, "w").write("x" * 10000)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(subprocess.run(["/bin/echo", "hello"], stdout=subprocess.PIPE).stdout)
print(hashlib.sha256(open("f1", "rb").read()).hexdigest(), os.listdir("."))
'
    """),
    "perl": (["perl"], """
        perl -MFile::Find -MPOSIX -e 'open(F, ">", "p"); print F "x" x 100000; close F; open(F, "<", "p"); while (read(F, $b, 1000)) {} system("true"); print `echo hi`; fork || exit 3; wait; print $? >> 8'
    """),
    "git": (["git"], """
        export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
        git init -q r && cd r && for i in 1 2 3 4 5; do echo $i > f$i; git add f$i; git commit -qm $i; done
        git log --stat > ../log && git gc -q && git clone -q . ../c && git diff HEAD~2
    """),
    "redis": (["redis-server", "redis-benchmark", "redis-cli"], """
        redis-server --port $PORT --bind 127.0.0.1 --save '' --dir /work --daemonize no > redis.log &
        until redis-cli -p $PORT ping; do sleep 0.2; done > /dev/null 2>&1
        redis-benchmark -p $PORT -n 500 -c 4 -d 100 -t set,get,lpush -q
        redis-cli -p $PORT shutdown nosave; wait
    """),
    "nginx": (["nginx", "ab"], """
        head -c 100000 /dev/zero > big; echo small > small; mkdir -p tmp
        printf 'user root; worker_processes 2; daemon off; pid /work/nginx.pid; error_log /work/error.log; events {} http { access_log /work/access.log; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp; server { listen 127.0.0.1:%s; root /work; } }' $PORT > nginx.conf
        nginx -e /work/error.log -p /work -c nginx.conf &
        until test -s nginx.pid; do sleep 0.2; done; sleep 0.5
        ab -q -n 60 -c 4 http://127.0.0.1:$PORT/big; ab -q -k -n 60 -c 3 http://127.0.0.1:$PORT/small; ab -q -n 5 http://127.0.0.1:$PORT/none
        kill -QUIT $(cat nginx.pid); wait
    """),
    "openssl": (["openssl"], """
        openssl genrsa -out key 2048 && openssl req -x509 -new -key key -subj /CN=x -days 1 -out cert
        head -c 300000 /dev/urandom > data; openssl enc -aes-256-cbc -pass pass:x -pbkdf2 -in data -out enc
        openssl dgst -sha256 -sign key -out sig data && openssl x509 -in cert -noout -text
    """),
    "find": (["find", "xargs", "grep"], """
        find /usr/share/perl /usr/share/python3 -type f -name '*.p[ym]' -print0 | xargs -0 -n 50 grep -l import > out; find /proc/self /etc -maxdepth 2 > out2
    """),
}

TCP_FIELDS = ("network.local.address", "network.local.port", "network.peer.address", "network.peer.port")


def free_port():
    """A port that nobody has, for a server in the host's network namespace."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def host_rootfs(setup):
    """A tree that looks like the host's, its contents bound into it read-only."""
    path = os.path.join(setup.dir, "host-rootfs")
    if os.path.isdir(path):
        return path
    for sub in ("usr", "etc", "proc", "sys", "dev", "tmp", "work", "var", "run", "trigger"):
        os.makedirs(os.path.join(path, sub))
    for link in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink("/" + link):
            os.symlink("usr/" + link, os.path.join(path, link))
    shutil.copy(setup.trigger, os.path.join(path, "trigger", "trigger"))
    return path


def bind(source):
    """A read-only bind mount of the host's directory."""
    return {"destination": source, "type": "bind", "source": source, "options": ["rbind", "ro"]}


def need(programs):
    """Skips without them."""
    for program in ["strace"] + programs:
        if not shutil.which(program):
            raise Skip("%s is not installed" % program)


class Strace:
    """strace on a process and all that it will start."""

    def __init__(self, setup, pid, name):
        self.output = os.path.join(setup.dir, name + ".strace")
        self.err = open(self.output + ".err", "w")
        self.pid = pid
        self.process = subprocess.Popen(
            ["strace", "-f", "-yy", "-s", "0", "-o", self.output, "-p", str(pid)],
            stdin=subprocess.DEVNULL, stdout=self.err, stderr=self.err, start_new_session=True)

    def attached(self):
        """True once it traces."""
        if self.process.poll() is not None:
            raise Failure("strace: " + read_text(self.output + ".err"))
        return "attached" in read_text(self.output + ".err")

    def calls(self):
        """What all but the first process did, once strace has ended."""
        self.process.wait(RUN_TIMEOUT)
        self.err.close()
        with open(self.output, errors="surrogateescape") as f:
            calls = strace.parse(f)
        return [c for c in calls if c.pid != self.pid]

    def end(self):
        """Ends it, if it is still there."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


def both_accounts(setup, name):
    """Runs the program under both; returns strace's calls and ebpfmon's events."""
    programs, script = PROGRAMS[name]
    need(programs)
    container = CONTAINERS["runc"](
        setup, ["/trigger/trigger", "start", "/bin/sh", "-c", "exec > stdout 2> stderr\n" + script],
        rootfs=host_rootfs(setup), host_net=True, mounts=[bind("/usr"), bind("/etc")], readonly=False,
        env=["PORT=%d" % free_port()])
    with record(setup, container) as recording, container:
        container.wait_line(0)
        tracer = Strace(setup, container.init_pid(), container.name)
        try:
            wait_until(tracer.attached, RUN_TIMEOUT, "strace to attach")
            container.go()
            container.wait()
            code = recording.stop()
            calls = tracer.calls()
        finally:
            tracer.end()
    check(code == 0, "ebpfmon ended with %d:\n%s" % (code, recording.said()))
    check(len(calls) > 100, "strace saw only %d calls; the program said: %s" % (len(calls), container.errors()))
    events = recording.events()
    check_common(events, container.name, {container.name})
    return calls, [e for e in run_phase(events) if e.get("process.vpid") != 1]


def error_of(event):
    """An error as strace names it."""
    return event.get("error")


def take_killed(want, got):
    """Of a call that a signal ended together with its process, strace sees no result; the kernel may
    still have given one, an ERESTART that nobody read. Either is right, once for each."""
    for name, error in [k for k in want if k[1] == "KILLED"]:
        for _ in range(want.pop((name, error))):
            for key in sorted((k for k in got if k[0] == name), key=str):
                if (key[1] is None or key[1].startswith("ERESTART")) and got[key] > want[key]:
                    got[key] -= 1
                    break
            else:
                want[(name, "KILLED")] += 1


def compare_counts(calls, events):
    """Every call of every kind with every result."""
    want = strace.counts(calls)
    got = collections.Counter()
    for e in events:
        if e["event"] == "syscall.calls":
            name = e["syscall.name"]
            got[(name, None if name == "rt_sigreturn" else error_of(e))] += e["syscall.count"]
    take_killed(want, got)
    return ["%s %s: strace %d, ebpfmon %d" % (k[0], k[1] or "", want[k], got[k])
            for k in sorted(set(want) | set(got), key=str) if want[k] != got[k]]


def path_of(event):
    """file.path as strace's reader has it."""
    return event_bytes(event.get("file.path") or "?").decode("utf-8", "surrogateescape")


def compare_opens(calls, events):
    """Every opened path as often, and as many failures of each kind."""
    paths, errors = strace.opened(calls)
    got_paths, got_errors = collections.Counter(), collections.Counter()
    for e in events:
        if e["event"] == "file.open":
            if e.get("error"):
                got_errors[e["error"]] += 1
            else:
                got_paths[path_of(e)] += 1
    return ["open of %s: strace %d, ebpfmon %d" % (k, want[k], got[k])
            for want, got in ((paths, got_paths), (errors, got_errors))
            for k in sorted(set(want) | set(got), key=str) if want[k] != got[k]]


def compare_files(calls, events):
    """Bytes of every file whose name stayed, and of all files together."""
    want = strace.file_bytes(calls)
    changed = strace.changed_names(calls)
    got = collections.defaultdict(lambda: [0, 0])
    for e in events:
        if e["event"] == "file.io":
            got[path_of(e)][0] += e.get("file.read_bytes") or 0
            got[path_of(e)][1] += e.get("file.written_bytes") or 0
    got = {k: v for k, v in got.items() if any(v) and (k in want or not k.startswith("/dev/"))}
    problems = []
    for i, word in enumerate(("read", "written")):
        totals = [sum(v[i] for v in side.values()) for side in (want, got)]
        if totals[0] != totals[1]:
            problems.append("bytes %s of all files: strace %d, ebpfmon %d" % (word, totals[0], totals[1]))
    for k in sorted(set(want) | set(got)):
        if want.get(k) != got.get(k) and not changed(k):
            problems.append("[read, written] of %s: strace %r, ebpfmon %r" % (k, want.get(k), got.get(k)))
    return problems


def compare_tcp(calls, events):
    """Every connection, each end with the bytes that strace saw the other end's process move."""
    want = strace.tcp_bytes(calls)
    got = collections.defaultdict(lambda: [0, 0])
    for e in events:
        if e["event"] == "tcp.close":
            ends = ["%s:%d" % (e[TCP_FIELDS[i]], e[TCP_FIELDS[i + 1]]) for i in (0, 2)]
            got[tuple(ends)][0] += e.get("network.received_bytes") or 0
            got[tuple(ends)][1] += e.get("network.sent_bytes") or 0
    problems = []
    for ends in sorted(set(want) | {k for k, v in got.items() if any(v)}):
        peer = want.get(ends[::-1])
        expected = want.get(ends) or (peer[::-1] if peer else None)
        if expected != got.get(ends):
            problems.append("[received, sent] of %s -> %s: strace %r, its peer %r, ebpfmon %r" %
                            (ends[0], ends[1], want.get(ends), peer, got.get(ends)))
    return problems


def compare_processes(calls, events):
    """As many programs executed, and processes and threads made."""
    pairs = {
        "process.exec": sum(c.name in ("execve", "execveat") and c.result == 0 for c in calls),
        "process.exec_failed": sum(c.name in ("execve", "execveat") and bool(c.error) for c in calls),
        "process.fork": sum(c.name in strace.FORKS and (c.result or 0) > 0 for c in calls),
    }
    problems = []
    for event, want in pairs.items():
        got = sum(e["event"] == event for e in events)
        if want != got:
            problems.append("%s: strace %d, ebpfmon %d" % (event, want, got))
    return problems


def truth(setup, name):
    """The whole comparison for one program."""
    calls, events = both_accounts(setup, name)
    problems = []
    for what in (compare_counts, compare_processes, compare_opens, compare_files, compare_tcp):
        problems += what(calls, events)
    if problems:
        raise Failure("of %d calls by strace, %d differences:\n%s" %
                      (len(calls), len(problems), "\n".join(problems[:30])))


def tests(setup, runtimes):
    """(name, function) of each program."""
    if "runc" in runtimes:
        for name in PROGRAMS:
            yield "runc/truth." + name, lambda n=name: truth(setup, n)


# --- the parser itself ---

SAMPLE = r"""
10 execve("/bin/sh", [""...], 0x7ffd /* 4 vars */) = 0
10 openat(AT_FDCWD</work>, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3</etc/ld.so.cache>
10 read(3</etc/ld.so.cache>, ""..., 832) = 832
10 openat(AT_FDCWD</work>, "x", O_RDONLY) = -1 ENOENT (No such file or directory)
10 openat(AT_FDCWD</work>, "/dev/null", O_WRONLY) = 4</dev/null<char 1:3>>
10 write(4</dev/null<char 1:3>>, ""..., 5) = 5
10 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>
11 close(3</etc/ld.so.cache>) = 0
10 <... clone resumed>) = 11
10 wait4(-1,  <unfinished ...>
11 sendto(5<TCP:[127.0.0.1:5->127.0.0.1:6]>, ""..., 9, 0, NULL, 0) = 9
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 11
10 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---
10 pause() = ? ERESTARTNOHAND (To be restarted if no handler)
10 rt_sigreturn({mask=[]}) = -1 EINTR (Interrupted system call)
10 pause( <unfinished ...>
12 nanosleep({tv_sec=1, tv_nsec=0},  <unfinished ...>
12 <... nanosleep resumed>)          = ? <unavailable>
10 +++ killed by SIGKILL +++
12 +++ killed by SIGKILL +++
"""


def parser_reads(_setup):
    """strace's lines, of each kind, are counted as the document says."""
    calls = strace.parse(SAMPLE.strip().split("\n"))
    got = strace.counts(calls)
    want = {("execve", None): 1, ("openat", None): 2, ("openat", "ENOENT"): 1, ("read", None): 1,
            ("write", None): 1, ("clone", None): 1, ("close", None): 1, ("wait4", None): 1,
            ("sendto", None): 1, ("exit_group", None): 1, ("pause", "ERESTARTNOHAND"): 1,
            ("rt_sigreturn", None): 1, ("pause", "KILLED"): 1, ("nanosleep", "KILLED"): 1}
    check(got == want, "expected %r, got %r" % (want, dict(got)))
    check(strace.opened(calls) == ({"/etc/ld.so.cache": 1, "/dev/null": 1}, {"ENOENT": 1}),
          "opened: %r" % (strace.opened(calls),))
    check(strace.file_bytes(calls) == {"/etc/ld.so.cache": [832, 0]}, "files: %r" % strace.file_bytes(calls))
    check(strace.tcp_bytes(calls) == {("127.0.0.1:5", "127.0.0.1:6"): [0, 9]},
          "tcp: %r" % strace.tcp_bytes(calls))


def program_traced(setup, name):
    """strace alone: the program runs in its container, and every line is understood."""
    programs, script = PROGRAMS[name]
    need(programs)
    container = CONTAINERS["runc"](
        setup, ["/trigger/trigger", "start", "/bin/sh", "-c", "exec > stdout 2> stderr\n" + script +
                "\nrc=$?; cat stderr >&0 2>/dev/null; exit $rc"],
        rootfs=host_rootfs(setup), host_net=True, mounts=[bind("/usr"), bind("/etc")], readonly=False,
        env=["PORT=%d" % free_port()])
    with container:
        container.wait_line(0)
        tracer = Strace(setup, container.init_pid(), container.name)
        try:
            wait_until(tracer.attached, RUN_TIMEOUT, "strace to attach")
            container.go()
            code = container.wait()
            calls = tracer.calls()
        finally:
            tracer.end()
    check(code == 0, "%s ended with %d" % (name, code))
    check(len(calls) > 100, "only %d calls" % len(calls))
    paths, _ = strace.opened(calls)
    print("        %s: %d calls, %d paths opened, %d files with bytes, %d ends of connections" %
          (name, len(calls), len(paths), len(strace.file_bytes(calls)), len(strace.tcp_bytes(calls))))


def self_tests(setup):
    """Tests that need no ebpfmon."""
    yield "strace.parser", lambda: parser_reads(setup)
    for name in PROGRAMS:
        yield "strace." + name, lambda n=name: program_traced(setup, n)
