/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Granules that entries of windows hold: a count for each, and the host's pin
 * while it is above 0. Separate from the devices' mappings (mapping.c), with
 * which they share the domain's budget.
 */
#ifndef CORE_HELD_H
#define CORE_HELD_H

#include "memory.h"
#include <viaduct/domain.h>

/*
 * The count goes from 0 and to 0 under the domain's lock only; all other steps
 * take no lock.
 */
struct held {
	uint64_t handle; /* of the host's pin */
	uint32_t count;	 /* or HELD_BUSY */
};

/* A run of guest memory inside one stretch. */
struct held_run {
	struct stretch *s;
	uint64_t first, last;
};

/* Get ready to hold memory of stretch number @i: 0, -ENOENT (there is no such
 * stretch), -ENOMEM. */
int held_open(struct vd_domain *d, size_t i, struct stretch **out);

/* Hold all of the run or nothing: 0, -EDQUOT, -ENOSPC, or what the host says. */
int held_hold(struct vd_domain *d, const struct held_run *r, int64_t *pinned);
void held_release(struct vd_domain *d, const struct held_run *r,
		  int64_t *pinned);

#endif
