#!/bin/sh
# SPDX-License-Identifier: MIT
# A workload with a little of everything: processes, files, a pipe, a unix socket, TCP over IPv4 and IPv6.
set -eu

dir=$(mktemp -d /tmp/ebpfmon-demo.XXXXXX)
trap 'rm -rf "$dir"' EXIT

# files and processes
i=0
while [ $i -lt 20 ]; do
	echo "line $i" >"$dir/file-$i"
	i=$((i + 1))
done
mkdir "$dir/sub"
mv "$dir/file-0" "$dir/sub/moved"
ln -s sub/moved "$dir/link"
chmod 600 "$dir/link"
cat "$dir"/file-* | sort -r | head -n 3 >"$dir/sorted"
(sleep 0.2 && exit 3) || true
cat "$dir/does-not-exist" 2>/dev/null || true

# a unix socket, and TCP over both families: a parent that answers its child
talk() {
	perl -MSocket=:all -MIO::Socket::UNIX -MIO::Socket::IP -e '
		my ($kind, $where) = @ARGV;
		my $l = $kind eq "unix"
			? IO::Socket::UNIX->new(Local => $where, Listen => 1)
			: IO::Socket::IP->new(LocalHost => $where, LocalPort => 0, Listen => 1, Proto => "tcp");
		if (!$l) { print "$kind $where: not here\n"; exit 0 }
		my $pid = fork;
		if (!$pid) {
			my $s = $kind eq "unix" ? IO::Socket::UNIX->new(Peer => $where)
				: IO::Socket::IP->new(PeerHost => $where, PeerPort => $l->sockport, Proto => "tcp");
			print $s "hello from the child\n"; $s->flush;
			my $answer = <$s>;
			exit 0;
		}
		my $c = $l->accept;
		my $line = <$c>;
		print $c "you said: $line"; $c->flush;
		close $c;
		waitpid $pid, 0;
		print "$kind $where: ok\n";
	' "$@"
}
talk unix "$dir/socket"
talk tcp 127.0.0.1
talk tcp ::1
