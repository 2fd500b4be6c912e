/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order in which entries leave an owner (X4):
 *	hide	 writes are refused, the next view does not show them
 *	publish	 no reader is inside that saw them
 *	drain	 the adapter forgets cached ones, DMA in flight has ended
 *	revoke	 entries become invalid and pins drop, if the caller wants that
 * Up to the drain each step can be undone.
 */
#include "engine.h"

#include <errno.h>

struct handover handover_all(struct window *w, struct owner *to)
{
	if (!w)
		return (struct handover){ .w = NULL };
	return (struct handover){ w, w->first, w->len, to };
}

/* May it go? */
static int check_live(const struct handover *p, enum vd_live live)
{
	switch (live) {
	case VD_LIVE_REFUSE:
		return table_is_live(p->w->table, p->first, p->len) ? -EBUSY :
								      0;
	case VD_LIVE_REVOKE:
		return 0;
	case VD_LIVE_TRANSFER:
		if (p->to && ram_can_take(&p->to->ram, &p->w->owner->ram))
			return 0;
		return -EXDEV;
	}
	return -EINVAL;
}

static int hide(struct vd_adapter *a, const struct handover *p,
		enum vd_live live)
{
	int err;

	lock_take(&a->lock);
	err = check_live(p, live);
	if (!err) {
		p->w->hidden = p->first;
		p->w->nhidden = p->len;
	}
	lock_drop(&a->lock);
	return err;
}

void handover_open(struct vd_adapter *a, const struct handover *p)
{
	lock_take(&a->lock);
	p->w->nhidden = 0;
	lock_drop(&a->lock);
	owner_publish(a, p->w->via);
}

int handover_close(struct vd_adapter *a, const struct handover *p,
		   enum vd_live live)
{
	const struct window *w = p->w;
	const struct vd_drain what = window_range(w, p->first, p->len);
	int err = hide(a, p, live);

	if (err)
		return err;
	owner_publish(a, w->via);
	err = adapter_drain(a, &what);
	if (err)
		handover_open(a, p);
	return err;
}

void handover_commit(struct vd_adapter *a, const struct handover *p,
		     enum vd_live live)
{
	if (live == VD_LIVE_REVOKE)
		entry_revoke(a, p);
	p->w->nhidden = 0;
}
