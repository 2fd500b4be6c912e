/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host-physical addresses of this process's pages, from /proc/self/pagemap.
 * The caller locks.
 */
#ifndef HOST_PAGEMAP_H
#define HOST_PAGEMAP_H

#include <viaduct/host.h>

#define PAGEMAP_BATCH 512u

struct pagemap {
	int fd;
	uint64_t entry[PAGEMAP_BATCH];
};

/* 0, -ENOTSUP (there is none), -EPERM (it does not show addresses). */
int pagemap_open(struct pagemap *m);
void pagemap_close(struct pagemap *m);

/*
 * Fill in vd_pin.page of pinned runs. 0, or -EFAULT if a page has no address
 * even after it was touched.
 */
int pagemap_fill(struct pagemap *m, const struct vd_pin *pin, size_t npins);

/* Bring a page into memory, to stay writable by a device: a write that leaves
 * its contents as they are, whoever else writes to it. */
void page_touch(void *hva);

#endif
