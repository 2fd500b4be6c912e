/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <space.h>

#define PAGES 100000u

static struct vd_space *make(uint64_t npages)
{
	const struct vd_space_cfg cfg = { .size = sizeof(cfg), .npages = npages, .page_shift = 12 };
	struct vd_space *s;

	assert_int_equal(vd_space_create(&cfg, &s), 0);
	return s;
}

static uint64_t nfree(struct vd_space *s)
{
	struct vd_space_stats st = { .size = sizeof(st) };

	vd_space_stats(s, &st);
	assert_int_equal(st.given + st.cached + st.free, st.npages);
	return st.free;
}

static void what_is_given_comes_back_first(void **state)
{
	struct vd_space *s = make(PAGES);
	uint32_t run[MAGAZINE], again[MAGAZINE];

	(void)state;
	assert_int_equal(depot_take(s, 2, MAGAZINE, run), MAGAZINE);
	assert_int_equal(run[MAGAZINE - 1], 0);
	assert_int_equal(run[0], 4 * (MAGAZINE - 1));
	assert_int_equal(nfree(s), PAGES - 4 * MAGAZINE);
	depot_give(s, 2, run);
	assert_int_equal(space_cached(s), 4 * MAGAZINE);
	assert_int_equal(depot_take(s, 2, MAGAZINE, again), MAGAZINE);
	assert_memory_equal(run, again, sizeof(run));
	depot_return(s, 2, again, MAGAZINE);
	assert_int_equal(nfree(s), PAGES);
	vd_space_destroy(s);
}

static void what_does_not_fit_goes_to_the_map(void **state)
{
	static uint32_t run[DEPOT / MAGAZINE + 2][MAGAZINE];
	struct vd_space *s = make(PAGES);
	uint32_t n = ARRAY_LEN(run);

	(void)state;
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(depot_take(s, 0, MAGAZINE, run[i]), MAGAZINE);
	for (uint32_t i = 0; i < n; i++)
		depot_give(s, 0, run[i]);
	assert_int_equal(space_cached(s), DEPOT);
	assert_int_equal(nfree(s), PAGES - DEPOT);
	space_take_back(s);
	assert_int_equal(space_cached(s), 0);
	assert_int_equal(nfree(s), PAGES);
	vd_space_destroy(s);
}

/* One magazine does not take all that a small space has. */
static void leaves_some_for_others(void **state)
{
	struct vd_space *s = make(64);
	uint32_t run[MAGAZINE], n, all = 0;

	(void)state;
	n = depot_take(s, 0, MAGAZINE, run);
	assert_int_equal(n, 64 / 16 + 1);
	while ((n = depot_take(s, 0, MAGAZINE, run)) != 0)
		all += n;
	assert_int_equal(all, 64 - 5);
	vd_space_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_given_comes_back_first),
		cmocka_unit_test(what_does_not_fit_goes_to_the_map),
		cmocka_unit_test(leaves_some_for_others),
	};

	return run_all(tests);
}
