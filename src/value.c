// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "names.h"
#include "sysargs.h"
#include "value.h"

/* ---- bytes ---- */

/* Length of the valid UTF-8 sequence at @s (RFC 3629), or 0; *cp gets the code point. */
static size_t utf8(const unsigned char *s, size_t len, __u32 *cp)
{
	static const struct { unsigned char mask, lead; __u32 least; } forms[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000},
	};

	for (size_t n = 0; n < 4; n++) {
		if ((s[0] & forms[n].mask) != forms[n].lead)
			continue;
		if (n >= len)
			return 0;
		*cp = s[0] & ~forms[n].mask;
		for (size_t i = 1; i <= n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return 0;
			*cp = *cp << 6 | (s[i] & 0x3f);
		}
		if (*cp < forms[n].least || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
			return 0;
		return n + 1;
	}
	return 0;
}

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escape(struct buf *b, __u32 cp)
{
	static const char short_for[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	const char *s = cp < 0x80 && cp ? strchr(short_for, (int)cp) : NULL;

	if (s && (s - short_for) % 2 == 0)
		buf_printf(b, "\\%c", s[1]);
	else
		buf_printf(b, "\\u%04x", cp);
}

void value_json_bytes(struct buf *b, const char *str, size_t len)
{
	const unsigned char *s = (const unsigned char *)str;

	for (size_t i = 0; i < len;) {
		size_t run = i, n;
		__u32 cp = 0;

		while (run < len && plain(s[run]))
			run++;
		if (run > i) {
			buf_add(b, s + i, run - i);
			i = run;
			continue;
		}
		n = utf8(s + i, len - i, &cp);
		if (!n) {
			escape(b, 0xf700 + s[i++]);
		} else if (cp >= 0xf700 && cp < 0xf800) {	/* ours to escape with: so its bytes are escaped */
			for (size_t end = i + n; i < end; i++)
				escape(b, 0xf700 + s[i]);
		} else {
			/* C0, DEL, C1, and the direction marks that make text lie on a terminal */
			if (cp < 0xa0 || (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
			    (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff)
				escape(b, cp);
			else
				buf_add(b, s + i, n);
			i += n;
		}
	}
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

#define FORMATTER(name) \
	static bool name(struct buf *b, const struct record *r, const struct field_desc *f, enum value_form form)
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

bool value_time(struct buf *b, __u64 wall, enum value_form form)
{
	time_t s = wall / 1000000000;
	struct tm tm;

	if (form == FORM_TEXT) {
		if (!localtime_r(&s, &tm))
			return false;
		buf_printf(b, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
			   (unsigned int)(wall % 1000000000 / 1000000));
		return true;
	}
	if (!gmtime_r(&s, &tm))
		return false;
	quote(b, form);
	buf_printf(b, "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec, (unsigned int)(wall % 1000000000));
	quote(b, form);
	return true;
}

FORMATTER(fmt_time)
{
	return value_time(b, record_number(r->hdr, f) + r->boot_to_wall, form);
}

FORMATTER(fmt_err)
{
	int err = (int)record_number(r->hdr, f);
	const char *name = err ? name_errno(err) : NULL;
	char number[24];

	if (!err)
		return false;
	snprintf(number, sizeof(number), "errno_%d", err < 0 && err > -4096 ? -err : err);
	return quoted(b, form, name ? name : number);
}

FORMATTER(fmt_mode)
{
	quote(b, form);
	buf_printf(b, "%04llo", record_number(r->hdr, f) & 07777);
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
	buf_printf(b, "%llu:%llu", v >> 20, v & 0xfffff);
	quote(b, form);
	return true;
}

FORMATTER(fmt_hex)
{
	quote(b, form);
	buf_printf(b, "0x%llx", record_number(r->hdr, f));
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

	if (!s)
		return false;
	quote(b, form);
	value_json_bytes(b, s, len);
	quote(b, form);
	return true;
}

/* Would a shell take the word apart, or change it? */
static bool needs_quotes(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,", s[i]))
			return true;
	return !len;
}

static void word(struct buf *b, const char *s, size_t len, enum value_form form)
{
	bool quotes = form != FORM_JSON && needs_quotes(s, len);

	if (quotes)
		buf_char(b, '\'');
	quote(b, form);
	value_json_bytes(b, s, len);
	quote(b, form);
	if (quotes)
		buf_char(b, '\'');
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
		word(b, s, n, form);
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
		snprintf(number, sizeof(number), "cap_%u", i);
		list_add(&l, name_capability(i) ? name_capability(i) : number);
	}
	return list_end(&l);
}

FORMATTER(fmt_flags)
{
	const struct flag_name *n = flag_names(f->type);
	struct list l = {b, form, false};
	__u64 v = record_number(r->hdr, f), rest = v;

	list_begin(&l);
	for (; n->name; n++)
		if ((v & n->mask) == n->value && ((rest & n->value) || !n->value)) {
			list_add(&l, n->name);
			rest &= ~n->value;
		}
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
	const char *name = name_enum(f->type, v);
	char number[48];

	snprintf(number, sizeof(number), "%s_%llu", type_descs[f->type].name, v);
	return quoted(b, form, name ? name : number);
}

FORMATTER(fmt_sig)
{
	return record_number(r->hdr, f) && fmt_enum(b, r, f, form);
}

FORMATTER(fmt_fstype)
{
	return record_number(r->hdr, f) && fmt_enum(b, r, f, form);
}

FORMATTER(fmt_sysnr)
{
	__u32 v = record_number(r->hdr, f);

	quote(b, form);
	value_syscall(b, v);
	quote(b, form);
	return true;
}

void value_syscall(struct buf *b, __u32 sysnr)
{
	const char *name = name_syscall(sysnr);

	if (sysnr >> 16 == EV_ABI_COMPAT)
		buf_str(b, "compat:");
	else if (sysnr >> 16 == EV_ABI_X32)
		buf_str(b, "x32:");
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

static bool (*const formatters[FT__MAX])(struct buf *b, const struct record *r, const struct field_desc *f,
					 enum value_form form) = {
	[FT_u32] = fmt_unsigned, [FT_u64] = fmt_unsigned, [FT_i32] = fmt_signed, [FT_i64] = fmt_signed,
	[FT_boolean] = fmt_boolean, [FT_count] = fmt_unsigned, [FT_bytes] = fmt_bytes, [FT_ns] = fmt_ns,
	[FT_time] = fmt_time, [FT_pid] = fmt_nonzero, [FT_id] = fmt_nonzero, [FT_ino] = fmt_nonzero, [FT_uid] = fmt_unsigned, [FT_gid] = fmt_unsigned,
	[FT_err] = fmt_err, [FT_mode] = fmt_mode, [FT_dev] = fmt_dev, [FT_hex] = fmt_hex,
	[FT_str] = fmt_str, [FT_path] = fmt_str, [FT_strv] = fmt_strv, [FT_addr] = fmt_addr,
	[FT_port] = fmt_unsigned, [FT_caps] = fmt_caps, [FT_sysargs] = fmt_sysargs, [FT_sysnr] = fmt_sysnr,
	[FT_sig] = fmt_sig, [FT_sigcode] = fmt_enum, [FT_fstype] = fmt_fstype, [FT_family] = fmt_enum,
	[FT_filekind] = fmt_enum, [FT_ipckind] = fmt_enum, [FT_ptracereq] = fmt_enum, [FT_sysvop] = fmt_enum,
	[FT_seccomp] = fmt_enum, [FT_oflags] = fmt_flags, [FT_cloneflags] = fmt_flags,
	[FT_mntflags] = fmt_flags, [FT_exeflags] = fmt_flags, [FT_pathflags] = fmt_flags,
};

bool value_format(struct buf *b, const struct record *r, const struct field_desc *f, enum value_form form)
{
	return formatters[f->type](b, r, f, form);
}
