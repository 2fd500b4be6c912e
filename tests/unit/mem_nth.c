/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"

#include <mem.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_uint fail_in;
static atomic_int failed;
static atomic_size_t live;

void mem_fail(unsigned int nth)
{
	fail_in = nth;
	failed = 0;
}

int mem_failed(void)
{
	return failed;
}

size_t mem_live(void)
{
	return live;
}

void *mem_zalloc(size_t n, size_t size)
{
	void *p;

	if (fail_in && --fail_in == 0) {
		failed = 1;
		return NULL;
	}
	p = calloc(n, size);
	if (p)
		live++;
	return p;
}

void mem_free(void *p)
{
	if (p)
		live--;
	free(p);
}
