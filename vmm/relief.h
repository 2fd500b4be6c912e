/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine does when memory is short on the host: it lets go of cached
 * pins, and pages out guest memory that is cold, more of it the longer the
 * pressure lasts. When the pressure is over the cache grows again with use.
 */
#ifndef VMM_RELIEF_H
#define VMM_RELIEF_H

#include "pageout.h"
#include "pressure.h"

struct vd_domain;

struct relief_stats {
	bool on;
	bool source[PRESSURE_KINDS];
	/* Since the start: */
	uint64_t events[PRESSURE_KINDS];
	uint64_t requests;  /* times that room was made */
	uint64_t unpinned;  /* bytes of cached pins */
	uint64_t paged_out; /* bytes */
	uint64_t hot;	    /* bytes left alone now because they come back */
};

struct relief {
	bool on;
	struct vd_domain *domain; /* borrowed */
	struct pressure pressure;
	struct pageout pageout; /* only the pressure thread uses it */
	_Atomic uint64_t unpinned, paged_out, hot;
};

/*
 * Watch over the guest RAM at @ram, which is @domain's. 0 or -errno. Destroy is fine after a
 * failed create and for one that is all zeros.
 */
int relief_create(struct relief *r, struct vd_domain *domain, void *ram,
		  uint64_t len);
void relief_destroy(struct relief *r);

void relief_stats(struct relief *r, struct relief_stats *out);

#endif
