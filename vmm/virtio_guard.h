/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches the common configuration of an assigned virtio function, so that its
 * driver starts it with VIRTIO_F_ACCESS_PLATFORM or not at all (X8). What the
 * bit means is that the driver uses the addresses that its DMA operations give
 * it, and these come from maps.
 *
 * The page of the registers traps (pci_plan_bars()); the rest of the BAR, with
 * the doorbells, does not. An access is passed on if it is one of a whole
 * register, so that what the guest wrote and what the device got are the same;
 * others are dropped and counted. What stops the function:
 *
 *	- FEATURES_OK or DRIVER_OK without the bit accepted
 *	- DRIVER_OK without FEATURES_OK
 *	- a queue that is enabled before FEATURES_OK
 *
 * The write that does it does not reach the device. After FEATURES_OK features
 * are not changed any more. A stopped function answers ones until it is reset.
 */
#ifndef VMM_VIRTIO_GUARD_H
#define VMM_VIRTIO_GUARD_H

#include "region.h"
#include "virtio_caps.h"
#include <stdbool.h>

struct virtio_guard_ops {
	/* A read of the device, as region_ops. Without locks. */
	uint64_t (*read)(void *opaque, unsigned int bar, uint64_t off,
			 unsigned int width);
	/* A write; false: nothing is there. With the guard's lock. */
	bool (*write)(void *opaque, unsigned int bar, uint64_t off,
		      unsigned int width, uint64_t value);
	/* A write has found nothing there. Without locks. */
	void (*gone)(void *opaque);
	/* The driver must not go on. Without locks, once until a reset. */
	void (*stop)(void *opaque, const char *why);
};

struct virtio_guard {
	struct virtio_caps caps;
	const struct virtio_guard_ops *ops;
	void *opaque;
	struct virtio_guard_bar {
		struct virtio_guard *all;
		unsigned int n;
	} bar[6];
	_Atomic uint64_t bad; /* writes that were dropped */
	_Atomic uint64_t stops;

	pthread_mutex_t lock; /* guards the next, and the order of writes */
	uint32_t select;      /* word of the driver's features */
	bool accepted;	      /* the bit */
	bool agreed;	      /* FEATURES_OK was written */
	bool stopped;
};

/* @caps is copied. Fini: nobody is inside. */
void virtio_guard_init(struct virtio_guard *g, const struct virtio_caps *caps,
		       const struct virtio_guard_ops *ops, void *opaque);
void virtio_guard_fini(struct virtio_guard *g);

/* The function was reset. */
void virtio_guard_reset(struct virtio_guard *g);

/* Is there anything to watch in BAR @n? */
bool virtio_guard_watches(const struct virtio_guard *g, unsigned int n);

/* For a trapped BAR @n; the context is &g->bar[n]. */
extern const struct region_ops virtio_guard_region;

#endif
