/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the domain knows about its cached pages: a record for each, in blocks
 * of 512 that exist while one of their pages has a record. The words of the
 * shared table are apart: the guest writes them, and nothing here is derived
 * from what it wrote.
 *
 * A record's states:
 *	none	  -> reserved	a request names the page; it is counted as
 *				pinned, but is not yet
 *	reserved  -> taken	it stands in the scratch, for the host to pin
 *	taken	  -> pinned	and its word says so
 *	pinned	  -> none	aged, reclaimed, dropped
 *	reserved, taken -> none	the request failed
 * Between two calls, that is while nobody has the domain's lock, a record is
 * none or pinned.
 *
 * A record that a request needs is busy from the moment that the request has
 * seen it until the request ends: nothing that makes room in between forgets it.
 * The mark is here, and not a count in the word, because the guest may store
 * into its words while the request runs. Between two calls none is busy.
 *
 * The domain's lock guards all of it.
 */
#ifndef DOMAIN_PINTABLE_H
#define DOMAIN_PINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIN_BLOCK_SHIFT 9u
#define PIN_BLOCK	(1u << PIN_BLOCK_SHIFT)
#define PIN_NOT		UINT64_MAX /* a page address that is none */

enum pin_state { PIN_NONE, PIN_RESERVED, PIN_TAKEN, PIN_PINNED };

struct pin_record {
	uint64_t handle; /* of the host's pin, if pinned */
	uint64_t bus;	 /* of the page's first byte, if pinned */
	uint64_t since_ms, asked_ms;
	uint32_t device;
	uint32_t asked : 29;
	uint32_t owed : 1; /* a drop could not be done yet; its word is clear */
	uint32_t state : 2; /* enum pin_state */
};

struct pin_block {
	uint64_t pinned[PIN_BLOCK / 64]; /* a bit per page in that state */
	uint64_t busy[PIN_BLOCK / 64];	 /* a bit per record that is busy */
	uint32_t npinned, nrecords;
	struct pin_record record[PIN_BLOCK];
};

struct pintable {
	uint64_t *word; /* borrowed; NULL: there is no table */
	uint64_t nwords;
	struct pin_block **block; /* owned, as are those in it */
	uint64_t nblocks;
	uint64_t hand;	  /* block where the next reclaim goes on */
	bool passed_over; /* a round saw what nobody holds */
	uint64_t now_ms;
	uint64_t ncached; /* pinned records */
	uint64_t nowed;	  /* of these: owed */
	bool dropping;	  /* a drop is under way, see evict.c */
	unsigned int around;
	/* counters, as vd_pins_stats */
	uint64_t requests, asked, pinned, aged, reclaimed, dropped;
	uint32_t cleared; /* times that all words became 0 */
};

/* As vd_domain_share_pins(). */
int pintable_share(struct pintable *t, uint64_t *word, uint64_t nwords);
void pintable_end(struct pintable *t);

/* The record of page number @page, or NULL if it has none. */
struct pin_record *pintable_find(struct pintable *t, uint64_t page);

/* None becomes reserved; NULL: out of memory. */
struct pin_record *pintable_reserve(struct pintable *t, uint64_t page);

/* Taken becomes pinned. */
void pintable_record(struct pintable *t, uint64_t page, uint64_t handle,
		     uint64_t bus);

/* Its record, which is there, becomes busy, or is no longer. */
void pintable_set_busy(struct pintable *t, uint64_t page, bool busy);
bool pintable_is_busy(const struct pintable *t, uint64_t page);

/* Its record, which is pinned, is owed, or is no longer. */
void pintable_set_owed(struct pintable *t, uint64_t page, bool owed);

/* Any state becomes none; it is not busy. */
void pintable_forget(struct pintable *t, uint64_t page);

/*
 * The first pinned page from number @page on that is below @end, or PIN_NOT.
 * Blocks without one cost nothing but the look at their pointer.
 */
uint64_t pintable_next(const struct pintable *t, uint64_t page, uint64_t end);

#endif
