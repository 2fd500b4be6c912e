/* SPDX-License-Identifier: BSD-2-Clause */
#include "regions.h"
#include <errno.h>
#include <stdlib.h>

#define RIGHTS ((uint64_t)(VD_READ | VD_WRITE))

static bool follows(const struct vd_remote_region *a,
		    const struct vd_remote_region *b)
{
	return a->fd == b->fd && a->iova.v + a->len == b->iova.v &&
	       a->off + a->len == b->off;
}

static int add(struct regions *r, const struct vd_remote_region *m)
{
	if (r->n > 0 && follows(&r->run[r->n - 1], m)) {
		r->run[r->n - 1].len += m->len;
		return 0;
	}
	if (r->n == REGIONS_MAX)
		return -ENOSPC;
	r->run[r->n++] = *m;
	return 0;
}

/*
 * An entry of a part that is lent is the borrower's: it cannot be read through
 * the lender's window, and comes with the loan's.
 */
static int add_window(struct regions *r, struct vd_adapter *a,
		      const struct vd_window_info *w, unsigned int prot, int fd)
{
	struct vd_remote_region m = { .fd = fd,
				      .len = (uint64_t)1 << w->page_shift };
	vd_entry e;
	int err = 0;

	for (uint64_t i = 0; i < w->len && !err; i++) {
		m.iova.v = w->bus.v + (i << w->page_shift);
		if (vd_window_get(a, w->owner, w->id, m.iova, &e, 1) ||
		    !(e.v & prot))
			continue;
		m.off = e.v & ~RIGHTS;
		err = add(r, &m);
	}
	return err;
}

static int by_address(const void *a, const void *b)
{
	const struct vd_remote_region *x = a, *y = b;

	return (x->iova.v > y->iova.v) - (x->iova.v < y->iova.v);
}

static void join(struct regions *r)
{
	struct regions joined = { .n = 0 };

	qsort(r->run, r->n, sizeof(r->run[0]), by_address);
	for (size_t i = 0; i < r->n; i++)
		add(&joined, &r->run[i]);
	*r = joined;
}

int regions_collect(struct vd_adapter *a, uint32_t provider, unsigned int prot,
		    int (*fd_of)(void *ctx, uint32_t owner), void *ctx,
		    struct regions *out)
{
	struct vd_window_info w = { .size = sizeof(w) };
	int err;

	out->n = 0;
	for (uint32_t slot = 0; slot < VD_ADAPTER_MAX_REGS; slot++) {
		err = vd_window_show(a, slot, &w);
		if (err == -EINVAL)
			break;
		if (err || w.via != provider)
			continue;
		err = add_window(out, a, &w, prot, fd_of(ctx, w.owner));
		if (err)
			return err;
	}
	join(out);
	return 0;
}
