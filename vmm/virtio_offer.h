/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does a real virtio function offer VIRTIO_F_ACCESS_PLATFORM?
 *
 * Without it its driver puts guest-physical addresses into the rings, whatever
 * the guest's DMA operations are, and the device takes the host's memory at
 * those addresses (X8). Three places say it, asked in this order:
 *
 *	1. the host's driver, if it runs the device: its sysfs attribute
 *	   "features". Nothing is touched.
 *	2. the window in configuration space, which needs no BAR to be mapped.
 *	3. the BAR, if the function decodes memory.
 *
 * 2 and 3 write which word of the features is asked for into a register that
 * a driver uses only while it starts the device.
 */
#ifndef VMM_VIRTIO_OFFER_H
#define VMM_VIRTIO_OFFER_H

#include "virtio_caps.h"

struct pci_host_dev;
struct sysfs;

/* Registers of a common configuration, from its start. 0 or -errno. */
struct virtio_io {
	int (*read32)(void *ctx, unsigned int reg, uint32_t *value);
	int (*write32)(void *ctx, unsigned int reg, uint32_t value);
	void *ctx;
};

/* 1: offered, 0: not, or -errno; -EIO: the device answers all ones. */
int virtio_offer_ask(const struct virtio_io *io);

/*
 * Is @d a virtio function, and does it offer the bit? 1: yes, or it is none;
 * 0: it does not; -errno: that cannot be found out (-EACCES: only root can;
 * -ENXIO: nothing answers; -E2BIG: more places than we can watch).
 */
int virtio_offer_check(const struct sysfs *s, const struct pci_host_dev *d);

#endif
