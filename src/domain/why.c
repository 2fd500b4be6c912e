/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a page is pinned, and how the pin table is used. What comes from a word
 * is the guest's, a snapshot, and only ever shown.
 */
#include "state.h"

#include <container.h>
#include <sized.h>
#include <errno.h>
#include <viaduct/abi/hal.h>
#include <viaduct/pins.h>
#include <word.h>

#define PIECE_MAPPINGS 256u
#define PIECE_PAGES    ((uint64_t)64 * PIN_BLOCK)

/* A count of the mappings that touch first..last, device by device, in pieces:
 * others get the lock in between. */
struct count {
	uint64_t first, last;
	uint64_t guest_id; /* not below this one */
	bool begun;	   /* with it */
	struct tree_place at;
	uint64_t n; /* of it */
};

/* The same count, at the beginning of a device. */
static struct count count_of(const struct count *c, uint64_t guest_id)
{
	return (struct count){ .first = c->first,
			       .last = c->last,
			       .guest_id = guest_id };
}

/* Some of a device's; false: that was all. */
static bool count_some(struct device *dev, struct count *c)
{
	const struct tree_node *n =
		c->begun ? index_after(&dev->by_mem, &c->at) :
			   index_overlap(&dev->by_mem, c->first, c->last);

	for (unsigned int i = 0; n && n->first <= c->last; i++) {
		if (i == PIECE_MAPPINGS)
			return true;
		c->n += n->last >= c->first;
		c->at = tree_place_of(n);
		c->begun = true;
		n = index_next(&dev->by_mem, n);
	}
	return false;
}

static void add_device(struct vd_why *why, uint32_t guest_id, uint64_t n)
{
	why->mappings += n;
	if (n == 0)
		return;
	if (why->nby < VD_WHY_DEVICES)
		why->by[why->nby] = guest_id;
	why->nby++;
}

/* One piece more; false: all devices are done. */
static bool count_piece(struct vd_domain *d, struct count *c,
			struct vd_why *why) MUST_HOLD(d->lock)
{
	struct device *dev = device_from(d, c->guest_id);

	if (!dev)
		return false;
	if (dev->guest_id != c->guest_id) /* another than the last piece's */
		*c = count_of(c, dev->guest_id);
	if (count_some(dev, c))
		return true;
	add_device(why, dev->guest_id, c->n);
	*c = count_of(c, c->guest_id + 1);
	return true;
}

static void count_mappings(struct vd_domain *d, uint64_t first,
			   struct vd_why *why)
{
	struct count c = { .first = first, .last = first + VD_PAGE_SIZE - 1 };
	bool more;

	do {
		lock_take(&d->lock);
		more = count_piece(d, &c, why);
		lock_drop(&d->lock);
	} while (more);
}

static void fill_cached(struct vd_domain *d, uint64_t page, struct vd_why *out)
	MUST_HOLD(d->lock)
{
	const struct pin_record *r = pintable_find(&d->pins, page);
	uint64_t w;

	if (!r)
		return;
	w = word_get(&d->pins.word[page]);
	out->cached = true;
	out->used = (w & VD_HAL_WORD_USED) != 0;
	out->held = w & VD_HAL_WORD_COUNT;
	out->device = r->device;
	out->asked = r->asked;
	out->since_ms = r->since_ms;
	out->asked_ms = r->asked_ms;
}

int vd_domain_why_pinned(struct vd_domain *d, vd_gpa gpa, struct vd_why *out)
{
	uint64_t first = gpa.v & ~(VD_PAGE_SIZE - 1);
	struct vd_why why = { .size = sizeof(why), .mappings = 0 };
	const struct stretch *s;
	int err = -EFAULT;

	count_mappings(d, first, &why);
	lock_take(&d->lock);
	s = memory_find(&d->memory, first, first);
	if (s) {
		why.pinned = s->pins[(first - s->gpa) >> d->pages.shift] != 0;
		fill_cached(d, first >> VD_PAGE_SHIFT, &why);
		err = why.pinned ? 0 : -ENOENT;
	}
	lock_drop(&d->lock);
	if (!err)
		sized_write(out, &why, sizeof(why));
	return err;
}

static uint64_t count_held(struct vd_domain *d, uint64_t page)
	MUST_HOLD(d->lock)
{
	const struct pintable *t = &d->pins;
	uint64_t end = page + PIECE_PAGES, n = 0;

	for (; (page = pintable_next(t, page, end)) != PIN_NOT; page++)
		n += (word_peek(&t->word[page]) & VD_HAL_WORD_COUNT) != 0;
	return n;
}

void vd_domain_pins_stats(struct vd_domain *d, struct vd_pins_stats *out)
{
	const struct pintable *t = &d->pins;
	uint64_t page = 0, held = 0, nwords;
	struct vd_pins_stats s = { .size = sizeof(s) };

	do {
		lock_take(&d->lock);
		held += count_held(d, page);
		page += PIECE_PAGES;
		nwords = t->nwords;
		lock_drop(&d->lock);
	} while (page < nwords);
	lock_take(&d->lock);
	if (held > t->ncached)
		held = t->ncached; /* some have gone since they were counted */
	s = (struct vd_pins_stats){
		.size = sizeof(struct vd_pins_stats),
		.nwords = t->nwords,
		.cached = t->ncached << VD_PAGE_SHIFT,
		.held = held << VD_PAGE_SHIFT,
		.requests = t->requests,
		.asked = t->asked,
		.pinned = t->pinned,
		.aged = t->aged,
		.reclaimed = t->reclaimed,
		.dropped = t->dropped,
	};
	lock_drop(&d->lock);
	sized_write(out, &s, sizeof(s));
}
