/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reference: addresses allocated as Linux did before it had caches, which is
 * the trap that the EiovaR paper found. A balanced tree (GLib's GTree) of what
 * is given out; an allocation goes down from a remembered place, range by
 * range, until a gap is wide enough. A free above this place moves it up.
 */
#ifndef BENCH_LINEAR_H
#define BENCH_LINEAR_H

#include <stdint.h>

struct linear;

struct linear *linear_new(uint64_t npages);
void linear_free(struct linear *l);

/* The first page of a run, or UINT64_MAX. */
uint64_t linear_take(struct linear *l, uint64_t npages);
/* A run at this place, which is free. */
void linear_put(struct linear *l, uint64_t first, uint64_t npages);

void linear_give(struct linear *l, uint64_t first);

#endif
