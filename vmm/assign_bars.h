/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BARs of a host function, made ready for the guest as planned (pciscan.h,
 * pci_plan_bars()): pages that are mapped straight in, and registers that trap.
 * A trapped access is done with the guest's width at its offset, and only if it
 * is naturally aligned and inside the host's BAR.
 *
 * Somebody may watch what traps (assign_bars_watch()).
 */
#ifndef VMM_ASSIGN_BARS_H
#define VMM_ASSIGN_BARS_H

#include "hostdev.h"
#include "pci.h"
#include "pciscan.h"

struct assign_bars;

struct assign_bar {
	struct assign_bars *all;
	int fd;	   /* sysfs resource file, or -1 */
	void *map; /* memory: whole pages from the BAR's first */
	size_t map_len;
	uint8_t *regs;	      /* memory: the BAR's first byte */
	uint64_t len;	      /* the host's; the guest's may be more */
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
int assign_bars_open(struct assign_bars *b, struct vm *vm,
		     const struct hostdev *d, const struct pci_host_dev *plan,
		     void (*gone)(void *opaque), void *opaque);
void assign_bars_close(struct assign_bars *b);

/*
 * From now on trapped accesses of BAR @n go to @ops with @ctx, which may do
 * them by the two below. Before the guest runs.
 */
void assign_bars_watch(struct assign_bars *b, unsigned int n,
		       const struct region_ops *ops, void *ctx);

/*
 * One access as the guest's. A read tells the owner when nothing is there, and
 * is ones; a write returns false, and may be made with locks held.
 */
uint64_t assign_bar_read(struct assign_bar *bar, uint64_t off,
			 unsigned int width);
bool assign_bar_put(struct assign_bar *bar, uint64_t off, unsigned int width,
		    uint64_t value);

/* Has the kernel taken the memory BARs away? Touches no device. */
bool assign_bars_gone(const struct assign_bars *b);

#endif
