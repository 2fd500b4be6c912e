/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants:
 *  - a block exists if and only if it has a record;
 *  - its bits are the records in state pinned, ncached is how many there are,
 *    nowed how many of them are owed;
 *  - what is busy has a record;
 *  - forgetting needs no memory, so it cannot fail.
 */
#include "pintable.h"

#include <assert.h>
#include <checked.h>
#include <mem.h>
#include <errno.h>

#define MOST_WORDS ((uint64_t)1 << 40)

int pintable_share(struct pintable *t, uint64_t *word, uint64_t nwords)
{
	uint64_t nblocks = (nwords + PIN_BLOCK - 1) >> PIN_BLOCK_SHIFT;

	if (!word || !is_aligned((uintptr_t)word, 3) || nwords == 0 ||
	    nwords > MOST_WORDS)
		return -EINVAL;
	if (t->word)
		return -EEXIST;
	t->block = mem_zalloc(nblocks, sizeof(struct pin_block *));
	if (!t->block)
		return -ENOMEM;

	/* Nothing below can fail. */
	t->nblocks = nblocks;
	t->nwords = nwords;
	t->word = word;
	return 0;
}

void pintable_end(struct pintable *t)
{
	for (uint64_t i = 0; i < t->nblocks; i++)
		mem_free(t->block[i]);
	mem_free(t->block);
	*t = (struct pintable){ .word = NULL };
}

static struct pin_block *block_of(const struct pintable *t, uint64_t page)
{
	return t->block[page >> PIN_BLOCK_SHIFT];
}

static uint64_t bit_of(uint64_t page)
{
	return (uint64_t)1 << (page % 64);
}

struct pin_record *pintable_find(struct pintable *t, uint64_t page)
{
	struct pin_block *b;
	struct pin_record *r;

	if (page >= t->nwords)
		return NULL;
	b = block_of(t, page);
	if (!b)
		return NULL;
	r = &b->record[page % PIN_BLOCK];
	return r->state == PIN_NONE ? NULL : r;
}

struct pin_record *pintable_reserve(struct pintable *t, uint64_t page)
{
	struct pin_block **b = &t->block[page >> PIN_BLOCK_SHIFT];
	struct pin_record *r;

	if (!*b)
		*b = mem_zalloc(1, sizeof(**b));
	if (!*b)
		return NULL;
	r = &(*b)->record[page % PIN_BLOCK];
	assert(r->state == PIN_NONE);
	*r = (struct pin_record){ .since_ms = t->now_ms,
				  .state = PIN_RESERVED };
	(*b)->nrecords++;
	return r;
}

void pintable_record(struct pintable *t, uint64_t page, uint64_t handle,
		     uint64_t bus)
{
	struct pin_block *b = block_of(t, page);
	struct pin_record *r = &b->record[page % PIN_BLOCK];

	assert(r->state == PIN_TAKEN);
	r->handle = handle;
	r->bus = bus;
	r->state = PIN_PINNED;
	b->pinned[page % PIN_BLOCK / 64] |= bit_of(page);
	b->npinned++;
	t->ncached++;
	t->pinned++;
}

void pintable_set_busy(struct pintable *t, uint64_t page, bool busy)
{
	struct pin_block *b = block_of(t, page);
	uint64_t *bits = &b->busy[page % PIN_BLOCK / 64];

	assert(b->record[page % PIN_BLOCK].state != PIN_NONE);
	*bits = busy ? *bits | bit_of(page) : *bits & ~bit_of(page);
}

bool pintable_is_busy(const struct pintable *t, uint64_t page)
{
	const struct pin_block *b = block_of(t, page);

	return b && (b->busy[page % PIN_BLOCK / 64] & bit_of(page)) != 0;
}

void pintable_set_owed(struct pintable *t, uint64_t page, bool owed)
{
	struct pin_record *r = &block_of(t, page)->record[page % PIN_BLOCK];

	assert(r->state == PIN_PINNED);
	t->nowed += (uint64_t)owed - r->owed;
	r->owed = owed;
}

void pintable_forget(struct pintable *t, uint64_t page)
{
	struct pin_block *b = block_of(t, page);
	struct pin_record *r = &b->record[page % PIN_BLOCK];

	assert(r->state != PIN_NONE && !pintable_is_busy(t, page));
	if (r->state == PIN_PINNED) {
		b->pinned[page % PIN_BLOCK / 64] &= ~bit_of(page);
		b->npinned--;
		t->ncached--;
		t->nowed -= r->owed;
	}
	r->state = PIN_NONE;
	if (--b->nrecords > 0)
		return;
	t->block[page >> PIN_BLOCK_SHIFT] = NULL;
	mem_free(b);
}

/* The first pinned page of @b from @at on, which is its own numbering. */
static unsigned int find_in_block(const struct pin_block *b, unsigned int at)
{
	unsigned int i = at / 64;
	uint64_t bits = b->pinned[i] & (UINT64_MAX << (at % 64));

	while (!bits) {
		if (++i == PIN_BLOCK / 64)
			return PIN_BLOCK;
		bits = b->pinned[i];
	}
	return i * 64 + (unsigned int)__builtin_ctzll(bits);
}

uint64_t pintable_next(const struct pintable *t, uint64_t page, uint64_t end)
{
	if (end > t->nwords)
		end = t->nwords;
	while (page < end) {
		const struct pin_block *b = block_of(t, page);
		uint64_t first = page & ~(uint64_t)(PIN_BLOCK - 1);
		unsigned int at = PIN_BLOCK;

		if (b && b->npinned > 0)
			at = find_in_block(b, (unsigned int)(page - first));
		if (at < PIN_BLOCK)
			return first + at < end ? first + at : PIN_NOT;
		page = first + PIN_BLOCK;
	}
	return PIN_NOT;
}
