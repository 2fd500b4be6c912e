/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long-term pins by io_uring on kernels that end a registered buffer late
 * (ring.c): pages registered as the memory of a provided-buffer ring, which the
 * kernel unpins before the call that unregisters it returns. The caller locks.
 */
#ifndef HOST_GROUP_H
#define HOST_GROUP_H

#include <slots.h>
#include <liburing.h>
#include <stdbool.h>

#define GROUP_NONE UINT64_MAX

/* The groups of one ring: slot i is buffer group i. */
struct groups {
	struct slots slots;
	uint64_t *next; /* of each: the handle of its pin's next page; owned */
};

/* Pin or unpin the page at @hva as group @group of @uring: 0 or -errno. Tests
 * put another one in place of the kernel's. */
typedef int group_fn(struct io_uring *uring, uint32_t group, void *hva);

int group_kernel(struct io_uring *uring, uint32_t group, void *hva);

/*
 * Does this kernel unpin a buffer later than when it is asked to? @uring has a
 * table of buffers whose first slot is empty, and is again afterwards. 1, 0,
 * or -errno.
 */
int group_is_needed(struct io_uring *uring);

#endif
