/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest sees of an assigned function's configuration space.
 *
 * No write of the guest reaches the real configuration space; what a write
 * means for the hardware (bus master, decode, INTx) is done by assign.c in its
 * own way.
 *
 * Capabilities: power management, vendor-specific and PCI Express are shown,
 * the last as a root-complex integrated endpoint, because on the guest's bus
 * it has no port above it. All else is left out: MSI and MSI-X (uio delivers
 * INTx only), and anything through which a guest could move, reset or power
 * down the real function behind our back, or reach the BARs of a virtio function
 * through its configuration space. There is no extended space.
 */
#ifndef VMM_ASSIGN_CONFIG_H
#define VMM_ASSIGN_CONFIG_H

#include "pci_image.h"

/* @real: the first 256 bytes of the real configuration space. */
void assign_config_init(struct pci_image *c, const uint8_t real[PCI_IMAGE_LEN]);

#endif
