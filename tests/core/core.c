// SPDX-License-Identifier: MIT
/*
 * core BTF RELEASE: loads every BPF object of the executable, by the loader that the executable has,
 * for the kernel that the raw BTF file is of, without that kernel: bpf(2) ends in this file.
 *
 * libbpf resolves the relocations as it would on that kernel. An access to a field that the kernel
 * lacks becomes a call of a function that does not exist; the verifier refuses a program that can
 * reach it, and forgets it behind a bpf_core_field_exists() that is false. So does check_program().
 * What else a verifier refuses is for the virtual machines to find.
 *
 * One line for each program: its name, "ok", "spare", "lacking" (the loader says what of the kernel) or "refused", its section, and the arguments
 * that the kernel's BTF has for that hook, separated by tabs; on stderr libbpf's reasons. Needs a
 * name space of its own, to put the BTF where libbpf looks for it: root, or a kernel that lets users have one.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include "loader.h"
#include "log.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"
#define POISON	    195896080 /* libbpf's mark of a relocation that found nothing: its relo_core.c */
#define REGISTERS   11

static const char *release;

/* ---- which instructions can be reached ---- */

/* What is known of the registers before an instruction. */
struct known {
	bool reached;
	bool constant[REGISTERS];
	__s64 value[REGISTERS];
};

struct walk {
	const struct bpf_insn *insns;
	struct known *at;
	int nr;
	bool changed;
};

/* Control may come to @to with @k: what differs from an earlier way is not known any more. */
static void flow(struct walk *w, int to, const struct known *k)
{
	struct known *have;

	if (to < 0 || to >= w->nr)
		return;
	have = &w->at[to];
	if (!have->reached) {
		*have = *k;
		have->reached = w->changed = true;
		return;
	}
	for (int r = 0; r < REGISTERS; r++)
		if (have->constant[r] && (!k->constant[r] || k->value[r] != have->value[r])) {
			have->constant[r] = false;
			w->changed = true;
		}
}

/* Does the jump @i go, with these operands? Only the forms by which compilers test a constant. */
static bool jumps(const struct bpf_insn *i, __s64 a, __s64 b)
{
	if (BPF_CLASS(i->code) == BPF_JMP32) {
		a = (__s32)a;
		b = (__s32)b;
	}
	switch (BPF_OP(i->code)) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return (__u64)a > (__u64)b;
	case BPF_JGE: return (__u64)a >= (__u64)b;
	case BPF_JLT: return (__u64)a < (__u64)b;
	case BPF_JLE: return (__u64)a <= (__u64)b;
	case BPF_JSET: return (a & b) != 0;
	case BPF_JSGT: return a > b;
	case BPF_JSGE: return a >= b;
	case BPF_JSLT: return a < b;
	case BPF_JSLE: return a <= b;
	default: return true; /* BPF_JA */
	}
}

static void step_jump(struct walk *w, int at, struct known k)
{
	static const struct known nothing;
	const struct bpf_insn *i = &w->insns[at];
	bool by_register = BPF_SRC(i->code) == BPF_X;

	switch (BPF_OP(i->code)) {
	case BPF_EXIT: return;
	case BPF_CALL:
		if (i->src_reg == BPF_PSEUDO_CALL)
			flow(w, at + 1 + i->imm, &nothing);
		memset(k.constant, 0, 6 * sizeof(k.constant[0])); /* r0 to r5 */
		flow(w, at + 1, &k);
		return;
	case BPF_JA: flow(w, at + 1 + i->off, &k); return;
	}
	if (k.constant[i->dst_reg] && (!by_register || k.constant[i->src_reg])) {
		__s64 b = by_register ? k.value[i->src_reg] : i->imm;

		flow(w, at + 1 + (jumps(i, k.value[i->dst_reg], b) ? i->off : 0), &k);
		return;
	}
	flow(w, at + 1, &k);
	flow(w, at + 1 + i->off, &k);
}

/* Arithmetic that compilers do on such constants; of the rest nothing is known. */
static void step_alu(struct walk *w, int at, struct known k)
{
	const struct bpf_insn *i = &w->insns[at];
	bool by_register = BPF_SRC(i->code) == BPF_X;
	__s64 b = by_register ? k.value[i->src_reg] : i->imm, *a = &k.value[i->dst_reg];
	bool *constant = &k.constant[i->dst_reg];

	if (BPF_OP(i->code) == BPF_MOV)
		*constant = true;
	*constant &= !by_register || k.constant[i->src_reg];
	switch (BPF_OP(i->code)) {
	case BPF_MOV: *a = b; break;
	case BPF_AND: *a &= b; break;
	case BPF_OR: *a |= b; break;
	case BPF_XOR: *a ^= b; break;
	default: *constant = false;
	}
	if (BPF_CLASS(i->code) == BPF_ALU)
		*a = (__u32)*a;
	flow(w, at + 1, &k);
}

static void step(struct walk *w, int at)
{
	static const struct known nothing;
	const struct bpf_insn *i = &w->insns[at];
	struct known k = w->at[at];

	switch (BPF_CLASS(i->code)) {
	case BPF_JMP:
	case BPF_JMP32: step_jump(w, at, k); return;
	case BPF_ALU:
	case BPF_ALU64: step_alu(w, at, k); return;
	case BPF_LD: /* two instructions long */
		if (i->src_reg == BPF_PSEUDO_FUNC)
			flow(w, at + 1 + i->imm, &nothing);
		k.constant[i->dst_reg] = i->src_reg == 0;
		k.value[i->dst_reg] = (__u32)i->imm | (__u64)(__u32)i[1].imm << 32;
		flow(w, at + 2, &k);
		return;
	case BPF_LDX: k.constant[i->dst_reg] = false; break;
	case BPF_STX: /* an atomic operation may give the old value, in its source or in r0 */
		if (BPF_MODE(i->code) == BPF_ATOMIC)
			k.constant[0] = k.constant[i->src_reg] = false;
		break;
	}
	flow(w, at + 1, &k);
}

/* An instruction that can be reached and whose relocation found nothing, or -1. */
static int check_program(const struct bpf_insn *insns, int nr)
{
	struct walk w = {
		.insns = insns, .nr = nr, .at = calloc(nr, sizeof(*w.at)), .changed = true};
	int found = -1;

	if (!w.at)
		abort();
	w.at[0].reached = true;
	while (w.changed) {
		w.changed = false;
		for (int i = 0; i < nr; i++)
			if (w.at[i].reached)
				step(&w, i);
	}
	for (int i = 0; i < nr && found < 0; i++)
		if (w.at[i].reached && insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg &&
		    insns[i].imm == POISON)
			found = i;
	free(w.at);
	return found;
}

/* ---- a kernel that takes all but what it cannot relocate ---- */

/* What the verifier would say: libbpf puts the name of the relocation in. */
static int prog_load(const union bpf_attr *attr)
{
	int bad = check_program((const struct bpf_insn *)attr->insns, attr->insn_cnt);
	char *log = (char *)attr->log_buf;

	if (bad < 0)
		return memfd_create("program", MFD_CLOEXEC);
	if (log && attr->log_size)
		snprintf(log, attr->log_size,
			 "%d: (85) call unknown#%d\ninvalid func unknown#%d\n"
			 "processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 "
			 "peak_states 0 mark_read 0\n",
			 bad, POISON, POISON);
	errno = EINVAL;
	return -1;
}

/* A map is a file that holds what there is to know of it, also by a descriptor that was duplicated. */
static int map_create(const union bpf_attr *attr)
{
	struct bpf_map_info info = {
		.type = attr->map_type,
		.key_size = attr->key_size,
		.value_size = attr->value_size,
		.max_entries = attr->max_entries,
		.map_flags = attr->map_flags,
	};
	int fd = memfd_create("map", MFD_CLOEXEC);

	memcpy(info.name, attr->map_name, sizeof(info.name));
	if (fd >= 0 && pwrite(fd, &info, sizeof(info), 0) != sizeof(info))
		abort();
	return fd;
}

static int get_info(const union bpf_attr *attr)
{
	struct bpf_map_info info = {};
	__u32 len = attr->info.info_len < sizeof(info) ? attr->info.info_len : sizeof(info);

	if (pread(attr->info.bpf_fd, &info, sizeof(info), 0) < 0)
		return -1;
	memcpy((void *)attr->info.info, &info, len);
	return 0;
}

static int fake_bpf(int command, const union bpf_attr *attr)
{
	switch (command) {
	case BPF_PROG_LOAD: return prog_load(attr);
	case BPF_MAP_CREATE: return map_create(attr);
	case BPF_OBJ_GET_INFO_BY_FD: return get_info(attr);
	case BPF_BTF_LOAD: return memfd_create("btf", MFD_CLOEXEC);
	case BPF_BTF_GET_NEXT_ID: /* no modules */ errno = ENOENT; return -1;
	default: return 0;
	}
}

/* The linker gives us the calls of libbpf (--wrap). */
long __wrap_syscall(long nr, ...);
long __real_syscall(long nr, ...);
int __wrap_uname(struct utsname *u);

long __wrap_syscall(long nr, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr == SYS_bpf)
		return fake_bpf((int)a[0], (const union bpf_attr *)a[1]);
	return __real_syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int __wrap_uname(struct utsname *u)
{
	memset(u, 0, sizeof(*u));
	snprintf(u->sysname, sizeof(u->sysname), "Linux");
	snprintf(u->release, sizeof(u->release), "%s", release);
	return 0;
}

/* ---- what the kernel hands to a hook ---- */

static const struct btf_type *resolve(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);

	while (btf_is_mod(t) || btf_is_typedef(t))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* A pointer as "NAME *", whatever is not one as "value": arguments come in 64 bits each. */
static void print_argument(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = resolve(btf, id);

	if (!btf_is_ptr(t)) {
		printf("value");
		return;
	}
	t = t->type ? resolve(btf, t->type) : NULL;
	printf("%s *", t ? btf__name_by_offset(btf, t->name_off) : "void");
}

static const struct btf_type *prototype(const struct btf *btf, const char *section, int *first)
{
	const char *name = strchr(section, '/') + 1;
	char type[96];
	int id;

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	*first = strncmp(section, "tp_btf/", 7) == 0; /* after void *__data */
	id = *first ? btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF)
		    : btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
	if (id < 0)
		return NULL;
	return resolve(btf, *first ? resolve(btf, id)->type : btf__type_by_id(btf, id)->type);
}

static void print_prototype(const struct btf *btf, const char *section)
{
	int first = 0;
	const struct btf_type *p = strchr(section, '/') && strncmp(section, "iter", 4)
					   ? prototype(btf, section, &first)
					   : NULL;

	if (!p || !btf_is_func_proto(p)) {
		printf("-");
		return;
	}
	for (int i = first; i < btf_vlen(p); i++) {
		printf("%s", i > first ? ", " : "");
		print_argument(btf, btf_params(p)[i].type);
	}
}

/* ---- */

static void put_btf_in_place(const char *path)
{
	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(path, VMLINUX_BTF, NULL, MS_BIND, NULL)) {
		fprintf(stderr, "core: cannot put %s at " VMLINUX_BTF ": %s\n", path,
			strerror(errno));
		exit(77);
	}
}

int main(int argc, char **argv)
{
	struct loader_options lo = {.ring_bytes = 1 << 16, .trace_enter = true, .no_classic = true};
	const struct coverage *c;
	struct loader *l = NULL;
	unsigned int rows = 0;
	struct btf *btf;
	int bad = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: core BTF RELEASE\n");
		return 2;
	}
	put_btf_in_place(argv[1]);
	release = argv[2];
	log_level = LOG_DEBUG;
	memset(lo.subsystems, true, sizeof(lo.subsystems));
	memset(lo.config.events, 0xff, sizeof(lo.config.events));
	if (loader_open(&l, &lo))
		return 1;
	btf = btf__load_vmlinux_btf();
	c = loader_coverage(l, &rows);
	for (unsigned int i = 0; i < rows; i++) {
		bool loaded = !c[i].reason[0];
		bool lacking = !strncmp(c[i].reason, LACKS, strlen(LACKS));
		const char *section = c[i].hook;

		printf("%s\t%s\t%s\t", c[i].program,
		       loaded	    ? "ok"
		       : lacking    ? "lacking"
		       : c[i].spare ? "spare"
				    : "refused",
		       section);
		print_prototype(btf, section);
		printf("\n");
		bad |= !loaded && !c[i].spare && !lacking;
	}
	btf__free(btf);
	loader_close(l);
	return bad;
}
