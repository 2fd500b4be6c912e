/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool: guest memory that is contiguous on the host.
 *
 * Without an IOMMU a coherent buffer or a DMA segment longer than the granule
 * needs host memory in one run. The pool is made of 2 MiB chunks, each one huge
 * page, resident from the start (mlock: it must not be swapped, because it
 * would come back in pieces); a chunk is pinned only while the HAL has it
 * mapped.
 */
#ifndef VMM_POOL_H
#define VMM_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_SHIFT 21
#define POOL_CHUNK	 ((uint64_t)1 << POOL_CHUNK_SHIFT)

struct pool {
	void *hva; /* chunk aligned */
	uint64_t len;
	int pagemap; /* open for as long as the pool is */
};

/*
 * Make a pool of @len bytes, rounded up to chunks. 0, or -ENOMEM with one
 * sentence in @why.
 */
int pool_create(struct pool *p, uint64_t len, char *why, size_t whylen);
void pool_destroy(struct pool *p);

/*
 * Make every chunk one huge page again, if it is not. Nothing may be mapped.
 * Returns how many chunks are whole.
 */
unsigned int pool_mend(struct pool *p);

#endif
