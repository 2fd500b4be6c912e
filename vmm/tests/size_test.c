/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes on command lines. */
#include "size.h"
#include "unit.h"
#include <errno.h>

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 0 },
		{ "4096", 0, 4096 },
		{ "4K", 0, 4096 },
		{ "3m", 0, 3u << 20 },
		{ "4G", 0, 4ull << 30 },
		{ "2T", 0, 2ull << 40 },
		{ "16777215T", 0, 16777215ull << 40 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "16777216T", -EOVERFLOW, 0 },
		{ "18446744073709551616", -EOVERFLOW, 0 },
		{ "99999999999999999999", -EOVERFLOW, 0 },
		{ "", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "1KiB", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1.5G", -EINVAL, 0 },
	};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		value = 77;
		assert_int_equal(size_parse(rows[i].text, &value), rows[i].err);
		assert_int_equal(value, rows[i].err ? 77 : rows[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_sizes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
