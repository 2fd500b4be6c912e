/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A space and its caches. Runs go
 *
 *	map <-> depot <-> magazines <-> who asked
 *
 * Pages are numbered from an origin below the first bus address that is aligned
 * to ORIGIN_ORDER; the pages between are taken for ever.
 *
 * Locks: the space's before a cache's. The thread whose cache it is takes the
 * cache's alone as long as the magazines do; who takes back holds both.
 */
#ifndef IOVA_SPACE_H
#define IOVA_SPACE_H

#include "freemap.h"

#include <lock.h>
#include <spin.h>
#include <viaduct/space.h>

#define MAGAZINE 125u
#define DEPOT	 (8 * MAGAZINE)
#define ORDERS	 FREEMAP_ORDERS

/* Runs of one order that are free, on their way from one cache to another. */
struct depot {
	uint32_t n;
	uint32_t run[DEPOT];
};

/*
 * Two magazines' worth: the last freed are on top. It is filled to the middle
 * and emptied to it, so at least MAGAZINE calls lie between two visits to the
 * depot.
 */
struct magazine {
	uint32_t n;
	uint32_t run[2 * MAGAZINE];
};

struct vd_space {
	uint64_t bus;	     /* of page 0 */
	uint64_t first, end; /* its pages: from first to before end */
	unsigned int page_shift;
	uint8_t *mark; /* owned: by page */
	struct lock lock;
	/* Guarded by the lock: */
	struct freemap map;
	uint64_t nfree;	    /* pages in the map */
	uint64_t nreserved; /* pages */
	struct depot depot[ORDERS];
	struct vd_space_cache *caches;
	uint64_t take_backs, refused, bad_frees;
};

#define CACHE_LINE 64

struct vd_space_cache {
	unsigned char before[CACHE_LINE]; /* nobody else's line */
	struct spin lock;
	struct vd_space *space; /* borrowed */
	/* Guarded by the space's lock: */
	struct vd_space_cache *next;
	/* Guarded by its own: */
	uint64_t bad_frees;
	struct magazine magazine[ORDERS];
	unsigned char after[CACHE_LINE];
};

/* Page number of a bus address: 0, -ERANGE, -EINVAL (misaligned). */
int space_page(const struct vd_space *s, vd_iova iova, uint64_t *page);

/* A run from the map, exactly as long as @w says: 0, -ENOSPC. */
int space_place(struct vd_space *s, const struct freemap_want *w,
		uint64_t *page) MUST_HOLD(s->lock);

/* Give back a run of this kind of mark: 0, -EINVAL, -ENOENT. */
int space_unplace(struct vd_space *s, uint64_t page, uint64_t npages,
		  uint8_t kind);

/* Runs of 2^@order pages for a magazine, @max at most. Returns how many. */
uint32_t depot_take(struct vd_space *s, unsigned int order, uint32_t max,
		    uint32_t *run) MUST_HOLD(s->lock);

/* MAGAZINE runs of 2^@order pages from a magazine. */
void depot_give(struct vd_space *s, unsigned int order, const uint32_t *run)
	MUST_HOLD(s->lock);

/* Runs go to the map. */
void depot_return(struct vd_space *s, unsigned int order, const uint32_t *run,
		  uint32_t n) MUST_HOLD(s->lock);

/* All that depot and caches hold goes to the map. */
void space_take_back(struct vd_space *s) MUST_HOLD(s->lock);

/* Free pages in the depot and caches. */
uint64_t space_cached(struct vd_space *s) MUST_HOLD(s->lock);

#endif
