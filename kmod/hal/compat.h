/* SPDX-License-Identifier: GPL-2.0-only */
/* Where the kernels differ that this module is built for. Nowhere else. */
#ifndef VIADUCT_HAL_COMPAT_H
#define VIADUCT_HAL_COMPAT_H

#include <linux/version.h>

/* dma_map_ops.alloc_pages was renamed when alloc_pages became a macro. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define alloc_pages_op alloc_pages
#endif

#endif
