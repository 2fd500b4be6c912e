/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Granules that entries of windows hold: a count for each, and the host's pin
 * while it is above 0. Separate from the devices' mappings (mapping.c), with
 * which they share the domain's budget.
 */
#ifndef DOMAIN_GRANULE_PIN_H
#define DOMAIN_GRANULE_PIN_H

#include "memory.h"
#include <stdbool.h>
#include <stddef.h>
#include <viaduct/domain.h>

/* A run of guest memory inside one stretch, which is open. */
struct granule_run {
	struct stretch *s;
	uint64_t first, last;
};

/* Get ready to hold memory of stretch number @i: 0, -ENOENT (there is no such
 * stretch), -ENOMEM. */
int granule_pin_open(struct vd_domain *d, size_t i, struct stretch **out);

/*
 * Hold all of the run or nothing: 0, -EDQUOT, -ENOSPC, or what the host says. The
 * domain's lock is taken for pieces of it.
 */
int granule_pin_hold(struct vd_domain *d, const struct granule_run *r,
		     int64_t *pinned);
void granule_pin_release(struct vd_domain *d, const struct granule_run *r,
			 int64_t *pinned);

/* The same if it is short and held already, so that nothing is pinned; or nothing. */
bool granule_pin_hold_warm(struct vd_domain *d, const struct granule_run *r);

/* It will be held or released soon: fetch its first count. */
void granule_pin_expect(const struct vd_domain *d, const struct granule_run *r);

/*
 * Pages that entries name, as many of them as lie in one stretch. Entries without
 * rights are skipped.
 */
struct granule_list {
	struct stretch *s;
	uint64_t start; /* what an entry calls the stretch's first byte */
	const uint64_t *entry; /* NULL: @first, and what follows it */
	uint64_t first, step;
	size_t n;
	unsigned int shift; /* of a page */
};

/*
 * Hold or release many that are held already, or by somebody else as well, under
 * one take of the lock. Returns how many entries were done before one was not:
 * it is for granule_pin_hold() or granule_pin_release(), for which it may just be long, or it
 * lies in another stretch, or, if it is not the first, those before it were enough
 * for one take.
 */
size_t granule_pin_hold_list(struct vd_domain *d, const struct granule_list *l);
size_t granule_pin_release_list(struct vd_domain *d,
				const struct granule_list *l);

/*
 * They will be held or released soon: fetch their counts, all at once. Returns
 * how many entries lie in the stretch before one does not.
 */
size_t granule_pin_expect_list(const struct vd_domain *d,
			       const struct granule_list *l);

#endif
