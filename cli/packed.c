/* SPDX-License-Identifier: BSD-2-Clause */
#include "packed.h"
#include <string.h>

const char *packed_reader(const void *begin, size_t len)
{
	static const struct {
		const char *magic, *reader;
		size_t len;
	} row[] = {
		{ "\x1f\x8b", "zcat", 2 },
		{ "\xfd"
		  "7zXZ",
		  "xzcat", 5 },
		{ "\x28\xb5\x2f\xfd", "zstdcat", 4 },
		{ "BZh", "bzcat", 3 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (len >= row[i].len &&
		    !memcmp(begin, row[i].magic, row[i].len))
			return row[i].reader;
	return NULL;
}
