/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the platform of a recording offered its bridges: page sizes, windows,
 * entries, bus addresses. These are its settings and not answers to check, so
 * they are read from the recording before it is replayed.
 *
 * A bridge's first query says what is offered. A later line that does not fit to
 * it is then found to differ.
 */
#ifndef CLI_REPLAY_LEARN_H
#define CLI_REPLAY_LEARN_H

#include "replay_world.h"
#include "trace.h"
#include <stdbool.h>

/* Of one bridge, so far. All zero: nothing. */
struct learn {
	bool queried, created, used;
	uint32_t page_sizes; /* as the query said */
	uint64_t windows, tces;
	int more, most; /* windows besides the default one; at most */
	uint64_t at;	/* where the first one was made: LIOBN, bus, length */
	uint64_t liobn, len;
};

/* Take a line in; @all has WORLD_BRIDGES elements. */
void learn_line(struct learn *all, const struct trace_line *l);

/* What bridge @l offers; what was not shown is QEMU's default. */
struct world_pe learn_pe(const struct learn *l);

#endif
