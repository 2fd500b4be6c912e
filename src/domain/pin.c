/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapping by the pin table, for those pages that the guest could not map by
 * itself. A call goes through these steps:
 *	reserve	 a record for each page that has none, counted against the
 *		 budget; what is over it is taken from pages that nobody holds
 *	hold	 the record of each page is busy: from here on nothing forgets it
 *	pin	 the reserved pages, in batches
 *	check	 each segment is one run on the bus, below the mask
 *	count	 cannot fail: one more in the word of each page, once for each
 *		 segment that touches it
 *	publish	 cannot fail: the words say PINNED, USED and where
 * Of a long request the pages are pinned before, in pieces (pin_warm()), each under
 * its own hold of the domain's lock. Between them they are what cached pages are that
 * nobody holds: they may be evicted or dropped, and then "pin" finds them missing.
 *
 * If one fails, no count has changed and what was reserved is taken back; pages
 * that were pinned by then stay cached, with nobody holding them.
 *
 * Until a page is published its word says no PINNED, so the guest leaves it
 * alone. Words are only added to and or-ed, so whatever a guest makes of them,
 * and whenever, we neither loop nor look twice; what it stores there decides
 * nothing about a record that a call is using.
 */
#include "evict.h"

#include <checked.h>
#include <errno.h>
#include <viaduct/abi/hal.h>
#include <viaduct/pins.h>
#include <word.h>

#define AROUND_MOST 8u

/* The pages of a call, one after the other; a page may come several times. */
struct walk {
	const struct vd_seg *seg;
	size_t left;	     /* segments, this one included */
	uint64_t page, last; /* of this segment */
};

static void start(struct walk *w, const struct vd_seg *segs, size_t n)
{
	w->seg = segs;
	w->left = n;
	w->page = segs->gpa.v >> VD_PAGE_SHIFT;
	w->last = (segs->gpa.v + segs->len - 1) >> VD_PAGE_SHIFT;
}

static bool more(const struct walk *w)
{
	return w->left > 0;
}

static void next(struct walk *w)
{
	if (w->page++ < w->last)
		return;
	w->seg++;
	if (--w->left > 0)
		start(w, w->seg, w->left);
}

static uint64_t gpa_of(uint64_t page)
{
	return page << VD_PAGE_SHIFT;
}

static int check_memory(struct vd_domain *d, const struct vd_seg *segs,
			size_t n) MUST_HOLD(d->lock)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t first = segs[i].gpa.v;
		uint64_t last = first + segs[i].len - 1;

		if (last >> VD_PAGE_SHIFT >= d->pins.nwords ||
		    !memory_find(&d->memory, first, last))
			return -EFAULT;
	}
	return 0;
}

/* --- one page -------------------------------------------------------- */

static int reserve_page(struct vd_domain *d, uint64_t page) MUST_HOLD(d->lock)
{
	uint64_t gpa = gpa_of(page);

	if (!pintable_reserve(&d->pins, page))
		return -ENOMEM;
	word_set(&d->pins.word[page], 0);
	pages_hold(&d->pages, memory_find(&d->memory, gpa, gpa), gpa, gpa);
	return 0;
}

static void release_page(struct vd_domain *d, uint64_t page) MUST_HOLD(d->lock)
{
	uint64_t gpa = gpa_of(page);

	word_set(&d->pins.word[page], 0);
	pages_release(&d->pages, memory_find(&d->memory, gpa, gpa), gpa, gpa);
	pintable_forget(&d->pins, page);
}

static bool is_full(struct vd_domain *d, uint64_t page) MUST_HOLD(d->lock)
{
	return (word_get(&d->pins.word[page]) & VD_HAL_WORD_COUNT) >=
	       VD_HAL_WORD_MOST;
}

static uint64_t bus_of(struct vd_domain *d, uint64_t page) MUST_HOLD(d->lock)
{
	return pintable_find(&d->pins, page)->bus;
}

/*
 * It is true what its record says. The mark that it is owed goes: it is cached
 * again.
 */
static void publish(struct vd_domain *d, uint64_t page, uint64_t flags)
	MUST_HOLD(d->lock)
{
	uint64_t number = bus_of(d, page) >> VD_PAGE_SHIFT;

	pintable_set_owed(&d->pins, page, false);
	word_or(&d->pins.word[page],
		number << VD_HAL_WORD_PAGE_SHIFT | VD_HAL_WORD_PINNED | flags);
}

/* --- all pages of a call --------------------------------------------- */

static int hold_page(struct vd_domain *d, uint64_t page) MUST_HOLD(d->lock)
{
	int err = 0;

	if (!pintable_find(&d->pins, page))
		err = reserve_page(d, page);
	else if (is_full(d, page))
		err = -EBUSY;
	if (!err)
		pintable_set_busy(&d->pins, page, true);
	return err;
}

/* Until let_go_all(), which is to be called whatever this returns. */
static int hold_all(struct vd_domain *d, const struct vd_seg *segs, size_t n)
	MUST_HOLD(d->lock)
{
	struct walk w;
	int err = 0;

	for (start(&w, segs, n); more(&w) && !err; next(&w))
		err = hold_page(d, w.page);
	return err;
}

/* Whatever became of the call, what it has pinned is cached; what it has only
 * reserved is not. */
static void let_go_all(struct vd_domain *d, const struct vd_seg *segs, size_t n)
	MUST_HOLD(d->lock)
{
	struct walk w;

	for (start(&w, segs, n); more(&w); next(&w)) {
		if (!pintable_is_busy(&d->pins, w.page))
			continue; /* seen before, or never held */
		pintable_set_busy(&d->pins, w.page, false);
		if (pintable_find(&d->pins, w.page)->state == PIN_PINNED)
			publish(d, w.page, VD_HAL_WORD_USED);
		else
			release_page(d, w.page);
	}
}

/* Some more of the reserved pages into the scratch. Return: how many. */
static size_t take_batch(struct vd_domain *d, struct walk *w) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	size_t k = 0;

	for (; more(w) && k < VD_MAP_MAX_SEGS; next(w)) {
		struct pin_record *r = pintable_find(&d->pins, w->page);
		uint64_t gpa = gpa_of(w->page);

		if (r->state != PIN_RESERVED)
			continue;
		x->pin[k] = (struct vd_pin){
			.hva = stretch_hva(memory_find(&d->memory, gpa, gpa),
					   gpa),
			.npages = 1,
			.page = &x->page[k],
		};
		x->taken[k++] = w->page;
		r->state = PIN_TAKEN;
	}
	return k;
}

static int pin_batch(struct vd_domain *d, size_t n) MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	int err = d->host_ops.pin(d->host, x->pin, n);

	for (size_t i = 0; i < n; i++) {
		if (err)
			pintable_find(&d->pins, x->taken[i])->state =
				PIN_RESERVED;
		else
			pintable_record(&d->pins, x->taken[i], x->pin[i].handle,
					x->page[i].v);
	}
	return err;
}

/* The host's table may be full of what nobody holds. */
static bool is_room_wanted(int err)
{
	return err == -ENOSPC || err == -ENOMEM;
}

static int pin_reserved(struct vd_domain *d, const struct vd_seg *segs,
			size_t n) MUST_HOLD(d->lock)
{
	struct walk w, before;
	size_t k;
	int err;

	start(&w, segs, n);
	while (before = w, (k = take_batch(d, &w)) > 0) {
		err = pin_batch(d, k);
		if (is_room_wanted(err) && evict_for(d, k)) {
			w = before;
			k = take_batch(d, &w);
			err = pin_batch(d, k);
		}
		if (err)
			return err;
	}
	return 0;
}

static int check_budget(struct vd_domain *d) MUST_HOLD(d->lock)
{
	uint64_t excess = pages_excess(&d->pages);

	if (excess == 0)
		return 0;
	evict_for(d, excess);
	return pages_over_budget(&d->pages) ? -EDQUOT : 0;
}

static int check_run(struct vd_domain *d, const struct vd_seg *seg,
		     uint64_t mask) MUST_HOLD(d->lock)
{
	uint64_t first = seg->gpa.v >> VD_PAGE_SHIFT;
	uint64_t last = (seg->gpa.v + seg->len - 1) >> VD_PAGE_SHIFT;
	uint64_t bus = bus_of(d, first), end;

	for (uint64_t i = first; i <= last; i++) {
		if (bus_of(d, i) != bus + gpa_of(i - first))
			return -EXDEV;
	}
	if (!checked_last(bus + seg->gpa.v % VD_PAGE_SIZE, seg->len, &end))
		return -EXDEV;
	return end <= mask ? 0 : -ERANGE;
}

static int check_runs(struct vd_domain *d, const struct vd_seg *segs, size_t n,
		      uint64_t mask) MUST_HOLD(d->lock)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = check_run(d, &segs[i], mask);
	return err;
}

static void commit(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
		   size_t n) MUST_HOLD(d->lock)
{
	struct walk w;

	for (start(&w, segs, n); more(&w); next(&w)) {
		struct pin_record *r = pintable_find(&d->pins, w.page);

		word_add(&d->pins.word[w.page], 1); /* count */
		r->device = guest_id;
		r->asked++;
		r->asked_ms = d->pins.now_ms;
		d->pins.asked++;
	}
	for (size_t i = 0; i < n; i++)
		segs[i].iova.v = bus_of(d, segs[i].gpa.v >> VD_PAGE_SHIFT) +
				 segs[i].gpa.v % VD_PAGE_SIZE;
	d->pins.requests++;
}

/* --- neighbours ------------------------------------------------------ */

/*
 * Reserve what is free of the aligned pages around @page; into the scratch, which
 * has *k. False: there is no room for more. The budget's share may be slow to say
 * so, and is asked once.
 */
static bool take_around(struct vd_domain *d, uint64_t page, size_t *k)
	MUST_HOLD(d->lock)
{
	uint64_t len = (uint64_t)1 << d->pins.around;
	uint64_t at = page & ~(len - 1), end = at + len;
	struct scratch *x = d->scratch;

	for (; at < end && at < d->pins.nwords; at++) {
		uint64_t gpa = gpa_of(at);
		struct stretch *s = memory_find(&d->memory, gpa, gpa);

		if (*k == VD_MAP_MAX_SEGS)
			return false;
		if (!s || pintable_find(&d->pins, at) || reserve_page(d, at))
			continue;
		if (pages_over_budget(&d->pages)) {
			release_page(d, at);
			return false;
		}
		x->pin[*k] = (struct vd_pin){ .hva = stretch_hva(s, gpa),
					      .npages = 1,
					      .page = &x->page[*k] };
		x->taken[(*k)++] = at;
		pintable_find(&d->pins, at)->state = PIN_TAKEN;
	}
	return true;
}

static void pin_around(struct vd_domain *d, const struct vd_seg *segs, size_t n)
	MUST_HOLD(d->lock)
{
	struct scratch *x = d->scratch;
	struct walk w;
	size_t k = 0;

	for (start(&w, segs, n); more(&w); next(&w)) {
		if (!take_around(d, w.page, &k))
			break;
	}
	if (k == 0)
		return;
	if (pin_batch(d, k) != 0) {
		while (k > 0)
			release_page(d, x->taken[--k]);
		return;
	}
	while (k > 0) {
		pintable_find(&d->pins, x->taken[--k])->device = VD_WHY_AROUND;
		publish(d, x->taken[k], 0);
	}
}

/* --- calls ----------------------------------------------------------- */

/* All that can fail. */
static int prepare(struct vd_domain *d, const struct vd_seg *segs, size_t n,
		   uint64_t mask) MUST_HOLD(d->lock)
{
	int err = hold_all(d, segs, n);

	if (!err)
		err = check_budget(d);
	if (!err)
		err = pin_reserved(d, segs, n);
	if (!err)
		err = check_runs(d, segs, n, mask);
	return err;
}

int pin_check(struct vd_domain *d, const struct vd_seg *segs, size_t n)
{
	return d->pins.word ? check_memory(d, segs, n) : -ENOTSUP;
}

int pin_make(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
	     size_t nsegs, uint64_t mask)
{
	uint64_t before = d->pins.pinned;
	int err;

	err = pin_check(d, segs, nsegs);
	if (err)
		return err;
	err = prepare(d, segs, nsegs, mask);
	if (!err)
		commit(d, guest_id, segs, nsegs);
	let_go_all(d, segs, nsegs);
	if (!err && d->pins.around && d->pins.pinned > before)
		pin_around(d, segs, nsegs);
	pages_commit(&d->pages);
	return err;
}

int pin_warm(struct vd_domain *d, const struct vd_seg *segs, size_t n)
{
	int err = hold_all(d, segs, n);

	if (!err)
		err = check_budget(d);
	if (!err)
		err = pin_reserved(d, segs, n);
	let_go_all(d, segs, n);
	pages_commit(&d->pages);
	return err;
}

int vd_domain_share_pins(struct vd_domain *d, uint64_t *word, uint64_t nwords)
{
	int err;

	lock_take(&d->lock);
	evict_await_drop(d); /* which reads where it is without the lock */
	err = pintable_share(&d->pins, word, nwords);
	lock_drop(&d->lock);
	return err;
}

int vd_domain_set_around(struct vd_domain *d, unsigned int shift)
{
	if (shift > AROUND_MOST)
		return -EINVAL;
	lock_take(&d->lock);
	d->pins.around = shift;
	lock_drop(&d->lock);
	return 0;
}
