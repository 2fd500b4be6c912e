/* SPDX-License-Identifier: BSD-2-Clause */
#include <viaduct/host.h>

void vd_host_destroy(struct vd_host *h)
{
	if (h)
		h->ops->destroy(h);
}
