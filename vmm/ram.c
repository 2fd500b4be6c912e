/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM. */
#include "ram.h"
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#define ALIGN (2ull << 20)

/* Cut an over-long mapping down to @len bytes on a 2 MiB boundary. */
static uint8_t *trim(uint8_t *p, uint64_t len)
{
	uint64_t before = -(uintptr_t)p % ALIGN;

	if (before)
		munmap(p, before);
	if (ALIGN - before)
		munmap(p + before + len, ALIGN - before);
	return p + before;
}

void *ram_map(uint64_t len, unsigned int granule_shift)
{
	int huge = granule_shift == 21 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
	uint8_t *p;

	p = mmap(NULL, len + ALIGN, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	p = trim(p, len);
	/* EINVAL: a kernel without transparent huge pages, which is as good. */
	if (madvise(p, len, huge) && errno != EINVAL)
		goto err_unmap;
	if (madvise(p, len, MADV_DONTFORK) || madvise(p, len, MADV_DONTDUMP))
		goto err_unmap;
	return p;

err_unmap:
	ram_unmap(p, len);
	return NULL;
}

void ram_unmap(void *ram, uint64_t len)
{
	int err = errno;

	munmap(ram, len);
	errno = err;
}
