/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct doctor: what this host can do, and what to do about what it cannot.
 *
 * Checks fill in a report, which is JSON; what people read is printed from it,
 * so both say the same. A check says
 *	ok	it is there
 *	warn	it works, but worse than it could, or something may surprise
 *	no	something that viaduct run --assign needs is missing
 *
 * Everything is read below a prefix (vmm/sysfs.h) or asked through struct
 * doctor_probes, so that tests can give a made-up host.
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "sysfs.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* What cannot be read but must be tried. On failure @why has words for it. */
struct doctor_probes {
	/* Make a virtual machine: 0 or -errno. */
	int (*kvm)(char *why, size_t len);
	/* Read the physical address of a page: 0 or -errno. */
	int (*pagemap)(void);
	/* Make a ring with a sparse table and register a page: 0 or -errno. */
	int (*io_uring)(void);
	/* RLIMIT_MEMLOCK in bytes; UINT64_MAX: unlimited. */
	uint64_t (*memlock)(void);
	/* Is there a user for machines that root starts (vmm/confine.h)? */
	bool (*own_user)(void);
};

struct pciscan_set;

struct doctor {
	const struct sysfs *s;
	const struct doctor_probes *probes;
	const char *const *name; /* look at these devices only, together... */
	size_t nnames;		 /* ...0: at all, each alone */
	const struct pciscan_set *set; /* of those named, or NULL */
	uint64_t caps;		       /* effective capabilities */
	json_t *checks, *devices;
	int missing; /* checks that say no */
};

enum doctor_says { DOCTOR_OK, DOCTOR_WARN, DOCTOR_NO };

/*
 * Add a check. @id is stable; @advice is a literal, or NULL if there is
 * nothing to do.
 */
void doctor_add(struct doctor *d, const char *id, enum doctor_says says,
		const char *advice, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* In doctor_*.c: each adds its checks. */
void doctor_virtual(struct doctor *d); /* KVM, IOMMU */
void doctor_rights(struct doctor *d);  /* capabilities, pins, addresses */
void doctor_memory(struct doctor *d);  /* swap, huge pages, what moves pages */

/*
 * Adds to @devices. 0; -ENODEV, -EINVAL, -EEXIST or -E2BIG: not what was named,
 * and why; 1: one that was named cannot be assigned.
 */
int doctor_devices(struct doctor *d, char *why, size_t len);

/* As verb_doctor(), on a given host. */
int doctor_main(int argc, char **argv, const struct sysfs *s,
		const struct doctor_probes *probes, FILE *out);

#endif
