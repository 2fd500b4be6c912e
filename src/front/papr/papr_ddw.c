/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dynamic DMA windows: ibm,query-, create-, remove-pe-dma-window and
 * ibm,reset-pe-dma-windows.
 *
 * A window that cannot be exactly as it was asked for is not made. A window
 * with valid entries is not removed. When the last window goes and it was not
 * the default window, the default window comes back with the LIOBN, the place
 * and the length that it had when it went.
 */
#include "papr_state.h"

#include <errno.h>

struct page_size {
	uint32_t bit;
	unsigned int shift;
};

static const struct page_size page_sizes[] = {
	{ VD_DDW_4K, 12 },   { VD_DDW_64K, 16 },  { VD_DDW_2M, 21 },
	{ VD_DDW_16M, 24 },  { VD_DDW_32M, 25 },  { VD_DDW_64M, 26 },
	{ VD_DDW_128M, 27 }, { VD_DDW_256M, 28 }, { VD_DDW_16G, 34 },
};

static bool has_page_size(const struct papr_pe *pe, uint32_t shift)
{
	for (size_t i = 0; i < ARRAY_LEN(page_sizes); i++) {
		if (page_sizes[i].shift == shift)
			return (pe->cfg.page_sizes & page_sizes[i].bit) != 0;
	}
	return false;
}

/* The first three inputs name a PE: configuration address and unit id. */
static struct papr_pe *find_pe(struct vd_papr *p, uint32_t partition,
			       const struct vd_papr_rtas *r) MUST_HOLD(p->lock)
{
	uint64_t buid = (uint64_t)r->in[1] << 32 | r->in[2];

	for (size_t i = 0; i < VD_PAPR_MAX_PES; i++) {
		struct papr_pe *pe = &p->pe[i];

		if (pe->used && pe->cfg.partition == partition &&
		    pe->cfg.buid == buid && pe->cfg.page_sizes != 0 &&
		    (pe->cfg.config_addr == VD_PAPR_WHOLE_BRIDGE ||
		     pe->cfg.config_addr == r->in[0]))
			return pe;
	}
	return NULL;
}

static uint32_t count_windows(const struct papr_pe *pe)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pe->cfg.max_windows; i++)
		n += pe->window[i].pane != NULL;
	return n;
}

/* With six results the number of entries has 64 bits, else as many as fit. */
static int query(struct vd_papr *p, struct papr_pe *pe, struct vd_papr_rtas *r)
	MUST_HOLD(p->lock)
{
	uint64_t tces = pe->cfg.max_tces;
	uint32_t *out = r->out + 1;

	(void)p;
	if (r->nout == 6 && !pe->cfg.extensions)
		return -EINVAL;
	*out++ = pe->cfg.max_windows - count_windows(pe);
	if (r->nout == 6)
		*out++ = (uint32_t)(tces >> 32);
	else if (tces > UINT32_MAX)
		tces = UINT32_MAX;
	*out++ = (uint32_t)tces;
	*out++ = pe->cfg.page_sizes;
	*out++ = 0; /* H_MIGRATE_DMA works for no page size */
	return 0;
}

/* Log2 of what a window at @slot can span before the next one begins. */
static bool fits(const struct papr_pe *pe, uint32_t slot, uint32_t shift)
{
	uint64_t room = (uint64_t)1 << pe->cfg.slot_shift;

	if (slot == 0)
		room -= pe->cfg.base;
	return shift < 64 && (uint64_t)1 << shift <= room;
}

static int create(struct vd_papr *p, struct papr_pe *pe, struct vd_papr_rtas *r)
	MUST_HOLD(p->lock)
{
	uint32_t page_shift = r->in[3], shift = r->in[4], slot = 0;
	struct vd_table_cfg t = {
		.size = sizeof(t),
		.format = VD_FORMAT_TCE,
		.page_shift = page_shift,
		.max_bytes = papr_table_bytes(pe->cfg.adapter),
	};
	struct vd_table *table;
	vd_iova bus;
	int err;

	while (slot < pe->cfg.max_windows && pe->window[slot].pane)
		slot++;
	if (!has_page_size(pe, page_shift) || shift < page_shift ||
	    slot == pe->cfg.max_windows || !fits(pe, slot, shift) ||
	    (uint64_t)1 << (shift - page_shift) > pe->cfg.max_tces)
		return -EINVAL;
	t.nentries = (uint64_t)1 << (shift - page_shift);
	papr_pe_bury(pe, NULL); /* what it takes may be needed */
	err = vd_table_create(pe->cfg.adapter, &t, &table);
	if (err)
		return err;
	err = papr_pe_open(p, pe, slot, table);
	if (err) {
		vd_table_destroy(pe->cfg.adapter, table);
		return err;
	}
	bus = papr_pe_bus(pe, slot);
	r->out[1] = pe->cfg.liobn + slot;
	r->out[2] = (uint32_t)(bus.v >> 32);
	r->out[3] = (uint32_t)bus.v;
	return 0;
}

static int reset(struct vd_papr *p, struct papr_pe *pe, struct vd_papr_rtas *r)
	MUST_HOLD(p->lock)
{
	(void)r;
	return papr_pe_reset(p, pe);
}

/* By LIOBN, whichever PE it is of. */
static int remove_window(struct vd_papr *p, uint32_t partition, uint32_t liobn)
	MUST_HOLD(p->lock)
{
	struct papr_pane *pane = papr_pane_any(p, liobn);
	struct papr_pe *pe;
	uint32_t slot = 0;
	bool was_default;
	int err;

	for (pe = p->pe; pe < p->pe + VD_PAPR_MAX_PES; pe++) {
		slot = liobn - pe->cfg.liobn;
		if (pe->used && slot < pe->cfg.max_windows && pane &&
		    pe->window[slot].pane == pane)
			break;
	}
	if (pe == p->pe + VD_PAPR_MAX_PES || pe->cfg.partition != partition ||
	    pe->cfg.page_sizes == 0)
		return -EINVAL;
	was_default = pe->window[slot].table == pe->default_table;
	err = papr_pe_close(p, pe, slot, VD_LIVE_REFUSE);
	if (err || was_default || count_windows(pe) != 0)
		return err;
	return papr_pe_restore(p, pe);
}

struct ddw_op {
	uint32_t nin, nout, nout_too;
	int (*run)(struct vd_papr *p, struct papr_pe *pe,
		   struct vd_papr_rtas *r);
};

static const struct ddw_op ddw_ops[VD_DDW_CALLS] = {
	[VD_DDW_QUERY] = { 3, 5, 6, query },
	[VD_DDW_CREATE] = { 5, 4, 4, create },
	[VD_DDW_REMOVE] = { 1, 1, 1, NULL },
	[VD_DDW_RESET] = { 3, 1, 1, reset },
};

static uint32_t run(struct vd_papr *p, uint32_t partition,
		    struct vd_papr_rtas *r) MUST_HOLD(p->lock)
{
	const struct ddw_op *op = &ddw_ops[r->call];
	struct papr_pe *pe;
	int err;

	if (r->nin != op->nin ||
	    (r->nout != op->nout && r->nout != op->nout_too))
		return (uint32_t)VD_RTAS_PARAMETER;
	if (!op->run)
		return papr_rtas_status(remove_window(p, partition, r->in[0]));
	pe = find_pe(p, partition, r);
	if (!pe)
		return (uint32_t)VD_RTAS_PARAMETER;
	err = op->run(p, pe, r);
	/* The one call that may be told to wait. */
	if (r->call == VD_DDW_RESET && err == -EBUSY)
		return (uint32_t)VD_RTAS_BUSY;
	return papr_rtas_status(err);
}

int vd_papr_rtas(struct vd_papr *p, uint32_t partition, struct vd_papr_rtas *r)
{
	int err = -ENOENT;

	lock_take(&p->lock);
	if (r->call < VD_DDW_CALLS && papr_partition(p, partition)) {
		err = 0;
		r->out[0] = run(p, partition, r);
		p->count.rtas++;
		p->count.rtas_refused += r->out[0] != VD_RTAS_SUCCESS;
	}
	lock_drop(&p->lock);
	return err;
}
