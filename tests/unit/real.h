/* SPDX-License-Identifier: BSD-2-Clause */
/* Real memory for tests of real pins. */
#ifndef UNIT_REAL_H
#define UNIT_REAL_H

#include "test.h"

/* Anonymous, or shared as guest RAM may be; 4 KiB pages only; zeroed. */
unsigned char *real_mem(size_t npages, bool shared);
void real_mem_free(unsigned char *mem, size_t npages);

/* Pages that the kernel says this process has pinned (VmPin). */
size_t real_pinned(void);

/* Wait until it says so; kernels drop pins up to a second late. */
bool real_pinned_becomes(size_t npages);

/* Ask the kernel to page it out; how many pages are still resident. */
size_t real_pageout(unsigned char *mem, size_t npages);

/* Skips the test unless addresses can be seen. */
void real_needs_root(void);

#endif
