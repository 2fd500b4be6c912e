/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lending a part of a window: H_GRANT_LOGICAL, H_ACCEPT_LOGICAL,
 * H_RETURN_LOGICAL and H_RESCIND_LOGICAL for DMA window panes.
 *
 * A grant is a cookie for the partner of a virtual device. Accepting it makes
 * the range a loan of the engine: the borrower gets a pane of its own, with the
 * owner's bus addresses, and fills it with pages of its own memory, which the
 * owner's devices reach. LoPAR leaves open what R4 of an accepted DMA window
 * pane holds: here, its LIOBN.
 *
 * What was granted are bus addresses. Which entries these are is asked when they
 * are lent, because a merge may move the window's base meanwhile.
 *
 * What was rescinded is remembered as long as its partition has other free
 * grants, so that who still names the cookie or the pane is told H_RESCINDED.
 *
 * A partition has grants of its own, each with room for the pane that it becomes;
 * so no other partition can use them up.
 */
#include "papr_state.h"

#include <errno.h>

#define KNOWN_FLAGS                                             \
	(VD_GRANT_TYPE | VD_GRANT_NO_READ | VD_GRANT_NO_WRITE | \
	 VD_GRANT_NO_REGRANT | VD_GRANT_RESERVED)

static uint32_t liobn_of(struct vd_papr *p, const struct papr_grant *g)
{
	return p->cfg.grant_liobn + (uint32_t)(g - p->grant);
}

/* The partner of a virtual device of the caller. */
static struct papr_partition *find_grantee(struct papr_call *c, uint64_t unit)
	MUST_HOLD(c->p->lock)
{
	const struct papr_vio *v, *end = c->p->vio + VD_PAPR_MAX_VIOS;
	uint32_t partner = 0;
	bool found = false;

	for (v = c->p->vio; v < end; v++) {
		if (v->used && v->cfg.unit == unit &&
		    v->cfg.partition == c->who->cfg.id) {
			partner = v->cfg.partner;
			found = true;
		}
	}
	for (v = c->p->vio; v < end && found; v++) {
		if (v->used && v->cfg.unit == partner)
			return papr_partition(c->p, v->cfg.partition);
	}
	return NULL;
}

/* Free ones first, in turn, so that rescinded ones stay known for long. */
static struct papr_grant *find_free(struct vd_papr *p,
				    struct papr_partition *who)
	MUST_HOLD(p->lock)
{
	struct papr_grant *own = papr_grants_of(p, who->cfg.id);

	static const enum papr_grant_state order[] = { GRANT_FREE,
						       GRANT_RESCINDED };

	for (size_t o = 0; o < ARRAY_LEN(order); o++) {
		for (uint32_t i = 0; i < VD_PAPR_MAX_GRANTS; i++) {
			uint32_t n = (who->next_grant + i) % VD_PAPR_MAX_GRANTS;

			if (own[n].state == order[o]) {
				who->next_grant = n + 1;
				return &own[n];
			}
		}
	}
	return NULL;
}

static int64_t check_flags(uint64_t flags)
{
	if ((flags & VD_GRANT_TYPE) != VD_GRANT_DMA_PANE ||
	    (flags & ~(uint64_t)KNOWN_FLAGS) != 0 ||
	    (flags &
	     (VD_GRANT_RESERVED | VD_GRANT_NO_READ | VD_GRANT_NO_WRITE)) != 0)
		return VD_H_PARAMETER;
	return VD_H_SUCCESS;
}

/* The range as entries that its window has now. */
static int64_t find_range(const struct papr_grant *g, struct vd_loan *loan)
{
	struct vd_window_info w;

	papr_pane_info(g->from, &w);
	if (!is_aligned(g->bus | g->len, w.page_shift) || g->len == 0 ||
	    !papr_pane_has(&w, g->bus, g->len >> w.page_shift))
		return VD_H_PARAMETER;
	loan->first = (g->bus - w.bus.v) >> w.page_shift;
	loan->len = g->len >> w.page_shift;
	return VD_H_SUCCESS;
}

/* Arguments: flags, LIOBN, IOBA, length in bytes, unit address. */
int64_t papr_grant(struct papr_call *c)
{
	const uint64_t *arg = c->h->arg;
	struct papr_grant g = {
		.state = GRANT_OFFERED,
		.bus = arg[2],
		.len = arg[3],
	};
	struct papr_partition *grantee;
	struct papr_grant *free;
	struct vd_loan loan;
	int64_t status = check_flags(arg[0]);

	if (!status)
		status = papr_pane_find(c, arg[1], &g.from);
	if (status)
		return status;
	if (!g.from->physical)
		return VD_H_PARAMETER;
	if (g.from->grant && g.from->grant->no_regrant)
		return VD_H_PERMISSION;
	status = find_range(&g, &loan);
	if (status)
		return status;
	grantee = find_grantee(c, arg[4]);
	if (!grantee)
		return VD_H_PARAMETER;
	free = find_free(c->p, c->who);
	if (!free)
		return VD_H_NO_MEM;

	/* Nothing below can fail. */
	g.granter = c->who->cfg.id;
	g.grantee = grantee->cfg.id;
	g.unit = (uint32_t)arg[4];
	g.no_regrant = (arg[0] & VD_GRANT_NO_REGRANT) != 0;
	g.cookie = ++c->p->ngranted << 16 | (uint64_t)(free - c->p->grant);
	*free = g;
	c->h->out[0] = g.cookie;
	c->h->nout = 1;
	return VD_H_SUCCESS;
}

static struct papr_grant *find_cookie(struct vd_papr *p, uint64_t cookie)
	MUST_HOLD(p->lock)
{
	uint64_t i = cookie & UINT16_MAX;

	if (i >= PAPR_MAX_GRANTS || p->grant[i].state == GRANT_FREE ||
	    p->grant[i].cookie != cookie)
		return NULL;
	return &p->grant[i];
}

static int64_t accept(struct vd_papr *p, struct papr_grant *g)
	MUST_HOLD(p->lock)
{
	struct vd_loan loan = {
		.size = sizeof(loan),
		.id = g->from->liobn,
		.newid = liobn_of(p, g),
		.rights = VD_READ | VD_WRITE,
		.live = VD_LIVE_REFUSE,
	};
	int64_t status = find_range(g, &loan);
	int err;

	if (status)
		return status;
	if (papr_pane_any(p, loan.newid))
		return VD_H_HARDWARE;
	if (!papr_may_lend(p, g->from->adapter, g->granter))
		return VD_H_NO_MEM;
	err = papr_client_id(p, g->from, g->grantee, &loan.owner);
	if (!err)
		err = vd_window_lend(g->from->adapter, &loan);
	if (err)
		return papr_status(err);

	/* Nothing below can fail. */
	g->own = (struct papr_pane){
		.used = true,
		.liobn = loan.newid,
		.partition = g->grantee,
		.adapter = g->from->adapter,
		.owner = loan.owner,
		.physical = true,
		.grant = g,
	};
	g->pane = &g->own;
	g->state = GRANT_ACCEPTED;
	return VD_H_SUCCESS;
}

int64_t papr_accept(struct papr_call *c)
{
	struct papr_grant *g = find_cookie(c->p, c->h->arg[0]);
	int64_t status;

	if (!g || g->grantee != c->who->cfg.id)
		return VD_H_PARAMETER;
	if (g->state == GRANT_RESCINDED)
		return VD_H_RESCINDED;
	if (g->state != GRANT_OFFERED)
		return VD_H_PARAMETER;
	status = accept(c->p, g);
	if (!status) {
		c->h->out[0] = liobn_of(c->p, g);
		c->h->nout = 1;
	}
	return status;
}

/* End the borrower's pane. */
static int take_back(struct papr_grant *g, enum vd_live live)
{
	int err = vd_window_take_back(g->pane->adapter, g->pane->liobn, live);

	if (err && err != -ENOENT)
		return err;
	g->pane->used = false;
	g->pane = NULL;
	g->state = GRANT_OFFERED;
	return 0;
}

int64_t papr_return(struct papr_call *c)
{
	struct papr_grant *g = find_cookie(c->p, c->h->arg[0]);

	if (!g || g->grantee != c->who->cfg.id || g->state != GRANT_ACCEPTED)
		return VD_H_PARAMETER;
	if (papr_pane_is_granted(c->p, g->pane))
		return VD_H_RESOURCE;
	return papr_status(take_back(g, VD_LIVE_REFUSE));
}

/* Whatever was granted on from a borrowed pane ends before it does. */
int papr_grant_give_back(struct vd_papr *p, struct papr_grant *g)
{
	int err = 0;

	if (g->state != GRANT_ACCEPTED)
		return 0;
	for (size_t i = 0; i < PAPR_MAX_GRANTS && !err; i++) {
		struct papr_grant *h = &p->grant[i];

		if (h->state != GRANT_FREE && h->state != GRANT_RESCINDED &&
		    h->from == g->pane)
			err = papr_grant_end(p, h);
	}
	return err ? err : take_back(g, VD_LIVE_REVOKE);
}

int papr_grant_end(struct vd_papr *p, struct papr_grant *g)
{
	int err = papr_grant_give_back(p, g);

	if (err)
		return err;
	g->state = GRANT_RESCINDED;
	g->from = NULL;
	g->dying = false;
	return 0;
}

int64_t papr_rescind(struct papr_call *c)
{
	struct papr_grant *g = find_cookie(c->p, c->h->arg[1]);
	uint64_t flags = c->h->arg[0];

	if (!g || g->granter != c->who->cfg.id || g->state == GRANT_RESCINDED)
		return VD_H_PARAMETER;
	if (flags != 0 && flags != VD_RESCIND_FORCED)
		return VD_H_PARAMETER;
	if (g->state == GRANT_ACCEPTED && flags == 0)
		return VD_H_RESOURCE;
	/* Not drained: it will be, call again. */
	return papr_grant_end(c->p, g) == 0 ? VD_H_SUCCESS : VD_H_PARTIAL;
}
