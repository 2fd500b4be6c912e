/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's PCI functions as sysfs shows them, and whether one can be given
 * to a guest. Only looks; assign_take.h does.
 *
 * How a BAR reaches the guest:
 *	direct      memory, and start and length are multiples of 4096: mapped
 *	            straight in, an access costs no exit
 *	split       memory of which some pages are mapped and others trap: it
 *	            ends inside a page, is no power of two, or has registers
 *	            that are watched (virtio_guard.h)
 *	trapped     I/O ports, or memory smaller than a page or beside another
 *	            device's registers: each access is an exit
 *	unassigned  the host gave it no address: the guest does not see it
 *	hidden      virtio's legacy interface: the guest does not see it
 *	unusable    the guest's bus has no room for it: the function is refused
 */
#ifndef VMM_PCISCAN_H
#define VMM_PCISCAN_H

#include "sysfs.h"
#include "virtio_caps.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_BDF_LEN   16 /* "0000:03:00.0" and room */
#define PCI_HOST_BARS 6
#define PCI_NO_IRQ    0x80000000u /* the kernel's IRQ_NOTCONNECTED */

enum pci_how {
	PCI_HOW_NONE, /* there is no such BAR */
	PCI_HOW_DIRECT,
	PCI_HOW_SPLIT,
	PCI_HOW_TRAPPED,
	PCI_HOW_UNASSIGNED,
	PCI_HOW_HIDDEN,
	PCI_HOW_UNUSABLE,
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
	uint64_t guest_len;  /* a power of two, not below @len */
	bool guest_64;	     /* it takes two registers of the guest's */
	uint64_t direct_len; /* bytes from the start mapped straight in... */
	uint64_t trap, trap_len; /* ...but for these whole pages of them */
	enum pci_how how;
};

/*
 * Decide how the six BARs of a function reach the guest: fills all fields but
 * @start, @len and @flags.
 */
void pci_plan_bars(const struct virtio_caps *v, struct pci_host_bar *bar);

struct pci_host_dev {
	char bdf[PCI_BDF_LEN];
	unsigned int domain, bus, dev, fn;
	uint16_t vendor, device;
	uint32_t class; /* 24 bits: 0x010802 is NVMe */
	bool silent; /* its configuration space reads as ones, or not at all */
	uint8_t header; /* type; 0: an endpoint */
	bool multifunction;
	uint8_t pin;	 /* 0: no INTx; 1..4: A..D */
	bool has_irq;	 /* the host says which interrupt that is: */
	uint32_t irq;	 /* 0 or PCI_NO_IRQ: none */
	bool idle;	 /* never enabled, so @irq may still change */
	bool all_config; /* all of its configuration space could be read */
	struct virtio_caps virtio;
	char driver[64]; /* "" if none */
	bool has_group;	 /* is behind an IOMMU: */
	uint32_t group;
	char group_type[16]; /* "DMA", "DMA-FQ", "identity"; "" unknown */
	bool can_reset;	     /* this function alone */
	bool ari;	     /* all functions of its bus are one card's */
	bool no_bars;	     /* what BARs it has could not be read */
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

/*
 * Has the function the capability of PCI Express? Those that have not may be
 * short of address bits. True also if its config space cannot be read.
 */
bool pciscan_is_express(const struct sysfs *s, const char *bdf);

bool pciscan_is_bridge(const struct pci_host_dev *d);

/* Functions that are to go to one machine, each once. */
#define PCISCAN_SET_MAX 16

struct pciscan_set {
	size_t n;
	char bdf[PCISCAN_SET_MAX][PCI_BDF_LEN];
};

/*
 * Their addresses in full. 0, or as pciscan_check_all(): -EINVAL, -EEXIST,
 * -E2BIG, or -ENODEV because one is not there.
 */
int pciscan_name(const struct sysfs *s, const char *const *name, size_t n,
		 struct pciscan_set *set, char *why, size_t len);

/*
 * Can the functions named @name be assigned on this host, now, together? This
 * is what viaduct run and viaduct doctor both ask.
 *
 * On success @set holds their addresses in full and @why is "" or one sentence
 * of warning, about the last. On error it is one sentence that says which and
 * why not and, where there is a way, what to do:
 *  -EINVAL      no PCI address
 *  -EEXIST      named twice
 *  -E2BIG       more than PCISCAN_SET_MAX
 *  -ENODEV      there is no such device, or it does not answer
 *  -EBUSY       in use: by another virtual machine, by a mounted file system
 *               or swap, or a function of the same card that is not named is,
 *               or it has virtual functions
 *  -EOPNOTSUPP  it is a bridge, it has no INTx, an IOMMU translates its DMA,
 *               a BAR has no room or cannot be read, it cannot be reset by itself, or it may use
 *               addresses that did not come from a map (X8)
 *  -ENOPKG      the module uio_pci_generic is not loaded
 */
int pciscan_check_all(const struct sysfs *s, const char *const *name, size_t n,
		      struct pciscan_set *set, char *why, size_t len);

/* One alone. */
int pciscan_check(const struct sysfs *s, const char *bdf, char *why,
		  size_t len);

/*
 * The same but for the module, which is the host's matter; and with what goes
 * to the same machine.
 */
int pciscan_check_device(const struct sysfs *s, const struct pci_host_dev *d,
			 char *why, size_t len);
int pciscan_check_with(const struct sysfs *s, const struct pci_host_dev *d,
		       const struct pciscan_set *with, char *why, size_t len);

/*
 * Once more what shows for certain only when uio has it: is there an interrupt,
 * what does a virtio device offer?
 */
int pciscan_check_taken(const struct sysfs *s, const struct pci_host_dev *d,
			char *why, size_t len);

#endif
