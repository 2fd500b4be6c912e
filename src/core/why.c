/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Why a page is pinned, and how the pin table is used. What comes from a word
 * is the guest's, a snapshot, and only ever shown.
 */
#include "core.h"

#include <container.h>
#include <errno.h>
#include <viaduct/abi/hal.h>
#include <viaduct/pins.h>
#include <word.h>

static uint64_t count_of_device(struct device *dev, uint64_t first,
				uint64_t last)
{
	const struct tree_node *n = index_overlap(&dev->by_mem, first, last);
	uint64_t count = 0;

	for (; n && n->first <= last; n = index_next(&dev->by_mem, n))
		count += n->last >= first;
	return count;
}

static void fill_mappings(struct vd_domain *d, uint64_t first,
			  struct vd_why *out) MUST_HOLD(d->lock)
{
	for (uint32_t i = 0; i < d->ndevices; i++) {
		struct device *dev = d->device[i];
		uint64_t n =
			count_of_device(dev, first, first + VD_PAGE_SIZE - 1);

		out->mappings += n;
		if (n == 0)
			continue;
		if (out->nby < VD_WHY_DEVICES)
			out->by[out->nby] = dev->guest_id;
		out->nby++;
	}
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
	struct vd_why why = { .mappings = 0 };
	const struct stretch *s;
	int err = -EFAULT;

	lock_take(&d->lock);
	s = memory_find(&d->memory, first, first);
	if (s) {
		why.pinned = s->pins[(first - s->gpa) >> d->pages.shift] != 0;
		fill_mappings(d, first, &why);
		fill_cached(d, first >> VD_PAGE_SHIFT, &why);
		err = why.pinned ? 0 : -ENOENT;
	}
	lock_drop(&d->lock);
	if (!err)
		*out = why;
	return err;
}

static uint64_t count_held(struct vd_domain *d) MUST_HOLD(d->lock)
{
	const struct pintable *t = &d->pins;
	uint64_t page = 0, n = 0;

	for (; (page = pintable_next(t, page, t->nwords)) != PIN_NOT; page++)
		n += (word_peek(&t->word[page]) & VD_HAL_WORD_COUNT) != 0;
	return n;
}

void vd_domain_pins_stats(struct vd_domain *d, struct vd_pins_stats *out)
{
	const struct pintable *t = &d->pins;

	lock_take(&d->lock);
	*out = (struct vd_pins_stats){
		.nwords = t->nwords,
		.cached = t->ncached << VD_PAGE_SHIFT,
		.held = count_held(d) << VD_PAGE_SHIFT,
		.requests = t->requests,
		.asked = t->asked,
		.pinned = t->pinned,
		.aged = t->aged,
		.reclaimed = t->reclaimed,
		.dropped = t->dropped,
	};
	lock_drop(&d->lock);
}
