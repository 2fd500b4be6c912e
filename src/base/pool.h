/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Things of one size, some of which are kept when they are given back. What is
 * taken is all zero; what is given back must be so again, but for its first
 * pointer's worth of bytes. The caller locks.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool_item {
	struct pool_item *next;
};

struct pool {
	struct pool_item *free;
	size_t nfree;
	size_t keep; /* at most this many */
	size_t size; /* of a thing, in bytes; at least a pointer's */
};

void pool_init(struct pool *p, size_t size, size_t keep);
void pool_end(struct pool *p); /* all were given back */

/* NULL: out of memory. */
void *pool_take(struct pool *p);
void pool_give(struct pool *p, void *thing);

#endif
