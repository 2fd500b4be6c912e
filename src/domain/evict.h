/* SPDX-License-Identifier: BSD-2-Clause */
/* Letting cached pages go; see evict.c. Private to src/domain. */
#ifndef DOMAIN_EVICT_H
#define DOMAIN_EVICT_H

#include "state.h"

enum evict_mode {
	EVICT_AGE,    /* spare what was used, evict what was not */
	EVICT_UNUSED, /* evict what was not used, leave the others alone */
	EVICT_ANY,    /* evict whatever has no count */
};

/*
 * Make @granules less pinned if that can be done; a bounded search. Return:
 * was anything unpinned?
 */
bool evict_for(struct vd_domain *d, uint64_t granules) MUST_HOLD(d->lock);

/* Does evict_for() look at a part of the table only? */
bool evict_is_partial(struct vd_domain *d) MUST_HOLD(d->lock);

/* What of pages page..end-1 nobody holds. */
void evict_range(struct vd_domain *d, uint64_t page, uint64_t end)
	MUST_HOLD(d->lock);

/*
 * Before something is pinned by the table, or a device begins to run: wait until
 * no drop is under way. True: the lock was dropped.
 */
bool evict_await_drop(struct vd_domain *d) MUST_HOLD(d->lock);

/*
 * A device has settled. Everything goes, whatever its count, if every device is
 * denied, which may be none; else what an earlier drop owes, if all are settled.
 */
void evict_settled(struct vd_domain *d) MUST_NOT_HOLD(d->lock);

#endif
