/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts lie close together, because they are looked up in no order; handles,
 * which only a pin needs, lie apart. A count goes from 0 and to 0 under the
 * domain's lock only; all other steps take no lock.
 *
 * A granule that is held already is held once more with one compare-and-swap.
 * A cold one is pinned under the domain's lock, with up to BATCH others in one
 * call of the host; meanwhile its count is HELD_BUSY, which sends everybody
 * else to the lock as well.
 *
 * Invariant: a count above 0 has exactly one pin of the host and is counted
 * once in the granule's pin count, whoever else holds it there.
 */
#include "core.h"
#include "evict.h"
#include "held.h"

#include <assert.h>
#include <atom.h>
#include <mem.h>
#include <errno.h>

#define HELD_BUSY UINT32_MAX
#define HELD_MOST (UINT32_MAX - 1)
#define BATCH	  64u

static int open_stretch(struct stretch *s, unsigned int granule_shift)
{
	size_t n = (s->last - s->gpa + 1) >> granule_shift;

	if (!s->handle)
		s->handle = mem_zalloc(n, sizeof(*s->handle));
	if (s->handle && !s->held)
		s->held = mem_zalloc(n, sizeof(*s->held));
	return s->held ? 0 : -ENOMEM;
}

int held_open(struct vd_domain *d, size_t i, struct stretch **out)
{
	int err = -ENOENT;

	lock_take(&d->lock);
	if (i < d->memory.n) {
		err = open_stretch(&d->memory.at[i], d->memory.granule_shift);
		if (!err)
			*out = &d->memory.at[i];
	}
	lock_drop(&d->lock);
	return err;
}

static bool try_hold(uint32_t *h)
{
	uint32_t c = atom_load32(h);

	while (c != 0 && c < HELD_MOST) {
		if (atom_swap32(h, c, c + 1))
			return true;
		c = atom_load32(h);
	}
	return false;
}

/* Only the last hold needs more. */
static bool try_release(uint32_t *h)
{
	uint32_t c = atom_load32(h);

	while (c > 1) {
		if (atom_swap32(h, c, c - 1))
			return true;
		c = atom_load32(h);
	}
	return false;
}

/* Granules by number, in their stretch. */
struct part {
	struct stretch *s;
	uint64_t first, last;
};

static struct part part_of(struct vd_domain *d, const struct held_run *r)
{
	unsigned int shift = d->memory.granule_shift;

	return (struct part){ r->s, (r->first - r->s->gpa) >> shift,
			      (r->last - r->s->gpa) >> shift };
}

static uint64_t granule_gpa(struct vd_domain *d, const struct part *p,
			    uint64_t i)
{
	return p->s->gpa + (i << d->memory.granule_shift);
}

static void fill_pin(struct vd_domain *d, const struct part *p, uint64_t i,
		     struct vd_pin *pin)
{
	pin->hva = stretch_hva(p->s, granule_gpa(d, p, i));
	pin->npages = (size_t)1 << (d->memory.granule_shift - VD_PAGE_SHIFT);
}

static void count_granule(struct vd_domain *d, const struct part *p, uint64_t i,
			  bool more) MUST_HOLD(d->lock)
{
	uint64_t gpa = granule_gpa(d, p, i);

	if (more)
		pages_hold(&d->pages, p->s, gpa, gpa);
	else
		pages_release(&d->pages, p->s, gpa, gpa);
}

/* The last hold of a granule goes, unless another came meanwhile. */
static void let_go(struct vd_domain *d, const struct part *p, uint64_t i)
	MUST_HOLD(d->lock)
{
	uint32_t *h = &p->s->held[i];
	struct vd_pin pin = { .handle = p->s->handle[i] };

	assert(atom_load32(h) != 0);
	while (!try_release(h)) {
		if (!atom_swap32(h, 1, HELD_BUSY))
			continue;
		fill_pin(d, p, i, &pin);
		d->host->ops->unpin(d->host, &pin, 1);
		count_granule(d, p, i, false);
		atom_store32(h, 0);
		return;
	}
}

/* One batch of cold granules among first..last; *next: where to go on. */
struct batch {
	uint64_t cold[BATCH];
	size_t n;
};

/* What nobody holds but the pin table goes before a hold is refused. */
static int make_room(struct vd_domain *d) MUST_HOLD(d->lock)
{
	uint64_t excess = pages_excess(&d->pages);

	if (excess)
		evict_for(d, excess);
	return pages_over_budget(&d->pages) ? -EDQUOT : 0;
}

static int gather(struct vd_domain *d, const struct part *p, uint64_t *next,
		  struct batch *b) MUST_HOLD(d->lock)
{
	size_t room =
		VD_MAP_MAX_PAGES >> (d->memory.granule_shift - VD_PAGE_SHIFT);

	if (room > BATCH)
		room = BATCH;
	for (b->n = 0; *next <= p->last && b->n < room; ++*next) {
		uint32_t *h = &p->s->held[*next];

		if (try_hold(h))
			continue;
		if (atom_load32(h) == HELD_MOST)
			return -ENOSPC;
		atom_store32(h, HELD_BUSY);
		count_granule(d, p, *next, true);
		b->cold[b->n++] = *next;
	}
	return make_room(d);
}

static int pin_batch(struct vd_domain *d, const struct part *p,
		     const struct batch *b) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	vd_hpa *page = x->page;
	int err;

	if (b->n == 0)
		return 0;
	for (size_t i = 0; i < b->n; i++) {
		fill_pin(d, p, b->cold[i], &x->pin[i]);
		x->pin[i].page = page;
		page += x->pin[i].npages;
	}
	err = d->host->ops->pin(d->host, x->pin, b->n);
	if ((err == -ENOSPC || err == -ENOMEM) && evict_for(d, b->n))
		err = d->host->ops->pin(d->host, x->pin, b->n);
	if (err)
		return err;
	for (size_t i = 0; i < b->n; i++) {
		p->s->handle[b->cold[i]] = x->pin[i].handle;
		atom_store32(&p->s->held[b->cold[i]], 1);
	}
	return 0;
}

static void undo_batch(struct vd_domain *d, const struct part *p,
		       const struct batch *b) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < b->n; i++) {
		count_granule(d, p, b->cold[i], false);
		atom_store32(&p->s->held[b->cold[i]], 0);
	}
}

/* Those of first..next-1 are held, but for the batch that failed. */
static void undo_part(struct vd_domain *d, const struct part *p, uint64_t next,
		      const struct batch *b) MUST_HOLD(d->lock)
{
	size_t cold = 0;

	for (uint64_t i = p->first; i < next; i++) {
		if (cold < b->n && b->cold[cold] == i)
			cold++;
		else
			let_go(d, p, i);
	}
	undo_batch(d, p, b);
}

static int hold_cold(struct vd_domain *d, const struct part *p, uint64_t next)
	MUST_HOLD(d->lock)
{
	struct batch b;
	int err = 0;

	while (!err && next <= p->last) {
		err = gather(d, p, &next, &b);
		if (!err)
			err = pin_batch(d, p, &b);
	}
	if (err)
		undo_part(d, p, next, &b);
	else
		pages_commit(&d->pages);
	return err;
}

int held_hold(struct vd_domain *d, const struct held_run *r, int64_t *pinned)
{
	const struct part p = part_of(d, r);
	uint64_t next = p.first, before;
	int err;

	while (next <= p.last && try_hold(&r->s->held[next]))
		next++;
	if (next > p.last)
		return 0;
	lock_take(&d->lock);
	before = d->pages.npinned;
	err = hold_cold(d, &p, next);
	*pinned += (int64_t)pages_bytes(&d->pages, d->pages.npinned - before);
	lock_drop(&d->lock);
	return err;
}

void held_release(struct vd_domain *d, const struct held_run *r,
		  int64_t *pinned)
{
	const struct part p = part_of(d, r);
	uint64_t before;

	for (uint64_t i = p.first; i <= p.last; i++) {
		if (try_release(&r->s->held[i]))
			continue;
		lock_take(&d->lock);
		before = d->pages.npinned;
		let_go(d, &p, i);
		*pinned -= (int64_t)pages_bytes(&d->pages,
						before - d->pages.npinned);
		lock_drop(&d->lock);
	}
}

void held_expect(const struct vd_domain *d, const struct held_run *r)
{
	__builtin_prefetch(
		&r->s->held[(r->first - r->s->gpa) >> d->memory.granule_shift],
		1);
}
