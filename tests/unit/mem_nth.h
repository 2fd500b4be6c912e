/* SPDX-License-Identifier: BSD-2-Clause */
/* The allocator of the tests: base/mem.h that can be told to fail. */
#ifndef UNIT_MEM_NTH_H
#define UNIT_MEM_NTH_H

#include <stddef.h>

/* Fail the @nth allocation from now on, once; 0: none. */
void mem_fail(unsigned int nth);

/* Did it fail yet? */
int mem_failed(void);

/* Allocations that were not freed. */
size_t mem_live(void);

#endif
