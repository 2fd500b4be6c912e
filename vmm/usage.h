/* SPDX-License-Identifier: BSD-2-Clause */
/* What memory this process has in RAM and in swap, and how much is guest RAM. */
#ifndef VMM_USAGE_H
#define VMM_USAGE_H

#include "sysfs.h"

struct usage {		   /* bytes */
	uint64_t resident; /* all of the process */
	uint64_t guest_resident;
	uint64_t guest_swapped;
};

struct usage_area { /* guest memory in this process */
	const void *hva;
	uint64_t len; /* bytes; 0: none */
};

/* Walks the process's page tables: about a millisecond per GiB. 0 or -errno. */
int usage_read(const struct sysfs *s, const struct usage_area *guest,
	       size_t nguest, struct usage *out);

/* Bytes of this process in swap: one counter, so cheap. */
int usage_swapped(const struct sysfs *s, uint64_t *out);

#endif
