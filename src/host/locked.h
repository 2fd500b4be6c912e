/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The weaker promise: pages kept in memory by mlock(2). They are not paged
 * out, but the kernel may move them. The caller locks.
 */
#ifndef HOST_LOCKED_H
#define HOST_LOCKED_H

#include <tree.h>
#include <viaduct/host.h>

struct locked {
	struct tree pages; /* of struct locked_page */
	uint64_t npins, max_pins;
};

/* @max_map_count: the file that says how many areas a process may have; it
 * bounds the pins as well. */
void locked_init(struct locked *l, size_t max_pins, const char *max_map_count);
void locked_end(struct locked *l);

/* As vd_host_ops, but do not fill in vd_pin.page. */
int locked_pin(struct locked *l, struct vd_pin *pin, size_t npins);
void locked_unpin(struct locked *l, const struct vd_pin *pin, size_t npins);

#endif
