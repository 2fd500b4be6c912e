/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 64-bit words in memory that somebody else changes at the same time. Each
 * call is one access, wait-free, so that whoever changes the word can neither
 * make us loop nor show us two values where we looked once.
 *
 * All but word_peek() order what comes before and after them in the program:
 * a page is pinned before its word says so, and its word says that it is not
 * before it is unpinned. They pair with the guest's compare-and-swaps
 * (kmod/hal/pinword.h), which are full barriers there:
 *	pin, word_or()		  guest sees PINNED, then starts its DMA
 *	DMA done, guest counts down	word_swap() sees 0, then unpin
 * What word_peek() says is only a reason to try.
 */
#ifndef BASE_WORD_H
#define BASE_WORD_H

#include <stdbool.h>
#include <stdint.h>

/* A look that orders nothing. */
static inline uint64_t word_peek(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_RELAXED);
}

static inline uint64_t word_get(const uint64_t *w)
{
	return __atomic_load_n(w, __ATOMIC_SEQ_CST);
}

static inline void word_set(uint64_t *w, uint64_t v)
{
	__atomic_store_n(w, v, __ATOMIC_SEQ_CST);
}

static inline void word_add(uint64_t *w, uint64_t v)
{
	__atomic_fetch_add(w, v, __ATOMIC_SEQ_CST);
}

static inline void word_or(uint64_t *w, uint64_t bits)
{
	__atomic_fetch_or(w, bits, __ATOMIC_SEQ_CST);
}

/* One try to change @old into @v. */
static inline bool word_swap(uint64_t *w, uint64_t old, uint64_t v)
{
	return __atomic_compare_exchange_n(w, &old, v, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

#endif
