/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is reading: readers announce themselves, each in a cache line of its own,
 * and a writer that has taken something out of sight waits for those that might
 * still look at it.
 *
 *	reader			writer
 *	  announce		  take out of sight
 *	  fence			  fence
 *	  look			  look at the announcements, wait
 *	  withdraw		  reuse, free, unpin
 *
 * The fences make one of the two see the other: either the reader sees that the
 * thing is gone or the writer sees the reader. The writer looks at words of
 * memory only; it stops nobody.
 */
#ifndef BASE_EPOCH_H
#define BASE_EPOCH_H

#include "atom.h"
#include <stddef.h>

#define EPOCH_LINE 64u

/* Odd while its reader is inside. */
struct epoch_slot {
	uint64_t seq;
	uint64_t used;
	unsigned char pad[EPOCH_LINE - 2 * sizeof(uint64_t)];
};

struct epoch {
	void *mem; /* owned; the slots begin at its first whole line */
	struct epoch_slot *slot;
	uint64_t n; /* how many slots were ever used, so far */
	uint64_t max;
};

/* 0 or -ENOMEM. */
int epoch_init(struct epoch *e, size_t max);
void epoch_end(struct epoch *e);

/* A slot for a reader, or NULL: all are taken. The caller locks. */
struct epoch_slot *epoch_join(struct epoch *e);
void epoch_leave(struct epoch_slot *s);

/* All that was inside when this was called has been outside since. */
void epoch_wait(const struct epoch *e);

static inline void epoch_enter(struct epoch_slot *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void epoch_exit(struct epoch_slot *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

#endif
