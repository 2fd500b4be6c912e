/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loans: another owner fills a part of a window, the lender's devices reach it.
 */
#include "engine.h"

#include <sized.h>
#include <errno.h>

static bool is_within(const struct window *w, const struct vd_loan *l)
{
	return l->first < w->len && l->len <= w->len - l->first;
}

static int check_loan(struct vd_adapter *a, const struct vd_loan *l,
		      struct handover *p) MUST_HOLD(a->lock)
{
	struct window *w = window_find(a, l->id);

	p->to = owner_find(a, l->owner);
	if (!w || !p->to)
		return -ENOENT;
	if (l->len == 0 || l->rights == 0 || (l->rights & ~w->rights) != 0 ||
	    !window_is_shape(a, w->first + l->first, l->len))
		return -EINVAL;
	if (!is_within(w, l))
		return -ERANGE;
	p->w = w;
	p->first = w->first + l->first;
	p->len = l->len;
	if (window_find(a, l->newid) || window_is_lent(a, w, p->first, p->len))
		return -EEXIST;
	return window_free(a) ? 0 : -ENOSPC;
}

static void commit_loan(struct vd_adapter *a, const struct vd_loan *l,
			const struct handover *p) MUST_HOLD(a->lock)
{
	struct window *n = window_free(a);

	*n = (struct window){ .id = l->newid,
			      .via = p->w->via,
			      .lender = p->w,
			      .table = p->w->table,
			      .bus = window_bus(p->w, p->first),
			      .first = p->first,
			      .len = p->len,
			      .rights = l->rights };
	window_own(n, p->to);
	p->w->nloans++;
	n->table->nwindows++;
	a->count.nwindows++;
	a->count.loans++;
}

/* Both sides of a loan hear of it, while it is there and when it is not. */
static void tell_both(struct vd_adapter *a, uint32_t lender,
		      const struct vd_window_info *loan) MUST_HOLD(a->change)
{
	struct vd_window_info info = { .size = sizeof(info) };

	lock_take(&a->lock);
	window_info(a, window_find(a, lender), &info);
	lock_drop(&a->lock);
	window_tell(a, info.owner, &info);
	window_tell(a, loan->owner, loan);
}

static int lend(struct vd_adapter *a, const struct vd_loan *l)
	MUST_HOLD(a->change)
{
	struct vd_window_info info = { .size = sizeof(info) };
	enum vd_live live = l->live;
	struct handover p;
	bool moves;
	int err;

	lock_take(&a->lock);
	err = check_loan(a, l, &p);
	lock_drop(&a->lock);
	if (err)
		return err;
	moves = p.w->owner != p.to;
	if (!moves)
		live = VD_LIVE_TRANSFER;
	/* To itself with fewer rights: entries stay, devices look anew. */
	if (moves || l->rights != p.w->rights)
		err = handover_close(a, &p, live);
	if (err)
		return err;

	/* Nothing below can fail. */
	lock_take(&a->lock);
	handover_commit(a, &p, live);
	commit_loan(a, l, &p);
	window_info(a, window_find(a, l->newid), &info);
	lock_drop(&a->lock);
	owner_publish(a, p.w->via);
	tell_both(a, l->id, &info);
	return 0;
}

int vd_window_lend(struct vd_adapter *a, const struct vd_loan *l)
{
	struct vd_loan own;
	int err = sized_read(&own, sizeof(own), l);

	if (err)
		return err;
	lock_take(&a->change);
	err = lend(a, &own);
	lock_drop(&a->change);
	return err;
}

static int check_loan_end(struct vd_adapter *a, const struct handover *p)
	MUST_HOLD(a->lock)
{
	if (!p->w || !p->w->lender)
		return -ENOENT;
	return window_is_lent(a, p->w, p->first, p->len) ? -EBUSY : 0;
}

static int take_back(struct vd_adapter *a, uint32_t id, enum vd_live live)
	MUST_HOLD(a->change)
{
	struct vd_window_info gone = { .size = sizeof(gone) };
	struct handover p;
	struct owner *via;
	bool moves;
	int err;

	lock_take(&a->lock);
	p = handover_all(window_find(a, id), NULL);
	err = check_loan_end(a, &p);
	lock_drop(&a->lock);
	if (err)
		return err;
	p.to = p.w->lender->owner;
	via = p.w->via;
	moves = p.w->owner != p.to;
	if (moves)
		err = handover_close(a, &p, live);
	if (err)
		return err;

	/* Nothing below can fail. */
	lock_take(&a->lock);
	if (moves)
		handover_commit(a, &p, live);
	window_info(a, p.w, &gone);
	window_clear(a, p.w);
	lock_drop(&a->lock);
	owner_publish(a, via);
	gone.len = 0;
	tell_both(a, gone.lender, &gone);
	return 0;
}

int vd_window_take_back(struct vd_adapter *a, uint32_t id, enum vd_live live)
{
	int err;

	lock_take(&a->change);
	err = take_back(a, id, live);
	lock_drop(&a->change);
	return err;
}
