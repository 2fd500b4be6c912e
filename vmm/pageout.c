/* SPDX-License-Identifier: BSD-2-Clause */
#include "pageout.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif

#define PAGE	 4096u
#define HOT	 (PAGEOUT_REGION / 4) /* so much came back: it is hot */
#define HEAT_MAX 63u		      /* turns */

static uint64_t real_resident(void *ctx, void *hva, uint64_t len)
{
	unsigned char vec[PAGEOUT_REGION / PAGE];
	uint64_t n = 0;

	(void)ctx;
	if (mincore(hva, len, vec))
		return 0;
	for (uint64_t i = 0; i < len / PAGE; i++)
		n += vec[i] & 1;
	return n * PAGE;
}

static void real_evict(void *ctx, void *hva, uint64_t len)
{
	(void)ctx;
	/* Without swap or before Linux 5.4 nothing goes, which is seen. */
	madvise(hva, len, MADV_PAGEOUT);
}

const struct pageout_ops pageout_real = { real_resident, real_evict };

int pageout_create(struct pageout *p, void *hva, uint64_t len,
		   const struct pageout_ops *ops, void *ctx)
{
	*p = (struct pageout){
		.ops = ops,
		.ctx = ctx,
		.hva = hva,
		.len = len,
		.nregions = (len + PAGEOUT_REGION - 1) / PAGEOUT_REGION,
	};
	p->region = calloc(p->nregions, sizeof(p->region[0]));
	return p->region ? 0 : -ENOMEM;
}

void pageout_destroy(struct pageout *p)
{
	free(p->region);
	p->region = NULL;
}

static void grow_hot(struct pageout_region *r)
{
	unsigned int heat = 2u * r->heat + 1;

	r->heat = (uint8_t)(heat > HEAT_MAX ? HEAT_MAX : heat);
	r->skip = r->heat;
	r->tried = false;
}

/* The hand is at region @i. Returns the bytes that have left RAM. */
static uint64_t visit(struct pageout *p, uint64_t i)
{
	struct pageout_region *r = &p->region[i];
	uint64_t off = i * PAGEOUT_REGION, before, after;
	uint64_t len =
		p->len - off < PAGEOUT_REGION ? p->len - off : PAGEOUT_REGION;

	if (r->skip) {
		r->skip--;
		return 0;
	}
	before = p->ops->resident(p->ctx, p->hva + off, len);
	if (r->tried && before > r->left + HOT) {
		grow_hot(r);
		return 0;
	}
	if (r->tried)
		r->heat = 0; /* it stayed out */
	if (before == 0)
		return 0;
	p->ops->evict(p->ctx, p->hva + off, len);
	after = p->ops->resident(p->ctx, p->hva + off, len);
	r->left = (uint32_t)after;
	r->tried = true;
	return before > after ? before - after : 0;
}

uint64_t pageout_some(struct pageout *p, uint64_t bytes)
{
	uint64_t out = 0;

	for (uint64_t n = 0; n < p->nregions && out < bytes; n++) {
		out += visit(p, p->hand);
		p->hand = (p->hand + 1) % p->nregions;
	}
	return out;
}

uint64_t pageout_hot(const struct pageout *p)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < p->nregions; i++)
		n += p->region[i].skip != 0;
	return n * PAGEOUT_REGION;
}
