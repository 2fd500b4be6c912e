/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of refused device accesses; the domain's lock guards it. */
#ifndef DOMAIN_FAULT_H
#define DOMAIN_FAULT_H

#include <viaduct/domain.h>

#define FAULT_RING 256u

struct faults {
	struct vd_fault at[FAULT_RING];
	uint64_t put;	/* ever recorded */
	uint64_t taken; /* taken or lost */
};

void faults_put(struct faults *f, const struct vd_fault *fault);

/* 0 or -ENOENT. */
int faults_take(struct faults *f, struct vd_fault *out);

#endif
