/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool: guest memory that is contiguous on the host.
 *
 * Without an IOMMU a coherent buffer or a DMA segment longer than the granule
 * needs host memory in one run, and a device with short addresses needs it low.
 * The pool is made of 2 MiB chunks, each one huge page, resident from the start
 * (mlock: it must not be swapped, because it would come back in pieces); a chunk
 * is pinned only while the HAL has it mapped. Chunks are in the order of their
 * addresses, those that follow each other side by side. As far as the host
 * gives them, they lie below 4 GiB (pool_pick.h).
 */
#ifndef VMM_POOL_H
#define VMM_POOL_H

#include "pool_pick.h"

#define POOL_PLACES 64

struct pool {
	void *hva; /* chunk aligned */
	uint64_t len;
	unsigned int bus_bits;	     /* of the host's memory; 64: not known */
	uint32_t below[POOL_PLACES]; /* chunks that lie below 2^i */
	int pagemap;		     /* open for as long as the pool is */
};

/*
 * Make a pool of @len bytes, rounded up to chunks. @hard: a device needs low
 * memory, so it is worth taking most of what is free for a while
 * (POOL_PATIENCE). 0, or -ENOMEM with one sentence in @why. That nothing is low
 * is no error.
 */
int pool_create(struct pool *p, uint64_t len, bool hard, char *why,
		size_t whylen);
void pool_destroy(struct pool *p);

/*
 * Make every chunk one huge page again, if it is not, and look where they are.
 * Nothing may be mapped. Returns how many chunks are whole.
 */
unsigned int pool_mend(struct pool *p);

/* Bytes below 4 GiB. */
uint64_t pool_low(const struct pool *p);

#endif
