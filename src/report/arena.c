// SPDX-License-Identifier: MIT
#include "report/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A container that does little takes little: chunks grow with what is there. */
#define CHUNK_FIRST 4096
#define CHUNK	    65536
#define ALIGN	    16

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	_Alignas(ALIGN) unsigned char data[];
};

static bool fits(const struct budget *b, size_t size)
{
	return !b || (b->used <= b->limit && size <= b->limit - b->used);
}

static struct arena_chunk *add_chunk(struct arena *a, size_t size)
{
	size_t whole = sizeof(struct arena_chunk) + size;
	struct arena_chunk *c;

	if (!fits(&a->own, whole) || !fits(a->shared, whole))
		return NULL;
	c = calloc(1, whole);
	if (!c)
		return NULL;
	c->size = size;
	c->next = a->chunks;
	a->chunks = c;
	a->left = size;
	a->own.used += whole;
	if (a->shared)
		a->shared->used += whole;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->chunks;
	void *p;

	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size > a->left) {
		size_t chunk = a->own.used < CHUNK_FIRST ? CHUNK_FIRST
			       : a->own.used < CHUNK	 ? a->own.used
							 : CHUNK;

		c = add_chunk(a, size > chunk / 4 ? size : chunk - sizeof(*c));
		if (!c)
			return NULL;
	}
	p = c->data + (c->size - a->left);
	a->left -= size;
	return p;
}

char *arena_copy(struct arena *a, const void *data, size_t len)
{
	char *p = arena_alloc(a, len + 1);

	if (p && len)
		memcpy(p, data, len);
	return p;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c, *next;

	for (c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	a->chunks = NULL;
	a->left = 0;
	if (a->shared)
		a->shared->used -= a->own.used;
	a->own.used = 0;
}
