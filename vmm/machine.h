/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One virtual machine and everything in it.
 *
 * A machine is made of parts: rows of a table in machine.c, each with create,
 * reset and destroy. Create goes down the table, reset and destroy go up it.
 * The vCPUs are the last row, so whatever stands above them is there before
 * the guest runs and is taken down after it has stopped for good.
 *
 * Threads: create, run and destroy on one thread, the main one. The guest's
 * accesses come on vCPU threads. machine_ask() and the snapshots may be used
 * from any thread.
 */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include "balloon.h"
#include "boot.h"
#include "console.h"
#include "control_verbs.h"
#include "dma.h"
#include "loop.h"
#include "pci.h"
#include "pm.h"
#include "powerdown.h"
#include "relief.h"
#include "serial.h"
#include "share.h"
#include "vcpu.h"
#include "vm.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_MEMORY_MIN (64ull << 20)

/* Strings are borrowed and outlive the machine. Lengths are in bytes. */
struct machine_cfg {
	const char *name;   /* for the status; never NULL */
	const char *kernel; /* path */
	const char *initrd; /* path or NULL */
	const char *cmdline;
	uint64_t memory;
	unsigned int ncpus;
	unsigned int granule_shift; /* 12 or 21 */
	uint64_t budget;	    /* 0: no limit */
	uint64_t host_budget;	/* of all machines together; 0: no part in it */
	uint64_t pool;		/* 0: none */
	bool strict, no_bounce; /* see dma.h */
	enum vd_pin_method pin;
	bool pin_all;
	const char *const *assign; /* host PCI addresses, as given */
	size_t nassign;
	const char *control; /* socket path; NULL: by name */
	bool no_relief;	     /* pressure on the host is not our business */
	bool console;	     /* standard input and output */
	bool confine;	     /* this process: see confine.h */
	bool no_reboot;	     /* a guest reset ends the run */
	unsigned int grace;  /* seconds from the power button to the plug */
};

/* Why a run ended. */
enum machine_end {
	MACHINE_OFF,   /* the guest powered off; see why, if it was asked to */
	MACHINE_RESET, /* the guest reset itself, and no_reboot is on */
	MACHINE_DIED,  /* the guest cannot go on; see why */
	MACHINE_QUIT,  /* somebody outside ended it */
	MACHINE_OVER,  /* the guest was asked to power off and did not */
};

/* What can be asked for; of several pending the highest counts. */
enum machine_wish {
	MACHINE_WISH_NONE,
	MACHINE_WISH_RESET,
	MACHINE_WISH_OFF,
	MACHINE_WISH_DIE,
	MACHINE_WISH_OVER,
	MACHINE_WISH_QUIT,
};

struct machine {
	struct machine_cfg cfg;
	unsigned int nparts;	  /* created so far */
	pthread_mutex_t why_lock; /* guards the next while there are
					 * other threads */
	char why[512];		  /* what went wrong, a sentence */

	struct vm vm;
	struct loop loop;
	struct pci_bus pci;
	struct serial serial;
	struct console console;
	struct pm pm;
	struct powerdown powerdown;
	struct dma dma;
	struct balloon balloon;
	struct relief relief;
	struct share share;
	struct control *control;
	struct control_vm control_vm;
	struct sysfs_kept kept;
	struct vcpus vcpus;
	struct boot_images images;
	struct boot_entry entry;
	struct loop_watch signals; /* INT, TERM, HUP, TSTP, CONT */
	int ram_slot[2];

	_Atomic int wish;	 /* enum machine_wish */
	uint64_t created_ns;	 /* CLOCK_MONOTONIC */
	_Atomic uint64_t resets; /* of the guest */
};

/*
 * Make a machine: 0, or -errno with nothing left behind and the reason in
 * m->why. @m is zeroed by this.
 */
int machine_create(struct machine *m, const struct machine_cfg *cfg);

/* Run the guest until it ends. Once. */
enum machine_end machine_run(struct machine *m);

void machine_destroy(struct machine *m);

/* Any thread, also a vCPU's; does not wait. The vCPUs stop at once. */
void machine_ask(struct machine *m, enum machine_wish wish);

/*
 * For parts: put the reason of a failure in words and return @err. Form: what
 * happened: to what; what to do.
 */
int machine_fail(struct machine *m, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Microseconds from create to the first guest instruction; 0: not yet. */
uint64_t machine_start_us(struct machine *m);

/* Exits since the start by cause, each cause once. Names are stable. */
void machine_exits(struct machine *m,
		   void (*visit)(void *ctx, const char *cause, uint64_t exits),
		   void *ctx);

#endif
