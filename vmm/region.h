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

/* Exits of one cause, kept when its regions come and go. */
struct region_cause {
	char name[24];
	_Atomic uint64_t exits;
};

/* Embedded in its owner; in a map from region_add() to region_remove(). */
struct region {
	const char *cause; /* stable name under which exits are counted;
				 * regions may share one */
	const struct region_ops *ops;
	void *ctx;
	uint64_t base, len;
	/* Ours: */
	struct region_cause *counter;
	_Atomic unsigned int inside; /* accesses under way */
};

#define REGION_MAX    256
#define REGION_CAUSES 32 /* the last one takes what has no room */

struct region_map {
	pthread_rwlock_t lock;	       /* guards the next four */
	struct region *at[REGION_MAX]; /* by ascending base, disjoint */
	unsigned int n;
	struct region_cause cause[REGION_CAUSES];
	unsigned int ncauses;
	_Atomic uint64_t unclaimed; /* exits that no region wanted */
};

void region_map_init(struct region_map *m);
void region_map_fini(struct region_map *m); /* all regions are removed */

/*
 * Add a region: 0, -EEXIST (overlaps one), -ENOSPC, -EINVAL (empty or wraps).
 *
 * Unlink takes it out of the map: no access begins after it, but one may be
 * inside still, so the region must stay alive. It never waits: it is what may
 * be called from ops and under locks that ops take (a BAR that moves).
 *
 * Remove is unlink, then wait until no access is inside: what the owner calls
 * before it goes. Not from one of the region's own ops, nor under a lock that
 * they take. Neither minds a region that is not in the map.
 */
int region_add(struct region_map *m, struct region *r);
void region_unlink(struct region_map *m, struct region *r);
void region_remove(struct region_map *m, struct region *r);

/* One exit. @width 1, 2, 4 or 8. An access across a region's end is unclaimed. */
uint64_t region_read(struct region_map *m, uint64_t addr, unsigned int width);
void region_write(struct region_map *m, uint64_t addr, unsigned int width,
		  uint64_t value);

/* Exits by cause since the map was made. @visit is called under the lock. */
void region_exits(struct region_map *m,
		  void (*visit)(void *ctx, const char *cause, uint64_t exits),
		  void *ctx);

#endif
