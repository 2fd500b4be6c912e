/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pages are free: finds a run of them by looking at a few words, however
 * many pages there are and however few are free.
 *
 * Pages are numbered from 0; page 0 lies at a bus address that is aligned to
 * more than the runs that are asked for most (@origin). The caller locks.
 */
#ifndef IOVA_FREEMAP_H
#define IOVA_FREEMAP_H

#include <stdbool.h>
#include <stdint.h>

#define FREEMAP_ORDERS	 6u /* 2^0 to 2^5 bits in a word */
#define FREEMAP_LEVELS	 7u
#define FREEMAP_ROWS	 6u
#define FREEMAP_MAX_BITS 32u /* log2 of the most pages */

/* One bitmap over the words of a level, and bitmaps over its own words. */
struct freemap_rows {
	uint64_t *row[FREEMAP_ROWS];
	unsigned int n;
};

struct freemap_level {
	uint64_t *word;
	uint64_t nbits;
	struct freemap_rows lacks[FREEMAP_ORDERS];
};

struct freemap {
	uint64_t *mem; /* owned: all words */
	uint64_t npages;
	uint64_t origin; /* page 0, in pages from bus address 0 */
	unsigned int nlevels;
	struct freemap_level level[FREEMAP_LEVELS];
};

/* All of @npages, 1 to 2^FREEMAP_MAX_BITS, are free. Return: 0, -ENOMEM */
int freemap_init(struct freemap *m, uint64_t npages, uint64_t origin);
void freemap_end(struct freemap *m);

/* Pages that are all free are taken; pages that are all taken become free. */
void freemap_take(struct freemap *m, uint64_t first, uint64_t n);
void freemap_give(struct freemap *m, uint64_t first, uint64_t n);

/* Are all of these free? */
bool freemap_is_free(const struct freemap *m, uint64_t first, uint64_t n);

/*
 * What is looked for: @npages, of which the first is at a multiple of 2^@order
 * pages on the bus, and the last before page @end.
 */
struct freemap_want {
	uint64_t npages;
	unsigned int order;
	uint64_t end;
};

/*
 * The lowest whole block of a power of two pages that is enough. Constant time,
 * but may miss a run that is no such block.
 */
bool freemap_block(const struct freemap *m, const struct freemap_want *w,
		   uint64_t *first);

/*
 * The lowest run, if there is one. Looks at each hole of a quarter of the
 * length or more until one is enough.
 */
bool freemap_run(const struct freemap *m, const struct freemap_want *w,
		 uint64_t *first);

/*
 * Take up to @max aligned runs of 2^@order pages, @order below FREEMAP_ORDERS,
 * from the lowest on. Returns how many.
 */
uint32_t freemap_take_runs(struct freemap *m, unsigned int order, uint32_t max,
			   uint32_t *first);

/* The length of the longest run that is free. */
uint64_t freemap_longest(const struct freemap *m);

/* The least power of two that is at least @n, as its log2. */
static inline unsigned int freemap_order(uint64_t n)
{
	return n <= 1 ? 0 : 64 - (unsigned int)__builtin_clzll(n - 1);
}

#endif
