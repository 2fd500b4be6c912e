/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of this folder share: a domain, its devices, their mappings.
 * Private to src/domain.
 */
#ifndef DOMAIN_STATE_H
#define DOMAIN_STATE_H

#include "fault.h"
#include "memory.h"
#include "pages.h"
#include "pintable.h"
#include <index.h>
#include <lock.h>
#include <freelist.h>
#include <viaduct/device.h>
#include <viaduct/domain.h>

/*
 * A mapping is one segment of a map call: one run of guest memory, one run on
 * the bus, one pin of the host. It is in both of its device's indexes, or, once
 * it was unmapped while the device was not known to be quiet, on the device's
 * held list: gone for everybody, but still pinned.
 */
struct mapping {
	struct mapping *next; /* on the held list, or kept by the free list */
	struct tree_node bus; /* bus addresses */
	struct tree_node mem; /* guest addresses */
	struct stretch *stretch;
	uint64_t handle; /* of the host's pin */
	unsigned int prot;
};

struct device {
	uint32_t guest_id;
	uint64_t host_id;
	struct vd_device_ops ops;
	void *opaque;
	enum vd_device_state state;
	uint32_t incarnation; /* see struct vd_life */
	struct index by_bus, by_mem;
	struct mapping *held;
	struct vd_device_info count; /* only its counters are used */
};

/*
 * Room for one call's pins, so that a map allocates only its mappings and the
 * end of mappings allocates nothing.
 */
struct scratch {
	struct vd_pin pin[VD_MAP_MAX_SEGS];
	struct mapping *mapping[VD_MAP_MAX_SEGS];
	vd_hpa page[VD_MAP_MAX_PAGES];
	uint64_t taken[VD_MAP_MAX_SEGS]; /* pages on their way into the table */
	struct vd_pin out[VD_MAP_MAX_SEGS]; /* and out of it */
};

struct vd_domain {
	struct vd_host *host; /* borrowed */
	struct vd_host_ops host_ops;
	uint32_t max_devices, max_mappings;

	struct lock held_lock;	   /* under the other: guards held.c's counts */
	struct lock lock;	   /* guards all that follows */
	struct lock_event settled; /* a device left state quiescing */
	struct memory memory;
	struct pages pages;
	struct pintable pins;
	struct faults faults;
	struct device **device; /* by ascending guest id; owned */
	uint32_t ndevices;
	uint32_t lives;		 /* begun so far: the last incarnation */
	struct scratch *scratch; /* owned */
	struct freelist nodes;	 /* of the devices' indexes */
	struct freelist mappings;
	uint64_t nrecords; /* mappings that exist, the held ones too */
	struct vd_domain_stats count; /* only its counters are used */
};

/* mapping.c */

/* As vd_device_map(), for a permitted device. */
int mapping_make(struct vd_domain *d, struct device *dev, struct vd_seg *segs,
		 size_t nsegs, uint64_t mask) MUST_HOLD(d->lock);

/*
 * As vd_device_unmap_segs(). The device's state decides whether the pins go
 * now or are held.
 */
int mapping_unmake(struct vd_domain *d, struct device *dev,
		   const struct vd_seg *segs, size_t nsegs, size_t *done)
	MUST_HOLD(d->lock);

/* End some mappings of a quiet device; false if there was none left. */
bool mapping_drop_some(struct vd_domain *d, struct device *dev)
	MUST_HOLD(d->lock);

/* Forget all mappings but keep their pins: the domain ends, the device does
 * not. */
void mapping_abandon(struct vd_domain *d, struct device *dev)
	MUST_HOLD(d->lock);

/* pin.c */

/* Is all of it guest memory that has words? 0, -EFAULT, -ENOTSUP */
int pin_check(struct vd_domain *d, const struct vd_seg *segs, size_t n)
	MUST_HOLD(d->lock);

/*
 * A part of a request that was checked: its pages are cached, held by nobody. If it
 * fails, so does the request, which says why.
 */
int pin_warm(struct vd_domain *d, const struct vd_seg *segs, size_t n)
	MUST_HOLD(d->lock);

/* As vd_device_pin(), for a permitted device and checked segments. */
int pin_make(struct vd_domain *d, uint32_t guest_id, struct vd_seg *segs,
	     size_t nsegs, uint64_t mask) MUST_HOLD(d->lock);

/* device.c */

struct device *device_find(struct vd_domain *d, uint32_t guest_id)
	MUST_HOLD(d->lock);

/* The device with the lowest guest id not below @guest_id, or NULL. */
struct device *device_from(struct vd_domain *d, uint64_t guest_id)
	MUST_HOLD(d->lock);

/* No other call on @d may run. */
void device_destroy_all(struct vd_domain *d);

#endif
