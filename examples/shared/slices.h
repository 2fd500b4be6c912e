/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device's bus, cut into slices. The device has one set of regions, and
 * does not say for whom it makes an access. So each provider has a slice of the
 * bus of its own, for each direction: what tells providers apart is in the
 * address, as on a real bus it is in the requester's id. What a provider aims
 * outside its windows meets no region in its slice, whatever others have.
 *
 * Where a provider may write all that it may read, as most do, one slice is for
 * both directions. The first slice of all holds control memory.
 */
#ifndef SHARED_SLICES_H
#define SHARED_SLICES_H

#include "regions.h"

#define SLICE_LEN \
	((uint64_t)1 << 40) /* bus addresses from here on are nobody's */

struct slices {
	struct vd_remote_region region[VD_REMOTE_REGIONS];
	size_t n;
};

/* Where bus address 0 of a provider is on the device's bus; 0: nowhere. */
struct slice {
	uint64_t written, read; /* by the device */
};

/* Without any but that of control memory. */
void slices_begin(struct slices *all, const struct vd_remote_region *control);

/*
 * What provider number @number (from 1) may let the device write and read, in
 * @room regions. 0, -ENOSPC: it is in more runs; @out is nowhere then.
 */
int slices_add(struct slices *all, unsigned int number, size_t room,
	       const struct regions *written, const struct regions *read,
	       struct slice *out);

/* What the device calls @bus; @prot is VD_WRITE or VD_READ. */
uint64_t slice_address(const struct slice *s, unsigned int prot, uint64_t bus);

/* The region that holds an address of the device's, or NULL. */
const struct vd_remote_region *slices_find(const struct slices *all,
					   uint64_t address);

#endif
