/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panes: who may name which LIOBN.
 *
 * The engine knows windows; a pane says which partition calls one by its
 * LIOBN. What a window is now (its base, length, page) is always asked of its
 * register, because others split and merge windows meanwhile.
 */
#include "papr_state.h"

#include <errno.h>
#include <string.h>

/* The pane that a grant has become, by the LIOBN that it would have. */
static struct papr_pane *accepted(struct vd_papr *p, uint64_t liobn)
	MUST_HOLD(p->lock)
{
	uint64_t i = liobn - p->cfg.grant_liobn;

	if (liobn < p->cfg.grant_liobn || i >= PAPR_MAX_GRANTS ||
	    !p->grant[i].own.used)
		return NULL;
	return &p->grant[i].own;
}

struct papr_pane *papr_pane_any(struct vd_papr *p, uint64_t liobn)
{
	for (size_t i = 0; i < VD_PAPR_MAX_PANES; i++) {
		if (p->pane[i].used && p->pane[i].liobn == liobn)
			return &p->pane[i];
	}
	return accepted(p, liobn);
}

/* Windows that PEs could still make, of @adapter or of all if it is NULL. */
static uint32_t count_kept(struct vd_papr *p, const struct vd_adapter *adapter)
	MUST_HOLD(p->lock)
{
	uint32_t n = 0;

	for (size_t i = 0; i < VD_PAPR_MAX_PES; i++) {
		const struct papr_pe *pe = &p->pe[i];

		if (!pe->used || (adapter && pe->cfg.adapter != adapter))
			continue;
		for (uint32_t w = 0; w < pe->cfg.max_windows; w++)
			n += pe->window[w].pane == NULL;
	}
	return n;
}

/* Panes that are neither in use nor kept for a window of a PE. */
uint32_t papr_pane_spare(struct vd_papr *p)
{
	uint32_t n = VD_PAPR_MAX_PANES;

	for (size_t i = 0; i < VD_PAPR_MAX_PANES; i++)
		n -= p->pane[i].used;
	return n - count_kept(p, NULL);
}

struct papr_grant *papr_grants_of(struct vd_papr *p, uint32_t partition)
{
	const struct papr_partition *who = papr_partition(p, partition);

	return &p->grant[(who - p->partition) * VD_PAPR_MAX_GRANTS];
}

/* How many partitions have devices behind an adapter? */
static uint32_t count_sharers(struct vd_papr *p,
			      const struct vd_adapter *adapter)
	MUST_HOLD(p->lock)
{
	uint64_t seen = 0; /* a bit for each partition */
	uint32_t n = 0;

	_Static_assert(VD_PAPR_MAX_PARTITIONS <= 64, "a bit for each");
	for (size_t i = 0; i < VD_PAPR_MAX_PES; i++) {
		const struct papr_pe *pe = &p->pe[i];

		if (pe->used && pe->cfg.adapter == adapter)
			seen |= (uint64_t)1
				<< (papr_partition(p, pe->cfg.partition) -
				    p->partition);
	}
	for (; seen; seen &= seen - 1)
		n++;
	return n;
}

static uint32_t count_loans(struct vd_papr *p, const struct vd_adapter *adapter,
			    uint32_t partition) MUST_HOLD(p->lock)
{
	const struct papr_grant *own = papr_grants_of(p, partition);
	uint32_t n = 0;

	for (size_t i = 0; i < VD_PAPR_MAX_GRANTS; i++)
		n += own[i].own.used && own[i].own.adapter == adapter;
	return n;
}

/*
 * A loan takes a register of the adapter. Those that PEs need for their windows
 * are kept, and of the others each partition with devices there has its part.
 */
bool papr_may_lend(struct vd_papr *p, struct vd_adapter *adapter,
		   uint32_t partition)
{
	uint32_t sharers = count_sharers(p, adapter);
	uint32_t kept = count_kept(p, adapter), all = kept;
	struct vd_adapter_stats s = { .size = sizeof(s) };

	vd_adapter_stats(adapter, &s);
	for (size_t i = 0; i < VD_PAPR_MAX_PES; i++) {
		for (uint32_t w = 0; w < VD_PAPR_MAX_WINDOWS; w++)
			all += p->pe[i].used &&
			       p->pe[i].cfg.adapter == adapter &&
			       p->pe[i].window[w].pane;
	}
	if (s.nregs - s.nwindows <= kept || s.nregs <= all)
		return false;
	return count_loans(p, adapter, partition) <
	       (s.nregs - all) / (sharers ? sharers : 1);
}

struct papr_pane *papr_pane_free(struct vd_papr *p)
{
	for (size_t i = 0; i < VD_PAPR_MAX_PANES; i++) {
		if (!p->pane[i].used) {
			p->pane[i] = (struct papr_pane){ .used = false };
			return &p->pane[i];
		}
	}
	return NULL;
}

/* Was @liobn a pane that was lent to @partition, and rescinded? */
static bool is_rescinded(struct vd_papr *p, uint32_t partition, uint64_t liobn)
	MUST_HOLD(p->lock)
{
	uint64_t i = liobn - p->cfg.grant_liobn;
	const struct papr_grant *g;

	if (liobn < p->cfg.grant_liobn || i >= PAPR_MAX_GRANTS)
		return false;
	g = &p->grant[i];
	return g->state == GRANT_RESCINDED && g->grantee == partition;
}

int64_t papr_pane_find(struct papr_call *c, uint64_t liobn,
		       struct papr_pane **out)
{
	uint32_t who = c->who->cfg.id;
	struct papr_pane *pane = papr_pane_any(c->p, liobn);

	if (pane && pane->partition == who) {
		*out = pane;
		return VD_H_SUCCESS;
	}
	return is_rescinded(c->p, who, liobn) ? VD_H_RESCINDED : VD_H_PARAMETER;
}

/*
 * A window that somebody destroyed, or that an administrator's merge has made
 * somebody else's, has length 0 for who had it: all its addresses are wrong.
 */
void papr_pane_info(const struct papr_pane *pane, struct vd_window_info *out)
{
	out->size = sizeof(*out);
	if (vd_window_query(pane->adapter, pane->liobn, out) != 0 ||
	    out->owner != pane->owner) {
		memset(out, 0, sizeof(*out));
		out->page_shift = VD_PAGE_SHIFT;
	}
}

/* Are @n entries from @bus, which is page aligned, all in the window? */
bool papr_pane_has(const struct vd_window_info *w, uint64_t bus, uint64_t n)
{
	uint64_t first = (bus - w->bus.v) >> w->page_shift;

	return bus >= w->bus.v && first < w->len && n <= w->len - first;
}

bool papr_pane_is_granted(struct vd_papr *p, const struct papr_pane *pane)
{
	const struct papr_grant *own = papr_grants_of(p, pane->partition);

	for (size_t i = 0; i < VD_PAPR_MAX_GRANTS; i++) {
		const struct papr_grant *g = &own[i];

		if (g->from == pane &&
		    (g->state == GRANT_OFFERED || g->state == GRANT_ACCEPTED))
			return true;
	}
	return false;
}

/*
 * The owner that stands for a partition as a client of whoever's devices reach
 * a pane. Made when it is first needed; lives as long as the platform. A pane
 * whose window is gone is reached by nobody's devices: -ENOENT.
 */
int papr_client_id(struct vd_papr *p, const struct papr_pane *pane,
		   uint32_t partition, uint32_t *id)
{
	struct papr_partition *who = papr_partition(p, partition);
	struct vd_owner_cfg cfg = { .size = sizeof(cfg) };
	struct papr_client *k;
	struct vd_window_info w = { .size = sizeof(w) };
	int err;

	papr_pane_info(pane, &w);
	if (w.len == 0)
		return -ENOENT;
	for (k = p->client; k < p->client + p->nclients; k++) {
		if (k->adapter == pane->adapter && k->provider == w.via &&
		    k->partition == partition) {
			*id = k->id;
			return 0;
		}
	}
	if (!who || who->nclients == VD_PAPR_MAX_LENDERS)
		return -ENOSPC;
	cfg.id = VD_PAPR_FIRST_OWNER + p->nclients;
	cfg.provider = w.via;
	cfg.domain = who->cfg.domain;
	err = vd_owner_add(pane->adapter, &cfg);
	if (err)
		return err;

	/* Nothing below can fail. */
	*k = (struct papr_client){ pane->adapter, w.via, partition, cfg.id };
	p->nclients++;
	who->nclients++;
	*id = cfg.id;
	return 0;
}

static int adopt(struct vd_papr *p, uint32_t partition,
		 struct vd_adapter *adapter, uint32_t liobn) MUST_HOLD(p->lock)
{
	struct papr_pane *pane;
	struct vd_window_info w = { .size = sizeof(w) };

	if (!papr_partition(p, partition) ||
	    vd_window_query(adapter, liobn, &w) != 0)
		return -ENOENT;
	if (papr_pane_any(p, liobn) || papr_pe_keeps(p, liobn))
		return -EEXIST;
	pane = papr_pane_spare(p) ? papr_pane_free(p) : NULL;
	if (!pane)
		return -ENOSPC;

	/* Nothing below can fail. */
	*pane = (struct papr_pane){
		.used = true,
		.liobn = liobn,
		.partition = partition,
		.adapter = adapter,
		.owner = w.owner,
		.physical = true,
		.adopted = true,
	};
	return 0;
}

int vd_papr_adopt(struct vd_papr *p, uint32_t partition,
		  struct vd_adapter *adapter, uint32_t liobn)
{
	int err;

	lock_take(&p->lock);
	err = adopt(p, partition, adapter, liobn);
	lock_drop(&p->lock);
	return err;
}

int vd_papr_disown(struct vd_papr *p, uint32_t liobn)
{
	struct papr_pane *pane;
	int err = -ENOENT;

	lock_take(&p->lock);
	pane = papr_pane_any(p, liobn);
	if (pane && pane->adopted) {
		err = papr_pane_is_granted(p, pane) ? -EBUSY : 0;
		if (!err)
			papr_copy_end_in(p, pane);
		pane->used = err != 0;
	}
	lock_drop(&p->lock);
	return err;
}
