/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An assigned function for tests: on a host of files (made_host.h), with a real
 * keeper, a bus and a domain on the library's fake host. No vCPU runs, and KVM
 * is fake_vm.c's.
 */
#ifndef VMM_TESTS_MADE_LIFE_H
#define VMM_TESTS_MADE_LIFE_H

#include "assign.h"
#include "dma.h"
#include "keeper.h"
#include "made_host.h"
#include "vm.h"
#include <stdatomic.h>

/* Where life_drive() puts the function's BARs. */
#define BAR0	 0xc0000000u
#define BAR1	 0xc0002000u
#define BAR2	 0x2000u
#define COMMAND	 0x04
#define MASTER	 0x0004u
#define INTX_OFF 0x0400u
#define ONES	 UINT32_MAX

struct life {
	struct made_host h;
	struct vm vm;
	struct pci_bus bus;
	struct keeper keeper;
	struct vd_host *host;
	struct vd_domain *domain;
	struct assign *a;
	_Atomic unsigned int changes;
	char why[256];
};

/* Made with an nvme function that its driver has; life_end() expects that nothing is
 * left. life_finish(): the VM's end alone, with what assign_stop() has to say. */
void life_begin(struct life *l);
void life_finish(struct life *l, int stopped);
void life_end(struct life *l);

/* assign_create() of it, to l->a; what it returns. */
int life_create(struct life *l);

/* The guest's: its configuration space, 4 bytes wide; what a driver does first. */
uint32_t life_read(struct life *l, unsigned int off);
void life_write(struct life *l, unsigned int off, uint32_t value);
void life_drive(struct life *l);

/* How many of the VM's memory slots are in use. */
unsigned int life_slots(const struct life *l);

/* /dev/uio0 becomes readable; @len other than 4: it is the end of it. With the
 * interrupt masked first, as the kernel does. */
void life_uio_says(struct life *l, size_t len);
void life_uio_fires(struct life *l);

/* Wait for it, 2 s at most and more on a busy machine. */
bool life_until(bool (*is)(struct life *l), struct life *l);

#endif
