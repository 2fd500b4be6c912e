/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structs that cross the library's border and may grow begin with their size:
 * a size_t that the caller sets to the sizeof that it was compiled with. So a
 * caller may be older than the library, or newer:
 *
 *  in   what an older caller does not have is 0, which means "as before there
 *       was such a member"; what a newer one says beyond what is known here must
 *       be 0, or it asks for something that this library does not do
 *  out  an older caller gets as much as it has room for; what a newer one has
 *       beyond is 0
 *
 * Members are only ever added at the end, and none is given another meaning. So
 * such a struct ends with its last member: what was padding would be taken for
 * what an older caller says.
 * Everything behind the border works on structs of one size: its own.
 */
#ifndef BASE_SIZED_H
#define BASE_SIZED_H

#include <stddef.h>
#include <string.h>

/* No struct comes near it: a size above is memory that was never set. */
#define SIZED_MOST ((size_t)4096)

/* What a struct says of itself. It need not be aligned. */
static inline size_t sized_of(const void *s)
{
	size_t size;

	memcpy(&size, s, sizeof(size));
	return size;
}

/* Of another age than the library. */
int sized_read_other(void *to, size_t known, const void *from);
void sized_write_other(void *to, const void *from, size_t known);

/*
 * Copy the caller's struct @from to @to, of @known bytes: 0, -EINVAL (@from is
 * NULL, or its size is none), -E2BIG (it says more than is known here). @to is
 * written on success only, and its size is @known then.
 */
static inline int sized_read(void *to, size_t known, const void *from)
{
	if (!from || sized_of(from) != known)
		return sized_read_other(to, known, from);
	memcpy(to, from, known);
	return 0;
}

/*
 * Fill the caller's struct @to from @from, of @known bytes, whatever size that
 * one says. The size stays the caller's. One that is none is a bug of the caller's,
 * like a pointer to nothing, and ends the process.
 */
static inline void sized_write(void *to, const void *from, size_t known)
{
	if (sized_of(to) != known)
		sized_write_other(to, from, known);
	else
		memcpy((char *)to + sizeof(size_t),
		       (const char *)from + sizeof(size_t),
		       known - sizeof(size_t));
}

#endif
