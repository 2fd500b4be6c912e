/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Things of one size, some of which are kept when they are given back. What is
 * taken is all zero; what is given back must be so again, but for its first
 * pointer's worth of bytes. The caller locks.
 */
#ifndef BASE_FREELIST_H
#define BASE_FREELIST_H

#include <stddef.h>

struct freelist_item {
	struct freelist_item *next;
};

struct freelist {
	struct freelist_item *free;
	size_t nfree;
	size_t keep; /* at most this many */
	size_t size; /* of a thing, in bytes; at least a pointer's */
};

void freelist_init(struct freelist *p, size_t size, size_t keep);
void freelist_end(struct freelist *p); /* all were given back */

/* NULL: out of memory. */
void *freelist_take(struct freelist *p);
void freelist_give(struct freelist *p, void *thing);

#endif
