// SPDX-License-Identifier: MIT
#include "hash.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define HASH_FIRST_SLOTS 64

void hash_seed(__u64 seed[2])
{
	struct timespec ts;

	/* GRND_NONBLOCK: a monitor started early at boot must not wait for entropy. */
	if (getrandom(seed, 2 * sizeof(*seed), GRND_NONBLOCK) == (ssize_t)(2 * sizeof(*seed)))
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	seed[0] = (__u64)ts.tv_nsec << 32 ^ (__u64)ts.tv_sec;
	seed[1] = (__u64)(uintptr_t)&ts ^ (__u64)(uintptr_t)seed << 17;
}

struct sip {
	__u64 v0, v1, v2, v3;
};

static __u64 rotl(__u64 x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

/* SipHash-1-3: https://www.aumasson.jp/siphash/siphash.pdf, with the rounds that hash tables use. */
__u64 hash_bytes(const __u64 seed[2], const void *key, size_t len)
{
	struct sip s = {
		.v0 = seed[0] ^ 0x736f6d6570736575ULL,
		.v1 = seed[1] ^ 0x646f72616e646f6dULL,
		.v2 = seed[0] ^ 0x6c7967656e657261ULL,
		.v3 = seed[1] ^ 0x7465646279746573ULL,
	};
	const unsigned char *p = key;
	__u64 m, last = (__u64)len << 56;
	size_t left;

	for (left = len; left >= 8; left -= 8, p += 8) {
		memcpy(&m, p, 8);
		s.v3 ^= m;
		sip_round(&s);
		s.v0 ^= m;
	}
	for (size_t i = 0; i < left; i++)
		last |= (__u64)p[i] << 8 * i;
	s.v3 ^= last;
	sip_round(&s);
	s.v0 ^= last;
	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static struct hash_node *find_in(struct hash_node *n, __u64 hv, const void *key, size_t len)
{
	for (; n; n = n->next)
		if (n->hash == hv && n->len == len && !memcmp(n->key, key, len))
			return n;
	return NULL;
}

struct hash_node *hash_find(const struct hash *h, __u64 hv, const void *key, size_t len)
{
	return h->nr_slots ? find_in(h->slots[hv & (h->nr_slots - 1)], hv, key, len) : NULL;
}

struct hash_node *hash_next_equal(const struct hash_node *n)
{
	return find_in(n->next, n->hash, n->key, n->len);
}

static int hash_grow(struct hash *h)
{
	size_t nr_slots = h->nr_slots ? 2 * h->nr_slots : HASH_FIRST_SLOTS;
	struct hash_node **slots = calloc(nr_slots, sizeof(struct hash_node *));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < h->nr_slots; i++) {
		struct hash_node *n = h->slots[i], *next;

		for (; n; n = next) {
			next = n->next;
			n->next = slots[n->hash & (nr_slots - 1)];
			slots[n->hash & (nr_slots - 1)] = n;
		}
	}
	free(h->slots);
	h->slots = slots;
	h->nr_slots = nr_slots;
	return 0;
}

int hash_add(struct hash *h, __u64 hv, struct hash_node *n, const void *key, size_t len)
{
	struct hash_node **slot;

	/* A table that cannot grow still works, only slower. */
	if (h->nr >= h->nr_slots && hash_grow(h) && !h->nr_slots)
		return -ENOMEM;
	slot = &h->slots[hv & (h->nr_slots - 1)];
	n->hash = hv;
	n->key = key;
	n->len = len;
	n->next = *slot;
	*slot = n;
	h->nr++;
	return 0;
}

void hash_remove(struct hash *h, struct hash_node *n)
{
	struct hash_node **p = &h->slots[n->hash & (h->nr_slots - 1)];

	while (*p && *p != n)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = n->next;
	h->nr--;
}

void hash_free(struct hash *h)
{
	free(h->slots);
	h->slots = NULL;
	h->nr_slots = 0;
	h->nr = 0;
}
