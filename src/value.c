// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "names.h"
#include "sysargs.h"
#include "utf8.h"
#include "value.h"

/* ---- bytes ---- */

/* Bytes that stand for themselves everywhere. */
static const bool plain[256] = {
	[' ' ... '!'] = true,
	['#' ... '['] = true,
	[']' ... '~'] = true,
};

/* C0, DEL, C1, and the marks that make text on a terminal look like other text */
static bool hostile(__u32 cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x061c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x2069) || cp == 0xfeff;
}

static void escape_hex(struct buf *b, __u32 cp, unsigned int width)
{
	while (width--)
		buf_char(b, "0123456789abcdef"[cp >> 4 * width & 15]);
}

static void escape(struct buf *b, __u32 cp)
{
	static const char short_for[128] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
		['\t'] = 't', ['"'] = '"',  ['\\'] = '\\',
	};

	buf_char(b, '\\');
	if (cp < sizeof(short_for) && short_for[cp]) {
		buf_char(b, short_for[cp]);
	} else {
		buf_char(b, 'u');
		escape_hex(b, cp, 4);
	}
}

/* Runs of plain bytes go in one piece; @quotes: '"' is escaped as well. */
static void put_bytes(struct buf *b, const char *str, size_t len, bool quotes)
{
	const unsigned char *s = (const unsigned char *)str;

	for (size_t i = 0; i < len;) {
		size_t run = i, n;
		__u32 cp = 0;

		while (run < len && plain[s[run]])
			run++;
		if (run > i) {
			buf_add(b, s + i, run - i);
			i = run;
			continue;
		}
		n = utf8_decode(s + i, len - i, &cp);
		if (!n) {
			escape(b, 0xf700 + s[i++]);
			continue;
		}
		if (cp >= 0xf700 && cp < 0xf800) /* ours to escape with: so its bytes are escaped */
			for (size_t j = i; j < i + n; j++)
				escape(b, 0xf700 + s[j]);
		else if (hostile(cp) || cp == '\\' || (cp == '"' && quotes))
			escape(b, cp);
		else
			buf_add(b, s + i, n);
		i += n;
	}
}

void value_json_bytes(struct buf *b, const char *s, size_t len)
{
	put_bytes(b, s, len, true);
}

void value_bytes(struct buf *b, const char *s, size_t len, enum value_form form)
{
	if (form == FORM_JSON)
		buf_char(b, '"');
	put_bytes(b, s, len, form == FORM_JSON);
	if (form == FORM_JSON)
		buf_char(b, '"');
}

/* ---- words of a command line ---- */

enum quoting { QUOTE_NONE, QUOTE_SINGLE, QUOTE_DOLLAR };

static enum quoting quoting(const unsigned char *s, size_t len)
{
	enum quoting q = len ? QUOTE_NONE : QUOTE_SINGLE;

	for (size_t i = 0, n; i < len; i += n) {
		__u32 cp = 0;

		n = utf8_decode(s + i, len - i, &cp);
		if (!n || hostile(cp))
			return QUOTE_DOLLAR;
		if (cp >= 0x80 || !cp ||
		    !strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,",
			    (int)cp))
			q = QUOTE_SINGLE;
	}
	return q;
}

/* Between $' and ': what bash and ksh read back byte for byte. */
static void dollar_quoted(struct buf *b, const unsigned char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		__u32 cp = 0;

		n = utf8_decode(s + i, len - i, &cp);
		if (n && (cp == '\'' || cp == '\\')) {
			buf_char(b, '\\');
			buf_char(b, (char)cp);
		} else if (n && !hostile(cp)) {
			buf_add(b, s + i, n);
		} else if (n && cp >= 0x80) {
			buf_add(b, "\\u", 2);
			escape_hex(b, cp, 4);
		} else {
			buf_add(b, "\\x", 2);
			escape_hex(b, s[i], 2);
			n = 1;
		}
	}
}

void value_word(struct buf *b, const char *s, size_t len, enum value_form form)
{
	enum quoting q = form == FORM_JSON ? QUOTE_NONE : quoting((const unsigned char *)s, len);

	if (form == FORM_JSON) {
		value_bytes(b, s, len, form);
		return;
	}
	if (q == QUOTE_NONE) {
		buf_add(b, s, len);
		return;
	}
	buf_str(b, q == QUOTE_DOLLAR ? "$'" : "'");
	if (q == QUOTE_DOLLAR) {
		dollar_quoted(b, (const unsigned char *)s, len);
	} else {
		for (size_t i = 0; i < len; i++)
			if (s[i] == '\'')
				buf_str(b, "'\\''");
			else
				buf_char(b, s[i]);
	}
	buf_char(b, '\'');
}

/* ---- numbers ---- */

static void quote(struct buf *b, enum value_form form)
{
	if (form == FORM_JSON)
		buf_char(b, '"');
}

static bool quoted(struct buf *b, enum value_form form, const char *s)
{
	quote(b, form);
	buf_str(b, s);
	quote(b, form);
	return true;
}

#define FORMATTER(name)                                                                            \
	static bool name(struct buf *b, const struct record *r, const struct field_desc *f,        \
			 enum value_form form)
#define UNUSED(x) (void)(x)

FORMATTER(fmt_unsigned)
{
	UNUSED(form);
	buf_u64(b, record_number(r->hdr, f));
	return true;
}

FORMATTER(fmt_signed)
{
	UNUSED(form);
	buf_i64(b, (__s64)record_number(r->hdr, f));
	return true;
}

/* A process, device, inode … that is not there. */
FORMATTER(fmt_nonzero)
{
	UNUSED(form);
	if (!record_number(r->hdr, f))
		return false;
	buf_u64(b, record_number(r->hdr, f));
	return true;
}

FORMATTER(fmt_boolean)
{
	bool v = record_number(r->hdr, f);

	buf_str(b, form == FORM_TEXT ? (v ? "yes" : "no") : (v ? "true" : "false"));
	return true;
}

/* 1536 -> 1.5K, and so on: for people, who need three digits. */
static void scaled(struct buf *b, __u64 v, unsigned int step, const char *const *units)
{
	double x = v;

	while (x >= step && units[1]) {
		x /= step;
		units++;
	}
	buf_printf(b, x < 10 && x != (__u64)x ? "%.1f%s" : "%.0f%s", x, *units);
}

FORMATTER(fmt_bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", NULL};

	if (form != FORM_TEXT)
		return fmt_unsigned(b, r, f, form);
	scaled(b, record_number(r->hdr, f), 1024, units);
	return true;
}

FORMATTER(fmt_ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s", NULL};

	if (form != FORM_TEXT)
		return fmt_unsigned(b, r, f, form);
	scaled(b, record_number(r->hdr, f), 1000, units);
	return true;
}

/* The date of a day since the epoch, proleptic Gregorian: years begin in March, so that leap days end them. */
static void put_date(struct buf *b, __u64 day)
{
	unsigned int z = (unsigned int)day + 719468; /* from 0000-03-01 */
	unsigned int era = z / 146097, doe = z % 146097; /* of 400 years */
	unsigned int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
	unsigned int month = m < 10 ? m + 3 : m - 9;

	buf_digits(b, yoe + era * 400 + (month <= 2), 10, 4);
	buf_char(b, '-');
	buf_digits(b, month, 10, 2);
	buf_char(b, '-');
	buf_digits(b, doy - (153 * m + 2) / 5 + 1, 10, 2);
}

static void put_clock(struct buf *b, unsigned int s)
{
	buf_digits(b, s / 3600, 10, 2);
	buf_char(b, ':');
	buf_digits(b, s / 60 % 60, 10, 2);
	buf_char(b, ':');
	buf_digits(b, s % 60, 10, 2);
	buf_char(b, '.');
}

#define SECOND_LEN (sizeof("2026-11-25T00:00:00.") - 1)

/* "2026-11-25T00:00:00.": neighbours in a stream share the second, and the calendar is what costs. */
static void put_second(struct buf *b, __u64 s)
{
	static _Thread_local struct {
		__u64 second;
		char text[SECOND_LEN];
	} last;
	size_t begin = b->len;

	if (last.text[0] && last.second == s) {
		buf_add(b, last.text, SECOND_LEN);
		return;
	}
	put_date(b, s / 86400);
	buf_char(b, 'T');
	put_clock(b, s % 86400);
	if (b->err || b->len - begin != SECOND_LEN)
		return;
	memcpy(last.text, b->data + begin, SECOND_LEN);
	last.second = s;
}

bool value_time(struct buf *b, __u64 wall, enum value_form form)
{
	time_t s = (time_t)(wall / 1000000000);
	struct tm tm;

	if (form == FORM_TEXT) {
		if (!localtime_r(&s, &tm))
			return false;
		put_clock(b, tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec);
		buf_digits(b, wall % 1000000000 / 1000000, 10, 3);
		return true;
	}
	quote(b, form);
	put_second(b, wall / 1000000000);
	buf_digits(b, wall % 1000000000, 10, 9);
	buf_char(b, 'Z');
	quote(b, form);
	return true;
}

FORMATTER(fmt_time)
{
	__u64 v = record_number(r->hdr, f);

	return v && value_time(b, v + (__u64)r->boot_to_wall, form);
}

/* What has no name is shown as its type and number: "errno_530", "fstype_7". */
static bool named(struct buf *b, enum value_form form, const char *name, const char *type, __u64 v)
{
	quote(b, form);
	if (name) {
		buf_str(b, name);
	} else {
		buf_str(b, type);
		buf_char(b, '_');
		buf_u64(b, v);
	}
	quote(b, form);
	return true;
}

FORMATTER(fmt_err)
{
	__s64 err = (__s64)record_number(r->hdr, f);

	return err && named(b, form, name_errno((int)err), "errno", err < 0 ? -err : err);
}

FORMATTER(fmt_mode)
{
	quote(b, form);
	buf_digits(b, record_number(r->hdr, f), 8, 4);
	quote(b, form);
	return true;
}

/* The kernel's own dev_t: 12 bits major, 20 bits minor (include/linux/kdev_t.h). */
FORMATTER(fmt_dev)
{
	__u64 v = record_number(r->hdr, f);

	if (!v)
		return false;
	quote(b, form);
	buf_u64(b, v >> 20);
	buf_char(b, ':');
	buf_u64(b, v & 0xfffff);
	quote(b, form);
	return true;
}

FORMATTER(fmt_hex)
{
	quote(b, form);
	buf_hex(b, record_number(r->hdr, f));
	quote(b, form);
	return true;
}

/* ---- strings ---- */

static struct ev_ref ref_of(const struct record *r, const struct field_desc *f)
{
	struct ev_ref ref;

	memcpy(&ref, (const char *)r->hdr + f->offset, sizeof(ref));
	return ref;
}

FORMATTER(fmt_str)
{
	size_t len;
	const char *s = record_bytes(r->hdr, ref_of(r, f), &len);

	if (s)
		value_bytes(b, s, len, form);
	return s;
}

FORMATTER(fmt_strv)
{
	size_t len;
	const char *s = record_bytes(r->hdr, ref_of(r, f), &len), *end;

	if (!s)
		return false;
	end = s + len;
	if (form == FORM_JSON)
		buf_char(b, '[');
	for (bool first = true; s < end; first = false) {
		size_t n = strnlen(s, end - s);

		if (!first)
			buf_char(b, form == FORM_JSON ? ',' : ' ');
		value_word(b, s, n, form);
		s += n + 1;
	}
	if (form == FORM_JSON)
		buf_char(b, ']');
	return true;
}

FORMATTER(fmt_addr)
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
	const unsigned char *a = (const unsigned char *)r->hdr + f->offset;
	char out[INET6_ADDRSTRLEN];

	if (!memcmp(a, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, a + 12, out, sizeof(out));
	else
		inet_ntop(AF_INET6, a, out, sizeof(out));
	return quoted(b, form, out);
}

/* ---- sets ---- */

struct list {
	struct buf *b;
	enum value_form form;
	bool any;
};

static void list_begin(struct list *l)
{
	if (l->form == FORM_JSON)
		buf_char(l->b, '[');
}

static void list_add(struct list *l, const char *name)
{
	if (l->any)
		buf_char(l->b, l->form == FORM_JSON ? ',' : '|');
	quoted(l->b, l->form, name);
	l->any = true;
}

static bool list_end(struct list *l)
{
	if (l->form == FORM_JSON)
		buf_char(l->b, ']');
	else if (!l->any)
		buf_char(l->b, '-');
	return true;
}

FORMATTER(fmt_caps)
{
	struct list l = {b, form, false};
	__u64 v = record_number(r->hdr, f);

	list_begin(&l);
	for (unsigned int i = 0; i < 64; i++) {
		char number[16];

		if (!(v >> i & 1))
			continue;
		snprintf(number, sizeof(number), "CAP_%u", i);
		list_add(&l, name_capability(i) ? name_capability(i) : number);
	}
	return list_end(&l);
}

FORMATTER(fmt_flags)
{
	const struct flag_name *table = flag_names(f->type);
	struct list l = {b, form, false};
	__u64 rest = record_number(r->hdr, f);
	const char *name;

	list_begin(&l);
	while ((name = flag_take(&table, &rest)))
		list_add(&l, name);
	if (rest) {
		char number[24];

		snprintf(number, sizeof(number), "0x%llx", rest);
		list_add(&l, number);
	}
	return list_end(&l);
}

FORMATTER(fmt_enum)
{
	__u64 v = record_number(r->hdr, f);

	return named(b, form, name_enum(f->type, v), type_descs[f->type].name, v);
}

/* For types in which 0 says that there is nothing: no signal, no file system, an ordinary path. */
FORMATTER(fmt_enum_unless_0)
{
	return record_number(r->hdr, f) && fmt_enum(b, r, f, form);
}

FORMATTER(fmt_flags_unless_0)
{
	return record_number(r->hdr, f) && fmt_flags(b, r, f, form);
}

FORMATTER(fmt_sysnr)
{
	__u32 v = record_number(r->hdr, f);

	if (v == (__u32)-1)
		return false;
	quote(b, form);
	value_syscall(b, v);
	quote(b, form);
	return true;
}

void value_syscall(struct buf *b, __u32 sysnr)
{
	const char *name = name_syscall(sysnr);

	buf_str(b, name_abi(sysnr >> 16));
	if (name)
		buf_str(b, name);
	else
		buf_printf(b, "syscall_%u", sysnr & 0xffff);
}

FORMATTER(fmt_sysargs)
{
	struct ev_sysargs a;

	memcpy(&a, (const char *)r->hdr + f->offset, sizeof(a));
	sysargs_format(b, r->hdr, &a, form == FORM_JSON);
	return true;
}

/* ---- the table ---- */

static bool (*const formatters[FT__MAX])(struct buf *b, const struct record *r,
					 const struct field_desc *f, enum value_form form) = {
	[FT_u32] = fmt_unsigned,
	[FT_u64] = fmt_unsigned,
	[FT_i32] = fmt_signed,
	[FT_i64] = fmt_signed,
	[FT_boolean] = fmt_boolean,
	[FT_count] = fmt_unsigned,
	[FT_bytes] = fmt_bytes,
	[FT_ns] = fmt_ns,
	[FT_time] = fmt_time,
	[FT_pid] = fmt_nonzero,
	[FT_id] = fmt_nonzero,
	[FT_ino] = fmt_nonzero,
	[FT_uid] = fmt_unsigned,
	[FT_gid] = fmt_unsigned,
	[FT_err] = fmt_err,
	[FT_mode] = fmt_mode,
	[FT_dev] = fmt_dev,
	[FT_hex] = fmt_hex,
	[FT_str] = fmt_str,
	[FT_path] = fmt_str,
	[FT_strv] = fmt_strv,
	[FT_addr] = fmt_addr,
	[FT_port] = fmt_unsigned,
	[FT_caps] = fmt_caps,
	[FT_sysargs] = fmt_sysargs,
	[FT_sysnr] = fmt_sysnr,
	[FT_sig] = fmt_enum_unless_0,
	[FT_sigcode] = fmt_enum,
	[FT_fstype] = fmt_enum_unless_0,
	[FT_family] = fmt_enum,
	[FT_filekind] = fmt_enum,
	[FT_ipckind] = fmt_enum,
	[FT_ptracereq] = fmt_enum,
	[FT_sysvop] = fmt_enum,
	[FT_seccomp] = fmt_enum,
	[FT_cap] = fmt_enum,
	[FT_capns] = fmt_enum,
	[FT_uringop] = fmt_enum,
	[FT_oflags] = fmt_flags,
	[FT_cloneflags] = fmt_flags,
	[FT_mntflags] = fmt_flags,
	[FT_exeflags] = fmt_flags,
	[FT_pathflags] = fmt_flags_unless_0,
};

_Static_assert(FT_pathflags == FT__MAX - 1, "a new type needs its formatter here");

bool value_format(struct buf *b, const struct record *r, const struct field_desc *f,
		  enum value_form form)
{
	return formatters[f->type](b, r, f, form);
}
