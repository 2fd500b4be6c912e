/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest accesses that trap, and who answers them.
 *
 * There are two maps, one of port I/O and one of guest-physical addresses. An
 * access that exits to us is looked up here, and the region's owner is called
 * in the vCPU's thread. What no region holds reads as all ones, is not written
 * and is counted. Every region counts its exits: they are the "exits by cause"
 * that the status shows.
 */
#ifndef VMM_REGION_H
#define VMM_REGION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * @off is below the region's length and @off + @width is not above it; @width
 * is 1, 2, 4 or 8. Called in any vCPU's thread, without locks, several at once.
 */
struct region_ops {
	uint64_t (*read)(void *ctx, uint64_t off, unsigned int width);
	void (*write)(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value);
};

/* Embedded in its owner; in a map from region_add() to region_remove(). */
struct region {
	const char *cause;	/* stable name under which exits are counted;
				 * regions may share one */
	const struct region_ops *ops;
	void *ctx;
	uint64_t base, len;
	_Atomic uint64_t exits;
};

#define REGION_MAX 128

struct region_map {
	pthread_rwlock_t lock;		/* guards the next two */
	struct region *at[REGION_MAX];	/* by ascending base, disjoint */
	unsigned int n;
	_Atomic uint64_t unclaimed;	/* exits that no region wanted */
};

void region_map_init(struct region_map *m);

/*
 * Add a region: 0, -EEXIST (overlaps one), -ENOSPC, -EINVAL (empty or wraps).
 * Remove waits until no access is inside: must not be called from one of the
 * region's own ops.
 */
int region_add(struct region_map *m, struct region *r);
void region_remove(struct region_map *m, struct region *r);

/* One exit. @width 1, 2, 4 or 8. An access across a region's end is unclaimed. */
uint64_t region_read(struct region_map *m, uint64_t addr, unsigned int width);
void region_write(struct region_map *m, uint64_t addr, unsigned int width,
		  uint64_t value);

#endif
