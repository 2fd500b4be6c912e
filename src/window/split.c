/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split and merge: two registers change, no entry does. Where the owner stays
 * there is nothing to close: one view replaces the other.
 */
#include "engine.h"

#include <sized.h>
#include <errno.h>

static void tell(struct vd_adapter *a, uint32_t id) MUST_HOLD(a->change)
{
	struct vd_window_info info = { .size = sizeof(info) };

	lock_take(&a->lock);
	window_info(a, window_find(a, id), &info);
	lock_drop(&a->lock);
	window_tell(a, info.owner, &info);
}

static int check_split(struct vd_adapter *a, const struct vd_split *s,
		       struct handover *p) MUST_HOLD(a->lock)
{
	struct window *w = window_find(a, s->id);
	struct window n;

	p->to = owner_find(a, s->owner);
	if (!w || !p->to)
		return -ENOENT;
	if (s->keep == 0 || s->keep >= w->len ||
	    !window_is_shape(a, w->first, s->keep) ||
	    !window_is_shape(a, w->first + s->keep, w->len - s->keep))
		return -EINVAL;
	p->w = w;
	p->first = w->first + s->keep;
	p->len = w->len - s->keep;
	if (w->lender || window_is_lent(a, w, p->first, p->len))
		return -EBUSY;
	n = *w;
	n.bus = window_bus(w, p->first);
	n.first = p->first;
	n.len = p->len;
	if (window_find(a, s->newid) ||
	    window_is_taken(a, p->to->provider, &n, w))
		return -EEXIST;
	return window_free(a) ? 0 : -ENOSPC;
}

/* Registers are few and locked by the change lock: this cannot fail. */
static void commit_split(struct vd_adapter *a, const struct vd_split *s,
			 const struct handover *p) MUST_HOLD(a->lock)
{
	struct window *n = window_free(a);

	*n = *p->w;
	n->nloans = 0; /* none reaches into this part */
	n->id = s->newid;
	n->bus = window_bus(p->w, p->first);
	n->first = p->first;
	n->len = p->len;
	n->owner = NULL;
	n->via = p->to->provider;
	window_own(n, p->to);
	n->table->nwindows++;
	p->w->len -= p->len;
	a->count.nwindows++;
	a->count.splits++;
}

static void count_refusal(struct vd_adapter *a)
{
	lock_take(&a->lock);
	a->count.refused++;
	lock_drop(&a->lock);
}

static int split(struct vd_adapter *a, const struct vd_split *s)
	MUST_HOLD(a->change)
{
	struct owner *old;
	struct handover p;
	bool moves;
	int err;

	lock_take(&a->lock);
	err = check_split(a, s, &p);
	lock_drop(&a->lock);
	if (err)
		return err;
	old = p.w->via;
	moves = p.w->owner != p.to;
	if (moves)
		err = handover_close(a, &p, s->live);
	if (err)
		return err;

	/* Nothing below can fail. */
	lock_take(&a->lock);
	if (moves)
		handover_commit(a, &p, s->live);
	commit_split(a, s, &p);
	lock_drop(&a->lock);
	owner_publish(a, old);
	if (p.to->provider != old)
		owner_publish(a, p.to->provider);
	tell(a, s->id);
	tell(a, s->newid);
	return 0;
}

int vd_window_split(struct vd_adapter *a, const struct vd_split *s)
{
	struct vd_split own;
	int err = sized_read(&own, sizeof(own), s);

	if (err)
		return err;
	lock_take(&a->change);
	err = split(a, &own);
	if (err)
		count_refusal(a);
	lock_drop(&a->change);
	return err;
}

static bool are_neighbours(const struct window *low, const struct window *high)
{
	return low->table == high->table &&
	       low->first + low->len == high->first &&
	       high->bus - low->bus == low->len << low->table->shift &&
	       high->bus > low->bus;
}

/* The two windows as they lie. */
struct pair {
	struct handover keep, clear;
	struct window *low;
};

static int check_pair(struct vd_adapter *a, struct pair *x) MUST_HOLD(a->lock)
{
	struct window *k = x->keep.w, *c = x->clear.w;

	if (are_neighbours(k, c))
		x->low = k;
	else if (are_neighbours(c, k))
		x->low = c;
	else
		return -EINVAL;
	if (!window_is_shape(a, x->low->first, k->len + c->len))
		return -EINVAL;
	if (k->lender || c->lender || window_is_lent(a, k, k->first, k->len) ||
	    window_is_lent(a, c, c->first, c->len))
		return -EBUSY;
	return 0;
}

static int check_merge(struct vd_adapter *a, const struct vd_merge *m,
		       struct pair *x) MUST_HOLD(a->lock)
{
	struct owner *to = owner_find(a, m->owner);
	struct window *k = window_find(a, m->keep);
	struct window *c = window_find(a, m->clear);
	int err;

	if (!to || !k || !c)
		return -ENOENT;
	x->keep = handover_all(k, to);
	x->clear = handover_all(c, to);
	err = check_pair(a, x);
	if (err)
		return err;
	if (window_is_taken(a, to->provider, k, c) ||
	    window_is_taken(a, to->provider, c, k))
		return -EEXIST;
	return 0;
}

static bool does_move(const struct handover *p)
{
	return p->w->owner != p->to;
}

static int close_pair(struct vd_adapter *a, const struct pair *x,
		      enum vd_live live) MUST_HOLD(a->change)
{
	int err = 0;

	if (does_move(&x->keep))
		err = handover_close(a, &x->keep, live);
	if (err || !does_move(&x->clear))
		return err;
	err = handover_close(a, &x->clear, live);
	if (err && does_move(&x->keep))
		handover_open(a, &x->keep);
	return err;
}

static void commit_merge(struct vd_adapter *a, const struct pair *x,
			 enum vd_live live) MUST_HOLD(a->lock)
{
	struct window *k = x->keep.w;
	uint64_t len = k->len + x->clear.len;

	if (does_move(&x->keep))
		handover_commit(a, &x->keep, live);
	if (does_move(&x->clear))
		handover_commit(a, &x->clear, live);
	k->bus = x->low->bus;
	k->first = x->low->first;
	k->len = len;
	k->via = x->keep.to->provider;
	window_own(k, x->keep.to);
	window_clear(a, x->clear.w);
	a->count.merges++;
}

static int merge(struct vd_adapter *a, const struct vd_merge *m)
	MUST_HOLD(a->change)
{
	struct vd_window_info gone = { .size = sizeof(gone) };
	struct owner *via[3];
	struct pair x;
	int err;

	lock_take(&a->lock);
	err = check_merge(a, m, &x);
	lock_drop(&a->lock);
	if (!err)
		err = close_pair(a, &x, m->live);
	if (err)
		return err;

	/* Nothing below can fail. */
	lock_take(&a->lock);
	via[0] = x.keep.w->via;
	via[1] = x.clear.w->via;
	via[2] = x.keep.to->provider;
	window_info(a, x.clear.w, &gone);
	commit_merge(a, &x, m->live);
	lock_drop(&a->lock);
	for (size_t i = 0; i < 3; i++)
		owner_publish(a, via[i]);
	gone.len = 0;
	window_tell(a, gone.owner, &gone);
	tell(a, m->keep);
	return 0;
}

int vd_window_merge(struct vd_adapter *a, const struct vd_merge *m)
{
	struct vd_merge own;
	int err = sized_read(&own, sizeof(own), m);

	if (err)
		return err;
	lock_take(&a->change);
	err = merge(a, &own);
	if (err)
		count_refusal(a);
	lock_drop(&a->change);
	return err;
}
