/* SPDX-License-Identifier: BSD-2-Clause */
#include "nohost.h"
#include <errno.h>

static int refuse(struct vd_host *h, struct vd_pin *pin, size_t npins)
{
	(void)h;
	(void)pin;
	(void)npins;
	return -ENOSPC; /* a table of pins with no place in it */
}

static void unpin(struct vd_host *h, const struct vd_pin *pin, size_t npins)
{
	(void)h;
	(void)pin;
	(void)npins;
}

static void destroy(struct vd_host *h)
{
	(void)h;
}

struct vd_host *nohost(void)
{
	static const struct vd_host_ops ops = {
		.size = sizeof(ops),
		.name = "none",
		.pin = refuse,
		.unpin = unpin,
		.destroy = destroy,
	};
	static struct vd_host host = { .ops = &ops };

	return &host;
}
