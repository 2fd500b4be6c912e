/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay_learn.h"

#define PAGE_SIZES  (VD_DDW_4K | VD_DDW_64K | VD_DDW_2M | VD_DDW_16M)
#define WINDOW_TCES ((uint64_t)1 << 31)
#define HIGH_SHIFT  59u
#define WINDOWS	    2u
#define NOT_MADE    0xbaadf00du /* QEMU's bus address of a window that failed */

static struct learn *of_liobn(struct learn *all, uint64_t liobn)
{
	uint64_t n = (liobn - WORLD_LIOBN) >> 8;

	return liobn >= WORLD_LIOBN && n < WORLD_BRIDGES ? &all[n] : NULL;
}

static struct learn *of_buid(struct learn *all, uint64_t buid)
{
	uint64_t n = buid - WORLD_BUID;

	return n < WORLD_BRIDGES ? &all[n] : NULL;
}

static void learn_query(struct learn *a, const struct trace_line *l)
{
	if (a->queried)
		return;
	a->queried = true;
	a->page_sizes = (uint32_t)l->mask;
	a->tces = l->tces;
	a->windows = l->windows + (uint64_t)(1 + a->more);
}

static void learn_create(struct learn *a, const struct trace_line *l)
{
	if (l->ioba == NOT_MADE)
		return;
	if (++a->more > a->most)
		a->most = a->more;
	if (a->created || (l->liobn & 0xff) != 1)
		return;
	a->created = true;
	a->liobn = l->liobn;
	a->at = l->ioba;
	a->len = l->window_size;
}

/* That a window is where it was said to be is seen when it is used. */
static void learn_use(struct learn *a, const struct trace_line *l)
{
	if (a->created && l->liobn == a->liobn && l->ret == VD_H_SUCCESS &&
	    l->ioba >= a->at && l->ioba - a->at <= a->len)
		a->used = true;
}

void learn_line(struct learn *all, const struct trace_line *l)
{
	bool by_buid = l->kind == TRACE_QUERY || l->kind == TRACE_CREATE ||
		       l->kind == TRACE_RESET;
	struct learn *a =
		by_buid ? of_buid(all, l->buid) : of_liobn(all, l->liobn);

	if (!a)
		return;
	switch (l->kind) {
	case TRACE_QUERY:
		learn_query(a, l);
		break;
	case TRACE_CREATE:
		learn_create(a, l);
		break;
	case TRACE_REMOVE:
		a->more -= a->more > -1;
		break;
	case TRACE_RESET:
		a->more = 0;
		break;
	case TRACE_PUT:
	case TRACE_STUFF:
	case TRACE_LIST:
		learn_use(a, l);
		break;
	default:
		break;
	}
}

static bool is_slot(uint64_t bus)
{
	return bus >= (uint64_t)1 << 32 && bus <= (uint64_t)1 << 60 &&
	       (bus & (bus - 1)) == 0;
}

static uint32_t log2_of(uint64_t bus)
{
	uint32_t shift = 0;

	while (bus >>= 1)
		shift++;
	return shift;
}

/* At least as many as there were: a query that says fewer is found to differ. */
static uint32_t windows_of(const struct learn *l)
{
	uint64_t n = l->queried ? l->windows : WINDOWS;
	uint64_t made = (uint64_t)l->most + 1;

	if (n < made)
		n = made;
	if (n > VD_PAPR_MAX_WINDOWS)
		n = VD_PAPR_MAX_WINDOWS;
	return n ? (uint32_t)n : 1;
}

struct world_pe learn_pe(const struct learn *l)
{
	struct world_pe pe = {
		.page_sizes = PAGE_SIZES,
		.max_windows = windows_of(l),
		.max_tces = WINDOW_TCES,
		.slot_shift = HIGH_SHIFT,
	};

	if (l->queried)
		pe.page_sizes = l->page_sizes;
	/* The call's answer has 32 bits for it. */
	if (l->queried && l->tces && l->tces <= UINT32_MAX)
		pe.max_tces = l->tces;
	if (l->used && is_slot(l->at))
		pe.slot_shift = log2_of(l->at);
	return pe;
}
