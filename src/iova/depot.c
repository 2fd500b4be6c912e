/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the magazines and the map. One thread may do nothing but allocate and
 * another nothing but free, as the two ends of a ring do: then runs wander from
 * cache to cache by the copy of a magazine, and the map is left alone.
 */
#include "space.h"

#include <string.h>

/* Of what is free no magazine takes more than this part: others want some. */
#define PART 16u

static uint32_t fair(const struct vd_space *s, unsigned int order, uint32_t max)
{
	uint64_t n = (s->nfree >> order) / PART + 1;

	return n < max ? (uint32_t)n : max;
}

/* The lowest on top of the magazine. */
static void turn(uint32_t *run, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		uint32_t was = run[i];

		run[i] = run[n - 1 - i];
		run[n - 1 - i] = was;
	}
}

uint32_t depot_take(struct vd_space *s, unsigned int order, uint32_t max,
		    uint32_t *run)
{
	struct depot *d = &s->depot[order];
	uint32_t n = d->n < max ? d->n : max;

	if (n) {
		d->n -= n;
		memcpy(run, &d->run[d->n], n * sizeof(*run));
		return n;
	}
	n = freemap_take_runs(&s->map, order, fair(s, order, max), run);
	turn(run, n);
	s->nfree -= (uint64_t)n << order;
	return n;
}

void depot_return(struct vd_space *s, unsigned int order, const uint32_t *run,
		  uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		freemap_give(&s->map, run[i], (uint64_t)1 << order);
	s->nfree += (uint64_t)n << order;
}

void depot_give(struct vd_space *s, unsigned int order, const uint32_t *run)
{
	struct depot *d = &s->depot[order];

	if (d->n > DEPOT - MAGAZINE) {
		depot_return(s, order, run, MAGAZINE);
		return;
	}
	memcpy(&d->run[d->n], run, MAGAZINE * sizeof(*run));
	d->n += MAGAZINE;
}
