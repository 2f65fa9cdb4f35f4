// SPDX-License-Identifier: MIT
/*
 * Attaches floor.bpf.c until standard input ends, then prints what it saw as one JSON object.
 *
 *	floor empty		nothing but attached
 *	floor ring CGROUP_ID	a reader that throws every record away
 *
 * "ready" on standard output says that it is attached.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "floor.skel.h"

#define POLL_MS 1

static int throw_away(void *arg, void *data, size_t len)
{
	(void)data;
	(void)len;
	++*(unsigned long long *)arg;
	return 0;
}

static bool input_ended(int ms)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char c;

	return poll(&in, 1, ms) > 0 && read(STDIN_FILENO, &c, 1) <= 0;
}

static unsigned long long sum_dropped(const struct floor_bpf *f)
{
	int cpus = libbpf_num_possible_cpus();
	__u64 *each = cpus > 0 ? calloc(cpus, sizeof(*each)) : NULL, sum = 0;
	__u32 zero = 0;

	if (each && !bpf_map_lookup_elem(bpf_map__fd(f->maps.dropped), &zero, each))
		for (int i = 0; i < cpus; i++)
			sum += each[i];
	free(each);
	return sum;
}

static int drain(const struct floor_bpf *f)
{
	unsigned long long records = 0;
	struct ring_buffer *rb =
		ring_buffer__new(bpf_map__fd(f->maps.ring), throw_away, &records, NULL);

	if (!rb)
		return 1;
	puts("ready");
	fflush(stdout);
	while (!input_ended(POLL_MS))
		ring_buffer__consume(rb);
	ring_buffer__consume(rb);
	printf("{\"records\": %llu, \"lost\": %llu}\n", records, sum_dropped(f));
	ring_buffer__free(rb);
	return 0;
}

int main(int argc, char **argv)
{
	bool ring = argc == 3 && !strcmp(argv[1], "ring");
	struct floor_bpf *f;
	int status = 0;

	if (!ring && (argc != 2 || strcmp(argv[1], "empty"))) {
		fprintf(stderr, "usage: floor empty | ring CGROUP_ID\n");
		return 2;
	}
	f = floor_bpf__open();
	if (!f)
		goto failed;
	bpf_program__set_autoload(f->progs.floor_enter, !ring);
	bpf_program__set_autoload(f->progs.floor_exit, !ring);
	bpf_program__set_autoload(f->progs.ring_exit, ring);
	if (ring)
		f->rodata->cgroup = strtoull(argv[2], NULL, 10);
	if (floor_bpf__load(f) || floor_bpf__attach(f))
		goto failed;
	if (ring) {
		status = drain(f);
	} else {
		puts("ready");
		fflush(stdout);
		while (!input_ended(-1))
			;
		puts("{}");
	}
	floor_bpf__destroy(f);
	return status;
failed:
	fprintf(stderr, "floor: %s\n", strerror(errno));
	floor_bpf__destroy(f);
	return 1;
}
