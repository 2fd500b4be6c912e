/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How entries stand in memory. Everything else works with the native form: the
 * guest address of the page with the rights in its lowest bits, 0 if invalid.
 * A word of 0 is invalid in every format, so a fresh table is empty.
 *
 * A format is a row: to memory and from memory. Both are inlined where the
 * format is a constant.
 */
#ifndef WINDOW_FORMAT_H
#define WINDOW_FORMAT_H

#include <stdint.h>
#include <viaduct/window.h>

#define ENTRY_RIGHTS	  ((uint64_t)(VD_READ | VD_WRITE))
#define IOTSB_VALID_SHIFT 63
#define IOTSB_VALID	  ((uint64_t)1 << IOTSB_VALID_SHIFT)

/* These formats are big-endian whatever the host is. */
static inline uint64_t big_endian(uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap64(v);
#else
	return v;
#endif
}

static inline uint64_t format_encode(enum vd_format f, uint64_t entry)
{
	if (f == VD_FORMAT_NATIVE)
		return entry;
	if (f == VD_FORMAT_IOTSB) /* without a branch: lists are long */
		entry |= (uint64_t)(entry != 0) << IOTSB_VALID_SHIFT;
	return big_endian(entry);
}

static inline uint64_t format_decode(enum vd_format f, uint64_t word)
{
	if (f == VD_FORMAT_NATIVE)
		return word;
	word = big_endian(word);
	return f == VD_FORMAT_IOTSB ? word & ~IOTSB_VALID : word;
}

/* The highest page that the format has room for, inclusive. */
static inline uint64_t format_last(enum vd_format f)
{
	return f == VD_FORMAT_IOTSB ? IOTSB_VALID - 1 : UINT64_MAX;
}

#endif
