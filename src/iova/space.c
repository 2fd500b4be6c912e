/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the map gives out itself: runs that no magazine holds, runs that must
 * lie somewhere, and what is left when nearly all is given out.
 */
#include "space.h"
#include "mark.h"

#include <assert.h>
#include <checked.h>
#include <errno.h>
#include <mem.h>
#include <sized.h>
#include <viaduct/window.h>

/*
 * Blocks of up to so many pages are aligned on the bus as they are in the map.
 * Larger ones are found by looking at holes. What lies between the origin and
 * the first address costs a bit a page.
 */
#define ORIGIN_ORDER 18u

static int check_cfg(const struct vd_space_cfg *c)
{
	uint64_t last;

	if (c->npages == 0 || c->npages > VD_SPACE_MAX_PAGES ||
	    c->page_shift < VD_IO_SHIFT_MIN ||
	    c->page_shift > VD_IO_SHIFT_MAX ||
	    !is_aligned(c->base.v, c->page_shift))
		return -EINVAL;
	if (!checked_add(c->base.v >> c->page_shift, c->npages - 1, &last) ||
	    last > UINT64_MAX >> c->page_shift)
		return -EOVERFLOW;
	return 0;
}

static uint64_t origin_of(const struct vd_space_cfg *c)
{
	unsigned int order = freemap_order(c->npages);

	if (order > ORIGIN_ORDER)
		order = ORIGIN_ORDER;
	if (order < ORDERS)
		order = ORDERS;
	return align_down(c->base.v >> c->page_shift, order);
}

/* The arrays, of which the map comes last. */
static int make_arrays(struct vd_space *s, uint64_t origin)
{
	int err;

	s->mark = mem_zalloc(s->end, 1);
	if (!s->mark)
		return -ENOMEM;
	err = freemap_init(&s->map, s->end, origin);
	if (err)
		mem_free(s->mark);
	return err;
}

int vd_space_create(const struct vd_space_cfg *cfg, struct vd_space **out)
{
	struct vd_space_cfg own;
	struct vd_space *s;
	uint64_t origin;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	err = check_cfg(cfg);
	if (err)
		return err;
	s = mem_zalloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	origin = origin_of(cfg);
	s->page_shift = cfg->page_shift;
	s->bus = origin << cfg->page_shift;
	s->first = (cfg->base.v >> cfg->page_shift) - origin;
	s->end = s->first + cfg->npages;
	err = make_arrays(s, origin);
	if (err) {
		mem_free(s);
		return err;
	}

	/* Nothing below can fail. */
	lock_init(&s->lock);
	freemap_take(&s->map, 0, s->first);
	s->nfree = cfg->npages;
	*out = s;
	return 0;
}

void vd_space_destroy(struct vd_space *s)
{
	if (!s)
		return;
	assert(!s->caches);
	freemap_end(&s->map);
	mem_free(s->mark);
	lock_end(&s->lock);
	mem_free(s);
}

int space_page(const struct vd_space *s, vd_iova iova, uint64_t *page)
{
	uint64_t at = (iova.v - s->bus) >> s->page_shift;

	if (at - s->first >= s->end - s->first)
		return -ERANGE;
	if (!is_aligned(iova.v, s->page_shift))
		return -EINVAL;
	*page = at;
	return 0;
}

/* Nothing here can fail: the run is free. */
static void place_at(struct vd_space *s, uint64_t page, uint64_t npages,
		     uint8_t kind) MUST_HOLD(s->lock)
{
	freemap_take(&s->map, page, npages);
	s->nfree -= npages;
	mark_put(&s->mark[page], kind, npages);
}

/* The lowest block; or any run, if not @block alone. */
static bool find(struct vd_space *s, const struct freemap_want *w, bool block,
		 uint64_t *page) MUST_HOLD(s->lock)
{
	return freemap_block(&s->map, w, page) ||
	       (!block && freemap_run(&s->map, w, page));
}

/* Could it be, if nothing were given out? Else no cache is disturbed. */
static bool is_possible(const struct vd_space *s, const struct freemap_want *w)
{
	return w->end > s->first && w->npages <= w->end - s->first;
}

/*
 * For a short run all that is cached is put together again before a run is cut
 * out of a hole that is no block: there may be blocks enough for many to come.
 */
static bool find_or_take_back(struct vd_space *s, const struct freemap_want *w,
			      uint64_t *page) MUST_HOLD(s->lock)
{
	if (!is_possible(s, w))
		return false;
	if (find(s, w, w->npages <= VD_SPACE_SHORT, page))
		return true;
	space_take_back(s);
	return find(s, w, false, page);
}

int space_place(struct vd_space *s, const struct freemap_want *w,
		uint64_t *page)
{
	if (!find_or_take_back(s, w, page)) {
		s->refused++;
		return -ENOSPC;
	}
	place_at(s, *page, w->npages, MARK_DIRECT);
	return 0;
}

static int unplace(struct vd_space *s, uint64_t page, uint64_t npages,
		   uint8_t kind) MUST_HOLD(s->lock)
{
	uint8_t is;
	uint64_t len = mark_get(&s->mark[page], &is);

	if (len == 0 || (is == MARK_RESERVED) != (kind == MARK_RESERVED))
		return -ENOENT;
	if (len != npages)
		return -EINVAL;
	if (is != kind)
		return -ENOENT; /* freed and given out again just now */
	mark_clear(&s->mark[page]);
	freemap_give(&s->map, page, npages);
	s->nfree += npages;
	return 0;
}

int space_unplace(struct vd_space *s, uint64_t page, uint64_t npages,
		  uint8_t kind)
{
	int err;

	lock_take(&s->lock);
	err = unplace(s, page, npages, kind);
	if (!err && kind == MARK_RESERVED)
		s->nreserved -= npages;
	lock_drop(&s->lock);
	return err;
}

static int reserve(struct vd_space *s, uint64_t page, uint64_t npages)
	MUST_HOLD(s->lock)
{
	if (!freemap_is_free(&s->map, page, npages))
		space_take_back(s);
	if (!freemap_is_free(&s->map, page, npages))
		return -EEXIST;
	place_at(s, page, npages, MARK_RESERVED);
	s->nreserved += npages;
	return 0;
}

int vd_space_reserve(struct vd_space *s, vd_iova iova, uint64_t npages)
{
	uint64_t page;
	int err = npages == 0 ? -EINVAL : space_page(s, iova, &page);

	if (err)
		return err;
	if (npages > s->end - page)
		return -ERANGE;
	lock_take(&s->lock);
	err = reserve(s, page, npages);
	lock_drop(&s->lock);
	return err;
}

int vd_space_unreserve(struct vd_space *s, vd_iova iova, uint64_t npages)
{
	uint64_t page;
	int err = space_page(s, iova, &page);

	return err ? err : space_unplace(s, page, npages, MARK_RESERVED);
}

static uint64_t count_bad_frees(struct vd_space *s) MUST_HOLD(s->lock)
{
	uint64_t n = s->bad_frees;

	for (struct vd_space_cache *c = s->caches; c; c = c->next) {
		spin_take(&c->lock);
		n += c->bad_frees;
		spin_drop(&c->lock);
	}
	return n;
}

void vd_space_stats(struct vd_space *s, struct vd_space_stats *out)
{
	struct vd_space_stats n = { .size = sizeof(n) };

	lock_take(&s->lock);
	n = (struct vd_space_stats){ .size = sizeof(struct vd_space_stats),
				     .npages = s->end - s->first,
				     .reserved = s->nreserved,
				     .cached = space_cached(s),
				     .free = s->nfree,
				     .longest = freemap_longest(&s->map),
				     .take_backs = s->take_backs,
				     .refused = s->refused,
				     .bad_frees = count_bad_frees(s) };
	n.given = n.npages - n.reserved - n.cached - n.free;
	lock_drop(&s->lock);
	sized_write(out, &n, sizeof(n));
}
