/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <checked.h>

static void add_and_last(void **state)
{
	uint64_t v = 7;

	(void)state;
	assert_true(checked_add(1, 2, &v));
	assert_int_equal(v, 3);
	assert_false(checked_add(UINT64_MAX, 1, &v));
	assert_int_equal(v, 3);
	assert_true(checked_last(UINT64_MAX, 1, &v));
	assert_true(v == UINT64_MAX);
	assert_false(checked_last(UINT64_MAX, 2, &v));
	assert_false(checked_last(5, 0, &v));
}

static void alignment_and_units(void **state)
{
	(void)state;
	assert_true(is_aligned(0x2000, 12));
	assert_false(is_aligned(0x2001, 12));
	assert_int_equal(align_down(0x2fff, 12), 0x2000);
	assert_int_equal(units_touched(0xfff, 0xfff, 12), 1);
	assert_int_equal(units_touched(0xfff, 0x1000, 12), 2);
	assert_int_equal(units_touched(0, UINT64_MAX, 12), (uint64_t)1 << 52);
}

static void overlap(void **state)
{
	(void)state;
	assert_true(ranges_overlap(1, 5, 5, 9));
	assert_true(ranges_overlap(5, 9, 1, 5));
	assert_true(ranges_overlap(1, 9, 4, 5));
	assert_false(ranges_overlap(1, 4, 5, 9));
	assert_true(ranges_overlap(0, UINT64_MAX, UINT64_MAX, UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_and_last),
		cmocka_unit_test(alignment_and_units),
		cmocka_unit_test(overlap),
	};

	return run_all(tests);
}
