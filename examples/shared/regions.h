/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From windows to regions: what a provider's device may reach, as runs of
 * contiguous memory. Read from the engine's windows entry by entry, and not by
 * asking for translations, so that a test can hold one against the other.
 */
#ifndef SHARED_REGIONS_H
#define SHARED_REGIONS_H

#include <viaduct/remote.h>
#include <viaduct/viaduct.h>

#define REGIONS_MAX 64 /* runs that are looked at before it is too many */

struct regions {
	struct vd_remote_region run[REGIONS_MAX];
	size_t n;
};

/*
 * All that the devices of @provider may do @prot to (VD_READ or VD_WRITE).
 * @fd_of says which file an owner's memory is; guest addresses are offsets in
 * it. 0, -ENOSPC.
 */
int regions_collect(struct vd_adapter *a, uint32_t provider, unsigned int prot,
		    int (*fd_of)(void *ctx, uint32_t owner), void *ctx,
		    struct regions *out);

#endif
