/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual CPUs: one thread each.
 *
 * A vCPU is running or parked. Parked, it is between two instructions with
 * nothing pending in KVM, so its state may be read and replaced. Who wants all
 * of them parked says vcpus_pause_soon() (any thread, vCPU threads too: it does
 * not wait) and then, not on a vCPU thread, vcpus_wait_parked().
 *
 * A kick is a signal (SIGRTMIN, handled with SA_RESTART): system calls that a
 * region's owner makes on a vCPU thread may see EINTR only where Linux never
 * restarts them (poll, futex waits with a time-out, io_uring_enter).
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "boot.h"
#include "vm.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define VCPUS_MAX 254 /* local APIC ids of one byte, 255 is special */

struct kvm_run;
struct vcpu_birth;
struct vcpus;

/* Exits that no region counts. */
enum vcpu_exit {
	VCPU_EXIT_KICK, /* a signal of ours */
	VCPU_EXIT_HLT,
	VCPU_EXIT_DIED, /* shutdown, internal error, entry failed */
	VCPU_EXIT_OTHER,
	VCPU_EXITS,
};

struct vcpu {
	struct vcpus *all;
	unsigned int id;
	int fd;
	bool started; /* the thread exists */
	pthread_t thread;
	struct kvm_run *run;
	size_t run_len;
	struct vcpu_birth *birth; /* state as KVM made it */
	unsigned int met;	  /* see vcpu_ops.fault */
	_Atomic uint64_t exits[VCPU_EXITS];
};

struct vcpu_ops {
	/*
	 * The guest cannot go on; @what is a sentence. On the vCPU's thread,
	 * which parks afterwards.
	 */
	void (*died)(void *ctx, const char *what);
	/*
	 * KVM could not reach memory that a slot names. Has that been dealt
	 * with, so that the access may be tried again? On the vCPU's thread.
	 * What @met points to is the vCPU's own, 0 at first, for @fault's use.
	 */
	bool (*fault)(void *ctx, unsigned int *met);
};

enum vcpu_want { VCPU_RUN, VCPU_PARK, VCPU_END };

struct vcpus {
	struct vm *vm;
	const struct vcpu_ops *ops;
	void *ctx;
	unsigned int n;
	struct vcpu *cpu;
	_Atomic uint64_t first_run_ns; /* CLOCK_MONOTONIC, 0: not yet */
	pthread_mutex_t lock;	       /* guards the next two */
	enum vcpu_want want;
	unsigned int parked;
	pthread_cond_t change;
};

/*
 * Make @vm->nvcpus vCPUs and their threads, parked. 0, or -errno with nothing
 * left behind.
 */
int vcpus_create(struct vcpus *c, struct vm *vm, const struct vcpu_ops *ops,
		 void *ctx);

/* End the threads and free everything. Nothing of a guest runs afterwards. */
void vcpus_destroy(struct vcpus *c);

void vcpus_pause_soon(struct vcpus *c);
void vcpus_wait_parked(struct vcpus *c);
void vcpus_resume(struct vcpus *c);

/*
 * All as after power on, vCPU 0 about to begin at @entry. All are parked.
 * 0 or -errno of KVM.
 */
int vcpus_reset(struct vcpus *c, const struct boot_entry *entry);

/* A stable lower-case word, as in the status. */
const char *vcpu_exit_name(enum vcpu_exit e);

#endif
