/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paging out cold guest memory.
 *
 * Which pages of a guest are cold cannot be asked of a stock kernel (idle page
 * tracking is off in Debian's), but it can be tried: a clock hand goes over the
 * memory in regions of 2 MiB and pages a region out. If at its next turn a good
 * part has come back, the region is hot, and the hand passes over it, each time
 * for longer. What stays out was cold.
 *
 * Pinned pages stay: the kernel does not page them out. Not locked: one thread
 * uses it.
 */
#ifndef VMM_PAGEOUT_H
#define VMM_PAGEOUT_H

#include <stdbool.h>
#include <stdint.h>

#define PAGEOUT_REGION ((uint64_t)2 << 20)

struct pageout_ops {
	/* How many bytes of this stretch are in RAM? */
	uint64_t (*resident)(void *ctx, void *hva, uint64_t len);
	/* Page it out as far as possible. */
	void (*evict)(void *ctx, void *hva, uint64_t len);
};

/* What really does it: mincore(2) and MADV_PAGEOUT. */
extern const struct pageout_ops pageout_real;

struct pageout_region {
	uint32_t left; /* bytes that stayed when it was paged out */
	uint8_t skip;  /* turns that the hand still passes over it */
	uint8_t heat;  /* turns that it will, if it comes back again */
	bool tried;    /* was paged out at the last visit */
};

struct pageout {
	const struct pageout_ops *ops;
	void *ctx;
	uint8_t *hva; /* borrowed */
	uint64_t len;
	struct pageout_region *region; /* owned */
	uint64_t nregions, hand;
};

/* 0 or -ENOMEM. */
int pageout_create(struct pageout *p, void *hva, uint64_t len,
		   const struct pageout_ops *ops, void *ctx);
void pageout_destroy(struct pageout *p);

/*
 * Page out about @bytes, at most one turn of the hand. Returns how many bytes
 * have left RAM.
 */
uint64_t pageout_some(struct pageout *p, uint64_t bytes);

/* How many bytes of memory are passed over now because they are hot. */
uint64_t pageout_hot(const struct pageout *p);

#endif
