/* SPDX-License-Identifier: BSD-2-Clause */
/* For a negative control: announcements that nobody waits for. */
#include <epoch.h>

void epoch_wait_really(struct epoch *e);

#define epoch_wait epoch_wait_really
#include <epoch.c>
#undef epoch_wait

void epoch_wait(struct epoch *e)
{
	(void)e;
}
