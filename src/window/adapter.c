/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Adapters: what create and destroy own, devices, faults, counters.
 */
#include "engine.h"

#include <mem.h>
#include <sized.h>
#include <errno.h>

#define DEFAULT_REGS	16u
#define DEFAULT_DEVICES 64u
#define DEFAULT_READERS 64u
#define DEFAULT_BYTES	((uint64_t)1 << 30)

static int check_cfg(const struct vd_adapter_cfg *cfg)
{
	if ((cfg->flags & ~VD_ADAPTER_POWERS_OF_TWO) != 0 ||
	    cfg->nregs > VD_ADAPTER_MAX_REGS ||
	    cfg->max_devices > VD_ADAPTER_MAX_DEVICES ||
	    cfg->max_readers > VD_ADAPTER_MAX_READERS)
		return -EINVAL;
	return 0;
}

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
	return v ? v : otherwise;
}

static struct vd_adapter *adapter_new(const struct vd_adapter_cfg *cfg)
{
	struct vd_adapter *a = mem_zalloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->nregs = or_default(cfg->nregs, DEFAULT_REGS);
	a->max_devices = or_default(cfg->max_devices, DEFAULT_DEVICES);
	if (epoch_init(&a->epoch,
		       or_default(cfg->max_readers, DEFAULT_READERS)))
		goto err_adapter;
	a->window = mem_zalloc(a->nregs, sizeof(*a->window));
	if (!a->window)
		goto err_epoch;
	a->device = mem_zalloc(a->max_devices, sizeof(*a->device));
	if (!a->device)
		goto err_window;
	a->nothing = flatview_runs_new(a->nregs);
	if (!a->nothing)
		goto err_device;
	a->nothing->denied = true;
	return a;

err_device:
	mem_free(a->device);
err_window:
	mem_free(a->window);
err_epoch:
	epoch_end(&a->epoch);
err_adapter:
	mem_free(a);
	return NULL;
}

int vd_adapter_create(const struct vd_adapter_cfg *cfg, struct vd_adapter **out)
{
	struct vd_adapter_cfg own;
	struct vd_adapter_ops ops = { .size = sizeof(ops) };
	struct vd_adapter *a;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	err = check_cfg(cfg);
	if (!err && cfg->ops)
		err = sized_read(&ops, sizeof(ops), cfg->ops);
	if (err)
		return err;
	a = adapter_new(cfg);
	if (!a)
		return -ENOMEM;

	a->ops = ops;
	a->opaque = cfg->opaque;
	a->flags = cfg->flags;
	a->budget.max = cfg->max_bytes ? cfg->max_bytes : DEFAULT_BYTES;
	lock_init(&a->change);
	lock_init(&a->lock);
	lock_init(&a->fault_lock);
	err = cfg->owner ? vd_owner_add(a, cfg->owner) : 0;
	if (err)
		vd_adapter_destroy(a);
	else
		*out = a;
	return err;
}

int adapter_drain(struct vd_adapter *a, const struct vd_drain *what)
{
	return a->ops.drain && a->ops.drain(a->opaque, what) ? -EIO : 0;
}

/* A window of @o's devices that nothing is lent of, or NULL: there is none. */
static struct window *innermost(struct vd_adapter *a, const struct owner *o)
	MUST_HOLD(a->lock)
{
	for (uint32_t i = 0; i < a->nregs; i++) {
		struct window *w = &a->window[i];

		if (w->table && w->via == o &&
		    !window_is_lent(a, w, w->first, w->len))
			return w;
	}
	return NULL;
}

/* Pins drop only behind devices that came to rest. */
static void end_owner(struct vd_adapter *a, struct owner *o)
	MUST_HOLD(a->change)
{
	const struct vd_drain all = { .size = sizeof(all),
				      o->id,
				      VD_EVERY_DEVICE,
				      { 0 },
				      { UINT64_MAX } };
	struct window *w;

	for (uint32_t i = 0; i < a->nregs; i++)
		window_hide(&a->window[i], o);
	owner_publish(a, o);
	if (o->ndevices && adapter_drain(a, &all) != 0)
		return;
	lock_take(&a->lock);
	while ((w = innermost(a, o))) {
		const struct handover p = handover_all(w, NULL);

		entry_revoke(a, &p);
		window_clear(a, w);
	}
	lock_drop(&a->lock);
}

void vd_adapter_destroy(struct vd_adapter *a)
{
	if (!a)
		return;
	lock_take(&a->change);
	for (uint32_t i = 0; i < a->nowners; i++) {
		if (a->owner[i]->provider == a->owner[i])
			end_owner(a, a->owner[i]);
	}
	lock_drop(&a->change);
	while (a->tables) {
		struct vd_table *t = a->tables;

		a->tables = t->next;
		table_destroy(t);
	}
	for (uint32_t i = 0; i < a->ndevices; i++)
		mem_free(a->device[i]);
	for (uint32_t i = 0; i < a->nowners; i++)
		owner_end(a->owner[i]);
	lock_end(&a->fault_lock);
	lock_end(&a->lock);
	lock_end(&a->change);
	mem_free(a->nothing);
	mem_free(a->device);
	mem_free(a->window);
	epoch_end(&a->epoch);
	mem_free(a);
}

struct adevice *adapter_device(struct vd_adapter *a, uint32_t id)
{
	for (uint32_t i = 0; i < a->ndevices; i++) {
		if (a->device[i]->id == id)
			return a->device[i];
	}
	return NULL;
}

void adapter_show(struct vd_adapter *a, struct adevice *dev)
{
	const struct flatview_runs *r = flatview_shown(&dev->owner->view);

	/* Pairs with enter() in translate.c. */
	atom_store(&dev->shown, (uintptr_t)(dev->denied ? a->nothing : r));
}

static int check_attach(struct vd_adapter *a, uint32_t device,
			const struct owner *o) MUST_HOLD(a->lock)
{
	if (!o)
		return -ENOENT;
	if (o->provider != o)
		return -EINVAL;
	if (adapter_device(a, device))
		return -EEXIST;
	return a->ndevices < a->max_devices ? 0 : -ENOSPC;
}

int vd_adapter_attach(struct vd_adapter *a, uint32_t device, uint32_t owner)
{
	struct adevice *dev;
	struct owner *o;
	int err;

	if (device == VD_EVERY_DEVICE)
		return -EINVAL;
	dev = mem_zalloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	lock_take(&a->lock);
	o = owner_find(a, owner);
	err = check_attach(a, device, o);
	if (!err) {
		dev->id = device;
		dev->owner = o;
		adapter_show(a, dev);
		o->ndevices++;
		a->device[a->ndevices++] = dev;
	}
	lock_drop(&a->lock);
	if (err)
		mem_free(dev);
	return err;
}

static void set_denied(struct vd_adapter *a, uint32_t device, bool denied,
		       struct adevice **out)
{
	lock_take(&a->lock);
	*out = adapter_device(a, device);
	if (*out) {
		(*out)->denied = denied;
		adapter_show(a, *out);
	}
	lock_drop(&a->lock);
}

/* Devices go under the change lock only, so @dev stays. */
static int bring_to_rest(struct vd_adapter *a, struct adevice *dev)
	MUST_HOLD(a->change)
{
	const struct vd_drain all = { .size = sizeof(all),
				      dev->owner->id,
				      dev->id,
				      { 0 },
				      { UINT64_MAX } };

	epoch_wait(&a->epoch);
	return adapter_drain(a, &all);
}

int vd_adapter_deny(struct vd_adapter *a, uint32_t device)
{
	struct adevice *dev;
	int err = -ENODEV;

	lock_take(&a->change);
	set_denied(a, device, true, &dev);
	if (dev)
		err = bring_to_rest(a, dev);
	lock_drop(&a->change);
	return err;
}

int vd_adapter_permit(struct vd_adapter *a, uint32_t device)
{
	struct adevice *dev;

	lock_take(&a->change);
	set_denied(a, device, false, &dev);
	lock_drop(&a->change);
	return dev ? 0 : -ENODEV;
}

static int leave_device(struct vd_adapter *a, struct adevice *dev)
	MUST_HOLD(a->lock)
{
	uint32_t i = 0;

	if (dev->nreaders)
		return -EBUSY;
	while (a->device[i] != dev)
		i++;
	a->device[i] = a->device[--a->ndevices];
	dev->owner->ndevices--;
	return 0;
}

int vd_adapter_detach(struct vd_adapter *a, uint32_t device)
{
	struct adevice *dev;
	int err = -ENODEV;

	lock_take(&a->change);
	lock_take(&a->lock);
	dev = adapter_device(a, device);
	if (dev)
		err = dev->nreaders ? -EBUSY : 0;
	lock_drop(&a->lock);
	if (!err)
		err = bring_to_rest(a, dev);
	if (!err) {
		lock_take(&a->lock);
		err = leave_device(a, dev);
		lock_drop(&a->lock);
		if (!err)
			mem_free(dev);
	}
	lock_drop(&a->change);
	return err;
}

int vd_adapter_next_fault(struct vd_adapter *a, struct vd_fault *out)
{
	struct vd_fault f = { .size = sizeof(f) };
	int err;

	lock_take(&a->fault_lock);
	err = faults_take(&a->faults, &f);
	lock_drop(&a->fault_lock);
	if (!err)
		sized_write(out, &f, sizeof(f));
	return err;
}

void vd_adapter_stats(struct vd_adapter *a, struct vd_adapter_stats *out)
{
	struct vd_adapter_stats s = { .size = sizeof(s) };

	lock_take(&a->lock);
	s = a->count;
	s.nregs = a->nregs;
	s.ndevices = a->ndevices;
	s.nowners = a->nowners;
	s.table_bytes = a->budget.bytes;
	s.max_bytes = a->budget.max;
	lock_drop(&a->lock);
	lock_take(&a->fault_lock);
	s.nfaults = a->faults.put;
	lock_drop(&a->fault_lock);
	sized_write(out, &s, sizeof(s));
}
