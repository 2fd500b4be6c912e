/* SPDX-License-Identifier: BSD-2-Clause */
#include "sized.h"

#include <errno.h>
#include <string.h>

#define HEAD sizeof(size_t)

/* What the struct says of itself, or 0. It need not be aligned. */
static size_t size_of(const void *s)
{
	size_t size;

	memcpy(&size, s, HEAD);
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

int sized_read(void *to, size_t known, const void *from)
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

void sized_write(void *to, const void *from, size_t known)
{
	const unsigned char *in = from;
	unsigned char *out = to;
	size_t size = size_of(to);
	size_t have = least(size, known);

	if (!size)
		return;
	memcpy(out + HEAD, in + HEAD, have - HEAD);
	memset(out + have, 0, size - have);
}

bool sized_has(const void *s, size_t end)
{
	return end <= size_of(s);
}
