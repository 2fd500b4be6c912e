/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <slots.h>

static int make(void **state)
{
	*state = calloc(1, sizeof(struct slots));
	return *state ? 0 : -1;
}

static int unmake(void **state)
{
	free(*state);
	return 0;
}

static void all_and_no_more(void **state)
{
	struct slots *s = *state;
	uint32_t first, sum = 0, n;

	while ((n = slots_take(s, 100, &first)) != 0) {
		assert_int_equal(first, sum);
		sum += n;
	}
	assert_int_equal(sum, SLOTS_MAX);
	slots_give(s, 777, 1);
	assert_int_equal(slots_take(s, 5, &first), 1);
	assert_int_equal(first, 777);
	assert_int_equal(slots_take(s, 5, &first), 0);
	assert_int_equal(slots_take(s, 0, &first), 0);
}

static void goes_on_and_wraps(void **state)
{
	struct slots *s = *state;
	uint32_t first;

	assert_int_equal(slots_take(s, 10, &first), 10);
	slots_give(s, 0, 10);
	assert_int_equal(slots_take(s, 10, &first), 10);
	assert_int_equal(first, 10);
	s->next = SLOTS_MAX - 4;
	assert_int_equal(slots_take(s, 8, &first), 8);
	assert_int_equal(first, 0);
}

static void looks_past_short_runs(void **state)
{
	struct slots *s = *state;
	uint32_t first;

	assert_int_equal(slots_take(s, 40, &first), 40);
	for (uint32_t i = 0; i < 20; i += 2)
		slots_give(s, i, 1);
	slots_give(s, 24, 8);
	s->next = 0;
	assert_int_equal(slots_take(s, 8, &first), 8);
	assert_int_equal(first, 24);
}

/* The rival is an array of bytes. */
static void random_against_rival(void **state)
{
	static unsigned char used[SLOTS_MAX];
	struct slots *s = *state;
	uint32_t nused = 0;

	srandom(2);
	for (int round = 0; round < 20000; round++) {
		uint32_t first, n;

		if (random() % 2) {
			n = slots_take(s, 1 + (uint32_t)random() % 300, &first);
			assert_true(n > 0 || nused == SLOTS_MAX);
			for (uint32_t i = 0; i < n; i++) {
				assert_int_equal(used[first + i], 0);
				used[first + i] = 1;
			}
			nused += n;
		} else {
			first = (uint32_t)random() % SLOTS_MAX;
			for (n = 0; n < 200 && first + n < SLOTS_MAX && used[first + n]; n++)
				used[first + n] = 0;
			slots_give(s, first, n);
			nused -= n;
		}
		assert_int_equal(s->nused, nused);
	}
}

#define slots_test(t) cmocka_unit_test_setup_teardown(t, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		slots_test(all_and_no_more),
		slots_test(goes_on_and_wraps),
		slots_test(looks_past_short_runs),
		slots_test(random_against_rival),
	};

	return run_all(tests);
}
