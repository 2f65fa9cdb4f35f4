# SPDX-License-Identifier: MIT
"""What the gates are tried on: programs of Debian's packages, and three of our own.

A program runs to its end. A server is asked by a real client over a unix socket in /state, which the
host shares; what the client prints is the oracle. Between the questions things happen to the
container that seldom do: pause and resume, stop and continue, exec, reload, a graceful stop.
"""
import collections
import os

NOBODY = 65534
# argv of the container; user; what has to be installed; how to ask; what makes it read its configuration again
# are sizes of the files it leaves the same each time; what in its output and messages is not (extended regular expressions);
# the signal on which it ends when it is done
Workload = collections.namedtuple("Workload", "argv user needs setup ask reload sizes ignore stop",
                                  defaults=[0, (), None, None, None, True, (), "TERM"])


def sh(script):
    """A busybox shell: /bin/sh of the host is dash, which calls less."""
    return ["/bin/busybox", "sh", "-c", script]


NGINX = """
worker_processes 2; daemon off; error_log stderr; pid /state/nginx.pid; user www-data;
events { worker_connections 64; }
http {
  access_log /state/access.log;
  client_body_temp_path /state/b; proxy_temp_path /state/p; fastcgi_temp_path /state/f;
  uwsgi_temp_path /state/u; scgi_temp_path /state/s;
  server { listen unix:/state/sock; root /state/www; gzip on; gzip_types text/plain; gzip_min_length 10;
    location /new { return 404; } }
}
"""


def nginx_setup(state):
    """Two bodies, one of which sendfile(2) takes more than one call for."""
    os.makedirs(state + "/www", exist_ok=True)
    for name, text in (("conf", NGINX), ("www/small", "hello\n"), ("www/large", "line of text\n" * 100000)):
        with open("%s/%s" % (state, name), "w") as f:
            f.write(text)


def sqlite3_setup(state):
    """A database of another user's, which anybody may write to: what is made beside it is to be that user's."""
    with open(state + "/owned", "w"):
        os.chmod(state + "/owned", 0o666)
        os.chown(state + "/owned", NOBODY, NOBODY)


def curl(path, *options):
    """The body itself, or for a large one its checksum."""
    return ["sh", "-c", 'curl -s "$@" | sha256sum', "sh", "--max-time", "20", "--unix-socket", "{state}/sock",
            "http://x" + path, *options]


def postgres_setup(state):
    """A database that belongs to nobody, as postgres runs as no root."""
    import subprocess
    os.chown(state, NOBODY, NOBODY)
    subprocess.run(["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups",
                    "/usr/lib/postgresql/15/bin/initdb", "-D", state + "/db", "-A", "trust", "-U", "nobody", "-N"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def psql(command):
    """One answer, unaligned."""
    return ["psql", "-h", "{state}", "-U", "nobody", "-At", "-c", command, "postgres"]


PGBENCH = ["sh", "-c", "pgbench -h $0 -U nobody -i -q -s 1 postgres >/dev/null 2>&1 && "
           "pgbench -h $0 -U nobody -c 2 -j 2 -t 50 --random-seed=1 postgres 2>/dev/null | "
           "grep -E 'transaction type|number of (transactions actually|failed)'", "{state}"]

MEMCACHED = ["python3", "-c", """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rwb")
for ask in (b"set a 0 0 5\\r\\nhello\\r\\n", b"set big 0 0 200000\\r\\n" + b"x" * 200000 + b"\\r\\n", b"incr n 1\\r\\n"):
    f.write(ask); f.flush(); print(f.readline())
for key in (b"a", b"big"):
    f.write(b"get " + key + b"\\r\\n"); f.flush()
    print(sum(len(l) for l in iter(f.readline, b"END\\r\\n")))
""", "{state}/sock"]


def redis(*words):
    """One command to the server."""
    return ["redis-cli", "-s", "{state}/sock", *words]


WORKLOADS = {
    "busybox": Workload(sh("echo hello; busybox ls /usr | busybox wc -l; echo a b | busybox sed s/a/c/; exit 3")),
    "python3": Workload(["/usr/bin/python3", "-c", """
import json, threading, subprocess, tempfile, hashlib
t = [threading.Thread(target=lambda: None) for _ in range(4)]
[x.start() for x in t]; [x.join() for x in t]
with tempfile.NamedTemporaryFile() as f: f.write(b"x" * 100000); f.flush(); print(hashlib.sha256(open(f.name, "rb").read()).hexdigest())
print(json.dumps(subprocess.run(["/bin/echo", "hi"], capture_output=True, text=True).stdout))
"""], needs=["/usr/bin/python3"]),
    "gcc": Workload(sh("cd /tmp; echo 'int main(){return 7;}' > a.c; gcc -O2 -o a a.c && ./a; echo $?; gcc -wrapper /none a.c 2>&1"),
                    needs=["gcc"]),
    "sqlite3": Workload(["/usr/bin/sqlite3", "/tmp/db", "pragma journal_mode=wal; create table t(x); insert into t values(1),(2);"
                         "select sum(x) from t; vacuum; attach '/state/owned' as o; pragma o.journal_mode=persist;"
                         "create table o.t(x); insert into o.t values(3); select x from o.t;"],
                        needs=["sqlite3"], setup=sqlite3_setup),
    "redis": Workload(["/usr/bin/redis-server", "--port", "0", "--unixsocket", "/state/sock", "--dir", "/state", "--save", "",
                       "--appendonly", "yes", "--logfile", "/dev/null"], needs=["redis-server", "redis-cli"],
                      ask=[redis("set", "a", "1"), redis("incr", "a"), redis("eval", "return redis.call('get','a')", "0"),
                           redis("save")], sizes=False),
    "nginx": Workload(["/usr/sbin/nginx", "-c", "/state/conf"], needs=["nginx", "curl"], setup=nginx_setup,
                      ask=[curl("/small"), curl("/large"), curl("/large", "-H", "Accept-Encoding: gzip"), curl("/new")],
                      reload="HUP", stop="QUIT"),
    "memcached": Workload(["/usr/bin/memcached", "-u", "nobody", "-s", "/state/sock", "-a", "0777", "-t", "2"],
                          needs=["memcached"], ask=[MEMCACHED]),
    "postgresql": Workload(["/usr/lib/postgresql/15/bin/postgres", "-D", "/state/db", "-k", "/state", "-c",
                            "listen_addresses=", "-c", "logging_collector=off", "-c", "log_checkpoints=off",
                            "-c", "log_line_prefix="], NOBODY,
                           ["/usr/lib/postgresql/15/bin/postgres", "pgbench"], postgres_setup,
                           [PGBENCH, psql("select count(*), sum(bid) from pgbench_accounts"),
                            psql("create temp table x as select generate_series(1,100000) n; select md5(string_agg(n::text,',' order by n desc)) from x")],
                           "HUP", sizes=False, ignore=["PID [0-9]+", "at 2[0-9-]+ [0-9:]+ UTC"]),
    "switch-user": Workload(sh("S=$(cut -d' ' -f6 /proc/self/stat); export S; /usr/bin/id -u; /usr/bin/setpriv --reuid=1000 --regid=1000 --clear-groups /usr/bin/id -u; touch /tmp/f; chown 5:5 /tmp/f; stat -c %u /tmp/f;"
                               " /usr/bin/su -s /bin/sh nobody -c '/usr/bin/id -un; "
                               "[ $S = $(cut -d\" \" -f6 /proc/self/stat) ] || echo a session of its own'"), needs=["setpriv", "su"]),
    "go": Workload(["/state/program"], needs=["go"]),
    "threads": Workload(["/state/program"]),
    "i386": Workload(["/state/program"]),
}
# sources of those that are made here: (compiler, arguments)
SOURCES = {"go": ("go", ["build", "-o", "{out}", "server.go"]),
           "threads": ("gcc", ["-O1", "-pthread", "-o", "{out}", "threads.c"]),
           "i386": ("gcc", ["-m32", "-static", "-isystem", "/usr/include/x86_64-linux-gnu", "-O1", "-o", "{out}", "compat.c"])}
QUICK_TRUTH = ["busybox", "i386"]	# of these, also against strace
QUICK = ["busybox", "threads", "i386", "switch-user", "nginx"]
