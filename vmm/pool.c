/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

#define PAGES	  (POOL_CHUNK / 4096)
#define PFN_MASK  (((uint64_t)1 << 55) - 1)
#define PRESENT	  ((uint64_t)1 << 63)
#define NOWHERE	  UINT64_MAX
#define MPOL_BIND 2

/* One huge page has consecutive frames from an aligned one. NOWHERE: it is not
 * one. */
static uint64_t place_of(int pagemap, const void *chunk)
{
	uint64_t e[PAGES];
	off_t at = (off_t)((uintptr_t)chunk / 4096 * sizeof(e[0]));

	if (pread(pagemap, e, sizeof(e), at) != (ssize_t)sizeof(e))
		return NOWHERE;
	for (unsigned int i = 0; i < PAGES; i++)
		if (!(e[i] & PRESENT) ||
		    (e[i] & PFN_MASK) != (e[0] & PFN_MASK) + i)
			return NOWHERE;
	return (e[0] & PFN_MASK) * 4096;
}

/* Make it one huge page, if it is not. */
static uint64_t make_whole(int pagemap, void *chunk)
{
	uint64_t bus = place_of(pagemap, chunk);

	if (bus != NOWHERE)
		return bus;
	madvise(chunk, POOL_CHUNK, MADV_COLLAPSE);
	return place_of(pagemap, chunk);
}

static void count_below(struct pool *p, uint64_t bus)
{
	for (unsigned int i = 0; i < POOL_PLACES; i++)
		p->below[i] += bus + POOL_CHUNK <= (uint64_t)1 << i;
}

unsigned int pool_mend(struct pool *p)
{
	unsigned int whole = 0;

	memset(p->below, 0, sizeof(p->below));
	for (uint64_t off = 0; off < p->len; off += POOL_CHUNK) {
		uint64_t bus = make_whole(p->pagemap, (uint8_t *)p->hva + off);

		if (bus == NOWHERE)
			continue;
		whole++;
		count_below(p, bus);
	}
	return whole;
}

uint64_t pool_low(const struct pool *p)
{
	return p->len ? p->below[32] * POOL_CHUNK : 0;
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
	madvise(raw + head, len, MADV_HUGEPAGE);
	madvise(raw + head, len, MADV_DONTFORK);
	return raw + head;
}

/* Memory that is looked at for the pool. */
struct hunt {
	uint8_t *from;
	uint64_t len;
	struct pool_piece *piece;
	size_t n, low, want;
	bool for_low;
	time_t began;
};

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Twice as many as needed are enough to choose from. */
static bool has_enough(const struct hunt *h)
{
	return (h->for_low ? h->low : h->n) >= 2 * h->want;
}

static void look_for_pieces(struct hunt *h, int pagemap)
{
	for (uint64_t off = 0; off < h->len && !has_enough(h);
	     off += POOL_CHUNK) {
		struct pool_piece *p = &h->piece[h->n];

		p->hva = h->from + off;
		if (pool_is_hopeless(off, h->len,
				     (uint64_t)(now() - h->began)) ||
		    madvise(p->hva, POOL_CHUNK, MADV_POPULATE_WRITE))
			return;
		p->bus = h->n < 2 * h->want ? make_whole(pagemap, p->hva) :
					      place_of(pagemap, p->hva);
		if (p->bus == NOWHERE)
			continue;
		h->low += pool_count_low(p, 1);
		h->n++;
	}
}

/* The best of what was found becomes the pool, in order; the rest stays. */
static void keep_best(struct pool *p, struct hunt *h)
{
	size_t n = h->n < h->want ? h->n : h->want;

	pool_pick(h->piece, h->n, n);
	for (size_t i = 0; i < n; i++)
		/* A whole huge page moves as one. */
		mremap(h->piece[i].hva, POOL_CHUNK, POOL_CHUNK,
		       MREMAP_MAYMOVE | MREMAP_FIXED,
		       (uint8_t *)p->hva + i * POOL_CHUNK);
}

/*
 * Fill the pool with what is found within the room that the host has. What is
 * not found is left for mlock() to fill, wherever that is.
 */
static void fill(struct pool *p, const struct pool_room *room, bool hard)
{
	struct hunt h = {
		.len = pool_room(room, p->len, hard) & ~(POOL_CHUNK - 1),
		.want = p->len / POOL_CHUNK,
		.for_low = hard && room->bits > 32,
		.began = now(),
	};

	h.piece = calloc(h.len / POOL_CHUNK + 1, sizeof(*h.piece));
	h.from = map_aligned(h.len);
	if (h.piece && h.from) {
		if (h.for_low && room->nodes)
			syscall(SYS_mbind, h.from, h.len, MPOL_BIND,
				&room->nodes, 65ul, 0u);
		look_for_pieces(&h, p->pagemap);
		keep_best(p, &h);
	}
	if (h.from)
		munmap(h.from, h.len);
	free(h.piece);
}

static int lock_pool(struct pool *p, char *why, size_t whylen)
{
	unsigned long long n = p->len >> POOL_CHUNK_SHIFT;
	unsigned int whole;

	if (mlock(p->hva, p->len)) {
		snprintf(why, whylen,
			 "cannot lock the pool of %llu MiB in "
			 "memory: %s; see RLIMIT_MEMLOCK",
			 (unsigned long long)p->len >> 20, strerror(errno));
		return -ENOMEM;
	}
	whole = pool_mend(p);
	if (whole == n)
		return 0;
	snprintf(why, whylen,
		 "only %u of %llu chunks of the pool are "
		 "contiguous; enable transparent huge pages (madvise) "
		 "and run: echo 1 > /proc/sys/vm/compact_memory",
		 whole, n);
	return -ENOMEM;
}

int pool_create(struct pool *p, uint64_t len, bool hard, char *why,
		size_t whylen)
{
	static const struct sysfs host = { .root = "/sys" };
	struct pool_room room;
	int err;

	memset(p, 0, sizeof(*p));
	p->len = (len + POOL_CHUNK - 1) & ~(POOL_CHUNK - 1);
	p->hva = map_aligned(p->len);
	/* For good: later this process may have no right to open it. */
	p->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (!p->hva) {
		snprintf(why, whylen, "no address space for the pool");
		pool_destroy(p);
		return -ENOMEM;
	}
	pool_look(&host, &room);
	p->bus_bits = room.bits;
	fill(p, &room, hard);
	err = lock_pool(p, why, whylen);
	if (err)
		pool_destroy(p);
	return err;
}

void pool_destroy(struct pool *p)
{
	if (!p->len) /* none was made */
		return;
	if (p->hva)
		munmap(p->hva, p->len);
	if (p->pagemap >= 0)
		close(p->pagemap);
	p->hva = NULL;
	p->len = 0;
}
