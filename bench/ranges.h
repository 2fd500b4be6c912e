/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reference: what QEMU's virtio-iommu does. A balanced tree (GLib's GTree) of
 * ranges, both key and value on the heap, keys equal if they overlap. Map looks
 * for an overlap, then inserts; unmap removes what it finds until it finds no
 * more; translate is a look-up. All under one recursive mutex, or none.
 */
#ifndef BENCH_RANGES_H
#define BENCH_RANGES_H

#include <stdint.h>

struct ranges;

struct ranges *ranges_new(void);
void ranges_free(struct ranges *r);
void ranges_use_lock(struct ranges *r, int locked);

/* One page; 0 if it overlaps. */
int ranges_map(struct ranges *r, uint64_t page, uint64_t to, unsigned int prot);
void ranges_unmap(struct ranges *r, uint64_t page);

/* Where byte address @at leads; 0: nowhere, or not with these rights. */
uint64_t ranges_get(struct ranges *r, uint64_t at, unsigned int prot);

#endif
