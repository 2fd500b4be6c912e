/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem.h"

#include <stdlib.h>

void *mem_zalloc(size_t n, size_t size)
{
	return calloc(n, size);
}

void mem_free(void *p)
{
	free(p);
}
