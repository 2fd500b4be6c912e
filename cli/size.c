/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes on command lines. */
#include "size.h"
#include <errno.h>
#include <string.h>

static int digits(const char **text, uint64_t *out)
{
	const char *p = *text;
	uint64_t n = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned int digit = (unsigned int)(*p - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return -EOVERFLOW;
		n = n * 10 + digit;
	}
	if (p == *text)
		return -EINVAL;
	*text = p;
	*out = n;
	return 0;
}

int size_parse(const char *text, uint64_t *out)
{
	static const char units[] = "kKmMgGtT";
	const char *unit;
	uint64_t n;
	unsigned int shift = 0;
	int err = digits(&text, &n);

	if (err)
		return err;
	if (*text) {
		unit = strchr(units, *text);
		if (!unit || text[1])
			return -EINVAL;
		shift = 10 * ((unsigned int)(unit - units) / 2 + 1);
	}
	if (n > UINT64_MAX >> shift)
		return -EOVERFLOW;
	*out = n << shift;
	return 0;
}
