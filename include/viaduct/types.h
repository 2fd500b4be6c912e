/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address kinds, rights and limits that every part of Viaduct shares.
 *
 * The three address kinds are types so that they cannot be mixed: a function
 * that wants what the device puts on the bus does not accept a guest address.
 */
#ifndef VIADUCT_TYPES_H
#define VIADUCT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library's version: what a caller is compiled with, and what it runs with. */
#define VD_VERSION_MAJOR 0
#define VD_VERSION_MINOR 1
#define VD_VERSION_PATCH 0
#define VD_VERSION_OF(major, minor, patch) \
	((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(patch))
#define VD_VERSION \
	VD_VERSION_OF(VD_VERSION_MAJOR, VD_VERSION_MINOR, VD_VERSION_PATCH)

/** vd_version() - VD_VERSION of the library that runs */
uint32_t vd_version(void);

#define VD_PAGE_SHIFT 12
#define VD_PAGE_SIZE  ((uint64_t)1 << VD_PAGE_SHIFT)

typedef struct {
	uint64_t v;
} vd_iova; /* what the device puts on the bus */
typedef struct {
	uint64_t v;
} vd_gpa; /* guest-physical */
typedef struct {
	uint64_t v;
} vd_hpa; /* host-physical; made only by a host */

/* Rights of a mapping, from the device's point of view. */
#define VD_READ	 1u
#define VD_WRITE 2u

/*
 * Errors. Every function that can fail returns 0 or one of these, negated;
 * each has one meaning in the whole library:
 *
 *  EINVAL     an argument is malformed (says the function which), or a struct's
 *             size is none
 *  E2BIG      a struct says more than this library knows (viaduct.h)
 *  EOVERFLOW  an address plus a length wraps
 *  EFAULT     not guest memory
 *  ENODEV     no such device in this domain
 *  EEXIST     the id or the range is taken
 *  EPERM      the operator denied this device, the host refuses the right, or
 *             the window is somebody else's
 *  EACCES     the mapping does not allow this direction
 *  EDQUOT     over the domain's budget, or what an adapter's tables may take
 *  ENOSPC     a table is full; no such run of bus addresses is free
 *  ENOMEM     out of host memory
 *  ENOENT     no such mapping, window, table entry, owner or run
 *  ENXIO      no window at this bus address
 *  EXDEV      a segment is not contiguous on the bus; two owners do not have
 *             the same memory
 *  ERANGE     a bus address lies above the device's mask or outside a window
 *  EBUSY      something else is changing this device, or it is in use
 *  EIO        the device could not be quiesced; its pins are kept
 *  ENOTSUP    the host cannot do this (no io_uring, no pagemap)
 *  EREMOTEIO  a remote device refused an access
 *  EPIPE      a remote peer is gone
 *  ETIMEDOUT  a remote peer did not answer in time
 *  EPROTO     a remote peer said what its protocol does not allow
 */

#ifdef __cplusplus
}
#endif
#endif
