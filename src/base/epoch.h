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
 * thing is gone or the writer sees the reader.
 *
 * The reader's fence costs more than all the rest of a look-up, and most of the
 * time nobody takes anything away. So a reader that has not seen a writer for
 * long leaves its fence out: its slot is *plain*. The next writer makes up for
 * that with one barrier in every thread, and with it the slot is *fenced* again,
 * so a writer that goes on pays no more than its own fence. Between the two the
 * slot is *turning*: the reader fences already, but writers may not count on it.
 *
 *	fenced   -> plain	the reader, after EPOCH_QUIET announcements
 *				without a writer; the exchange is its last fence
 *	plain    -> turning	a writer, under the lock
 *	turning  -> fenced	the same writer, behind the barrier
 *
 * A reader looks at its slot's mode behind its announcement: if it sees plain,
 * the barrier that ends plain is still to come for it, and makes the
 * announcement visible. tests/spin/epoch.pml has all interleavings.
 */
#ifndef BASE_EPOCH_H
#define BASE_EPOCH_H

#include "atom.h"
#include "lock.h"
#include <stddef.h>

#define EPOCH_LINE 64u

/*
 * A barrier in every thread takes some ten microseconds, and so many fences
 * some hundreds: whoever writes now and then loses a few per cent at most.
 */
#ifndef EPOCH_QUIET /* tests wait less */
#define EPOCH_QUIET (1u << 16)
#endif

enum epoch_mode { EPOCH_FENCED, EPOCH_TURNING, EPOCH_PLAIN };

struct epoch;

struct epoch_slot {
	uint64_t seq;  /* odd while its reader is inside */
	uint32_t mode; /* enum epoch_mode */
	uint32_t
		quiet; /* the reader's: announcements since a look at writers */
	uint64_t waits; /* the reader's: of the epoch, at that look */
	struct epoch *epoch;
	uint64_t used;
	unsigned char pad[EPOCH_LINE - 3 * sizeof(uint64_t) -
			  2 * sizeof(uint32_t) - sizeof(struct epoch *)];
};

struct epoch {
	void *mem; /* owned; the slots begin at its first whole line */
	struct epoch_slot *slot;
	uint64_t n; /* how many slots were ever used, so far */
	uint64_t max;
	uint64_t waits;	  /* roughly how many there were */
	bool has_barrier; /* else all slots stay fenced */
	struct lock turn; /* of modes, by writers; nothing is taken under it */
};

/* 0 or -ENOMEM. */
int epoch_init(struct epoch *e, size_t max);
void epoch_end(struct epoch *e);

/* A slot for a reader, or NULL: all are taken. The caller locks. */
struct epoch_slot *epoch_join(struct epoch *e);
void epoch_leave(struct epoch_slot *s);

/* All that was inside when this was called has been outside since. */
void epoch_wait(struct epoch *e);

/* For the reader: may it leave its fences out from now on? */
void epoch_relax(struct epoch_slot *s);

static inline void epoch_enter(struct epoch_slot *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* the compiler keeps order */
	if (atom_load32(&s->mode) == EPOCH_PLAIN)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (++s->quiet >= EPOCH_QUIET)
		epoch_relax(s);
}

static inline void epoch_exit(struct epoch_slot *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

#endif
