/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fault number n stands at n modulo the ring's length; those from taken to
 * put - 1 are there. A new one pushes the oldest out.
 */
#include "fault.h"

#include <errno.h>

void faults_put(struct faults *f, const struct vd_fault *fault)
{
	f->at[f->put++ % FAULT_RING] = *fault;
	if (f->put - f->taken > FAULT_RING)
		f->taken = f->put - FAULT_RING;
}

int faults_take(struct faults *f, struct vd_fault *out)
{
	if (f->taken == f->put)
		return -ENOENT;
	*out = f->at[f->taken++ % FAULT_RING];
	return 0;
}

const char *vd_fault_reason_name(enum vd_fault_reason r)
{
	static const char *const names[VD_FAULT_REASONS] = {
		[VD_FAULT_UNMAPPED] = "unmapped",
		[VD_FAULT_DIRECTION] = "direction",
		[VD_FAULT_DENIED] = "denied",
		[VD_FAULT_EXTENT] = "extent",
		[VD_FAULT_NO_WINDOW] = "no-window",
	};

	return (unsigned int)r < VD_FAULT_REASONS ? names[r] : "unknown";
}
