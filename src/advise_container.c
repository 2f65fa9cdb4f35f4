// SPDX-License-Identifier: MIT
/* All advice together: for docker run, for a compose file, for Kubernetes. */
#include <stdlib.h>
#include <string.h>
#include "advise_places.h"
#include "advise_render.h"
#include "../src/names.h" /* not include/names.h, which the search path has first */

/* What all three say, each in its own words. */
struct whole {
	const struct advice *a;
	struct places *places;
	char name[64], profile[4096];
	const char *image;
	char user[64]; /* "" when it ran as root */
	bool no_new_privs, capable;
};

static bool whole_make(struct whole *w, const struct advice *a, const struct advice_form *f)
{
	const struct fact_set *users = &a->facts.sets[FACT_USERS];

	*w = (struct whole){.a = a, .places = places_of(&a->facts), .no_new_privs = true};
	advice_name(w->name, sizeof(w->name), a);
	advice_profile_name(w->profile, sizeof(w->profile), a, f);
	w->image = a->facts.image[0] ? a->facts.image : "IMAGE";
	if (users->nr == 1 && strncmp(users->v[0].key, "0:", 2) != 0)
		snprintf(w->user, sizeof(w->user), "%s", users->v[0].key);
	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		w->capable |= a->needed[i].runs != 0;
	/* rights that a file gave, which no_new_privs would take */
	if (a->facts.gained || (*w->user && w->capable))
		w->no_new_privs = false;
	return w->places != NULL;
}

static void comments(FILE *out, const struct whole *w)
{
	advice_warn(out, w->a, "# warning: ");
	fprintf(out, "# the profile: ebpfmon recommend seccomp REPORT... > ");
	advice_shell(out, w->profile);
	fprintf(out, "\n");
	if (!*w->user)
		fprintf(out, "# some of it ran as root: no user is advised\n");
	if (!w->no_new_privs)
		fprintf(out,
			"# a program gained rights by its file (setuid or capabilities): without no-new-privileges\n");
	if (w->places->root_writable)
		fprintf(out,
			"# it wrote to / itself, or to too many places: its root cannot be read-only\n");
}

/* "tcp 10.0.0.1 443", of our own making, taken apart. */
struct end {
	bool udp, ipv6, loopback;
	char address[64];
	unsigned int port;
};

static bool end_parse(struct end *e, const char *key)
{
	char protocol[8];

	*e = (struct end){};
	if (sscanf(key, "%7s %63s %u", protocol, e->address, &e->port) != 3)
		return false;
	e->udp = !strcmp(protocol, "udp");
	e->ipv6 = strchr(e->address, ':') != NULL;
	e->loopback = !strncmp(e->address, "127.", 4) || !strcmp(e->address, "::1");
	return true;
}

/* The ports it can be reached at, each once; they are in the order of the set. */
static bool next_port(const struct whole *w, size_t *i, struct end *e)
{
	const struct fact_set *s = &w->a->facts.sets[FACT_LISTENERS];
	struct end before;

	for (; *i < s->nr; ++*i) {
		bool known = false;

		if (!end_parse(e, s->v[*i].key) || e->loopback || !e->port)
			continue;
		for (size_t k = 0; k < *i && !known; k++)
			known = end_parse(&before, s->v[k].key) && !before.loopback &&
				before.udp == e->udp && before.port == e->port;
		if (!known) {
			++*i;
			return true;
		}
	}
	return false;
}

static void volume_name(char *out, size_t size, const struct whole *w, const struct place *p)
{
	char own[64];

	if (p->configured && p->kind == PLACE_VOLUME) {
		snprintf(out, size, "%s", p->source);
		return;
	}
	advice_label(own, sizeof(own), p->path);
	snprintf(out, size, "%.80s-%s", w->name, own);
}

/* ---- docker run ---- */

static void docker_place(FILE *out, const struct whole *w, const struct place *p)
{
	char word[9000], name[4200];

	if (p->kind == PLACE_TMPFS) {
		fprintf(out, " \\\n\t--tmpfs ");
		advice_shell(out, p->path);
		return;
	}
	volume_name(name, sizeof(name), w, p);
	snprintf(word, sizeof(word), "%s:%s%s", p->kind == PLACE_BIND ? p->source : name, p->path,
		 p->writable ? "" : ":ro");
	fprintf(out, " \\\n\t-v ");
	advice_shell(out, word);
}

void advice_docker(FILE *out, const struct advice *a, const struct advice_form *f)
{
	struct whole w;
	struct end e;
	size_t port = 0;

	if (whole_make(&w, a, f)) {
		comments(out, &w);
		fprintf(out, "docker run --name %s \\\n\t--security-opt seccomp=", w.name);
		advice_shell(out, w.profile);
		if (w.no_new_privs)
			fprintf(out, " \\\n\t--security-opt no-new-privileges");
		fprintf(out, " \\\n\t");
		advice_capability_flags(out, a);
		if (*w.user)
			fprintf(out, " \\\n\t--user %s", w.user);
		if (!w.places->root_writable)
			fprintf(out, " \\\n\t--read-only");
		for (unsigned int i = 0; i < w.places->nr; i++)
			docker_place(out, &w, &w.places->v[i]);
		while (next_port(&w, &port, &e))
			fprintf(out, " \\\n\t-p %u:%u%s", e.port, e.port, e.udp ? "/udp" : "");
		fprintf(out, " \\\n\t");
		advice_shell(out, w.image);
		fprintf(out, "\n");
	}
	free(w.places);
}

/* ---- YAML ---- */

static void yaml_string(FILE *out, const char *before, const char *s)
{
	fputs(before, out);
	advice_yaml(out, s);
	fputc('\n', out);
}

static bool has_port(const struct whole *w)
{
	struct end e;
	size_t i = 0;

	return next_port(w, &i, &e);
}

static bool has_place(const struct whole *w, bool tmpfs)
{
	for (unsigned int i = 0; i < w->places->nr; i++)
		if ((w->places->v[i].kind == PLACE_TMPFS) == tmpfs)
			return true;
	return false;
}

static void compose_places(FILE *out, const struct whole *w)
{
	char name[4200];

	if (has_place(w, true))
		fprintf(out, "    tmpfs:\n");
	for (unsigned int i = 0; i < w->places->nr; i++)
		if (w->places->v[i].kind == PLACE_TMPFS)
			yaml_string(out, "      - ", w->places->v[i].path);
	if (has_place(w, false))
		fprintf(out, "    volumes:\n");
	for (unsigned int i = 0; i < w->places->nr; i++) {
		const struct place *p = &w->places->v[i];

		if (p->kind == PLACE_TMPFS)
			continue;
		volume_name(name, sizeof(name), w, p);
		fprintf(out, "      - type: %s\n", p->kind == PLACE_BIND ? "bind" : "volume");
		yaml_string(out, "        source: ", p->kind == PLACE_BIND ? p->source : name);
		yaml_string(out, "        target: ", p->path);
		fprintf(out, "        read_only: %s\n", p->writable ? "false" : "true");
	}
}

static void compose_volumes(FILE *out, const struct whole *w)
{
	bool any = false;
	char name[4200];

	for (unsigned int i = 0; i < w->places->nr; i++) {
		if (w->places->v[i].kind != PLACE_VOLUME)
			continue;
		fprintf(out, "%s  ", any ? "" : "volumes:\n");
		any = true;
		volume_name(name, sizeof(name), w, &w->places->v[i]);
		advice_yaml(out, name);
		/* one that was there is not the project's: Compose would make another, empty one */
		fprintf(out, ": {%s}\n", w->places->v[i].configured ? "external: true" : "");
	}
}

static void yaml_capabilities(FILE *out, const struct advice *a, const char *indent)
{
	for (unsigned int i = 0; i < ADVICE_CAPS; i++)
		if (a->needed[i].runs && name_capability(i))
			fprintf(out, "%s- %s\n", indent, name_capability(i) + 4);
}

void advice_compose(FILE *out, const struct advice *a, const struct advice_form *f)
{
	char option[4200];
	struct whole w;
	struct end e;
	size_t port = 0;

	if (whole_make(&w, a, f)) {
		comments(out, &w);
		fprintf(out, "services:\n  %s:\n", w.name);
		yaml_string(out, "    image: ", w.image);
		snprintf(option, sizeof(option), "seccomp:%s", w.profile);
		yaml_string(out, "    security_opt:\n      - ", option);
		fprintf(out, "%s    cap_drop:\n      - ALL\n",
			w.no_new_privs ? "      - no-new-privileges:true\n" : "");
		if (w.capable)
			fprintf(out, "    cap_add:\n");
		yaml_capabilities(out, a, "      ");
		if (*w.user)
			yaml_string(out, "    user: ", w.user);
		fprintf(out, "    read_only: %s\n", w.places->root_writable ? "false" : "true");
		compose_places(out, &w);
		if (has_port(&w))
			fprintf(out, "    ports:\n");
		while (next_port(&w, &port, &e))
			fprintf(out, "      - \"%u:%u%s\"\n", e.port, e.port, e.udp ? "/udp" : "");
		compose_volumes(out, &w);
	}
	free(w.places);
}

/* ---- Kubernetes ---- */

static void pod_security(FILE *out, const struct whole *w)
{
	unsigned int uid, gid;

	fprintf(out,
		"      securityContext:\n        allowPrivilegeEscalation: %s\n"
		"        readOnlyRootFilesystem: %s\n",
		w->no_new_privs ? "false" : "true", w->places->root_writable ? "false" : "true");
	if (sscanf(w->user, "%u:%u", &uid, &gid) == 2)
		fprintf(out,
			"        runAsNonRoot: true\n        runAsUser: %u\n        runAsGroup: %u\n",
			uid, gid);
	fprintf(out, "        capabilities:\n          drop:\n            - ALL\n");
	if (w->capable)
		fprintf(out, "          add:\n");
	yaml_capabilities(out, w->a, "            ");
	fprintf(out, "        seccompProfile:\n          type: Localhost\n");
	yaml_string(out, "          localhostProfile: ", w->profile);
}

static void pod_places(FILE *out, const struct whole *w)
{
	if (w->places->nr)
		fprintf(out, "      volumeMounts:\n");
	for (unsigned int i = 0; i < w->places->nr; i++) {
		fprintf(out, "        - name: v%u\n", i);
		yaml_string(out, "          mountPath: ", w->places->v[i].path);
		fprintf(out, "          readOnly: %s\n",
			w->places->v[i].writable || w->places->v[i].kind == PLACE_TMPFS ? "false"
											: "true");
	}
	if (w->places->nr)
		fprintf(out, "  volumes:\n");
	for (unsigned int i = 0; i < w->places->nr; i++) {
		const struct place *p = &w->places->v[i];
		char claim[64];

		fprintf(out, "    - name: v%u\n", i);
		advice_label(claim, sizeof(claim), p->source);
		if (p->kind == PLACE_BIND)
			yaml_string(out, "      hostPath:\n        path: ", p->source);
		else if (p->kind == PLACE_VOLUME && p->configured)
			fprintf(out, "      persistentVolumeClaim:\n        claimName: %s\n",
				claim);
		else
			fprintf(out, "      emptyDir: {}%s\n",
				p->kind == PLACE_VOLUME
					? " # hides files of the image: let an init container fill it"
					: "");
	}
}

static void policy_port(FILE *out, const struct end *e)
{
	fprintf(out, "        - protocol: %s\n          port: %u\n", e->udp ? "UDP" : "TCP",
		e->port);
}

static void network_policy(FILE *out, const struct whole *w)
{
	const struct fact_set *peers = &w->a->facts.sets[FACT_PEERS];
	const char *head = "  egress:\n";
	struct end e;
	size_t port = 0;

	fprintf(out,
		"---\n# peers are addresses as recorded: where names or Services stand behind them, say these\n"
		"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: %s\n"
		"spec:\n  podSelector:\n    matchLabels:\n      app: %s\n"
		"  policyTypes:\n    - Ingress\n    - Egress\n",
		w->name, w->name);
	if (has_port(w))
		fprintf(out, "  ingress:\n    - ports:\n");
	while (next_port(w, &port, &e))
		policy_port(out, &e);
	for (size_t i = 0; i < peers->nr; i++) {
		if (!end_parse(&e, peers->v[i].key) || e.loopback || !e.port)
			continue;
		fprintf(out,
			"%s    - to:\n        - ipBlock:\n            cidr: \"%s/%d\"\n      ports:\n",
			head, e.address, e.ipv6 ? 128 : 32);
		policy_port(out, &e);
		head = "";
	}
}

void advice_kubernetes(FILE *out, const struct advice *a, const struct advice_form *f)
{
	struct whole w;
	struct end e;
	size_t port = 0;

	if (whole_make(&w, a, f)) {
		comments(out, &w);
		fprintf(out,
			"apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n  labels:\n    app: %s\n"
			"spec:\n  containers:\n    - name: %s\n",
			w.name, w.name, w.name);
		yaml_string(out, "      image: ", w.image);
		if (has_port(&w))
			fprintf(out, "      ports:\n");
		while (next_port(&w, &port, &e))
			fprintf(out, "        - containerPort: %u\n          protocol: %s\n",
				e.port, e.udp ? "UDP" : "TCP");
		pod_security(out, &w);
		pod_places(out, &w);
		network_policy(out, &w);
	}
	free(w.places);
}
