/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's PCI: one bus, number 0, behind an ECAM host bridge.
 *
 * A function is whatever answers configuration reads and writes. It is on the
 * bus (the guest finds it) only while it is shown: an assigned function is
 * shown while the HAL is in charge and the device is permitted. Reads of a
 * function that is not shown are all ones and writes are dropped, which is
 * what a pulled card looks like.
 *
 * BARs are common to emulated and assigned functions (struct pci_bars): sizing,
 * moving and the command register's decode bits are done here. A BAR is either
 * direct (host memory mapped straight in: no exits) or trapped.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include "region.h"
#include <stdbool.h>

struct vm;
struct pci_func;

/*
 * @off + @width is at most 4096 and the access does not cross a 4-byte
 * boundary; @width is 1, 2 or 4. Called in a vCPU's thread with the bus lock
 * held, so never twice at once on a bus.
 */
struct pci_func_ops {
	uint32_t (*cfg_read)(struct pci_func *f, unsigned int off,
			     unsigned int width);
	void (*cfg_write)(struct pci_func *f, unsigned int off,
			  unsigned int width, uint32_t value);
};

/* Embedded in its owner and recovered with container_of. */
struct pci_func {
	const struct pci_func_ops *ops;
	unsigned int devfn; /* device << 3 | function; set by pci_bus_add() */
	bool shown;	    /* under the bus lock */
};

struct pci_bus {
	struct vm *vm;
	pthread_mutex_t lock; /* guards the functions and what they hold */
	struct pci_func *func[256]; /* by devfn */
	struct region ecam;	    /* cause "pci-config" */
	struct region ports;	/* 0xcf8: address and data, the same cause */
	uint32_t address;	/* of 0xcf8 */
	struct pci_func bridge; /* 00:00.0, always shown */
	/*
	 * Port 0xcf9 lies inside the address register: bytes there go to the
	 * machine's reset register. Set before the guest runs.
	 */
	const struct region_ops *reset_ops;
	void *reset_ctx;
};

/*
 * Build the bus and hook its ECAM window and ports into @vm's regions.
 * Reset puts the bus itself back to its start; the functions are their
 * owners'. Fini unhooks it; the functions are forgotten.
 */
int pci_bus_init(struct pci_bus *b, struct vm *vm);
void pci_bus_reset(struct pci_bus *b);
void pci_bus_fini(struct pci_bus *b);

/*
 * Give @f the lowest free device number (function 0) from @first on, hidden.
 * 0 or -ENOSPC.
 */
int pci_bus_add(struct pci_bus *b, struct pci_func *f, unsigned int first);

/* Both take the bus lock. */
void pci_bus_show(struct pci_bus *b, struct pci_func *f, bool shown);
void pci_bus_remove(struct pci_bus *b, struct pci_func *f);

/* INTx pin @pin (0 = A) of @devfn: the GSI that the _PRT of the DSDT says. */
unsigned int pci_intx_gsi(unsigned int devfn, unsigned int pin);

enum pci_bar_kind {
	PCI_BAR_NONE,
	PCI_BAR_IO,
	PCI_BAR_MEM32,
	PCI_BAR_MEM64, /* takes two BAR registers; the next is NONE */
};

struct pci_bar {
	enum pci_bar_kind kind;
	bool prefetch;
	uint64_t len; /* a power of two; memory: at least 16 */
	/*
	 * A BAR is covered by one or both of these. @hva not NULL: its first
	 * @direct_len bytes (a multiple of the page size) are mapped straight
	 * in, but for @trap_len bytes at @trap (whole pages too). What is left,
	 * if anything, traps to @region.ops with offsets from the start of the
	 * BAR (set ops, ctx and cause; base and len are ours).
	 */
	void *hva;
	uint64_t direct_len, trap, trap_len;
	struct region region;
	/* Ours: */
	uint64_t addr; /* as the guest wrote it */
	bool live;     /* decoded now */
	int slot[2];   /* memory slots before and behind what traps, or -1 */
};

struct pci_bars {
	struct vm *vm;
	struct pci_bar bar[6];
	/* Ours: */
	uint16_t command;   /* the decode bits now */
	uint64_t misplaced; /* times that a BAR could not be made live */
};

/*
 * Configuration accesses to 0x10..0x27 for these BARs. Under the bus lock.
 * A write of a live BAR moves it at once. pci_bars_decode() follows the
 * command register (bit 0 I/O, bit 1 memory): a BAR is live while its bit is
 * set and all of it lies in the bus's windows (memory: the two of vm.h; I/O:
 * 0x1000..0xffff) and overlaps no other live BAR. One that does not is not made
 * live (counted, and the guest reads what it wrote).
 *
 * A move or a decode off does not wait for accesses that are inside a trapped
 * BAR: they end with the offset that they began with. pci_bars_fini() does
 * wait; the owner calls it, without the bus lock, before it goes.
 */
uint32_t pci_bars_read(const struct pci_bars *b, unsigned int off,
		       unsigned int width);
void pci_bars_write(struct pci_bars *b, unsigned int off, unsigned int width,
		    uint32_t value);
void pci_bars_decode(struct pci_bars *b, uint16_t command);

/*
 * Before the first access: check kinds and lengths, everything not live.
 * 0 or -EINVAL. Kind, len, hva, direct_len, trap, trap_len and
 * region.{ops,ctx,cause} are set.
 */
int pci_bars_init(struct pci_bars *b, struct vm *vm);
void pci_bars_reset(struct pci_bars *b); /* decode off, addresses 0 */
void pci_bars_fini(struct pci_bars *b);

#endif
