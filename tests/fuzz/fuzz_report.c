// SPDX-License-Identifier: MIT
/*
 * Any bytes as a report that is read back, by recommend, diff and check: what is taken makes JSON that is
 * whole, and text in which nothing can steer a terminal.
 */
#include <errno.h>
#include "advise_render.h"
#include "fuzz.h"
#include "report/report.h"

struct text {
	FILE *f;
	char *s;
	size_t len;
};

static FILE *begin(struct text *t)
{
	t->f = open_memstream(&t->s, &t->len);
	check(t->f != NULL);
	return t->f;
}

static void end_json(struct text *t)
{
	check(!fclose(t->f));
	while (t->len && t->s[t->len - 1] == '\n')
		t->len--;
	cJSON_Delete(parse_json(t->s, t->len));
	free(t->s);
}

static void end_lines(struct text *t)
{
	check(!fclose(t->f));
	for (char *tab = t->s; (tab = strchr(tab, '\t'));)
		*tab = ' ';
	for (char *line = t->s, *end; (end = strchr(line, '\n')); line = end + 1)
		check(harmless(line, end - line));
	free(t->s);
}

/* Looking up the names of calls is slow under sanitizers: one form each time. */
static void advise(const struct advice *a, size_t choice)
{
	static const char *const runtimes[] = {NULL, "runc", "crun"};
	static void (*const forms[])(FILE * out, const struct advice *a,
				     const struct advice_form *f) = {
		advice_seccomp_explain, advice_docker,	 advice_compose,
		advice_kubernetes,	advice_apparmor,
	};
	struct advice_form form = {
		.base.runtime = runtimes[choice % 3],
		.action = (enum advice_action)(choice % 3),
		.args = choice & 1,
	};
	struct text t;

	if (choice & 2) {
		advice_seccomp(begin(&t), a, &form);
		end_json(&t);
	} else {
		forms[choice / 4 % (sizeof(forms) / sizeof(forms[0]))](begin(&t), a, &form);
		end_lines(&t);
	}
	advice_capabilities(begin(&t), a, CAPS_JSON);
	end_json(&t);
	advice_warn(begin(&t), a, "");
	end_lines(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *doc = cJSON_ParseWithLength((const char *)data, size);
	struct advice *a;
	struct text t;
	int err;

	if (!doc)
		return 0;
	a = advice_new();
	check(a != NULL);
	/* the same one twice, as two runs */
	err = advice_add(a, doc);
	check(err == 0 || err == -EINVAL);
	check(advice_add(a, doc) == err && a->reports == (err ? 0 : 2));
	if (!err)
		advise(a, size);
	report_text(begin(&t), doc, 1 + size % 200);
	end_lines(&t);
	advice_free(a);
	cJSON_Delete(doc);
	return 0;
}
