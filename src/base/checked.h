/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic on numbers that somebody else chose. Ranges are given by their
 * first and last byte (inclusive), so that one may end at the top of the
 * address space.
 */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False if a + b wraps; *sum is written only if it does not. */
static inline bool checked_add(uint64_t a, uint64_t b, uint64_t *sum)
{
	if (a > UINT64_MAX - b)
		return false;
	*sum = a + b;
	return true;
}

/* The last byte of @len bytes from @first; false if @len is 0 or it wraps. */
static inline bool checked_last(uint64_t first, uint64_t len, uint64_t *last)
{
	return len != 0 && checked_add(first, len - 1, last);
}

static inline bool is_aligned(uint64_t v, unsigned int shift)
{
	return (v & (((uint64_t)1 << shift) - 1)) == 0;
}

static inline uint64_t align_down(uint64_t v, unsigned int shift)
{
	return v >> shift << shift;
}

/* How many units of 2^shift bytes the bytes first..last touch; 0 if 2^64. */
static inline uint64_t units_touched(uint64_t first, uint64_t last,
				     unsigned int shift)
{
	return (last >> shift) - (first >> shift) + 1;
}

static inline bool ranges_overlap(uint64_t first1, uint64_t last1,
				  uint64_t first2, uint64_t last2)
{
	return first1 <= last2 && first2 <= last1;
}

#endif
