/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a machine does when memory is short on the host: it pages out guest
 * memory that is cold, more of it the longer the pressure lasts.
 */
#ifndef VMM_RELIEF_H
#define VMM_RELIEF_H

#include "pageout.h"
#include "pressure.h"

struct relief_stats {
	bool on;
	bool source[PRESSURE_KINDS];
	/* Since the start: */
	uint64_t events[PRESSURE_KINDS];
	uint64_t requests;  /* times that room was made */
	uint64_t paged_out; /* bytes */
	uint64_t hot;	    /* bytes left alone now because they come back */
};

struct relief {
	bool on;
	struct pressure pressure;
	struct pageout pageout; /* only the pressure thread uses it */
	_Atomic uint64_t paged_out, hot;
};

/*
 * Watch over the guest RAM at @ram. 0 or -errno. Destroy is fine after a
 * failed create and for one that is all zeros.
 */
int relief_create(struct relief *r, void *ram, uint64_t len);
void relief_destroy(struct relief *r);

void relief_stats(struct relief *r, struct relief_stats *out);

#endif
