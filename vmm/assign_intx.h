/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * INTx of an assigned function, from uio to the guest and back.
 *
 * The host's uio_pci_generic masks the function's INTx when it fires and makes
 * /dev/uioN readable. A thread passes it on to the guest's interrupt
 * controller by an irqfd; KVM lowers the line when the guest ends the
 * interrupt and says so on the resample eventfd; then the thread lets the
 * function's INTx through again. If the device still wants service it fires
 * at once. The same thread learns from uio that the function is gone.
 */
#ifndef VMM_ASSIGN_INTX_H
#define VMM_ASSIGN_INTX_H

#include "assign_host.h"
#include "vm.h"
#include <pthread.h>

struct assign_intx {
	struct vm *vm;
	struct assign_host *host;
	int uio, trigger, resample, stop;
	unsigned int gsi;
	pthread_t thread;
	bool running;
	_Atomic bool muted;	    /* the guest turned INTx off */
	_Atomic uint64_t count;	    /* interrupts passed on */
	void (*gone)(void *opaque); /* the function was pulled; once, in
					 * the thread, which then waits for
					 * assign_intx_stop() */
	void *opaque;
};

/* 0 or -errno. Of a function without an interrupt pin uio says nothing: its
 * end is noticed when it is next touched. Stopping is fine after a failed start. */
int assign_intx_start(struct assign_intx *x, struct vm *vm,
		      struct assign_host *host, unsigned int gsi,
		      void (*gone)(void *opaque), void *opaque);
void assign_intx_stop(struct assign_intx *x);

/* Follow the guest's INTx-disable bit. */
void assign_intx_mute(struct assign_intx *x, bool muted);

/* The guest's line is down again and the function's is open (after reset). */
void assign_intx_rearm(struct assign_intx *x);

#endif
