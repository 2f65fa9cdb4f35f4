/* SPDX-License-Identifier: MIT */
/*
 * A hash table keyed by bytes, intrusive: the node lives in the caller's entry. Keys come from
 * containers, which may choose them to collide; the hash is SipHash-1-3 under a random seed.
 */
#ifndef EBPFMON_HASH_H
#define EBPFMON_HASH_H

#include <linux/types.h>
#include <stddef.h>

struct hash_node {
	struct hash_node *next;
	struct hash_node *after; /* the owner's: the order of entries, for example */
	__u64 hash;
	const void *key; /* lives as long as the node is in the table */
	size_t len;
};

struct hash {
	struct hash_node **slots;
	size_t nr_slots; /* a power of two, or 0 */
	size_t nr;
	__u64 seed[2];
};

/* A seed from the kernel's random numbers; from clock and addresses where there are none. */
void hash_seed(__u64 seed[2]);
__u64 hash_bytes(const __u64 seed[2], const void *key, size_t len);

/* @hv is hash_bytes(h->seed, key, len): whoever looks up and then adds computes it once. */
struct hash_node *hash_find(const struct hash *h, __u64 hv, const void *key, size_t len);
/* Adds @n under a key that is not there yet. Returns 0, or -ENOMEM. */
int hash_add(struct hash *h, __u64 hv, struct hash_node *n, const void *key, size_t len);
/* The same, where equal keys are meant to share a chain: hash_next_equal() finds the others. */
struct hash_node *hash_next_equal(const struct hash_node *n);
void hash_remove(struct hash *h, struct hash_node *n);
/* Frees the slots; the nodes are the caller's. */
void hash_free(struct hash *h);

#endif
