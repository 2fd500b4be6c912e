// SPDX-License-Identifier: BSD-2-Clause
/*
 * Redirected RDMA: H_PUT_RTCE, H_PUT_RTCE_INDIRECT, H_REMOVE_RTCE and
 * H_LIOBN_ATTRIBUTES.
 *
 * A server copies entries of its partner's table, which it names by its second
 * pane, into the table of one of its adapters. LoPAR lets such a call stop half
 * way; here it is all or nothing, and R4 still says which entry was at fault.
 */
#include "papr_state.h"

#include <errno.h>

/* What a call redirects: entries of @vio to @n of @pane from @bus on. */
struct redirect {
	struct papr_vio *vio; /* the client's end */
	struct papr_pane *pane;
	struct vd_window_info w; /* of @pane */
	uint64_t bus, n;
	uint64_t from[VD_TCE_LIST_MAX]; /* of the client's table */
};

/* The partner that a virtual device of @who calls @liobn; NULL: none. */
static struct papr_vio *find_partner(struct papr_call *c, uint64_t liobn,
				     bool *connected) MUST_HOLD(c->p->lock)
{
	const struct papr_vio *mine = NULL;
	struct papr_vio *v;

	for (v = c->p->vio; v < c->p->vio + VD_PAPR_MAX_VIOS; v++) {
		if (v->used && v->cfg.partition == c->who->cfg.id &&
		    v->cfg.partner_liobn == liobn && liobn != 0)
			mine = v;
	}
	if (!mine)
		return NULL;
	*connected = mine->connected;
	for (v = c->p->vio; v < c->p->vio + VD_PAPR_MAX_VIOS; v++) {
		if (v->used && v->cfg.unit == mine->cfg.partner)
			return v;
	}
	return NULL;
}

/* The server's part: arguments @liobn, @ioba and @count. */
static int64_t check_target(struct papr_call *c, struct redirect *r,
			    uint64_t liobn, uint64_t ioba) MUST_HOLD(c->p->lock)
{
	int64_t status = papr_pane_find(c, liobn, &r->pane);

	if (status)
		return status;
	papr_pane_info(r->pane, &r->w);
	r->bus = align_down(ioba, r->w.page_shift);
	if (!r->pane->physical || r->pane->grant ||
	    r->w.page_shift != VD_PAGE_SHIFT || r->n > VD_TCE_LIST_MAX ||
	    !papr_pane_has(&r->w, r->bus, r->n))
		return VD_H_PARAMETER;
	return VD_H_SUCCESS;
}

/* The client's entries follow each other from @ioba on. */
static int64_t check_source(struct redirect *r, uint64_t ioba)
{
	uint64_t all = r->vio->cfg.len >> VD_PAGE_SHIFT;
	uint64_t first = ioba >> VD_PAGE_SHIFT;

	if (first >= all || r->n > all - first)
		return VD_H_PARAMETER;
	for (uint64_t i = 0; i < r->n; i++)
		r->from[i] = first + i;
	return VD_H_SUCCESS;
}

static int64_t at_fault(struct papr_call *c, uint64_t i, int64_t status)
{
	c->h->out[0] = i;
	c->h->nout = 1;
	return status;
}

/* An entry that is valid and not redirected yet. */
static int64_t read_source(const struct redirect *r, uint64_t i, vd_entry *out)
{
	const struct papr_vio *v = r->vio;
	uint64_t from = r->from[i];
	vd_iova bus = { from << VD_PAGE_SHIFT };
	int err = vd_window_get(v->pane->adapter, v->pane->owner,
				v->pane->liobn, bus, out, 1);

	if (err || (out->v & VD_TCE_PROT) == 0)
		return VD_H_R_PARM;
	if ((v->cloned[from / 64] >> from % 64 & 1) != 0)
		return VD_H_RESOURCE;
	for (uint64_t j = 0; j < i; j++) {
		if (r->from[j] == from)
			return VD_H_RESOURCE;
	}
	return VD_H_SUCCESS;
}

/* Is entry @i where the call wants it already? */
static bool is_duplicate(struct papr_call *c, const struct redirect *r,
			 uint64_t i) MUST_HOLD(c->p->lock)
{
	uint64_t bus = r->bus + (i << r->w.page_shift);
	const struct papr_clone *k = papr_clone_at(c->p, r->pane, bus);

	return k && k->vio == r->vio &&
	       k->from[(bus - k->bus.v) >> k->page_shift] == r->from[i];
}

static struct papr_clone *free_clone(struct vd_papr *p) MUST_HOLD(p->lock)
{
	for (uint32_t i = 0; i < PAPR_MAX_CLONES; i++) {
		if (!p->clone[i].used) {
			/* No guest's LIOBN and no window's: out of reach. */
			p->clone[i].id = VD_PAPR_FIRST_OWNER + i;
			return &p->clone[i];
		}
	}
	return NULL;
}

/* Lend the run to the client and put its entries there. */
static int64_t make_clone(struct papr_call *c, const struct redirect *r,
			  const vd_entry *entry) MUST_HOLD(c->p->lock)
{
	struct papr_clone *k = free_clone(c->p);
	struct vd_loan loan = {
		.id = r->pane->liobn,
		.rights = VD_READ | VD_WRITE,
		.first = (r->bus - r->w.bus.v) >> r->w.page_shift,
		.len = r->n,
		.live = VD_LIVE_REVOKE,
	};
	struct vd_put put = { .bus = { r->bus }, .n = r->n, .entry = entry };
	int err;

	if (!k)
		return VD_H_RESOURCE;
	err = papr_client_id(c->p, r->pane, r->vio->cfg.partition, &k->owner);
	if (err)
		return VD_H_RESOURCE;
	put.window = loan.newid = k->id;
	put.owner = loan.owner = k->owner;
	err = vd_window_lend(r->pane->adapter, &loan);
	if (err)
		return err == -ENOSPC ? VD_H_RESOURCE : papr_status(err);
	err = vd_window_put(r->pane->adapter, &put);
	if (err) {
		vd_window_take_back(r->pane->adapter, k->id, VD_LIVE_REVOKE);
		return papr_status(err);
	}

	/* Nothing below can fail. */
	k->used = true;
	k->pane = r->pane;
	k->vio = r->vio;
	k->bus.v = r->bus;
	k->n = k->live = (uint32_t)r->n;
	k->page_shift = r->w.page_shift;
	for (uint64_t i = 0; i < r->n; i++) {
		k->from[i] = r->from[i];
		r->vio->cloned[r->from[i] / 64] |= (uint64_t)1
						   << r->from[i] % 64;
	}
	return VD_H_SUCCESS;
}

static int64_t redirect(struct papr_call *c, const struct redirect *r,
			bool connected) MUST_HOLD(c->p->lock)
{
	vd_entry entry[VD_TCE_LIST_MAX];
	int64_t status;

	for (uint64_t i = 0; i < r->n; i++) {
		if (!connected)
			return at_fault(c, i, VD_H_R_PARM);
		if (is_duplicate(c, r, i))
			return at_fault(c, i, VD_H_IN_USE);
		status = read_source(r, i, &entry[i]);
		if (status)
			return at_fault(c, i, status);
	}
	status = r->n ? make_clone(c, r, entry) : VD_H_SUCCESS;
	return status == VD_H_RESOURCE ? at_fault(c, 0, status) : status;
}

int64_t papr_put_rtce(struct papr_call *c)
{
	struct redirect r = { .n = c->h->arg[4] };
	bool connected = false;
	int64_t status;

	r.vio = find_partner(c, c->h->arg[0], &connected);
	if (!r.vio)
		return VD_H_PARAMETER;
	status = check_target(c, &r, c->h->arg[2], c->h->arg[3]);
	if (!status)
		status = check_source(&r, c->h->arg[1]);
	return status ? status : redirect(c, &r, connected);
}

int64_t papr_put_rtce_list(struct papr_call *c)
{
	struct redirect r = { .n = c->h->arg[4] };
	bool connected = false;
	int64_t status;

	r.vio = find_partner(c, c->h->arg[1], &connected);
	if (!r.vio)
		return VD_H_PARAMETER;
	status = check_target(c, &r, c->h->arg[2], c->h->arg[3]);
	if (!status)
		status = papr_read_list(c, c->h->arg[0], r.n, r.from);
	if (status)
		return status;
	for (uint64_t i = 0; i < r.n; i++) {
		if (r.from[i] >= r.vio->cfg.len)
			return at_fault(c, i, VD_H_R_PARM);
		r.from[i] >>= VD_PAGE_SHIFT;
	}
	return redirect(c, &r, connected);
}

/* Entry @i of what a remove names: a clone's, or the server's own. */
static int remove_one(struct papr_call *c, const struct redirect *r, uint64_t i)
	MUST_HOLD(c->p->lock)
{
	const vd_entry none = { 0 };
	struct vd_put put = {
		.owner = r->pane->owner,
		.window = r->pane->liobn,
		.bus = { r->bus + (i << r->w.page_shift) },
		.n = 1,
		.entry = &none,
	};
	struct papr_clone *k = papr_clone_at(c->p, r->pane, put.bus.v);
	int64_t pinned = 0;

	if (!k)
		return vd_window_fill(r->pane->adapter, &put);
	return papr_clone_clear(k, (put.bus.v - k->bus.v) >> k->page_shift,
				&pinned);
}

/* The value that it leaves has no rights, so it is stored as 0. */
int64_t papr_remove_rtce(struct papr_call *c)
{
	struct redirect r = { .n = c->h->arg[4] };
	bool connected;
	int64_t status;

	r.vio = find_partner(c, c->h->arg[0], &connected);
	if (!r.vio)
		return VD_H_PARAMETER;
	status = check_target(c, &r, c->h->arg[2], c->h->arg[3]);
	if (!status)
		status = check_source(&r, c->h->arg[1]);
	for (uint64_t i = 0; i < r.n && !status; i++)
		status = papr_status(remove_one(c, &r, i));
	return status;
}

int64_t papr_liobn_attributes(struct papr_call *c)
{
	uint64_t reset = c->h->arg[1], set = c->h->arg[2];
	struct papr_pane *pane;
	int64_t status = papr_pane_find(c, c->h->arg[0], &pane);

	if (status)
		return status == VD_H_RESCINDED ? VD_H_PARAMETER : status;
	pane->attributes &= ~reset;
	pane->attributes |= set & VD_LIOBN_BIT_BUCKET;
	c->h->out[0] = pane->attributes;
	c->h->nout = 1;
	return VD_H_SUCCESS;
}
