/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Magazines. In the common case an allocation is the cache's lock, which no
 * other thread wants, a pop, and the mark of the run; a free is the change of
 * the mark, which says that the run was given out, and a push.
 *
 * A run that was freed is in the magazine of its order, whatever order it was
 * cut from, until the magazine is emptied into the map.
 */
#include "mark.h"
#include "space.h"

#include <atom.h>
#include <checked.h>
#include <errno.h>
#include <mem.h>
#include <sized.h>
#include <string.h>

int vd_space_cache_create(struct vd_space *s, struct vd_space_cache **out)
{
	struct vd_space_cache *c = mem_zalloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->space = s;
	lock_take(&s->lock);
	c->next = s->caches;
	s->caches = c;
	lock_drop(&s->lock);
	*out = c;
	return 0;
}

static void return_all(struct vd_space *s, struct vd_space_cache *c)
	MUST_HOLD(s->lock)
{
	spin_take(&c->lock);
	for (unsigned int k = 0; k < ORDERS; k++) {
		struct magazine *m = &c->magazine[k];

		depot_return(s, k, m->run, m->n);
		m->n = 0;
	}
	spin_drop(&c->lock);
}

void vd_space_cache_destroy(struct vd_space_cache *c)
{
	struct vd_space_cache **link;
	struct vd_space *s;

	if (!c)
		return;
	s = c->space;
	lock_take(&s->lock);
	return_all(s, c);
	s->bad_frees += c->bad_frees;
	for (link = &s->caches; *link != c;)
		link = &(*link)->next;
	*link = c->next;
	lock_drop(&s->lock);
	mem_free(c);
}

void space_take_back(struct vd_space *s)
{
	for (struct vd_space_cache *c = s->caches; c; c = c->next)
		return_all(s, c);
	for (unsigned int k = 0; k < ORDERS; k++) {
		struct depot *d = &s->depot[k];

		depot_return(s, k, d->run, d->n);
		d->n = 0;
	}
	s->take_backs++;
}

static uint64_t cached_in(struct vd_space_cache *c)
{
	uint64_t npages = 0;

	spin_take(&c->lock);
	for (unsigned int k = 0; k < ORDERS; k++)
		npages += (uint64_t)c->magazine[k].n << k;
	spin_drop(&c->lock);
	return npages;
}

uint64_t space_cached(struct vd_space *s)
{
	uint64_t npages = 0;

	for (struct vd_space_cache *c = s->caches; c; c = c->next)
		npages += cached_in(c);
	for (unsigned int k = 0; k < ORDERS; k++)
		npages += (uint64_t)s->depot[k].n << k;
	return npages;
}

static inline bool is_short(uint64_t npages)
{
	return npages - 1 < VD_SPACE_SHORT;
}

/* The last run that was freed, if it lies low enough. */
static inline bool pop(struct vd_space_cache *c, const struct freemap_want *w,
		       uint64_t *page) MUST_HOLD(c->lock)
{
	struct magazine *m = &c->magazine[freemap_order(w->npages)];

	if (m->n == 0 || m->run[m->n - 1] + w->npages > w->end)
		return false;
	*page = m->run[--m->n];
	return true;
}

static bool refill_and_pop(struct vd_space *s, struct vd_space_cache *c,
			   const struct freemap_want *w, uint64_t *page)
	MUST_HOLD(s->lock)
{
	unsigned int order = freemap_order(w->npages);
	struct magazine *m = &c->magazine[order];
	bool popped;

	spin_take(&c->lock);
	if (m->n == 0)
		m->n = depot_take(s, order, MAGAZINE, m->run);
	popped = pop(c, w, page);
	spin_drop(&c->lock);
	return popped;
}

static void mark_run(struct vd_space *s, uint64_t page, uint64_t npages)
{
	atom_poke8(&s->mark[page], (uint8_t)npages);
}

static int alloc_slowly(struct vd_space_cache *c, const struct freemap_want *w,
			uint64_t *page)
{
	struct vd_space *s = c->space;
	int err = 0;

	lock_take(&s->lock);
	if (refill_and_pop(s, c, w, page))
		mark_run(s, *page, w->npages);
	else
		err = space_place(s, w, page);
	lock_drop(&s->lock);
	return err;
}

static inline int alloc_short(struct vd_space_cache *c,
			      const struct freemap_want *w, uint64_t *page)
{
	bool popped;

	spin_take(&c->lock);
	popped = pop(c, w, page);
	spin_drop(&c->lock);
	if (!popped)
		return alloc_slowly(c, w, page);
	mark_run(c->space, *page, w->npages);
	return 0;
}

static int alloc_long(struct vd_space_cache *c, const struct freemap_want *w,
		      uint64_t *page)
{
	struct vd_space *s = c->space;
	int err;

	lock_take(&s->lock);
	err = space_place(s, w, page);
	lock_drop(&s->lock);
	return err;
}

static vd_iova bus_of(const struct vd_space *s, uint64_t page)
{
	return (vd_iova){ s->bus + (page << s->page_shift) };
}

int vd_space_alloc(struct vd_space_cache *c, uint64_t npages, vd_iova *out)
{
	const struct vd_space *s = c->space;
	const struct freemap_want w = { npages, 0, s->end };
	uint64_t page;
	int err;

	if (npages == 0)
		return -EINVAL;
	err = is_short(npages) ? alloc_short(c, &w, &page) :
				 alloc_long(c, &w, &page);
	if (!err)
		*out = bus_of(s, page);
	return err;
}

/* The page behind the last one that ends at or below @last. */
static uint64_t end_below(const struct vd_space *s, vd_iova last)
{
	uint64_t mask = ((uint64_t)1 << s->page_shift) - 1, end;

	if (last.v < s->bus)
		return 0;
	end = (last.v - s->bus) >> s->page_shift;
	end += (last.v & mask) == mask;
	return end < s->end ? end : s->end;
}

int vd_space_alloc_within(struct vd_space_cache *c,
			  const struct vd_space_need *need, vd_iova *out)
{
	const struct vd_space *s = c->space;
	struct vd_space_need own = { .size = sizeof(own) };
	struct freemap_want w;
	uint64_t page;
	int err = sized_read(&own, sizeof(own), need);

	if (err)
		return err;
	need = &own;
	w = (struct freemap_want){ need->npages, 0, end_below(s, need->last) };
	if (need->npages == 0 || need->align_shift > 63)
		return -EINVAL;
	if (need->align_shift > s->page_shift)
		w.order = need->align_shift - s->page_shift;
	if (is_short(w.npages) && w.order <= freemap_order(w.npages))
		err = alloc_short(c, &w, &page);
	else
		err = alloc_long(c, &w, &page);
	if (!err)
		*out = bus_of(s, page);
	return err;
}

/* A full magazine keeps what was freed last. */
static void make_room(struct vd_space *s, struct magazine *m,
		      unsigned int order) MUST_HOLD(s->lock)
{
	if (m->n < 2 * MAGAZINE)
		return; /* taken back meanwhile */
	depot_give(s, order, m->run);
	m->n -= MAGAZINE;
	memcpy(m->run, m->run + MAGAZINE, MAGAZINE * sizeof(*m->run));
}

static void push_slowly(struct vd_space_cache *c, unsigned int order,
			uint64_t page)
{
	struct magazine *m = &c->magazine[order];
	struct vd_space *s = c->space;

	lock_take(&s->lock);
	spin_take(&c->lock);
	make_room(s, m, order);
	m->run[m->n++] = (uint32_t)page;
	spin_drop(&c->lock);
	lock_drop(&s->lock);
}

static inline void push(struct vd_space_cache *c, unsigned int order,
			uint64_t page)
{
	struct magazine *m = &c->magazine[order];
	bool has_room;

	spin_take(&c->lock);
	has_room = m->n < 2 * MAGAZINE;
	if (has_room)
		m->run[m->n++] = (uint32_t)page;
	spin_drop(&c->lock);
	if (!has_room)
		push_slowly(c, order, page);
}

static int refuse(struct vd_space_cache *c, int err)
{
	spin_take(&c->lock);
	c->bad_frees++;
	spin_drop(&c->lock);
	return err;
}

int vd_space_free(struct vd_space_cache *c, vd_iova iova, uint64_t npages)
{
	struct vd_space *s = c->space;
	uint64_t page;
	int err = space_page(s, iova, &page);

	if (err)
		return refuse(c, err);
	if (is_short(npages) &&
	    atom_swap8(&s->mark[page], (uint8_t)npages, 0)) {
		push(c, freemap_order(npages), page);
		return 0;
	}
	err = space_unplace(s, page, npages, MARK_DIRECT);
	return err ? refuse(c, err) : 0;
}
