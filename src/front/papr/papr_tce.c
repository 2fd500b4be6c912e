/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * H_PUT_TCE, H_GET_TCE, H_STUFF_TCE: one entry, or one entry many times.
 *
 * Of an I/O bus address only the page counts, of a TCE the page and the two
 * rights; bits 2 to 11 are the platform's and are ignored. An entry without
 * rights is stored as 0. Page bits that are below the window's page size are
 * an error, because no device could be shown such an address.
 */
#include "papr_state.h"

#include <errno.h>

/* What only we may put into an entry, no guest may. */
static bool is_nameable(const struct papr_store *s)
{
	vd_entry any = { 0 };

	/* Without a branch for each: lists are long. */
	for (size_t i = 0; i < (s->fill ? 1 : s->n); i++)
		any.v |= s->entry[i].v;
	return !papr_is_foreign(any);
}

/*
 * A store has three steps, because a call on many tables is one: what may be
 * said before anything has changed; the entries, all or none; and what cannot
 * fail and cannot be undone.
 *
 * A client's entry may have been redirected to a server's table. Then the
 * copy ends with it, if the server allows that; else the client is held off.
 * The copy has a pin of its own, so it may end after the entry has changed.
 */
int64_t papr_store_check(struct vd_papr *p, const struct papr_store *s)
{
	struct papr_vio *v = s->pane->vio;

	if (!is_nameable(s))
		return VD_H_PARAMETER;
	if (v && !papr_copy_may_end(p, v, s->bus.v >> VD_PAGE_SHIFT, s->n))
		return VD_H_RESOURCE;
	return VD_H_SUCCESS;
}

int64_t papr_store_put(struct papr_store *s)
{
	struct vd_put put = {
		.size = sizeof(put),
		.owner = s->pane->owner,
		.window = s->pane->liobn,
		.bus = s->bus,
		.n = s->n,
		.entry = s->entry,
	};
	int err = s->fill ? vd_window_fill(s->pane->adapter, &put) :
			    vd_window_put(s->pane->adapter, &put);

	s->pinned = err ? 0 : put.pinned;
	return papr_status(err);
}

/* By how much this has changed what is pinned. */
int64_t papr_store_end(struct vd_papr *p, const struct papr_store *s)
{
	struct papr_vio *v = s->pane->vio;

	return v ? papr_copy_end(p, v, s->bus.v >> VD_PAGE_SHIFT, s->n) : 0;
}

static int64_t store_one(struct vd_papr *p, struct papr_store *s)
	MUST_HOLD(p->lock)
{
	int64_t status = papr_store_check(p, s);

	if (!status)
		status = papr_store_put(s);
	if (!status)
		s->pinned += papr_store_end(p, s);
	return status;
}

/* A store of one call, its range checked; its change of pins goes to R4. */
static int64_t store(struct papr_call *c, struct papr_store *s)
	MUST_HOLD(c->p->lock)
{
	struct vd_window_info w;
	int64_t status;

	papr_pane_info(s->pane, &w);
	s->bus.v = align_down(s->bus.v, w.page_shift);
	if (!papr_pane_has(&w, s->bus.v, s->n))
		return VD_H_PARAMETER;
	status = s->n ? store_one(c->p, s) : VD_H_SUCCESS;
	if (status == VD_H_SUCCESS && c->who->cfg.cmo) {
		c->h->out[0] = (uint64_t)s->pinned;
		c->h->nout = 1;
	}
	return status;
}

int64_t papr_put_tce(struct papr_call *c)
{
	vd_entry entry = papr_entry(c->h->arg[2]);
	struct papr_store s = {
		.bus = { c->h->arg[1] },
		.n = 1,
		.entry = &entry,
	};
	int64_t status = papr_pane_find(c, c->h->arg[0], &s.pane);

	return status ? status : store(c, &s);
}

int64_t papr_stuff_tce(struct papr_call *c)
{
	vd_entry entry = papr_entry(c->h->arg[2]);
	struct papr_store s = {
		.bus = { c->h->arg[1] },
		.n = c->h->arg[3],
		.entry = &entry,
		.fill = true,
	};
	int64_t status = papr_pane_find(c, c->h->arg[0], &s.pane);

	if (status)
		return status;
	if (s.n > VD_TCE_LIST_MAX)
		return VD_H_P4;
	return store(c, &s);
}

/* What a guest is told of a page that is not its own. */
static int64_t say_foreign(vd_entry entry, uint64_t *tce)
{
	*tce = entry.v | VD_TCE_RPN;
	return VD_H_PARTIAL;
}

/*
 * An entry that somebody else has put into a part of the caller's pane. Another
 * provider of the adapter may have lent something at the same bus address.
 */
static int64_t get_foreign(struct papr_pane *pane, vd_iova bus, uint64_t *tce)
{
	struct vd_window_info w = { .size = sizeof(w) },
			      own = { .size = sizeof(own) };
	vd_entry entry;

	papr_pane_info(pane, &own);
	for (uint32_t slot = 0; slot < VD_ADAPTER_MAX_REGS; slot++) {
		if (vd_window_show(pane->adapter, slot, &w) != 0 ||
		    w.lender == w.id || w.via != own.via ||
		    !papr_pane_has(&w, bus.v, 1) ||
		    vd_window_get(pane->adapter, w.owner, w.id, bus, &entry, 1))
			continue;
		*tce = 0;
		return entry.v ? say_foreign(entry, tce) : VD_H_SUCCESS;
	}
	*tce = 0;
	return VD_H_SUCCESS;
}

int64_t papr_get_tce(struct papr_call *c)
{
	struct papr_pane *pane;
	struct vd_window_info w;
	vd_entry entry;
	vd_iova bus;
	int64_t status = papr_pane_find(c, c->h->arg[0], &pane);
	int err;

	if (status)
		return status;
	papr_pane_info(pane, &w);
	bus.v = align_down(c->h->arg[1], w.page_shift);
	if (!papr_pane_has(&w, bus.v, 1))
		return VD_H_PARAMETER;
	err = vd_window_get(pane->adapter, pane->owner, pane->liobn, bus,
			    &entry, 1);
	if (err && err != -EPERM)
		return papr_status(err);
	c->h->nout = 1;
	if (err)
		return get_foreign(pane, bus, &c->h->out[0]);
	if (papr_is_foreign(entry))
		return say_foreign(entry, &c->h->out[0]);
	c->h->out[0] = entry.v;
	return VD_H_SUCCESS;
}
