/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define PAGES	 (POOL_CHUNK / 4096)
#define PFN_MASK (((uint64_t)1 << 55) - 1)
#define PRESENT	 ((uint64_t)1 << 63)

/* One huge page has consecutive frames from an aligned one. */
static bool is_whole(int pagemap, const void *chunk)
{
	uint64_t e[PAGES];
	off_t at = (off_t)((uintptr_t)chunk / 4096 * sizeof(e[0]));

	if (pread(pagemap, e, sizeof(e), at) != (ssize_t)sizeof(e))
		return false;
	for (unsigned int i = 0; i < PAGES; i++)
		if (!(e[i] & PRESENT) ||
		    (e[i] & PFN_MASK) != (e[0] & PFN_MASK) + i)
			return false;
	return true;
}

unsigned int pool_mend(struct pool *p)
{
	unsigned int whole = 0;

	for (uint64_t off = 0; off < p->len; off += POOL_CHUNK) {
		uint8_t *chunk = (uint8_t *)p->hva + off;

		if (!is_whole(p->pagemap, chunk))
			madvise(chunk, POOL_CHUNK, MADV_COLLAPSE);
		whole += is_whole(p->pagemap, chunk);
	}
	return whole;
}

/* An aligned stretch: map one chunk more, then give the ends back. */
static uint8_t *map_aligned(uint64_t len)
{
	uint8_t *raw = mmap(NULL, len + POOL_CHUNK, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint64_t head;

	if (raw == MAP_FAILED)
		return NULL;
	head = -(uintptr_t)raw & (POOL_CHUNK - 1);
	if (head)
		munmap(raw, head);
	munmap(raw + head + len, POOL_CHUNK - head);
	return raw + head;
}

int pool_create(struct pool *p, uint64_t len, char *why, size_t whylen)
{
	unsigned int chunks;

	len = (len + POOL_CHUNK - 1) & ~(POOL_CHUNK - 1);
	p->len = len;
	p->hva = map_aligned(len);
	if (!p->hva) {
		snprintf(why, whylen, "no address space for the pool");
		return -ENOMEM;
	}
	/* For good: later this process may have no right to open it. */
	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	madvise(p->hva, len, MADV_HUGEPAGE);
	madvise(p->hva, len, MADV_DONTFORK);
	if (mlock(p->hva, len)) {
		snprintf(why, whylen,
			 "cannot lock the pool of %llu MiB in "
			 "memory: %s; see RLIMIT_MEMLOCK",
			 (unsigned long long)len >> 20, strerror(errno));
		goto err_unmap;
	}
	chunks = pool_mend(p);
	if (chunks < len >> POOL_CHUNK_SHIFT) {
		snprintf(why, whylen,
			 "only %u of %llu chunks of the pool are "
			 "contiguous; enable transparent huge pages (madvise) "
			 "and run: echo 1 > /proc/sys/vm/compact_memory",
			 chunks, (unsigned long long)len >> POOL_CHUNK_SHIFT);
		goto err_unmap;
	}
	return 0;

err_unmap:
	pool_destroy(p);
	return -ENOMEM;
}

void pool_destroy(struct pool *p)
{
	if (!p->hva)
		return;
	munmap(p->hva, p->len);
	p->hva = NULL;
	if (p->pagemap >= 0)
		close(p->pagemap);
}
