/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that a machine says of itself at one moment, as one object:
 *
 *	{"status": .., "counters": .., "balloon": .., "budget": .., "pressure": ..}
 *
 * Each part is the answer of that command (docs/control.md). A part that a
 * machine does not know, because it is older, is null.
 */
#ifndef CLI_SNAPSHOT_H
#define CLI_SNAPSHOT_H

#include "ctl_client.h"

/* As ctl_ask(). */
int snapshot_take(struct ctl_client *c, json_t **out, char *why, size_t len);

/*
 * What a path like "status.pinned_bytes" names, borrowed; NULL if there is
 * nothing of that name.
 */
json_t *snapshot_find(const json_t *snapshot, const char *path);

#endif
