/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices: who may map, and how a device is taken away.
 *
 * States:
 *	permitted -> quiescing	deny, revoke, detach
 *	quiescing -> denied, permitted or gone	quiet: all mappings ended
 *	quiescing -> stuck	not quiet: all pins kept
 *	stuck	  -> quiescing	deny, revoke, detach: try again
 *	denied	  -> permitted	permit
 * Only a permitted device can map and translate. A denied one has no mapping.
 * Whenever a device becomes permitted a life begins (struct vd_life).
 *
 * X4: the change to quiescing makes translations invalid, the callback drains
 * the device, and only then do pins drop. A quiescing device belongs to the
 * thread that quiesces it; to all others it is busy, so it cannot go away
 * while the lock is dropped.
 */
#include "evict.h"

#include <checked.h>
#include <container.h>
#include <mem.h>
#include <sized.h>
#include <errno.h>
#include <string.h>

/* The first device whose guest id is not below @guest_id. */
static uint32_t find_place(struct vd_domain *d, uint32_t guest_id)
	MUST_HOLD(d->lock)
{
	uint32_t low = 0, high = d->ndevices;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (d->device[mid]->guest_id < guest_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct device *device_from(struct vd_domain *d, uint64_t guest_id)
{
	uint32_t i;

	if (guest_id > UINT32_MAX)
		return NULL;
	i = find_place(d, (uint32_t)guest_id);
	return i < d->ndevices ? d->device[i] : NULL;
}

struct device *device_find(struct vd_domain *d, uint32_t guest_id)
{
	uint32_t i = find_place(d, guest_id);

	if (i == d->ndevices || d->device[i]->guest_id != guest_id)
		return NULL;
	return d->device[i];
}

static void begin_life(struct vd_domain *d, struct device *dev)
	MUST_HOLD(d->lock)
{
	if (++d->lives == 0) /* 0 names none */
		d->lives = 1;
	dev->incarnation = d->lives;
}

static int check_ids(struct vd_domain *d, const struct vd_device_cfg *cfg)
	MUST_HOLD(d->lock)
{
	for (uint32_t i = 0; i < d->ndevices; i++) {
		if (d->device[i]->guest_id == cfg->guest_id ||
		    d->device[i]->host_id == cfg->host_id)
			return -EEXIST;
	}
	return d->ndevices < d->max_devices ? 0 : -ENOSPC;
}

static void enter_device(struct vd_domain *d, struct device *dev)
	MUST_HOLD(d->lock)
{
	uint32_t at = find_place(d, dev->guest_id);

	memmove(&d->device[at + 1], &d->device[at],
		(d->ndevices - at) * sizeof(struct device *));
	d->device[at] = dev;
	d->ndevices++;
	begin_life(d, dev);
}

static void leave_device(struct vd_domain *d, struct device *dev)
	MUST_HOLD(d->lock)
{
	uint32_t at = find_place(d, dev->guest_id);

	d->ndevices--;
	memmove(&d->device[at], &d->device[at + 1],
		(d->ndevices - at) * sizeof(struct device *));
}

int vd_device_attach(struct vd_domain *d, const struct vd_device_cfg *cfg)
{
	struct vd_device_cfg own;
	struct vd_device_ops ops;
	struct device *dev;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	err = sized_read(&ops, sizeof(ops), cfg->ops);
	if (err || !ops.quiesce)
		return err ? err : -EINVAL;
	dev = mem_zalloc(1, sizeof(*dev));
	if (!dev)
		return -ENOMEM;
	dev->guest_id = cfg->guest_id;
	dev->host_id = cfg->host_id;
	dev->ops = ops;
	dev->opaque = cfg->opaque;
	dev->state = VD_DEVICE_PERMITTED;
	index_init(&dev->by_bus, &d->nodes);
	index_init(&dev->by_mem, &d->nodes);

	lock_take(&d->lock);
	evict_await_drop(d);
	err = check_ids(d, cfg);
	if (!err)
		enter_device(d, dev);
	lock_drop(&d->lock);
	if (err)
		mem_free(dev);
	return err;
}

static void set_state(struct vd_domain *d, struct device *dev,
		      enum vd_device_state state)
{
	lock_take(&d->lock);
	dev->state = state;
	if (state == VD_DEVICE_PERMITTED) /* it was revoked */
		begin_life(d, dev);
	lock_wake_all(&d->settled);
	lock_drop(&d->lock);
}

/* In pieces, so that others get the lock in between. */
static void drop_mappings(struct vd_domain *d, struct device *dev)
{
	bool more;

	do {
		lock_take(&d->lock);
		more = mapping_drop_some(d, dev);
		lock_drop(&d->lock);
	} while (more);
}

/*
 * X4 for a device in state quiescing, which is ours. 0, and nothing is mapped
 * or pinned; or -EIO, and it is stuck.
 */
static int quiesce_and_drop(struct vd_domain *d, struct device *dev)
{
	if (dev->ops.quiesce(dev->opaque) != 0) {
		set_state(d, dev, VD_DEVICE_STUCK);
		return -EIO;
	}
	drop_mappings(d, dev);
	return 0;
}

/* Make a device ours. @before: its state until now. */
static int begin_quiesce(struct vd_domain *d, uint32_t guest_id,
			 struct device **out, enum vd_device_state *before)
{
	struct device *dev;
	int err = 0;

	lock_take(&d->lock);
	dev = device_find(d, guest_id);
	if (!dev) {
		err = -ENODEV;
	} else if (dev->state == VD_DEVICE_QUIESCING) {
		err = -EBUSY;
	} else {
		*out = dev;
		*before = dev->state;
		dev->state = VD_DEVICE_QUIESCING;
	}
	lock_drop(&d->lock);
	return err;
}

static void count_deny(struct vd_domain *d, struct device *dev,
		       enum vd_device_state before)
{
	if (before != VD_DEVICE_PERMITTED)
		return;
	lock_take(&d->lock);
	dev->count.denies++;
	lock_drop(&d->lock);
}

int vd_device_deny(struct vd_domain *d, uint32_t guest_id)
{
	enum vd_device_state before;
	struct device *dev;
	int err;

	err = begin_quiesce(d, guest_id, &dev, &before);
	if (err)
		return err;
	count_deny(d, dev, before);
	if (before != VD_DEVICE_DENIED)
		err = quiesce_and_drop(d, dev);
	if (!err) {
		set_state(d, dev, VD_DEVICE_DENIED);
		evict_settled(d);
	}
	return err;
}

int vd_device_revoke(struct vd_domain *d, uint32_t guest_id)
{
	enum vd_device_state before;
	struct device *dev;
	int err;

	err = begin_quiesce(d, guest_id, &dev, &before);
	if (err)
		return err;
	if (before != VD_DEVICE_DENIED)
		err = quiesce_and_drop(d, dev);
	if (!err) {
		set_state(d, dev,
			  before == VD_DEVICE_PERMITTED ? VD_DEVICE_PERMITTED :
							  VD_DEVICE_DENIED);
		evict_settled(d);
	}
	return err;
}

int vd_device_detach(struct vd_domain *d, uint32_t guest_id)
{
	enum vd_device_state before;
	struct device *dev;
	int err;

	err = begin_quiesce(d, guest_id, &dev, &before);
	if (!err && before != VD_DEVICE_DENIED)
		err = quiesce_and_drop(d, dev);
	if (err)
		return err;
	lock_take(&d->lock);
	leave_device(d, dev);
	lock_wake_all(&d->settled);
	lock_drop(&d->lock);
	mem_free(dev);
	evict_settled(d);
	return 0;
}

int vd_device_settle(struct vd_domain *d, uint32_t guest_id)
{
	struct device *dev;

	lock_take(&d->lock);
	/* Look it up each time: it may be gone. */
	while ((dev = device_find(d, guest_id)) &&
	       dev->state == VD_DEVICE_QUIESCING)
		lock_wait(&d->lock, &d->settled);
	lock_drop(&d->lock);
	return dev ? 0 : -ENODEV;
}

int vd_device_permit(struct vd_domain *d, uint32_t guest_id)
{
	static const int refusal[VD_DEVICE_STATES] = {
		[VD_DEVICE_QUIESCING] = -EBUSY,
		[VD_DEVICE_STUCK] = -EIO,
	};
	struct device *dev;
	int err = -ENODEV;

	lock_take(&d->lock);
	evict_await_drop(d);
	dev = device_find(d, guest_id);
	if (dev)
		err = refusal[dev->state];
	if (!err && dev->state == VD_DEVICE_DENIED) {
		dev->state = VD_DEVICE_PERMITTED;
		begin_life(d, dev);
	}
	lock_drop(&d->lock);
	return err;
}

void device_destroy_all(struct vd_domain *d)
{
	bool quiet = true;

	for (uint32_t i = 0; i < d->ndevices; i++) {
		struct device *dev = d->device[i];

		dev->state = VD_DEVICE_QUIESCING;
		if (quiesce_and_drop(d, dev) != 0) {
			lock_take(&d->lock);
			mapping_abandon(d, dev);
			lock_drop(&d->lock);
			quiet = false;
		}
		mem_free(dev);
	}
	d->ndevices = 0;
	if (quiet) /* else the pins stay, whoever of them it reaches */
		evict_settled(d);
}

static void fill_info(struct vd_device_info *out, const struct device *dev)
{
	struct vd_device_info i = dev->count;

	i.guest_id = dev->guest_id;
	i.host_id = dev->host_id;
	i.state = dev->state;
	i.incarnation = dev->incarnation;
	sized_write(out, &i, sizeof(i));
}

int vd_device_info(struct vd_domain *d, uint32_t guest_id,
		   struct vd_device_info *out)
{
	struct device *dev;

	lock_take(&d->lock);
	dev = device_find(d, guest_id);
	if (dev)
		fill_info(out, dev);
	lock_drop(&d->lock);
	return dev ? 0 : -ENODEV;
}

int vd_device_next(struct vd_domain *d, uint64_t guest_id,
		   struct vd_device_info *out)
{
	struct device *dev;

	lock_take(&d->lock);
	dev = device_from(d, guest_id);
	if (dev)
		fill_info(out, dev);
	lock_drop(&d->lock);
	return dev ? 0 : -ENOENT;
}

const char *vd_device_state_name(enum vd_device_state s)
{
	static const char *const names[VD_DEVICE_STATES] = {
		[VD_DEVICE_PERMITTED] = "permitted",
		[VD_DEVICE_DENIED] = "denied",
		[VD_DEVICE_QUIESCING] = "quiescing",
		[VD_DEVICE_STUCK] = "stuck",
	};

	return (unsigned int)s < VD_DEVICE_STATES ? names[s] : "unknown";
}
