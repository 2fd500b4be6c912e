/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pin counts: how many live mappings touch each granule of guest memory. A
 * granule is pinned if and only if its count is above 0; the budget limits how
 * many are. The host's own pins nest, so a mapping pins all of its pages
 * whatever these counts are; they exist to know how much is pinned.
 *
 * The domain's lock guards all of it.
 */
#ifndef DOMAIN_PAGES_H
#define DOMAIN_PAGES_H

#include "memory.h"
#include <stdbool.h>
#include <viaduct/domain.h>

#define PAGES_NO_LIMIT UINT64_MAX

struct pages {
	unsigned int shift; /* log2 of a granule in bytes */
	uint64_t npinned;   /* granules with a count above 0 */
	uint64_t peak;	    /* highest npinned that was committed */
	uint64_t budget;    /* granules, or PAGES_NO_LIMIT */
	/* Who lends of a budget in common with others; NULLs: nobody. */
	struct vd_share_ops share;
	void *share_opaque;
	uint64_t lent; /* granules that it has lent us */
};

void pages_init(struct pages *p, unsigned int shift, uint64_t budget_bytes);
void pages_set_budget(struct pages *p, uint64_t bytes);

/* Count the granules of first..last of @s, or take them off again. */
void pages_hold(struct pages *p, struct stretch *s, uint64_t first,
		uint64_t last);
void pages_release(struct pages *p, struct stretch *s, uint64_t first,
		   uint64_t last);

/*
 * By how many granules is what is held over the budget? Asks the share first,
 * if there is one.
 */
uint64_t pages_excess(struct pages *p);

static inline bool pages_over_budget(struct pages *p)
{
	return pages_excess(p) != 0;
}

/* Give back to the share what is lent and not held, but for @slack granules. */
void pages_return(struct pages *p, uint64_t slack);

/* Does the granule of @gpa have a pin? */
static inline bool pages_are_held(const struct pages *p,
				  const struct stretch *s, uint64_t gpa)
{
	return s->pins[(gpa - s->gpa) >> p->shift] != 0;
}

/* What is held now is really pinned. */
void pages_commit(struct pages *p);

uint64_t pages_bytes(const struct pages *p, uint64_t granules);

/* How many pages of VD_PAGE_SIZE, of @memory bytes, may be pinned at once? */
uint64_t pages_most(const struct pages *p, uint64_t memory);

#endif
