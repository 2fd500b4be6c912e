/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Owners: providers, each with the view that its devices have, and their
 * clients, which have none.
 */
#include "engine.h"

#include <checked.h>
#include <mem.h>
#include <sized.h>
#include <errno.h>

struct owner *owner_find(struct vd_adapter *a, uint32_t id)
{
	for (uint32_t i = 0; i < a->nowners; i++) {
		if (a->owner[i]->id == id)
			return a->owner[i];
	}
	return NULL;
}

static int owner_new(struct vd_adapter *a, const struct vd_owner_cfg *cfg,
		     struct owner **out)
{
	struct owner *o = mem_zalloc(1, sizeof(*o));
	int err;

	if (!o)
		return -ENOMEM;
	err = ram_init(&o->ram, cfg);
	if (!err)
		err = flatview_init(&o->view, a->nregs);
	if (err) {
		mem_free(o);
		return err;
	}
	o->id = cfg->id;
	*out = o;
	return 0;
}

void owner_end(struct owner *o)
{
	flatview_end(&o->view);
	mem_free(o);
}

static int check_place(struct vd_adapter *a, const struct vd_owner_cfg *cfg)
	MUST_HOLD(a->lock)
{
	struct owner *p;

	if (owner_find(a, cfg->id))
		return -EEXIST;
	if (cfg->provider != VD_NO_OWNER) {
		p = owner_find(a, cfg->provider);
		if (!p)
			return -ENOENT;
		if (p->provider != p)
			return -EINVAL;
	}
	return a->nowners < VD_ADAPTER_MAX_OWNERS ? 0 : -ENOSPC;
}

static void enter_owner(struct vd_adapter *a, struct owner *o,
			uint32_t provider) MUST_HOLD(a->lock)
{
	o->provider = o;
	if (provider != VD_NO_OWNER) {
		o->provider = owner_find(a, provider);
		o->provider->nclients++;
	}
	a->owner[a->nowners++] = o;
}

int vd_owner_add(struct vd_adapter *a, const struct vd_owner_cfg *cfg)
{
	struct vd_owner_cfg own;
	struct owner *o;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	if (cfg->id == VD_NO_OWNER)
		return -EINVAL;
	lock_take(&a->lock);
	err = check_place(a, cfg);
	if (!err)
		err = owner_new(a, cfg, &o);
	if (!err)
		enter_owner(a, o, cfg->provider);
	lock_drop(&a->lock);
	return err;
}

int vd_owner_reach(struct vd_adapter *a, uint32_t id, struct vd_domain *other,
		   uint64_t base)
{
	struct owner *o;
	int err = -EINVAL;

	if (!other || base == 0 || !is_aligned(base, VD_IO_SHIFT_MAX))
		return err;
	lock_take(&a->lock);
	o = owner_find(a, id);
	if (!o)
		err = -ENOENT;
	else if (o->ram.domain)
		err = ram_reach(&o->ram, other, base);
	lock_drop(&a->lock);
	return err;
}

static void leave_owner(struct vd_adapter *a, const struct owner *o)
	MUST_HOLD(a->lock)
{
	uint32_t i = 0;

	while (a->owner[i] != o)
		i++;
	a->owner[i] = a->owner[--a->nowners];
	if (o->provider != o)
		o->provider->nclients--;
}

int vd_owner_remove(struct vd_adapter *a, uint32_t id)
{
	struct owner *o;
	int err = -ENOENT;

	/* A change may have an owner in its hands. */
	lock_take(&a->change);
	lock_take(&a->lock);
	o = owner_find(a, id);
	if (o) {
		err = o->nwindows || o->ndevices || o->nclients ? -EBUSY : 0;
		if (!err)
			leave_owner(a, o);
	}
	lock_drop(&a->lock);
	lock_drop(&a->change);
	if (!err)
		owner_end(o);
	return err;
}

void owner_publish(struct vd_adapter *a, struct owner *via)
{
	struct flatview_runs *r = flatview_other(&via->view);

	lock_take(&a->lock);
	r->n = 0;
	for (uint32_t i = 0; i < a->nregs; i++) {
		const struct window *w = &a->window[i];

		if (w->table && !w->lender && w->via == via)
			flatview_add(r, a->window, a->nregs, w);
	}
	flatview_show(&via->view, r);
	for (uint32_t i = 0; i < a->ndevices; i++) {
		if (a->device[i]->owner == via)
			adapter_show(a, a->device[i]);
	}
	lock_drop(&a->lock);
	epoch_wait(&a->epoch);
}
