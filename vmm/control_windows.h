/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The window commands of a control socket, and faults, permit and deny for the
 * adapter's devices, for any program that owns an adapter. docs/control.md lists every field.
 *
 *	struct control_windows w = { .adapter = a, .ops = &ops, ... };
 *	struct control_cfg cfg = { .path = path, .version = "1" };
 *
 *	cfg.table = control_windows_table(&w);
 *	err = control_create(&cfg, &control, why, sizeof(why));
 *
 * A program with more commands puts control_windows_commands() into a table of
 * its own, whose ctx is the struct control_windows.
 */
#ifndef VMM_CONTROL_WINDOWS_H
#define VMM_CONTROL_WINDOWS_H

#include "control_proto.h"
#include <viaduct/policy.h>
#include <viaduct/viaduct.h>

/* Called in the server's thread. The program locks its policy, if need be. */
struct control_windows_ops {
	/* An admin's change was tried: vd_policy_record(). now_ms and rate are
	 * not filled in. */
	void (*tried)(void *opaque, const struct vd_policy_record *r);
	/* As vd_policy_next(). */
	int (*next)(void *opaque, uint64_t seq, struct vd_policy_record *out);
};

/*
 * A split or loan that names no id takes the lowest that no window has, from
 * first_id on; 0 means 1. A program that makes windows itself (PAPR: for its
 * guests, on demand) chooses one above or below all ids that it will use.
 */
struct control_windows {
	struct vd_adapter *adapter; /* borrowed */
	const struct control_windows_ops *ops;
	void *opaque;
	uint32_t first_id;
};

const struct control_command *control_windows_commands(size_t *n);

/* Those alone. */
struct control_table control_windows_table(struct control_windows *w);

#endif
