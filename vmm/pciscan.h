/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's PCI functions as sysfs shows them, and whether one can be given
 * to a guest. Only looks; assign_take.h does.
 *
 * How a BAR reaches the guest:
 *	direct      memory, and start and length are multiples of 4096: mapped
 *	            straight in, an access costs no exit
 *	split       memory that starts on a page but ends inside one: the whole
 *	            pages are mapped, the rest traps
 *	trapped     I/O ports, or memory smaller than a page or beside another
 *	            device's registers: each access is an exit
 *	unassigned  the host gave it no address: it cannot be used
 */
#ifndef VMM_PCISCAN_H
#define VMM_PCISCAN_H

#include "sysfs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BDF_LEN   16 /* "0000:03:00.0" and room */
#define PCI_HOST_BARS 6

enum pci_how {
	PCI_HOW_NONE, /* there is no such BAR */
	PCI_HOW_DIRECT,
	PCI_HOW_SPLIT,
	PCI_HOW_TRAPPED,
	PCI_HOW_UNASSIGNED,
	PCI_HOWS,
};

/* A stable lower-case word. */
const char *pci_how_name(enum pci_how how);

#define PCI_BAR_F_IO	   0x00000100u /* the kernel's IORESOURCE_* */
#define PCI_BAR_F_MEM	   0x00000200u
#define PCI_BAR_F_PREFETCH 0x00002000u
#define PCI_BAR_F_64	   0x00100000u
#define PCI_BAR_F_UNSET	   0x20000000u

struct pci_host_bar {
	uint64_t start;	     /* host-physical, or a port */
	uint64_t len;	     /* bytes; 0: there is no such BAR */
	uint64_t flags;	     /* PCI_BAR_F_* and more */
	uint64_t direct_len; /* bytes from the start mapped straight in */
	enum pci_how how;
};

struct pci_host_dev {
	char bdf[PCI_BDF_LEN];
	unsigned int domain, bus, dev, fn;
	uint16_t vendor, device;
	uint32_t class; /* 24 bits: 0x010802 is NVMe */
	uint8_t header; /* type; 0: an endpoint */
	bool multifunction;
	uint8_t pin;	 /* 0: no INTx; 1..4: A..D */
	char driver[64]; /* "" if none */
	bool has_group;	 /* is behind an IOMMU: */
	uint32_t group;
	char group_type[16]; /* "DMA", "DMA-FQ", "identity"; "" unknown */
	bool can_reset;	     /* this function alone */
	struct pci_host_bar bar[PCI_HOST_BARS];
};

/*
 * The full form of "0000:03:00.0" or "03:00.0", lower case.
 * 0, or -EINVAL: @text is no PCI address.
 */
int pci_bdf_parse(const char *text, char bdf[PCI_BDF_LEN]);

/* -EINVAL (no PCI address), -ENODEV (no such function), or as sysfs.h. */
int pciscan_read(const struct sysfs *s, const char *bdf,
		 struct pci_host_dev *out);

/* Each function by ascending address; stops as sysfs_each(). */
int pciscan_each(const struct sysfs *s,
		 int (*fn)(void *ctx, const struct pci_host_dev *d), void *ctx);

bool pciscan_is_bridge(const struct pci_host_dev *d);

/*
 * Can @bdf be assigned on this host, now?
 *
 * On success @why is "" or one sentence of warning. On error it is one
 * sentence that says why not and, where there is a way, what to do:
 *  -EINVAL      @bdf is no PCI address
 *  -ENODEV      there is no such device
 *  -EBUSY       in use: by another virtual machine, by a mounted file system
 *               or swap, or a function of the same card is in use
 *  -EOPNOTSUPP  it is a bridge, it has no INTx, an IOMMU translates its DMA,
 *               or it may use addresses that did not come from a map (X8)
 *  -ENOPKG      the module uio_pci_generic is not loaded
 */
int pciscan_check(const struct sysfs *s, const char *bdf, char *why,
		  size_t len);

/* The same but for the module, which is the host's matter. */
int pciscan_check_device(const struct sysfs *s, const struct pci_host_dev *d,
			 char *why, size_t len);

#endif
