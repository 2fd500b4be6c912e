/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Redirected RDMA: H_PUT_RTCE, H_PUT_RTCE_INDIRECT, H_REMOVE_RTCE and
 * H_LIOBN_ATTRIBUTES.
 *
 * A server copies entries of its partner's table, which it names by its second
 * pane, into the table of one of its adapters. LoPAR lets such a call stop half
 * way; here it is all or nothing, and R4 still says which entry was at fault.
 */
#include "papr_state.h"

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

/* Where entry @i of the call is copied to. */
static struct papr_copy place_of(const struct redirect *r, uint64_t i)
{
	return (struct papr_copy){
		.pane = r->pane,
		.bus = r->bus + (i << VD_PAGE_SHIFT),
	};
}

static int64_t at_fault(struct papr_call *c, uint64_t i, int64_t status)
{
	c->h->out[0] = i;
	c->h->nout = 1;
	return status;
}

/* Is entry @i valid, and where is its copy? The places are compared first. */
static int64_t read_source(struct papr_call *c, const struct redirect *r,
			   uint64_t i, vd_entry *out) MUST_HOLD(c->p->lock)
{
	struct papr_vio *v = r->vio;
	uint64_t from = r->from[i];
	const struct papr_copy *copy = papr_copy_of(c->p, v, from);
	vd_iova at = { from << VD_PAGE_SHIFT };
	int err;

	if (copy && copy->pane == r->pane &&
	    copy->bus == r->bus + (i << VD_PAGE_SHIFT))
		return VD_H_IN_USE;
	if (copy)
		return VD_H_RESOURCE;
	for (uint64_t j = 0; j < i; j++) {
		if (r->from[j] == from)
			return VD_H_RESOURCE;
	}
	err = vd_window_get(v->pane->adapter, v->pane->owner, v->pane->liobn,
			    at, out, 1);
	return err || (out->v & VD_TCE_PROT) == 0 ? VD_H_R_PARM : VD_H_SUCCESS;
}

/*
 * The server's owner must reach the client's memory, also what the client has got
 * since the last time. And the bucket, so that nothing stands in the way of a
 * copy's end.
 */
static int put_copies(struct papr_call *c, const struct redirect *r,
		      vd_entry *entry) MUST_HOLD(c->p->lock)
{
	const struct papr_partition *client =
		papr_partition(c->p, r->vio->cfg.partition);
	uint64_t base = papr_copy_base(c->p, client);
	struct vd_put put = {
		.size = sizeof(put),
		.owner = r->pane->owner,
		.window = r->pane->liobn,
		.bus = { r->bus },
		.n = r->n,
		.entry = entry,
	};
	int err = vd_owner_reach(r->pane->adapter, r->pane->owner,
				 client->cfg.domain, base);

	if (!err)
		err = papr_bucket_reach(c->p, r->pane);
	if (err)
		return err;
	for (uint64_t i = 0; i < r->n; i++)
		entry[i].v |= base;
	return vd_window_put(r->pane->adapter, &put);
}

static int64_t redirect(struct papr_call *c, const struct redirect *r,
			bool connected) MUST_HOLD(c->p->lock)
{
	vd_entry entry[VD_TCE_LIST_MAX];
	int64_t status = VD_H_SUCCESS;

	for (uint64_t i = 0; i < r->n; i++) {
		status = connected ? read_source(c, r, i, &entry[i]) :
				     VD_H_R_PARM;
		if (status)
			return at_fault(c, i, status);
	}
	if (r->n)
		status = papr_status(put_copies(c, r, entry));
	if (status)
		return status == VD_H_RESOURCE ? at_fault(c, 0, status) :
						 status;
	for (uint64_t i = 0; i < r->n; i++) {
		const struct papr_copy at = place_of(r, i);

		papr_copy_note(c->p, r->vio, r->from[i], &at);
	}
	c->p->count.redirected += r->n;
	return VD_H_SUCCESS;
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

/*
 * Whatever stands in the server's entries goes, and what the client's entries
 * know of it. The value that it leaves has no rights, so it is stored as 0.
 */
static int clear_target(struct vd_papr *p, const struct redirect *r)
	MUST_HOLD(p->lock)
{
	const vd_entry none = { 0 };
	struct vd_put put = {
		.size = sizeof(put),
		.owner = r->pane->owner,
		.window = r->pane->liobn,
		.bus = { r->bus },
		.n = r->n,
		.entry = &none,
	};

	int err = r->n ? vd_window_fill(r->pane->adapter, &put) : 0;

	for (uint64_t i = 0; i < r->n && !err; i++) {
		const struct papr_copy at = place_of(r, i);

		papr_copy_forget(p, r->vio->cfg.partition, &at);
	}
	return err;
}

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
	return status ? status : papr_status(clear_target(c->p, &r));
}

int64_t papr_liobn_attributes(struct papr_call *c)
{
	uint64_t reset = c->h->arg[1], set = c->h->arg[2];
	uint64_t can = c->p->cfg.bucket ? VD_LIOBN_BIT_BUCKET : 0;
	struct vd_window_info w = { .size = sizeof(w) };
	struct papr_pane *pane;
	int64_t status = papr_pane_find(c, c->h->arg[0], &pane);

	if (status)
		return status == VD_H_RESCINDED ? VD_H_PARAMETER : status;
	papr_pane_info(pane, &w);
	if (w.len == 0)
		return VD_H_PARAMETER;
	pane->attributes &= ~reset;
	pane->attributes |= set & can;
	c->h->out[0] = pane->attributes;
	c->h->nout = 1;
	return set & VD_LIOBN_BIT_BUCKET & ~can ? VD_H_CONSTRAINED :
						  VD_H_SUCCESS;
}
