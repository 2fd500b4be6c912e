/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partitionable endpoints and their windows.
 *
 * A PE has numbered places for windows; place n has LIOBN liobn + n and, but
 * for the first, bus address n << slot_shift. The default window is at the
 * first; once it was removed a window of another size can be made there. The
 * table of the default window is kept while the window is gone, so that there
 * is always memory to restore it.
 *
 * Registers are not the guest's alone: an administrator splits parts off and
 * merges windows. So the default window comes back as long as it was when it
 * closed, because the rest of its table is somebody else's; and one that is open
 * is emptied where it is, for nobody can take the place of a window that does
 * not close.
 */
#include "papr_state.h"

#include <sized.h>
#include <errno.h>

static bool is_sane(const struct vd_papr_pe *cfg)
{
	uint64_t last;

	return cfg->adapter && cfg->max_windows >= 1 &&
	       cfg->max_windows <= VD_PAPR_MAX_WINDOWS &&
	       cfg->slot_shift >= 32 && cfg->slot_shift <= 60 &&
	       cfg->liobn <= UINT32_MAX - VD_PAPR_MAX_WINDOWS &&
	       is_aligned(cfg->base | cfg->len, VD_PAGE_SHIFT) &&
	       checked_last(cfg->base, cfg->len, &last) && last <= UINT32_MAX;
}

/* What a table may take, so that there is as much for each register. */
uint64_t papr_table_bytes(struct vd_adapter *adapter)
{
	struct vd_adapter_stats s = { .size = sizeof(s) };

	vd_adapter_stats(adapter, &s);
	return s.max_bytes / s.nregs;
}

vd_iova papr_pe_bus(const struct papr_pe *pe, uint32_t slot)
{
	if (slot == 0)
		return (vd_iova){ pe->cfg.base };
	return (vd_iova){ (uint64_t)slot << pe->cfg.slot_shift };
}

/* What it has of @table: all, but for the default window. */
static int make_register(struct papr_pe *pe, uint32_t slot,
			 struct vd_table *table)
{
	struct vd_table_stats t = { .size = sizeof(t) };
	struct vd_window_cfg w = {
		.size = sizeof(w),
		.id = pe->cfg.liobn + slot,
		.owner = pe->cfg.owner,
		.bus = papr_pe_bus(pe, slot),
		.table = table,
	};

	vd_table_stats(pe->cfg.adapter, table, &t);
	w.len = t.nentries;
	if (table == pe->default_table) {
		w.first = pe->default_first;
		w.len = pe->default_len;
		w.bus.v += w.first << VD_PAGE_SHIFT;
	}
	return vd_window_create(pe->cfg.adapter, &w);
}

static int find_pane(struct vd_papr *p, const struct papr_pe *pe, uint32_t slot,
		     struct papr_pane **out) MUST_HOLD(p->lock)
{
	*out = papr_pane_free(p);
	if (!*out)
		return -ENOSPC;
	/* An accepted pane may have its LIOBN. */
	return papr_pane_any(p, pe->cfg.liobn + slot) ? -EEXIST : 0;
}

static void fill_slot(struct papr_pe *pe, uint32_t slot, struct papr_pane *pane,
		      struct vd_table *table)
{
	*pane = (struct papr_pane){
		.used = true,
		.liobn = pe->cfg.liobn + slot,
		.partition = pe->cfg.partition,
		.adapter = pe->cfg.adapter,
		.owner = pe->cfg.owner,
		.physical = true,
	};
	pe->window[slot] = (struct papr_window){ pane, table };
}

/* A window of @table at a free place. */
int papr_pe_open(struct vd_papr *p, struct papr_pe *pe, uint32_t slot,
		 struct vd_table *table)
{
	struct papr_pane *pane;
	int err = find_pane(p, pe, slot, &pane);

	if (!err)
		err = make_register(pe, slot, table);
	if (err)
		return err;

	/* Nothing below can fail. */
	fill_slot(pe, slot, pane, table);
	return 0;
}

/*
 * Has the window a register? An administrator may have merged it into another,
 * or given it or its id to somebody else.
 */
static bool has_register(const struct papr_pe *pe, uint32_t slot,
			 struct vd_window_info *w)
{
	w->size = sizeof(*w);
	return vd_window_query(pe->cfg.adapter, pe->cfg.liobn + slot, w) == 0 &&
	       w->owner == pe->cfg.owner && w->lender == w->id;
}

/* It may be a part of another table that was given the default window's id. */
static bool is_default(const struct papr_pe *pe, const struct vd_window_info *w)
{
	return w->page_shift == VD_PAGE_SHIFT &&
	       w->bus.v - pe->cfg.base == w->first << VD_PAGE_SHIFT &&
	       w->first + w->len <= pe->cfg.len >> VD_PAGE_SHIFT;
}

/*
 * End @table, which may be NULL, and what could not be ended before: as long as
 * an administrator's split has left a part of a table with somebody, it stays.
 * No two of them share a register, so the adapter has no more than there are
 * places.
 */
void papr_pe_bury(struct papr_pe *pe, struct vd_table *table)
{
	for (size_t i = 0; i < ARRAY_LEN(pe->orphan); i++) {
		if (!pe->orphan[i]) {
			pe->orphan[i] = table;
			table = NULL;
		}
		if (pe->orphan[i] &&
		    vd_table_destroy(pe->cfg.adapter, pe->orphan[i]) == 0)
			pe->orphan[i] = NULL;
	}
}

/* The table goes with the window, but for the default window's. */
int papr_pe_close(struct vd_papr *p, struct papr_pe *pe, uint32_t slot,
		  enum vd_live live)
{
	struct papr_window *w = &pe->window[slot];
	struct vd_window_info info = { .size = sizeof(info) };
	bool is_there = has_register(pe, slot, &info);
	int err = 0;

	if (papr_pane_is_granted(p, w->pane))
		return -EBUSY;
	if (is_there)
		err = vd_window_destroy(pe->cfg.adapter, info.id, live);
	if (err && err != -ENOENT)
		return err;

	/* Nothing below can fail. */
	if (w->table != pe->default_table) {
		papr_pe_bury(pe, w->table);
	} else if (is_there && is_default(pe, &info)) {
		pe->default_first = info.first;
		pe->default_len = info.len;
	}
	w->pane->used = false;
	*w = (struct papr_window){ NULL, NULL };
	return 0;
}

/* Close all windows, whatever is in them. */
int papr_pe_end(struct vd_papr *p, struct papr_pe *pe)
{
	int err;

	for (uint32_t i = 0; i < pe->cfg.max_windows; i++) {
		if (!pe->window[i].pane)
			continue;
		err = papr_pe_close(p, pe, i, VD_LIVE_REVOKE);
		if (err)
			return err;
	}
	papr_pe_bury(pe, NULL);
	return 0;
}

static int clear(const struct papr_pe *pe, const struct vd_window_info *w)
{
	const vd_entry none = { 0 };
	struct vd_put put = {
		.size = sizeof(put),
		.owner = w->owner,
		.window = w->id,
		.bus = w->bus,
		.n = w->len,
		.entry = &none,
	};

	return vd_window_fill(pe->cfg.adapter, &put);
}

/*
 * The default window, without valid entries; another may not be in its place.
 * An administrator who took it may have given it back, to a guest that has
 * removed it meanwhile.
 */
int papr_pe_restore(struct vd_papr *p, struct papr_pe *pe)
{
	struct papr_pane *pane = pe->window[0].pane;
	struct vd_window_info w = { .size = sizeof(w) };
	int err = 0;

	if (!pane)
		err = find_pane(p, pe, 0, &pane);
	if (!err)
		err = has_register(pe, 0, &w) ?
			      clear(pe, &w) :
			      make_register(pe, 0, pe->default_table);
	if (err)
		return -EIO;

	/* Nothing below can fail. */
	fill_slot(pe, 0, pane, pe->default_table);
	return 0;
}

/* Does somebody else fill a part of a window, or may do so? */
static bool is_lent(struct vd_papr *p, const struct papr_pe *pe)
	MUST_HOLD(p->lock)
{
	struct vd_window_info w = { .size = sizeof(w) };

	for (uint32_t i = 0; i < pe->cfg.max_windows; i++) {
		const struct papr_pane *pane = pe->window[i].pane;

		if (pane && (papr_pane_is_granted(p, pane) ||
			     (has_register(pe, i, &w) && w.lent != 0)))
			return true;
	}
	return false;
}

/*
 * The first place is the last that is emptied, so that with an error the guest
 * still has a window there, or gets the default window.
 */
int papr_pe_reset(struct vd_papr *p, struct papr_pe *pe)
{
	int err = 0, restored;

	if (is_lent(p, pe))
		return -EBUSY;
	for (uint32_t i = pe->cfg.max_windows; i-- > 0 && !err;) {
		if (pe->window[i].pane &&
		    pe->window[i].table != pe->default_table)
			err = papr_pe_close(p, pe, i, VD_LIVE_REVOKE);
	}
	papr_pe_bury(pe, NULL);
	if (err && pe->window[0].pane)
		return err;
	restored = papr_pe_restore(p, pe);
	return err ? err : restored;
}

static bool is_same_pe(const struct vd_papr_pe *a, const struct vd_papr_pe *b)
{
	return a->buid == b->buid && (a->config_addr == b->config_addr ||
				      a->config_addr == VD_PAPR_WHOLE_BRIDGE ||
				      b->config_addr == VD_PAPR_WHOLE_BRIDGE);
}

static bool is_liobn_taken(struct vd_papr *p, const struct vd_papr_pe *cfg)
	MUST_HOLD(p->lock)
{
	for (uint32_t i = 0; i < cfg->max_windows; i++) {
		if (papr_pane_any(p, cfg->liobn + i))
			return true;
	}
	return false;
}

/* The LIOBNs of windows that a PE does not have yet are kept free for them. */
bool papr_pe_keeps(struct vd_papr *p, uint64_t liobn)
{
	for (size_t i = 0; i < VD_PAPR_MAX_PES; i++) {
		const struct papr_pe *pe = &p->pe[i];

		if (pe->used && liobn >= pe->cfg.liobn &&
		    liobn - pe->cfg.liobn < pe->cfg.max_windows)
			return true;
	}
	return false;
}

static bool overlaps(const struct vd_papr_pe *a, const struct vd_papr_pe *b)
{
	return ranges_overlap(a->liobn, a->liobn + a->max_windows - 1, b->liobn,
			      b->liobn + b->max_windows - 1);
}

static int add_pe(struct vd_papr *p, const struct vd_papr_pe *cfg)
	MUST_HOLD(p->lock)
{
	const struct vd_table_cfg t = {
		.size = sizeof(t),
		.format = VD_FORMAT_TCE,
		.page_shift = VD_PAGE_SHIFT,
		.nentries = cfg->len >> VD_PAGE_SHIFT,
		.max_bytes = papr_table_bytes(cfg->adapter),
	};
	struct papr_pe *pe = NULL;
	int err;

	if (!papr_partition(p, cfg->partition))
		return -ENOENT;
	for (uint32_t i = VD_PAPR_MAX_PES; i-- > 0;) {
		if (!p->pe[i].used)
			pe = &p->pe[i];
		else if (is_same_pe(&p->pe[i].cfg, cfg) ||
			 overlaps(&p->pe[i].cfg, cfg))
			return -EEXIST;
	}
	if (is_liobn_taken(p, cfg))
		return -EEXIST;
	if (!pe || papr_pane_spare(p) < cfg->max_windows)
		return -ENOSPC;
	*pe = (struct papr_pe){ .cfg = *cfg, .default_len = t.nentries };
	err = vd_table_create(cfg->adapter, &t, &pe->default_table);
	if (err)
		return err;
	err = papr_pe_open(p, pe, 0, pe->default_table);
	if (err) {
		vd_table_destroy(cfg->adapter, pe->default_table);
		return err;
	}
	pe->used = true;
	return 0;
}

int vd_papr_add_pe(struct vd_papr *p, const struct vd_papr_pe *cfg)
{
	struct vd_papr_pe own;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	if (!is_sane(&own))
		return -EINVAL;
	lock_take(&p->lock);
	err = add_pe(p, &own);
	lock_drop(&p->lock);
	return err;
}
