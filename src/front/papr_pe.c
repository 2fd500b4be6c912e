/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Partitionable endpoints and their windows.
 *
 * A PE has numbered places for windows; place n has LIOBN liobn + n and, but
 * for the first, bus address n << slot_shift. The default window is at the
 * first; once it was removed a window of another size can be made there. The
 * table of the default window is kept while the window is gone, so that there
 * is always memory to restore it.
 */
#include "papr_state.h"

#include <errno.h>

static bool is_sane(const struct vd_papr_pe *cfg)
{
	uint64_t last;

	return cfg->size == sizeof(*cfg) && cfg->adapter &&
	       cfg->max_windows >= 1 &&
	       cfg->max_windows <= VD_PAPR_MAX_WINDOWS &&
	       cfg->slot_shift >= 32 && cfg->slot_shift <= 60 &&
	       cfg->liobn <= UINT32_MAX - VD_PAPR_MAX_WINDOWS &&
	       is_aligned(cfg->base | cfg->len, VD_PAGE_SHIFT) &&
	       checked_last(cfg->base, cfg->len, &last) && last <= UINT32_MAX;
}

vd_iova papr_pe_bus(const struct papr_pe *pe, uint32_t slot)
{
	if (slot == 0)
		return (vd_iova){ pe->cfg.base };
	return (vd_iova){ (uint64_t)slot << pe->cfg.slot_shift };
}

/* A window over all of @table at a free place. */
int papr_pe_open(struct vd_papr *p, struct papr_pe *pe, uint32_t slot,
		 struct vd_table *table)
{
	struct papr_pane *pane = papr_pane_free(p);
	struct vd_table_stats t;
	struct vd_window_cfg w = {
		.size = sizeof(w),
		.id = pe->cfg.liobn + slot,
		.owner = pe->cfg.owner,
		.bus = papr_pe_bus(pe, slot),
		.table = table,
	};
	int err;

	if (!pane)
		return -ENOSPC;
	if (papr_pane_any(p, w.id)) /* an accepted pane's */
		return -EEXIST;
	vd_table_stats(pe->cfg.adapter, table, &t);
	w.len = t.nentries;
	err = vd_window_create(pe->cfg.adapter, &w);
	if (err)
		return err;

	/* Nothing below can fail. */
	*pane = (struct papr_pane){
		.used = true,
		.liobn = w.id,
		.partition = pe->cfg.partition,
		.adapter = pe->cfg.adapter,
		.owner = pe->cfg.owner,
		.physical = true,
	};
	pe->window[slot] = (struct papr_window){ pane, table };
	return 0;
}

/*
 * Has the window a register? An administrator may have merged it into another,
 * or given it or its id to somebody else.
 */
static bool has_register(const struct papr_pe *pe, uint32_t slot)
{
	struct vd_window_info w;

	return vd_window_query(pe->cfg.adapter, pe->cfg.liobn + slot, &w) ==
		       0 &&
	       w.owner == pe->cfg.owner && w.lender == w.id;
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
	int err = 0;

	if (papr_pane_is_granted(p, w->pane))
		return -EBUSY;
	if (has_register(pe, slot))
		err = vd_window_destroy(pe->cfg.adapter, w->pane->liobn, live);
	if (err && err != -ENOENT)
		return err;

	/* Nothing below can fail. */
	if (w->table != pe->default_table)
		papr_pe_bury(pe, w->table);
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

int papr_pe_reset(struct vd_papr *p, struct papr_pe *pe)
{
	int err = papr_pe_end(p, pe);

	return err ? err : papr_pe_open(p, pe, 0, pe->default_table);
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
	if (!pe)
		return -ENOSPC;
	*pe = (struct papr_pe){ .cfg = *cfg };
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
	int err = -EINVAL;

	lock_take(&p->lock);
	if (is_sane(cfg))
		err = add_pe(p, cfg);
	lock_drop(&p->lock);
	return err;
}
