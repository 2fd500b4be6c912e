/* SPDX-License-Identifier: BSD-2-Clause */
#include "sized.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define HEAD sizeof(size_t)

/* 0: what it says is no size. */
static size_t size_of(const void *s)
{
	size_t size = sized_of(s);

	return size >= HEAD && size <= SIZED_MOST ? size : 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static bool is_zero(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

int sized_read_other(void *to, size_t known, const void *from)
{
	const unsigned char *in = from;
	unsigned char *out = to;
	size_t size, have;

	size = from ? size_of(from) : 0;
	if (!size)
		return -EINVAL;
	have = least(size, known);
	if (!is_zero(in + have, size - have))
		return -E2BIG;
	memcpy(out, &known, HEAD);
	memcpy(out + HEAD, in + HEAD, have - HEAD);
	memset(out + have, 0, known - have);
	return 0;
}

void sized_write_other(void *to, const void *from, size_t known)
{
	const unsigned char *in = from;
	unsigned char *out = to;
	size_t size = size_of(to);
	size_t have = least(size, known);

	assert(size); /* the caller has not set it */
	memcpy(out + HEAD, in + HEAD, have - HEAD);
	memset(out + have, 0, size - have);
}
