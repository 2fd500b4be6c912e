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

#include <stdbool.h>
#include <stddef.h>

/* No struct comes near it: a size above is memory that was never set. */
#define SIZED_MOST ((size_t)4096)

/*
 * Copy the caller's struct @from to @to, of @known bytes: 0, -EINVAL (@from is
 * NULL, or its size is none), -E2BIG (it says more than is known here). @to is
 * written on success only, and its size is @known then.
 */
int sized_read(void *to, size_t known, const void *from);

/*
 * Fill the caller's struct @to from @from, of @known bytes. The size stays the
 * caller's; one that is none gets nothing.
 */
void sized_write(void *to, const void *from, size_t known);

/* Has the caller's struct @s room for a member that ends at byte @end? */
bool sized_has(const void *s, size_t end);

#endif
