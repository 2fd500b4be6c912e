/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Giving up guest memory.
 *
 * A page that a device may be writing must never be replaced by a new one: the
 * DMA would go on in the old one, which the guest no longer sees. So whether a
 * granule has a pin is decided, and the memory is given up, under one hold of
 * the domain's lock, which every map takes: no pin can come in between.
 *
 * Pages that are pinned because they are cached, and that nobody holds, are let
 * go first. A guest that says it holds them keeps them.
 *
 * The lock is dropped after each slice, so that maps do not wait for a long
 * range. Memory is never taken away from a domain: what was checked once stays
 * guest memory.
 */
#include "evict.h"

#include <checked.h>
#include <sized.h>
#include <errno.h>

/* Taking 512 pages from a process costs about as much as pinning one. */
#define SLICE ((uint64_t)1 << 21)

struct run {
	struct stretch *stretch;
	uint64_t first, last;
	bool held;
};

/* The run from @first on, to @last at most, that is all held or all not. */
static struct run find_run(struct vd_domain *d, uint64_t first, uint64_t last)
	MUST_HOLD(d->lock)
{
	unsigned int shift = d->pages.shift;
	struct run r = { .stretch = memory_find(&d->memory, first, first),
			 .first = first };

	if (last > r.stretch->last)
		last = r.stretch->last;
	r.held = pages_are_held(&d->pages, r.stretch, first);
	r.last = first | ((1ull << shift) - 1);
	while (r.last < last &&
	       pages_are_held(&d->pages, r.stretch, r.last + 1) == r.held)
		r.last += 1ull << shift;
	if (r.last > last)
		r.last = last;
	return r;
}

static int discard_run(struct vd_discard *how, const struct run *r)
{
	uint64_t len = r->last - r->first + 1;
	int err;

	if (r->held) {
		how->pinned += len;
		return 0;
	}
	err = how->give(how->opaque, stretch_hva(r->stretch, r->first), len);
	if (!err)
		how->given += len;
	return err;
}

static int discard_slice(struct vd_domain *d, struct vd_discard *how,
			 uint64_t first, uint64_t last)
{
	struct run r;
	int err;

	lock_take(&d->lock);
	evict_range(d, first >> VD_PAGE_SHIFT, (last >> VD_PAGE_SHIFT) + 1);
	do {
		r = find_run(d, first, last);
		err = discard_run(how, &r);
		first = r.last + 1; /* 0 behind the last byte that there is */
	} while (!err && r.last < last);
	lock_drop(&d->lock);
	return err;
}

static int discard(struct vd_domain *d, vd_gpa gpa, uint64_t len,
		   struct vd_discard *how)
{
	uint64_t first = gpa.v, last;
	int err;

	if (len == 0 || !is_aligned(first | len, VD_PAGE_SHIFT))
		return -EINVAL;
	err = vd_domain_check_memory(d, gpa, len);
	if (err)
		return err;
	last = first + len - 1;
	for (;;) {
		uint64_t end = first | (SLICE - 1);

		err = discard_slice(d, how, first, end < last ? end : last);
		if (err || end >= last)
			return err;
		first = end + 1;
	}
}

int vd_domain_discard(struct vd_domain *d, vd_gpa gpa, uint64_t len,
		      struct vd_discard *how)
{
	struct vd_discard own = { .size = sizeof(own) };
	int err = sized_read(&own, sizeof(own), how);

	if (err)
		return err;
	own.given = own.pinned = 0;
	err = discard(d, gpa, len, &own);
	sized_write(how, &own, sizeof(own));
	return err;
}
