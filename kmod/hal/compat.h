/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernels differ that this module is built for. Nowhere else. */
#ifndef VIADUCT_HAL_COMPAT_H
#define VIADUCT_HAL_COMPAT_H

#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/version.h>

/* dma_map_ops.alloc_pages was renamed when alloc_pages became a macro. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define alloc_pages_op alloc_pages
#endif

/* It is map_resource's business where there is one. */
#ifndef DMA_ATTR_MMIO
#define DMA_ATTR_MMIO 0
#endif

#ifndef DMA_ATTR_REQUIRE_COHERENT
#define DMA_ATTR_REQUIRE_COHERENT 0
#endif

/* dma_map_ops.map_page(page, offset) became map_phys(phys). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define map_phys     map_page
#define unmap_phys   unmap_page
#define HAL_MAP_PHYS hal_map_page

static dma_addr_t hal_map_phys(struct device *dev, phys_addr_t phys,
			       size_t size, enum dma_data_direction dir,
			       unsigned long attrs);

static inline dma_addr_t hal_map_page(struct device *dev, struct page *page,
				      unsigned long offset, size_t size,
				      enum dma_data_direction dir,
				      unsigned long attrs)
{
	return hal_map_phys(dev, page_to_phys(page) + offset, size, dir, attrs);
}
#else
#define HAL_MAP_PHYS hal_map_phys
#endif

#endif
