/* SPDX-License-Identifier: BSD-2-Clause */
#include "dma.h"

int dma_host_create(const struct vd_noiommu_cfg *cfg, struct vd_host **out)
{
	return vd_host_noiommu_create(cfg, out);
}
