/* SPDX-License-Identifier: BSD-2-Clause */
#include "radix.h"
#include "contest.h"

#include <stdlib.h>
#include <string.h>

#define NODE 4096u

struct radix *radix_new(void)
{
	struct radix *r = calloc(1, sizeof(*r));

	bench_must(r != NULL, "no memory");
	r->bytes = sizeof(*r);
	return r;
}

static void *child(struct radix *r, void **at)
{
	if (!*at) {
		*at = aligned_alloc(NODE, NODE);
		bench_must(*at != NULL, "no memory");
		memset(*at, 0, NODE);
		r->bytes += NODE;
	}
	return *at;
}

void radix_put(struct radix *r, uint64_t page, uint64_t word)
{
	void **mid = child(r, &r->node[page >> (2 * RADIX_BITS)]);
	uint64_t *leaf = child(r, &mid[page >> RADIX_BITS & RADIX_MASK]);

	leaf[page & RADIX_MASK] = word;
}

static void free_mid(void **mid)
{
	for (size_t i = 0; mid && i <= RADIX_MASK; i++)
		free(mid[i]);
	free(mid);
}

void radix_free(struct radix *r)
{
	for (size_t i = 0; i <= RADIX_MASK; i++)
		free_mid(r->node[i]);
	free(r);
}
