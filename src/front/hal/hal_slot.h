/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request slot of the HAL: a page of guest memory and the request in it.
 * Private to src/front.
 */
#ifndef FRONT_HAL_HAL_SLOT_H
#define FRONT_HAL_HAL_SLOT_H

#include <lock.h>
#include <stdbool.h>
#include <viaduct/abi/hal.h>
#include <viaduct/device.h>
#include <viaduct/domain.h>

struct hal_slot {
	struct lock lock; /* one request at a time; guards all of it */
	bool set;
	uint32_t features;	 /* VD_HAL_F_* that the guest accepted */
	vd_gpa gpa;		 /* of the page */
	struct vd_hal_slot copy; /* what we look at instead of the page */
	struct vd_seg seg[VD_HAL_NSEGS];
};

/* What a request did, for the counters. */
struct hal_result {
	uint32_t op;
	uint32_t status; /* VD_HAL_S_* */
	uint32_t nsegs;	 /* segments done */
	struct vd_life who;
};

/*
 * Copy the request, run it, answer. The page was guest memory when the slot
 * was set, and guest memory does not go away.
 */
struct hal_result hal_slot_run(struct hal_slot *s, struct vd_domain *d)
	MUST_HOLD(s->lock);

#endif
