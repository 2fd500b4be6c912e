/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table's free slots: a bitmap that hands out runs.
 *
 * Search goes on from where the last one ended and wraps around, so that slots
 * given back are left to merge into long runs before they are used again.
 */
#ifndef BASE_SLOTS_H
#define BASE_SLOTS_H

#include <stdint.h>

#define SLOTS_MAX 16384u

struct slots {
	uint64_t used[SLOTS_MAX / 64];
	uint32_t nused;
	uint32_t next; /* where to search from */
};

/*
 * Take a run of at most @want slots. @first: out. Returns its length, which is
 * shorter where no such run was found soon, and 0 if all slots are used.
 */
uint32_t slots_take(struct slots *s, uint32_t want, uint32_t *first);

/* Give back @n slots from @first; all are used. */
void slots_give(struct slots *s, uint32_t first, uint32_t n);

#endif
