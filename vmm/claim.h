/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has a function, and how it was found.
 *
 * /run/viaduct/claims/BDF is locked by whoever took the function (the keeper)
 * for as long as that process lives. It holds a record: which function of which
 * start of the host it is about, and all that has to be found again when the
 * function is given back. It is written before anything is changed, in one
 * rename, so whoever comes after a crash reads a whole record or none; and where
 * there is none, nothing had been changed.
 *
 * A claim file that nobody locks is left over from a keeper that was killed.
 */
#ifndef VMM_CLAIM_H
#define VMM_CLAIM_H

#include "hostdev.h"

#define CLAIM_DIR "/run/viaduct/claims"

struct claim {
	const struct sysfs *sys; /* borrowed */
	char bdf[HOSTDEV_BDF_LEN];
	int lock; /* the file, locked; -1: no claim */
};

/* How a function was before it was taken. */
struct claim_found {
	char driver[HOSTDEV_NAME_LEN];	 /* "" if it had none */
	char override[HOSTDEV_NAME_LEN]; /* "" if it had none */
	uint16_t command; /* of its configuration space, with no driver */
	char control[8];  /* power/control: "on", "auto"; "": not known */
};

/* 0, -EBUSY (another has it), or -errno. Ending is fine after a failure. */
int claim_take(struct claim *c, const struct sysfs *s, const char *bdf);

/* The record is written whole, or stays as it was. 0 or -errno. */
int claim_write(struct claim *c, const struct hostdev *d,
		const struct claim_found *f);

/* 0, or -ENOENT: there is none that is whole and about this very function. */
int claim_read(const struct claim *c, const struct hostdev *d,
	       struct claim_found *out);

/* The file goes. */
void claim_end(struct claim *c);

#endif
