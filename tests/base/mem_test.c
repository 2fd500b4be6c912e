/* SPDX-License-Identifier: BSD-2-Clause */
/* The real allocator, not the tests' one. */
#include "test.h"
#include <mem.h>

static void zeroed(void **state)
{
	unsigned char *p = mem_zalloc(3, 5);

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 15; i++)
		assert_int_equal(p[i], 0);
	mem_free(p);
	mem_free(NULL);
}

static void never_wraps(void **state)
{
	volatile size_t huge = SIZE_MAX / 2;

	(void)state;
	assert_null(mem_zalloc(huge, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed),
		cmocka_unit_test(never_wraps),
	};

	return run_all(tests);
}
