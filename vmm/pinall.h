/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of guest memory pinned for as long as the machine runs: what device
 * assignment costs elsewhere. For comparison, and for who needs it; nothing of
 * the guest's memory can then be swapped out.
 *
 * The pins are the host's and are not in the domain's books: a map of the same
 * page pins it once more.
 */
#ifndef VMM_PINALL_H
#define VMM_PINALL_H

#include <stddef.h>
#include <stdint.h>
#include <viaduct/host.h>

struct pinall {
	struct vd_host *host; /* borrowed; NULL: nothing is pinned */
	struct vd_pin *pin;   /* owned */
	size_t npins;
};

/*
 * Pin @len bytes of @ram, a multiple of the page size. Refuses what this host
 * has not got instead of asking the kernel, which would rather kill someone.
 * -ENOMEM (with a sentence in @why) or what vd_host_ops.pin returns.
 */
int pinall_create(struct pinall *p, struct vd_host *host, uint8_t *ram,
		  uint64_t len, char *why, size_t whylen);

/* No device may reach guest memory any more. Also when nothing is pinned. */
void pinall_destroy(struct pinall *p);

/* Bytes that /proc/meminfo's @text says are available; 0: it does not say. */
uint64_t pinall_available(const char *text);

#endif
