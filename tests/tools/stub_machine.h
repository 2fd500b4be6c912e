/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the control socket asks a machine for besides its domain: answers that
 * are always the same, and a balloon that a test sets.
 */
#ifndef TESTS_TOOLS_STUB_MACHINE_H
#define TESTS_TOOLS_STUB_MACHINE_H

#include "control_verbs.h"

#define STUB_START_US	     4321
#define STUB_BALLOON_LARGEST (1u << 29)

/* While a server may be looking. */
void stub_balloon_set(const struct balloon_stats *s);
struct balloon_stats stub_balloon_get(void);

uint64_t stub_start_us(void *opaque);
int stub_balloon(void *opaque, const uint64_t *target, struct balloon_stats *out);
void stub_relief(void *opaque, struct relief_stats *out);
void stub_share(void *opaque, struct share_stats *out);
uint64_t stub_interrupts(void *opaque, uint32_t guest_id);
void stub_powerdown(void *opaque, struct control_powerdown *out);
const char *stub_why(void *opaque, uint32_t guest_id); /* of 16 */

#endif
