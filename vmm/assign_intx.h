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
 *
 * A device that wants service whatever the guest's driver does (it was reset
 * and has kept its line up; nobody drives it) would fire without end, and the
 * guest's CPU would do nothing else. So there is a brake: when the guest has
 * ended ASSIGN_INTX_FREE interrupts in a row and found the function asking for
 * the next one each time, each further one waits, longer and longer, up to
 * ASSIGN_INTX_PAUSE_NS. An end that finds the function content lets go of it. A
 * driver that serves its device does not meet the brake; one whose device is
 * stuck is called 100 times a second, and can work.
 *
 * It is muted, which is masked in the host, until the guest first lets the
 * function decode its BARs, and from then on while the guest says so or the
 * function is hidden.
 */
#ifndef VMM_ASSIGN_INTX_H
#define VMM_ASSIGN_INTX_H

#include "assign_host.h"
#include "vm.h"
#include <pthread.h>

#define ASSIGN_INTX_FREE     64u
#define ASSIGN_INTX_PAUSE_NS 10000000u

struct assign_intx {
	struct vm *vm;
	struct assign_host *host;
	int uio, trigger, resample, stop;
	unsigned int gsi;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;	    /* guards the next */
	bool muted;		    /* by the guest, or hidden */
	_Atomic uint64_t count;	    /* interrupts passed on */
	unsigned int unserved;	    /* the thread's: ends in a row that left it
				     * asking for more */
	uint64_t due_ns;	    /* the thread's: when to let it through, on
				     * CLOCK_MONOTONIC; 0: nothing waits */
	void (*gone)(void *opaque); /* the function was pulled; once, in
					 * the thread, which then waits for
					 * assign_intx_stop() */
	void *opaque;
};

/* 0 or -errno; it begins muted. Of a function without an interrupt pin uio says
 * nothing: its end is noticed when it is next touched. Stopping is fine after a
 * failed start. */
int assign_intx_start(struct assign_intx *x, struct vm *vm,
		      struct assign_host *host, unsigned int gsi,
		      void (*gone)(void *opaque), void *opaque);
void assign_intx_stop(struct assign_intx *x);

/* Mask it in the host and pass nothing on, or let it through again. Any thread. */
void assign_intx_mute(struct assign_intx *x, bool muted);

/* The function is lost: pass nothing on, and leave its registers alone. */
void assign_intx_leave(struct assign_intx *x);

#endif
