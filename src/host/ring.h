/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-term pins by io_uring: a buffer registered with a ring is pinned until
 * it is taken out of the ring's table or the last file of the ring is closed. On
 * kernels that are late in the first, pages are pinned one by one as groups
 * (group.h).
 *
 * No I/O is ever done through these rings. The caller locks.
 */
#ifndef HOST_RING_H
#define HOST_RING_H

#include "group.h"
#include <slots.h>
#include <liburing.h>
#include <stdbool.h>
#include <viaduct/host.h>

#define RING_BATCH 256u

struct ring {
	struct io_uring uring;
	struct slots slots;
	/* Slots that are free for us, but the kernel had no memory to unpin:
	 * still used in slots. */
	uint64_t stale[SLOTS_MAX / 64];
	struct groups groups; /* if the kernel is late */
};

struct rings {
	struct ring **ring; /* owned; made as they are needed */
	uint32_t n, max, current;
	uint64_t npins, max_pins; /* slots of both kinds, stale ones included */
	uint64_t nstale;
	bool late; /* this kernel is */
	group_fn *group;
	int (*on_ring)(void *opaque, int fd);
	void *opaque;
	/* Replace @n buffers from slot @first: how many, or -errno. Tests put
	 * another one here. */
	int (*update)(struct ring *r, uint32_t first, const struct iovec *iov,
		      uint32_t n);
	struct iovec iov[RING_BATCH];
	uint64_t handle[RING_BATCH];
};

/* Errors as vd_host_noiommu_create(). */
int rings_init(struct rings *r, const struct vd_noiommu_cfg *cfg);
void rings_end(struct rings *r);

/* As vd_host_ops, but do not fill in vd_pin.page. */
int rings_pin(struct rings *r, struct vd_pin *pin, size_t npins);
void rings_unpin(struct rings *r, const struct vd_pin *pin, size_t npins);

#endif
