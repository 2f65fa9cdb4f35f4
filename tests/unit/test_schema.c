// SPDX-License-Identifier: MIT
/* What the declarations must keep to, so that everything derived from them works. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include "columns.h"
#include "events_doc.h"
#include "../../src/names.h" /* include/ has one of that name, too */
#include "records.h"

static void fields_lie_in_their_struct_without_overlap(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		const struct event_desc *d = &event_descs[t];
		size_t end = sizeof(struct ev_hdr);

		assert_non_null(d->name);
		assert_true(d->nr_fields > 0 && d->size <= EV_MAX_LEN);
		for (unsigned int i = 0; i < d->nr_fields; i++) {
			assert_true(d->fields[i].offset >= end);
			end = d->fields[i].offset + type_descs[d->fields[i].type].size;
		}
		assert_true(end <= d->size && d->size < end + 8);
	}
}

static void offsets_are_the_compilers(void **state)
{
	(void)state;
	assert_int_equal(field_of(EV_file_open, "err")->offset, offsetof(struct ev_file_open, err));
	assert_int_equal(field_of(EV_process_exec, "argv")->offset,
			 offsetof(struct ev_process_exec, argv));
	assert_int_equal(event_descs[EV_tcp_close].size, sizeof(struct ev_tcp_close));
	assert_true(event_descs[EV_file_io].counter && !event_descs[EV_file_open].counter);
	assert_int_equal(field_of(EV_file_io, "reads")->role, ROLE_SUM);
	assert_int_equal(field_of(EV_syscall_calls, "longest")->role, ROLE_MAX);
	assert_null(field_of(EV_file_open, "file")->key);
}

/* JSON nests keys: none may be a value and an object at once, and none may come twice. */
static void keys_nest(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++) {
		const struct columns *cols = columns_of(t);

		assert_true(cols->nr > 10);
		for (unsigned int i = 0; i < cols->nr; i++) {
			const char *a = cols->col[i].key;

			assert_true(strspn(a, "abcdefghijklmnopqrstuvwxyz_.") == strlen(a));
			for (unsigned int j = 0; j < cols->nr; j++) {
				const char *b = cols->col[j].key;

				if (i != j && !strncmp(a, b, strlen(a)) &&
				    (b[strlen(a)] == '.' || !b[strlen(a)]))
					fail_msg("%s: %s and %s", event_descs[t].name, a, b);
			}
		}
	}
}

/* The same key means the same type wherever it stands: who reads one event can read all. */
static void a_key_has_one_type(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++)
		for (int u = 0; u < t; u++)
			for (unsigned int i = 0; i < event_descs[t].nr_fields; i++) {
				const struct field_desc *f = &event_descs[t].fields[i], *g;

				g = f->key ? field_by_key(&event_descs[u], f->key) : NULL;
				if (g && g->type != f->type &&
				    type_descs[g->type].size != type_descs[f->type].size)
					fail_msg("%s is %s in %s and %s in %s", f->key,
						 type_descs[f->type].name, event_descs[t].name,
						 type_descs[g->type].name, event_descs[u].name);
			}
}

static void events_are_found_by_name(void **state)
{
	(void)state;
	for (int t = 0; t < EV__MAX; t++)
		assert_int_equal(event_by_name(event_descs[t].name), t);
	assert_int_equal(event_by_name("file"), -1);
	assert_int_equal(event_by_name(""), -1);
	assert_string_equal(event_nearest("file.opne"), "file.open");
	assert_string_equal(event_nearest("proces"), "process");
	assert_non_null(event_nearest(""));
	assert_non_null(event_nearest(
		"a name that is longer than every name of an event and longer than the table too"));
	assert_ptr_equal(field_by_key(&event_descs[EV_file_open], "file.path"),
			 field_of(EV_file_open, "path"));
	assert_null(field_by_key(&event_descs[EV_file_open], "file"));
}

static void numbers_have_names(void **state)
{
	(void)state;
	assert_string_equal(name_errno(2), "ENOENT");
	assert_string_equal(name_errno(-2), "ENOENT");
	assert_null(name_errno(4095));
	assert_null(name_errno(INT32_MIN));
	assert_string_equal(name_signal(15), "SIGTERM");
	assert_null(name_signal(0));
	assert_null(name_signal(1000));
	assert_string_equal(name_capability(21), "CAP_SYS_ADMIN");
	assert_string_equal(name_capability(40), "CAP_CHECKPOINT_RESTORE");
	assert_null(name_capability(41));
	assert_string_equal(name_enum(FT_fstype, 0x794c7630), "overlay");
	assert_string_equal(name_enum(FT_sigcode, EV_SIGCODE(17, 1)), "CLD_EXITED");
	assert_string_equal(name_enum(FT_sigcode, (__u32)-6), "SI_TKILL");
	assert_string_equal(name_enum(FT_filekind, FILEKIND_FIFO), "fifo");
	assert_null(name_enum(FT_u32, 0));
}

static void system_calls_have_names(void **state)
{
	(void)state;
	assert_string_equal(name_syscall(syscall_number(EV_ABI_NATIVE, "openat")), "openat");
	assert_int_equal(syscall_number(EV_ABI_NATIVE, "mseal"), 462);
	assert_string_equal(name_syscall(469), "file_setattr");
	assert_string_equal(name_syscall(469), "file_setattr"); /* from the cache */
	assert_int_equal(syscall_number(EV_ABI_NATIVE, "no_such_call"), -1);
	assert_int_equal(syscall_number(7, "openat"), -1);
	assert_null(name_syscall(999));
	assert_null(name_syscall(0xffffffff));
#ifdef __x86_64__
	assert_string_equal(name_syscall(EV_SYSNR(EV_ABI_NATIVE, 257)), "openat");
	assert_string_equal(name_syscall(EV_SYSNR(EV_ABI_COMPAT, 295)), "openat");
	assert_string_equal(name_syscall(EV_SYSNR(EV_ABI_X32, 257)), "openat");
	assert_string_equal(name_syscall(EV_SYSNR(EV_ABI_COMPAT, 102)), "socketcall");
	assert_int_equal(syscall_number(EV_ABI_COMPAT, "openat"), 295);
	assert_int_equal(syscall_number(EV_ABI_X32, "openat"), 257);
#endif
}

/* A flag may not hide behind one that stands before it, and every name is taken at most once. */
static void flags_come_apart(void **state)
{
	(void)state;
	for (int t = 0; t < FT__MAX; t++)
		for (const struct flag_name *n = flag_names(t); n->name; n++) {
			const struct flag_name *table = flag_names(t);
			__u64 rest = n->value;
			const char *name = NULL;

			assert_true((n->value & ~n->mask) == 0);
			/* access modes and the exit signal share a mask: the value 0 of one comes with all others */
			while ((name = flag_take(&table, &rest)))
				if (!strcmp(name, n->name))
					break;
			assert_non_null(name);
		}
}

static void documents_name_everything(void **state)
{
	struct buf b = {};
	cJSON *json;

	(void)state;
	events_doc_markdown(&b);
	for (int t = 0; t < EV__MAX; t++) {
		assert_non_null(strstr(b.data, event_descs[t].name));
		for (unsigned int i = 0; i < event_descs[t].nr_fields; i++)
			if (event_descs[t].fields[i].key)
				assert_non_null(strstr(b.data, event_descs[t].fields[i].key));
	}
	buf_reset(&b);
	events_list(&b, true);
	json = cJSON_Parse(b.data);
	assert_int_equal(cJSON_GetArraySize(json), EV__MAX);
	cJSON_Delete(json);
	buf_reset(&b);
	events_list(&b, false);
	assert_non_null(strstr(b.data, "tcp.connect"));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_lie_in_their_struct_without_overlap),
		cmocka_unit_test(offsets_are_the_compilers),
		cmocka_unit_test(keys_nest),
		cmocka_unit_test(a_key_has_one_type),
		cmocka_unit_test(events_are_found_by_name),
		cmocka_unit_test(numbers_have_names),
		cmocka_unit_test(system_calls_have_names),
		cmocka_unit_test(flags_come_apart),
		cmocka_unit_test(documents_name_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
