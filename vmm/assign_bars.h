/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BARs of a host function, made ready for the guest.
 *
 * A memory BAR that starts on a page and fills whole pages is mapped straight
 * in. A smaller one shares its page with others' registers, so it traps; so do
 * I/O BARs. A trapped access is done with the guest's width at its offset, and
 * only if it is naturally aligned and inside the BAR.
 */
#ifndef VMM_ASSIGN_BARS_H
#define VMM_ASSIGN_BARS_H

#include "pci.h"

struct assign_bars;

struct assign_bar {
	struct assign_bars *all;
	int fd;	   /* sysfs resource file, or -1 */
	void *map; /* memory: whole pages from the BAR's first */
	size_t map_len;
	uint8_t *regs;	      /* trapped memory: the BAR's first byte */
	_Atomic uint64_t bad; /* accesses that were refused */
};

struct assign_bars {
	struct pci_bars bars;	   /* the guest's side */
	struct assign_bar host[6]; /* the host's */
	void (*gone)(void *opaque);
	void *opaque;
};

/*
 * 0 or -errno; closing is fine after a failure, and after init alone. @gone is called in a vCPU's
 * thread, without locks, each time that a trapped access finds nothing there;
 * the guest reads ones.
 */
void assign_bars_init(struct assign_bars *b);
int assign_bars_open(struct assign_bars *b, struct vm *vm, const char *bdf,
		     void (*gone)(void *opaque), void *opaque);
void assign_bars_close(struct assign_bars *b);

/* Has the kernel taken the memory BARs away? Touches no device. */
bool assign_bars_gone(const struct assign_bars *b);

#endif
