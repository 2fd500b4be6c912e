/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HAL device: the PCI function in front of libviaduct's HAL front end.
 * Identity, a BAR of registers and one of memory (the pin table), one MSI; all
 * else is in viaduct/hal.h.
 */
#ifndef VMM_HALDEV_H
#define VMM_HALDEV_H

#include "pci.h"
#include "pci_image.h"
#include "pincache.h"
#include <viaduct/hal.h>

struct haldev_cfg {
	struct vm *vm;
	struct pci_bus *bus;
	struct vd_domain *domain;
	unsigned int granule_shift;
	vd_gpa pool;
	uint64_t pool_len;
	unsigned int bus_bits;
	const struct pincache *pins; /* NULL: every map is a request */
	bool spill;		     /* see vd_hal_cfg */
	/* See vd_hal_ops. */
	void (*in_charge)(void *opaque, bool yes);
	void (*admit)(void *opaque, uint32_t guest_id, uint32_t life);
	void *opaque;
};

struct haldev {
	struct pci_func func;
	struct vm *vm;
	struct pci_bus *bus;
	struct pci_bars bars;
	struct pci_image config;
	struct vd_hal *hal;
	void (*in_charge)(void *opaque, bool yes);
	void (*admit)(void *opaque, uint32_t guest_id, uint32_t life);
	void *opaque;
	/* The MSI as the guest set it, for interrupts from other threads. */
	pthread_mutex_t msi_lock;
	bool msi_on;
	uint64_t msi_addr;
	uint32_t msi_data;
};

/* On the bus and shown. 0 or -errno. */
int haldev_create(struct haldev *h, const struct haldev_cfg *cfg);

/* Guest reset. As vd_hal_reset(). */
int haldev_reset(struct haldev *h);
void haldev_destroy(struct haldev *h);

#endif
