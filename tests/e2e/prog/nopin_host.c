/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The negative control of the adversarial test: a viaduct whose host says
 * where pages are but does not pin them. Never installed.
 */
#include "dma.h"
#include "nopin.h"

int dma_host_create(const struct vd_noiommu_cfg *cfg, struct vd_host **out)
{
	(void)cfg;
	return vd_host_nopin_create(out);
}
