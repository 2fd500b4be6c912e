/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HAL front end: the host's side of abi/hal.h.
 *
 * A VMM puts a PCI function in front of it (identity and BAR as abi/hal.h
 * says), passes register accesses in and interrupts out, and shows the
 * assigned functions to the guest while the HAL is in charge, and only then.
 *
 * Threads: any, at any time, but for create and destroy. A DOORBELL write runs
 * its request in the calling thread and returns when it is answered; requests
 * of several slots run at once. Two doorbells of one slot: one waits.
 */
#ifndef VIADUCT_HAL_H
#define VIADUCT_HAL_H

#include <viaduct/domain.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vd_hal;

struct vd_hal_ops {
	size_t size; /* sizeof(struct vd_hal_ops) */
	/*
	 * The HAL has come into charge (@yes) or has left it (guest said OFF,
	 * or vd_hal_reset()). On leaving, called first of all: hide the
	 * functions and turn their bus mastering off; afterwards the front end
	 * revokes every device of the domain. No lock is held but the one
	 * that keeps these calls in order; it is held over the revocation as
	 * well, so neither this nor a quiesce callback may reset the HAL or
	 * write its STATUS.
	 */
	void (*in_charge)(void *opaque, bool yes);

	/* Send the HAL function's interrupt. No lock is held. */
	void (*interrupt)(void *opaque);

	/*
	 * ADMIT: nothing in the guest acts for an earlier life of @guest_id
	 * than @life, which was the device's a moment ago: it may be shown,
	 * if it still is and the device is permitted. NULL: VD_HAL_F_ADMIT is
	 * not offered. With it, and once it is accepted (vd_hal_stats()), show
	 * no function in a life that has not been admitted. In the thread of
	 * the doorbell, which the guest waits for; the lock of its slot is held,
	 * so it must not reset the HAL or write its registers.
	 */
	void (*admit)(void *opaque, uint32_t guest_id, uint32_t life);
};

/**
 * struct vd_hal_cfg - a HAL front end
 * @size:          sizeof(struct vd_hal_cfg)
 * @domain:        borrowed; must outlive it
 * @ops:           copied
 * @opaque:        passed to @ops
 * @granule_shift: what GRANULE reads
 * @nslots:        1 .. 1024: usually the number of vCPUs
 * @pool:          guest address of the pool, which is memory of @domain
 * @pool_len:      bytes; 0: no pool
 * @chunk_shift:   log2 of the pool's chunks in bytes
 * @npins:         words of the domain's pin table (vd_domain_share_pins()),
 *                 which the VMM shows as BAR 2; 0: none, every map and unmap
 *                 is a request
 * @bus_bits:      what BUS_BITS reads: every bus address of the host's memory is
 *                 below 2^@bus_bits; 0 is 64: not known
 * @spill:         the guest may copy through the pool what the budget refuses
 */
struct vd_hal_cfg {
	size_t size;
	struct vd_domain *domain;
	const struct vd_hal_ops *ops;
	void *opaque;
	unsigned int granule_shift;
	uint32_t nslots;
	unsigned int chunk_shift;
	uint32_t npins;
	unsigned int bus_bits;
	bool spill;
	vd_gpa pool;
	uint64_t pool_len;
};

/** vd_hal_create() - Return: 0, -EINVAL, -ENOMEM; @out not written on error */
int vd_hal_create(const struct vd_hal_cfg *cfg, struct vd_hal **out);

/** vd_hal_destroy() - as vd_hal_reset(), then frees it; NULL is fine */
void vd_hal_destroy(struct vd_hal *hal);

/**
 * vd_hal_reset() - back to the state after create (guest reset)
 *
 * Ends charge: in_charge(false), slots are forgotten, every device is revoked,
 * the pin table is dropped.
 *
 * Return: 0, or -EIO if a device could not be quiesced (its pins are kept)
 */
int vd_hal_reset(struct vd_hal *hal);

/**
 * vd_hal_read() - a load of @width bytes at @off of BAR 0
 * vd_hal_write() - a store
 *
 * Never fail: what the guest may not do reads as all ones or is dropped, and
 * is counted.
 */
uint64_t vd_hal_read(struct vd_hal *hal, uint64_t off, unsigned int width);
void vd_hal_write(struct vd_hal *hal, uint64_t off, unsigned int width,
		  uint64_t value);

#define VD_HAL_PLACES 64

/**
 * vd_hal_place_pool() - say where the pool lies on the bus
 * @below: of the pool's chunks, how many lie wholly below 2^i
 *
 * What POOL_BELOW reads. The guest reads it after HELLO and refuses masks below
 * which there is nothing; until this is called, all that are narrower than
 * bus_bits. May be called in in_charge().
 */
void vd_hal_place_pool(struct vd_hal *hal, const uint32_t below[VD_HAL_PLACES]);

/** vd_hal_notify() - record VD_HAL_EV_* and interrupt, if the HAL is there */
void vd_hal_notify(struct vd_hal *hal, uint32_t events);

struct vd_hal_stats {
	size_t size;
	bool in_charge;
	bool admits; /* in charge, and VD_HAL_F_ADMIT was accepted */
	uint64_t hellos;
	uint64_t requests; /* doorbells that ran a request */
	uint64_t map_requests, unmap_requests, pin_requests;
	uint64_t segs;	       /* segments in those */
	uint64_t bad_access;   /* width, alignment, no such register */
	uint64_t bad_doorbell; /* not in charge, no such slot, slot unset */
	uint64_t status[16];   /* answers by VD_HAL_S_* */
};

void vd_hal_stats(struct vd_hal *hal, struct vd_hal_stats *out);

#ifdef __cplusplus
}
#endif
#endif
