/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which host memory the pool is made of: decisions from numbers, no system
 * call.
 *
 * A device may address less than the host has, most often 4 GiB, and a coherent
 * buffer may be longer than a huge page. User space cannot ask for memory below
 * an address. But the kernel takes what is above 4 GiB first and what is below
 * when that has run out; so who takes much, looks where it is, keeps what is low
 * and gives the rest back, gets some. pool_room() says whether that is worth
 * trying, and pool_pick() what to keep.
 */
#ifndef VMM_POOL_PICK_H
#define VMM_POOL_PICK_H

#include "sysfs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_SHIFT 21
#define POOL_CHUNK	 ((uint64_t)1 << POOL_CHUNK_SHIFT)
#define POOL_LOW	 ((uint64_t)1 << 32)

/* A huge page that could be a chunk. */
struct pool_piece {
	uint64_t bus; /* address of its first byte */
	void *hva;
};

/*
 * Put @want of the @n pieces first, by ascending address; @n >= @want. Of those
 * below POOL_LOW, if they are enough, and of all otherwise: pairs that follow
 * each other and begin at a multiple of two chunks, then single ones; of either
 * the lowest.
 */
void pool_pick(struct pool_piece *piece, size_t n, size_t want);

/* How many of the pieces lie below POOL_LOW. */
size_t pool_count_low(const struct pool_piece *piece, size_t n);

/*
 * What the host has. @bits: every address of its memory is below 2^bits; 64 if
 * it does not say.
 * @above: bytes free above POOL_LOW on the nodes that have memory below it
 * @below: bytes free below it that user space can get
 * @nodes: a bit for each of these nodes, of the first 64
 * @spare: bytes that can be taken for a moment without harm: MemAvailable, or
 *         what our control groups allow, less a quarter of it, at most 512 MiB.
 *         What is taken is free, and what is low is taken last: so nobody's
 *         cache goes, and others are served from what is low meanwhile
 */
struct pool_room {
	unsigned int bits;
	uint64_t above, below;
	uint64_t nodes;
	uint64_t spare;
};

void pool_look(const struct sysfs *s, struct pool_room *out);

/*
 * How many bytes to take, at most, to find @len: twice that where all memory is
 * low or no device needs it to be (@hard), else what has to be taken before low
 * memory comes, if it can be spared.
 */
uint64_t pool_room(const struct pool_room *r, uint64_t len, bool hard);

/*
 * Give up? @taken of @all bytes took @seconds. No search is longer than
 * POOL_PATIENCE, and one that would be ends when that can be told.
 */
#define POOL_PATIENCE 60 /* seconds */
bool pool_is_hopeless(uint64_t taken, uint64_t all, uint64_t seconds);

#endif
