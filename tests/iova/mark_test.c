/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <mark.h>

static void a_length_comes_back(void **state)
{
	static const uint64_t len[] = { 1,   2,	  30,	31,	32,	  33,
					127, 128, 4096, 999999, 1u << 30, (uint64_t)1 << 31 };
	static const uint8_t kinds[] = { MARK_DIRECT, MARK_RESERVED };
	uint8_t at[8], kind;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(len) * 2; i++) {
		memset(at, 0, sizeof(at));
		mark_put(at, kinds[i % 2], len[i / 2]);
		assert_int_equal(mark_get(at, &kind), len[i / 2]);
		assert_int_equal(kind, kinds[i % 2]);
		mark_clear(at);
		for (size_t k = 0; k < sizeof(at); k++)
			assert_int_equal(at[k], 0);
	}
}

static void a_magazines_run_is_its_length(void **state)
{
	uint8_t kind;

	(void)state;
	for (uint8_t n = 0; n <= 32; n++) {
		assert_int_equal(mark_get(&n, &kind), n);
		assert_int_equal(kind, 0);
	}
}

/* A short run writes its first byte alone, a long one six of its own. */
static void marks_stay_within_their_run(void **state)
{
	uint8_t at[8];

	(void)state;
	for (uint64_t len = 1; len < 300; len++) {
		memset(at, 0, sizeof(at));
		mark_put(at, MARK_DIRECT, len);
		for (size_t k = 0; k < sizeof(at); k++)
			assert_true(at[k] == 0 || k < len);
	}
}

/* What lies inside a run is nobody's first page. */
static void no_run_begins_inside(void **state)
{
	uint8_t at[40] = { 0 }, kind;

	(void)state;
	mark_put(at, MARK_DIRECT, (uint64_t)0x7f3f1f0f07);
	for (size_t k = 1; k < sizeof(at); k++)
		assert_int_equal(mark_get(&at[k], &kind), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_length_comes_back),
		cmocka_unit_test(a_magazines_run_is_its_length),
		cmocka_unit_test(marks_stay_within_their_run),
		cmocka_unit_test(no_run_begins_inside),
	};

	return run_all(tests);
}
