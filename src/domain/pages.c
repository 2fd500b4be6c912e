/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map holds all of its granules first and looks at the budget then, so a
 * granule that it names twice counts once. The counts are 32 bits: a domain
 * refuses limits that would allow 2^32 mappings, and a mapping counts each
 * granule once.
 */
#include "pages.h"

#include <assert.h>
#include <viaduct/domain.h>

void pages_init(struct pages *p, unsigned int shift, uint64_t budget_bytes)
{
	*p = (struct pages){ .shift = shift };
	pages_set_budget(p, budget_bytes);
}

void pages_set_budget(struct pages *p, uint64_t bytes)
{
	p->budget = bytes ? bytes >> p->shift : PAGES_NO_LIMIT;
}

/* More at once than is needed now, so that it is asked for seldom. */
#define LEND_BYTES ((uint64_t)1 << 20)

static void borrow(struct pages *p)
{
	uint64_t need = p->npinned - p->lent, want = LEND_BYTES >> p->shift;

	if (want < need)
		want = need;
	if (want > p->budget - p->lent)
		want = p->budget - p->lent;
	p->lent += p->share.take(p->share_opaque, need << p->shift,
				 want << p->shift) >>
		   p->shift;
}

uint64_t pages_excess(struct pages *p)
{
	uint64_t limit = p->budget;

	if (p->share.take && p->npinned > p->lent && p->npinned <= p->budget)
		borrow(p);
	if (p->share.take && p->lent < limit)
		limit = p->lent;
	return p->npinned > limit ? p->npinned - limit : 0;
}

void pages_return(struct pages *p, uint64_t slack)
{
	uint64_t used = p->npinned + slack;

	if (!p->share.take || p->lent <= used)
		return;
	p->share.give(p->share_opaque, (p->lent - used) << p->shift);
	p->lent = used;
}

void pages_hold(struct pages *p, struct stretch *s, uint64_t first,
		uint64_t last)
{
	uint64_t end = (last - s->gpa) >> p->shift;

	for (uint64_t i = (first - s->gpa) >> p->shift; i <= end; i++) {
		if (s->pins[i]++ == 0)
			p->npinned++;
		assert(s->pins[i] != 0);
	}
}

void pages_release(struct pages *p, struct stretch *s, uint64_t first,
		   uint64_t last)
{
	uint64_t end = (last - s->gpa) >> p->shift;

	for (uint64_t i = (first - s->gpa) >> p->shift; i <= end; i++) {
		assert(s->pins[i] != 0);
		if (--s->pins[i] == 0)
			p->npinned--;
	}
}

void pages_commit(struct pages *p)
{
	if (p->npinned > p->peak)
		p->peak = p->npinned;
}

uint64_t pages_most(const struct pages *p, uint64_t memory)
{
	uint64_t granules = memory >> p->shift;

	if (p->budget < granules)
		granules = p->budget;
	return pages_bytes(p, granules) >> VD_PAGE_SHIFT;
}

uint64_t pages_bytes(const struct pages *p, uint64_t granules)
{
	return granules << p->shift;
}
