/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * N pages mapped alike in the engine, in the radix tree and in the tree of
 * ranges, and the order in which they are asked for: random, made beforehand,
 * so that its making costs nothing while a clock runs.
 */
#ifndef BENCH_FIELD_H
#define BENCH_FIELD_H

#include "radix.h"
#include "ranges.h"
#include "world.h"

#define FIELD_ORDER ((size_t)1 << 20)

struct field {
	struct world w;
	struct vd_reader *r;
	struct radix *x;
	struct ranges *g;
	uint64_t n;
	uint32_t *order; /* FIELD_ORDER of them: each page once, then any */
	size_t at;	 /* where the next measurement begins */
	uint64_t zero;	 /* always 0, but the compiler does not know */
};

/* @holds: as in world_cfg. All three are checked to say the same. */
void field_open(struct field *f, uint64_t n, int holds);
void field_close(struct field *f);

/* The next @len page numbers. */
static inline const uint32_t *field_next(struct field *f, size_t len)
{
	f->at = f->at + len < FIELD_ORDER ? f->at : 0;
	f->at += len;
	return f->order + f->at - len;
}

static inline uint64_t field_hva(const struct field *f, uint64_t page)
{
	return (uint64_t)(uintptr_t)f->w.ram + page * PAGE;
}

#endif
