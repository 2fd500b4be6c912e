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

/* A run of guest memory inside one stretch, which is open. */
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

/*
 * The same for many that are held already, or by somebody else as well; returns
 * how many were done before one was not.
 */
size_t held_hold_warm(struct vd_domain *d, const struct held_run *r, size_t n);
size_t held_release_warm(struct vd_domain *d, const struct held_run *r,
			 size_t n);

/* It will be held or released soon: fetch its first count. */
void held_expect(const struct vd_domain *d, const struct held_run *r);

#endif
