/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference: a plain radix tree of three levels from page number to word,
 * 512 to a node. It checks that a node is there and nothing else: no rights, no
 * window, no memory's end, and nobody may change it under a reader but by
 * storing into a leaf.
 */
#ifndef BENCH_RADIX_H
#define BENCH_RADIX_H

#include <stddef.h>
#include <stdint.h>

#define RADIX_BITS 9u
#define RADIX_MASK ((1u << RADIX_BITS) - 1)

struct radix {
	void *node[1u << RADIX_BITS]; /* of two levels of nodes */
	size_t bytes;
};

struct radix *radix_new(void);
void radix_free(struct radix *r);

/* Set a page's word, with the nodes it needs. */
void radix_put(struct radix *r, uint64_t page, uint64_t word);

/* Where the word of a page that has a leaf is. */
static inline uint64_t *radix_slot(const struct radix *r, uint64_t page)
{
	void **mid = r->node[page >> (2 * RADIX_BITS)];
	uint64_t *leaf = mid[page >> RADIX_BITS & RADIX_MASK];

	return &leaf[page & RADIX_MASK];
}

static inline uint64_t radix_get(const struct radix *r, uint64_t page)
{
	void **mid = r->node[page >> (2 * RADIX_BITS) & RADIX_MASK];
	uint64_t *leaf;

	if (!mid)
		return 0;
	leaf = mid[page >> RADIX_BITS & RADIX_MASK];
	if (!leaf)
		return 0;
	return __atomic_load_n(&leaf[page & RADIX_MASK], __ATOMIC_RELAXED);
}

#endif
