/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's PCI function behind an assigned device: the few things that are
 * done to the real hardware. Used by the VMM and, after the VMM's death, by
 * the keeper; they must not depend on each other's memory.
 *
 * The command register has two masters: we, and the kernel's uio driver, which
 * sets the INTx-disable bit when an interrupt comes. Our changes keep out of
 * each other's way by @lock. One of ours that crosses the kernel's may let INTx
 * through again too early: the interrupt comes twice, none is lost. Writes are
 * of the whole 16 bits: device models exist (QEMU 7.2) that do not see the
 * INTx-disable bit change in a write of the high byte alone.
 */
#ifndef VMM_ASSIGN_HOST_H
#define VMM_ASSIGN_HOST_H

#include "hostdev.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define ASSIGN_BDF_LEN HOSTDEV_BDF_LEN
#define ASSIGN_UIO     "uio_pci_generic" /* who drives it while it is ours */

struct assign_host {
	struct hostdev dev;
	int config;	      /* sysfs config file */
	int reset;	      /* sysfs reset file; below 0: there is none */
	int event;	      /* a file of its uio node; below 0: it had none */
	unsigned int pcie;    /* offset of the PCI Express capability, or 0 */
	bool has_intx;	      /* has an interrupt pin */
	pthread_mutex_t lock; /* one change of the command register at once */
};

/* As hostdev_open(). Closing is fine after a failed open. */
int assign_host_open(struct assign_host *h, const struct sysfs *s,
		     const char *bdf, uint64_t id);
void assign_host_close(struct assign_host *h);

/* The function does not answer any more (pulled, or its bridge is). */
bool assign_host_gone(const struct assign_host *h);

/*
 * From now on no other file of it is reached, and no folder is open: what a
 * process does that is confined.
 */
void assign_host_seal(struct assign_host *h);

/*
 * Has somebody given it to another driver? Then it is theirs, and not a bit of
 * it is ours to change: quiesce and master do nothing. The kernel has turned its
 * bus mastering off when uio_pci_generic let go of it. Sealed, one cannot see who
 * drives it: it is another's if it has left uio and masters the bus again.
 */
bool assign_host_is_others(const struct assign_host *h);

/*
 * Set or clear the real bus-master bit and read it back.
 * 0, -ENODEV (gone: nothing masters the bus any more), -EIO (it did not stick)
 */
int assign_host_master(struct assign_host *h, bool on);

/* Let INTx through (again, after the uio driver has masked it), or mask it.
 * What is another driver's stays as it is. */
void assign_host_intx(struct assign_host *h, bool on);

/* Does it ask for service by INTx now, whether that is masked or not? */
bool assign_host_wants_intx(const struct assign_host *h);

/* Is there a way to reset this function alone (FLR, PM, or its own bus)? */
bool assign_host_can_reset(const struct assign_host *h);

/*
 * Stop all DMA for good: bus master off, wait for outstanding transactions,
 * reset the function so that nothing it was told before is done when bus
 * mastering comes back. 0 also when the function is gone or another's. -EIO: not
 * quiet.
 */
int assign_host_quiesce(struct assign_host *h);

#endif
