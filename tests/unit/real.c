/* SPDX-License-Identifier: BSD-2-Clause */
#include "real.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define PAGE ((size_t)4096)

unsigned char *real_mem(size_t npages, bool shared)
{
	void *mem = mmap(NULL, npages * PAGE, PROT_READ | PROT_WRITE,
			 MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0);

	assert_true(mem != MAP_FAILED);
	madvise(mem, npages * PAGE, MADV_NOHUGEPAGE);
	return mem;
}

void real_mem_free(unsigned char *mem, size_t npages)
{
	munmap(mem, npages * PAGE);
}

size_t real_pinned(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t kib = 0;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && sscanf(line, "VmPin: %zu", &kib) != 1)
		;
	fclose(f);
	return kib / (PAGE / 1024);
}

bool real_pinned_becomes(size_t npages)
{
	for (int i = 0; i < 300; i++) {
		if (real_pinned() == npages)
			return true;
		usleep(10000);
	}
	return false;
}

size_t real_pageout(unsigned char *mem, size_t npages)
{
	unsigned char *resident = malloc(npages);
	size_t n = 0;

	assert_non_null(resident);
	madvise(mem, npages * PAGE, MADV_PAGEOUT);
	assert_int_equal(mincore(mem, npages * PAGE, resident), 0);
	for (size_t i = 0; i < npages; i++)
		n += resident[i] & 1;
	free(resident);
	return n;
}

void real_needs_root(void)
{
	if (geteuid() != 0) {
		print_message("# needs root: page addresses are hidden from others\n");
		skip();
	}
}
