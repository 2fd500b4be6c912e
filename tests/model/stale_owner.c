/* SPDX-License-Identifier: BSD-2-Clause */
/* For a negative control: an owner that takes whatever its domain's others have,
 * seen or not. */
#include <ram.h>

bool ram_can_really_take(struct ram *to, const struct ram *from);

#define ram_can_take ram_can_really_take
#include <ram.c>
#undef ram_can_take

bool ram_can_take(struct ram *to, const struct ram *from)
{
	return to->domain == from->domain;
}
