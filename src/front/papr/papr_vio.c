/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual devices: a table of memory that a partition exposes, and a partner
 * who may redirect entries of it.
 *
 * Such a table has no hardware behind it; the device's model translates by it.
 * All of them are windows of one adapter, each with an owner of its own because
 * all begin at bus address 0.
 */
#include "papr_state.h"

#include <errno.h>
#include <mem.h>
#include <sized.h>

static bool is_sane(const struct vd_papr_vio *cfg)
{
	return cfg->len != 0 && is_aligned(cfg->len, VD_PAGE_SHIFT) &&
	       cfg->unit != VD_EVERY_DEVICE && cfg->unit != cfg->partner;
}

/* Window and device of a virtual device, on the platform's adapter. */
static int make_window(struct vd_papr *p, struct papr_vio *v, uint32_t owner)
	MUST_HOLD(p->lock)
{
	const struct vd_owner_cfg o = {
		.size = sizeof(o),
		.id = owner,
		.provider = VD_NO_OWNER,
		.domain = papr_partition(p, v->cfg.partition)->cfg.domain,
	};
	const struct vd_table_cfg t = {
		.size = sizeof(t),
		.format = VD_FORMAT_TCE,
		.page_shift = VD_PAGE_SHIFT,
		.nentries = v->cfg.len >> VD_PAGE_SHIFT,
	};
	struct vd_window_cfg w = {
		.size = sizeof(w),
		.id = v->cfg.liobn,
		.owner = owner,
		.len = t.nentries,
	};
	int err = vd_owner_add(p->vio_adapter, &o);

	if (err)
		return err;
	err = vd_table_create(p->vio_adapter, &t, &v->table);
	if (err)
		goto err_owner;
	w.table = v->table;
	err = vd_window_create(p->vio_adapter, &w);
	if (err)
		goto err_table;
	err = vd_adapter_attach(p->vio_adapter, v->cfg.unit, owner);
	if (err)
		goto err_window;
	return 0;

err_window:
	vd_window_destroy(p->vio_adapter, v->cfg.liobn, VD_LIVE_REVOKE);
err_table:
	vd_table_destroy(p->vio_adapter, v->table);
err_owner:
	vd_owner_remove(p->vio_adapter, owner);
	return err;
}

/* Its number is also that of its owner. */
static int find_slot(struct vd_papr *p, const struct vd_papr_vio *cfg,
		     uint32_t *slot) MUST_HOLD(p->lock)
{
	*slot = VD_PAPR_MAX_VIOS;
	if (!papr_partition(p, cfg->partition))
		return -ENOENT;
	if (papr_pane_any(p, cfg->liobn) || papr_pe_keeps(p, cfg->liobn))
		return -EEXIST;
	for (uint32_t i = VD_PAPR_MAX_VIOS; i-- > 0;) {
		if (!p->vio[i].used)
			*slot = i;
		else if (p->vio[i].cfg.unit == cfg->unit)
			return -EEXIST;
	}
	return *slot == VD_PAPR_MAX_VIOS ? -ENOSPC : 0;
}

static int add_vio(struct vd_papr *p, const struct vd_papr_vio *cfg)
	MUST_HOLD(p->lock)
{
	uint32_t slot, owner;
	struct papr_pane *pane;
	struct papr_vio v = { .cfg = *cfg };
	int err = find_slot(p, cfg, &slot);

	if (err)
		return err;
	pane = papr_pane_spare(p) ? papr_pane_free(p) : NULL;
	if (!pane)
		return -ENOSPC;
	v.copy = mem_zalloc(cfg->len >> VD_PAGE_SHIFT, sizeof(*v.copy));
	if (!v.copy)
		return -ENOMEM;
	owner = VD_PAPR_FIRST_OWNER + PAPR_MAX_CLIENTS + slot;
	err = make_window(p, &v, owner);
	if (err) {
		mem_free(v.copy);
		return err;
	}

	/* Nothing below can fail. */
	*pane = (struct papr_pane){
		.used = true,
		.liobn = cfg->liobn,
		.partition = cfg->partition,
		.adapter = p->vio_adapter,
		.owner = owner,
		.vio = &p->vio[slot],
	};
	v.used = true;
	v.pane = pane;
	p->vio[slot] = v;
	return 0;
}

int vd_papr_add_vio(struct vd_papr *p, const struct vd_papr_vio *cfg)
{
	struct vd_papr_vio own;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	if (!is_sane(&own))
		return -EINVAL;
	lock_take(&p->lock);
	err = add_vio(p, &own);
	lock_drop(&p->lock);
	return err;
}

struct vd_adapter *vd_papr_vio_adapter(struct vd_papr *p)
{
	return p->vio_adapter;
}

static struct papr_vio *find_unit(struct vd_papr *p, uint32_t unit)
	MUST_HOLD(p->lock)
{
	for (size_t i = 0; i < VD_PAPR_MAX_VIOS; i++) {
		if (p->vio[i].used && p->vio[i].cfg.unit == unit)
			return &p->vio[i];
	}
	return NULL;
}

/* Both ends, which must name each other. */
static int find_ends(struct vd_papr *p, uint32_t unit, struct papr_vio **end)
	MUST_HOLD(p->lock)
{
	end[0] = find_unit(p, unit);
	end[1] = end[0] ? find_unit(p, end[0]->cfg.partner) : NULL;
	return end[1] && end[1]->cfg.partner == unit ? 0 : -ENOENT;
}

int vd_papr_connect(struct vd_papr *p, uint32_t unit)
{
	struct papr_vio *end[2];
	int err;

	lock_take(&p->lock);
	err = find_ends(p, unit, end);
	if (!err)
		end[0]->connected = end[1]->connected = true;
	lock_drop(&p->lock);
	return err;
}

static bool may_part(struct vd_papr *p, struct papr_vio *const *end)
	MUST_HOLD(p->lock)
{
	bool may = true;

	for (int i = 0; i < 2; i++)
		may &= papr_copy_may_end(p, end[i], 0,
					 end[i]->cfg.len >> VD_PAGE_SHIFT);
	return may;
}

/* After may_part(), whatever it said. */
static void part(struct vd_papr *p, struct papr_vio *const *end)
	MUST_HOLD(p->lock)
{
	for (int i = 0; i < 2; i++) {
		papr_copy_end(p, end[i], 0, end[i]->cfg.len >> VD_PAGE_SHIFT);
		end[i]->connected = false;
	}
}

/* One end's partition has gone, so nothing can hold it off. */
void papr_vio_part(struct vd_papr *p, struct papr_vio *v)
{
	struct papr_vio *end[2];

	if (find_ends(p, v->cfg.unit, end) != 0)
		return; /* never connected */
	may_part(p, end);
	part(p, end);
}

static int disconnect(struct vd_papr *p, struct papr_vio *const *end)
	MUST_HOLD(p->lock)
{
	if (!may_part(p, end))
		return -EBUSY;
	part(p, end);
	return 0;
}

int vd_papr_disconnect(struct vd_papr *p, uint32_t unit)
{
	struct papr_vio *end[2];
	int err;

	lock_take(&p->lock);
	err = find_ends(p, unit, end);
	if (!err)
		err = disconnect(p, end);
	lock_drop(&p->lock);
	return err;
}
