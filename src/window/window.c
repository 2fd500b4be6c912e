/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The register file: windows are made, cleared, looked up and shown.
 *
 * Invariants (X2, X3):
 *  - top windows share no entry of a table, and those of one provider's devices
 *    no bus address;
 *  - a loan lies inside its lender and shares no entry with another loan of it;
 *  - entries in no window are invalid.
 */
#include "engine.h"

#include <checked.h>
#include <sized.h>
#include <errno.h>

static int add_table(struct vd_adapter *a, const struct vd_table_cfg *cfg,
		     struct vd_table **out) MUST_HOLD(a->lock)
{
	int err = table_create(cfg, &a->budget, out);

	if (err)
		return err;
	(*out)->next = a->tables;
	a->tables = *out;
	return 0;
}

static void drop_table(struct vd_adapter *a, struct vd_table *t)
	MUST_HOLD(a->lock)
{
	struct vd_table **link = &a->tables;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	table_destroy(t);
}

int vd_table_create(struct vd_adapter *a, const struct vd_table_cfg *cfg,
		    struct vd_table **out)
{
	struct vd_table_cfg own;
	struct vd_table *t;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	lock_take(&a->lock);
	err = add_table(a, cfg, &t);
	if (!err)
		*out = t;
	lock_drop(&a->lock);
	return err;
}

int vd_table_destroy(struct vd_adapter *a, struct vd_table *t)
{
	int err = -EBUSY;

	lock_take(&a->lock);
	if (t->nwindows == 0) {
		drop_table(a, t);
		err = 0;
	}
	lock_drop(&a->lock);
	return err;
}

/* A table for a window that has none. */
static int imply_table(struct vd_adapter *a, struct vd_window_cfg *cfg)
{
	const struct vd_table_cfg t = {
		.size = sizeof(t),
		.format = VD_FORMAT_NATIVE,
		.page_shift =
			cfg->page_shift ? cfg->page_shift : VD_IO_SHIFT_MIN,
		.nentries = cfg->len,
	};
	int err;

	if (cfg->first)
		return -EINVAL;
	lock_take(&a->lock);
	err = add_table(a, &t, &cfg->table);
	if (!err)
		cfg->table->implied = true;
	lock_drop(&a->lock);
	return err;
}

/* No reader is inside a window of it. */
static void leave_table(struct vd_adapter *a, struct vd_table *t)
{
	lock_take(&a->lock);
	if (t->implied && t->nwindows == 0)
		drop_table(a, t);
	lock_drop(&a->lock);
}

void vd_table_stats(struct vd_adapter *a, const struct vd_table *t,
		    struct vd_table_stats *out)
{
	struct vd_table_stats s = { .size = sizeof(s) };

	lock_take(&a->lock);
	s = (struct vd_table_stats){ .size = sizeof(struct vd_table_stats),
				     .levels = t->levels + 1,
				     .nentries = t->nentries,
				     .nlive = t->nlive,
				     .bytes = t->bytes };
	lock_drop(&a->lock);
	sized_write(out, &s, sizeof(s));
}

struct window *window_find(struct vd_adapter *a, uint32_t id)
{
	for (uint32_t i = 0; i < a->nregs; i++) {
		if (a->window[i].id == id && a->window[i].table)
			return &a->window[i];
	}
	return NULL;
}

struct window *window_free(struct vd_adapter *a)
{
	for (uint32_t i = 0; i < a->nregs; i++) {
		if (!a->window[i].table)
			return &a->window[i];
	}
	return NULL;
}

uint64_t window_bus(const struct window *w, uint64_t entry)
{
	return w->bus + ((entry - w->first) << w->table->shift);
}

struct vd_drain window_range(const struct window *w, uint64_t first, uint64_t n)
{
	const uint64_t page = (uint64_t)1 << w->table->shift;

	return (struct vd_drain){
		.size = sizeof(struct vd_drain),
		.owner = w->via->id,
		.device = VD_EVERY_DEVICE,
		.bus = { window_bus(w, first) },
		.last = { window_bus(w, first + n - 1) + (page - 1) },
	};
}

uint64_t window_last_bus(const struct window *w)
{
	return window_bus(w, w->first + w->len - 1) +
	       (((uint64_t)1 << w->table->shift) - 1);
}

bool window_is_shape(const struct vd_adapter *a, uint64_t first, uint64_t len)
{
	if (!(a->flags & VD_ADAPTER_POWERS_OF_TWO))
		return true;
	return (len & (len - 1)) == 0 && (first & (len - 1)) == 0;
}

bool window_is_taken(struct vd_adapter *a, const struct owner *via,
		     const struct window *range, const struct window *but)
{
	for (uint32_t i = 0; i < a->nregs; i++) {
		const struct window *w = &a->window[i];

		if (w->table && !w->lender && w->via == via && w != but &&
		    w != range &&
		    ranges_overlap(w->bus, window_last_bus(w), range->bus,
				   window_last_bus(range)))
			return true;
	}
	return false;
}

bool window_is_lent(struct vd_adapter *a, const struct window *w,
		    uint64_t first, uint64_t len)
{
	for (uint32_t i = 0; w->nloans && i < a->nregs; i++) {
		const struct window *l = &a->window[i];

		if (l->table && l->lender == w &&
		    ranges_overlap(l->first, l->first + l->len - 1, first,
				   first + len - 1))
			return true;
	}
	return false;
}

void window_own(struct window *w, struct owner *o)
{
	if (w->owner)
		w->owner->nwindows--;
	w->owner = o;
	o->nwindows++;
}

void window_hide(struct window *w, const struct owner *via)
{
	if (w->table && w->via == via) {
		w->hidden = w->first;
		w->nhidden = w->len;
	}
}

void window_clear(struct vd_adapter *a, struct window *w)
{
	w->owner->nwindows--;
	w->table->nwindows--;
	a->count.nwindows--;
	if (w->lender)
		w->lender->nloans--;
	*w = (struct window){ .table = NULL };
}

static bool is_entry_taken(struct vd_adapter *a,
			   const struct vd_window_cfg *cfg) MUST_HOLD(a->lock)
{
	for (uint32_t i = 0; i < a->nregs; i++) {
		const struct window *w = &a->window[i];

		if (w->table == cfg->table && !w->lender &&
		    ranges_overlap(w->first, w->first + w->len - 1, cfg->first,
				   cfg->first + cfg->len - 1))
			return true;
	}
	return false;
}

static int check_range(const struct vd_adapter *a,
		       const struct vd_window_cfg *cfg)
{
	const struct vd_table *t = cfg->table;
	uint64_t last;

	if (cfg->len == 0 || !is_aligned(cfg->bus.v, t->shift) ||
	    !window_is_shape(a, cfg->first, cfg->len))
		return -EINVAL;
	if (cfg->first >= t->nentries || cfg->len > t->nentries - cfg->first)
		return -ERANGE;
	/* The table's length keeps len - 1 from wrapping when it is shifted. */
	if (!checked_add(cfg->bus.v, (cfg->len - 1) << t->shift, &last))
		return -EOVERFLOW;
	return 0;
}

static int make_window(struct vd_adapter *a, const struct vd_window_cfg *cfg,
		       struct owner **via) MUST_HOLD(a->lock)
{
	struct owner *o = owner_find(a, cfg->owner);
	struct window *w = window_free(a);
	struct window n = { .id = cfg->id,
			    .table = cfg->table,
			    .bus = cfg->bus.v,
			    .first = cfg->first,
			    .len = cfg->len,
			    .rights = VD_READ | VD_WRITE };

	if (!o)
		return -ENOENT;
	n.via = o->provider;
	if (window_find(a, cfg->id) || is_entry_taken(a, cfg) ||
	    window_is_taken(a, n.via, &n, NULL))
		return -EEXIST;
	if (!w)
		return -ENOSPC;

	/* Nothing below can fail. */
	*w = n;
	window_own(w, o);
	cfg->table->nwindows++;
	a->count.nwindows++;
	*via = n.via;
	return 0;
}

static int create(struct vd_adapter *a, const struct vd_window_cfg *cfg)
{
	struct vd_window_info info = { .size = sizeof(info) };
	struct owner *via;
	int err;

	lock_take(&a->change);
	err = check_range(a, cfg);
	if (!err) {
		lock_take(&a->lock);
		err = make_window(a, cfg, &via);
		if (!err)
			window_info(a, window_find(a, cfg->id), &info);
		lock_drop(&a->lock);
	}
	if (!err) {
		owner_publish(a, via);
		window_tell(a, cfg->owner, &info);
	}
	lock_drop(&a->change);
	return err;
}

int vd_window_create(struct vd_adapter *a, const struct vd_window_cfg *cfg)
{
	struct vd_window_cfg own;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	if (own.table)
		return own.page_shift ? -EINVAL : create(a, &own);
	err = imply_table(a, &own);
	if (err)
		return err;
	err = create(a, &own);
	if (err)
		leave_table(a, own.table);
	return err;
}

static int check_destroy(struct vd_adapter *a, const struct handover *p,
			 enum vd_live live) MUST_HOLD(a->lock)
{
	if (!p->w)
		return -ENOENT;
	if (live != VD_LIVE_REFUSE && live != VD_LIVE_REVOKE)
		return -EINVAL;
	if (p->w->lender || window_is_lent(a, p->w, p->first, p->len))
		return -EBUSY;
	return 0;
}

int vd_window_destroy(struct vd_adapter *a, uint32_t id, enum vd_live live)
{
	struct vd_window_info info = { .size = sizeof(info) };
	struct vd_table *table;
	struct handover p;
	struct owner *via;
	int err;

	lock_take(&a->change);
	lock_take(&a->lock);
	p = handover_all(window_find(a, id), NULL);
	err = check_destroy(a, &p, live);
	lock_drop(&a->lock);
	if (!err)
		err = handover_close(a, &p, live);
	if (!err) {
		lock_take(&a->lock);
		entry_revoke(a, &p);
		window_info(a, p.w, &info);
		via = p.w->via;
		table = p.w->table;
		window_clear(a, p.w);
		lock_drop(&a->lock);
		owner_publish(a, via);
		leave_table(a, table);
		info.len = 0;
		window_tell(a, info.owner, &info);
	}
	lock_drop(&a->change);
	return err;
}

void window_info(struct vd_adapter *a, const struct window *w,
		 struct vd_window_info *out)
{
	const struct vd_table *t = w->table;

	*out = (struct vd_window_info){
		.size = sizeof(*out),
		.id = w->id,
		.owner = w->owner->id,
		.slot = (uint32_t)(w - a->window),
		.lender = w->lender ? w->lender->id : w->id,
		.via = w->via->id,
		.format = t->format,
		.page_shift = t->shift,
		.rights = w->rights,
		.bus = { w->bus },
		.table = t->at + w->first * sizeof(uint64_t),
		.first = w->first,
		.len = w->len,
	};
	for (uint32_t i = 0; i < a->nregs; i++) {
		if (a->window[i].table && a->window[i].lender == w)
			out->lent += a->window[i].len;
	}
}

void window_tell(struct vd_adapter *a, uint32_t owner,
		 const struct vd_window_info *w)
{
	if (a->ops.changed)
		a->ops.changed(a->opaque, owner, w);
}

int vd_window_query(struct vd_adapter *a, uint32_t id,
		    struct vd_window_info *out)
{
	const struct window *w;
	struct vd_window_info info = { .size = sizeof(info) };

	lock_take(&a->lock);
	w = window_find(a, id);
	if (w)
		window_info(a, w, &info);
	lock_drop(&a->lock);
	if (!w)
		return -ENOENT;
	sized_write(out, &info, sizeof(info));
	return 0;
}

int vd_window_show(struct vd_adapter *a, uint32_t slot,
		   struct vd_window_info *out)
{
	struct vd_window_info info = { .size = sizeof(info) };
	int err = -ENOENT;

	if (slot >= a->nregs)
		return -EINVAL;
	lock_take(&a->lock);
	if (a->window[slot].table) {
		window_info(a, &a->window[slot], &info);
		err = 0;
	}
	lock_drop(&a->lock);
	if (!err)
		sized_write(out, &info, sizeof(info));
	return err;
}

int vd_window_nlive(struct vd_adapter *a, uint32_t id, uint64_t *nlive)
{
	const struct window *w;

	lock_take(&a->lock);
	w = window_find(a, id);
	if (w)
		*nlive = table_nlive(w->table, w->first, w->len);
	lock_drop(&a->lock);
	return w ? 0 : -ENOENT;
}
