/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of a partition: reboot and failure.
 *
 * What it borrowed is returned for it at once, and its connections end for both
 * ends, because nobody answers any more. What it lent is taken back: at a
 * reboot now, because the owner itself wants to begin anew; after a failure
 * when those who borrowed have had their time to return it. A reboot after a
 * failure waits for that: until then the windows are not the owner's alone.
 */
#include "papr_state.h"

#include <errno.h>

/* Return all that @partition has accepted. */
static int return_all(struct vd_papr *p, uint32_t partition) MUST_HOLD(p->lock)
{
	int err = 0;

	for (size_t i = 0; i < PAPR_MAX_GRANTS && !err; i++) {
		if (p->grant[i].grantee == partition)
			err = papr_grant_give_back(p, &p->grant[i]);
	}
	return err;
}

static bool is_lent_by(const struct papr_grant *g, uint32_t partition)
{
	return g->granter == partition &&
	       (g->state == GRANT_OFFERED || g->state == GRANT_ACCEPTED);
}

/* Has somebody time yet to return what @partition lent before it failed? */
static bool is_in_grace(const struct vd_papr *p, uint32_t partition)
	MUST_HOLD(p->lock)
{
	for (size_t i = 0; i < PAPR_MAX_GRANTS; i++) {
		const struct papr_grant *g = &p->grant[i];

		if (g->granter == partition && g->dying &&
		    g->state == GRANT_ACCEPTED)
			return true;
	}
	return false;
}

static int rescind_all(struct vd_papr *p, uint32_t partition) MUST_HOLD(p->lock)
{
	int err = 0;

	for (size_t i = 0; i < PAPR_MAX_GRANTS && !err; i++) {
		if (is_lent_by(&p->grant[i], partition))
			err = papr_grant_end(p, &p->grant[i]);
	}
	return err;
}

/* Its connections, for both ends, and what was redirected over them. */
static void handover_all(struct vd_papr *p, uint32_t partition)
	MUST_HOLD(p->lock)
{
	for (size_t i = 0; i < VD_PAPR_MAX_VIOS; i++) {
		if (p->vio[i].used && p->vio[i].cfg.partition == partition)
			papr_vio_part(p, &p->vio[i]);
	}
}

/*
 * The tables of its virtual devices and the windows that it was given: nothing
 * of them is redirected or lent any more.
 */
static int clear_panes(struct vd_papr *p, uint32_t partition) MUST_HOLD(p->lock)
{
	const vd_entry none = { 0 };

	for (size_t i = 0; i < VD_PAPR_MAX_PANES; i++) {
		const struct papr_pane *pane = &p->pane[i];
		struct vd_put put = { .size = sizeof(put), .entry = &none };
		struct vd_window_info w = { .size = sizeof(w) };

		if (!pane->used || pane->partition != partition ||
		    (!pane->vio && !pane->adopted))
			continue;
		papr_pane_info(pane, &w);
		put.owner = pane->owner;
		put.window = pane->liobn;
		put.bus = w.bus;
		put.n = w.len;
		if (w.len && vd_window_fill(pane->adapter, &put) != 0)
			return -EIO;
	}
	return 0;
}

static int reset(struct vd_papr *p, uint32_t partition) MUST_HOLD(p->lock)
{
	int err = return_all(p, partition);

	if (!err)
		err = rescind_all(p, partition);
	if (!err) {
		handover_all(p, partition);
		err = clear_panes(p, partition);
	}
	for (size_t i = 0; i < VD_PAPR_MAX_PES && !err; i++) {
		struct papr_pe *pe = &p->pe[i];

		if (pe->used && pe->cfg.partition == partition)
			err = papr_pe_reset(p, pe);
	}
	return err && err != -ENOMEM ? -EIO : err;
}

int vd_papr_reset(struct vd_papr *p, uint32_t partition)
{
	int err = -ENOENT;

	lock_take(&p->lock);
	if (papr_partition(p, partition))
		err = is_in_grace(p, partition) ? -EBUSY : reset(p, partition);
	lock_drop(&p->lock);
	return err;
}

/* Tell the borrower over the virtual device that joins it to the owner. */
static void tell(struct vd_papr *p, const struct papr_grant *g)
	MUST_HOLD(p->lock)
{
	for (size_t i = 0; i < VD_PAPR_MAX_VIOS; i++) {
		const struct papr_vio *v = &p->vio[i];

		if (v->used && v->cfg.unit == g->unit && p->ops.owner_failed)
			p->ops.owner_failed(p->cfg.opaque, g->grantee,
					    v->cfg.partner);
	}
}

static int fail(struct vd_papr *p, uint32_t partition, uint64_t now)
	MUST_HOLD(p->lock)
{
	int err = return_all(p, partition);

	handover_all(p, partition);
	for (size_t i = 0; i < PAPR_MAX_GRANTS && !err; i++) {
		struct papr_grant *g = &p->grant[i];

		if (!is_lent_by(g, partition) || g->dying)
			continue;
		g->dying = true;
		g->due = now + VD_PAPR_GRACE_MS;
		tell(p, g);
	}
	return err ? -EIO : 0;
}

int vd_papr_fail(struct vd_papr *p, uint32_t partition, uint64_t now)
{
	int err = -ENOENT;

	lock_take(&p->lock);
	if (papr_partition(p, partition))
		err = fail(p, partition, now);
	lock_drop(&p->lock);
	return err;
}

/* What does not come to rest is tried again at the next tick. */
uint64_t vd_papr_tick(struct vd_papr *p, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	lock_take(&p->lock);
	for (size_t i = 0; i < PAPR_MAX_GRANTS; i++) {
		struct papr_grant *g = &p->grant[i];

		if (g->dying && g->due <= now)
			papr_grant_end(p, g);
		if (g->dying && g->due < next)
			next = g->due;
	}
	lock_drop(&p->lock);
	return next;
}
