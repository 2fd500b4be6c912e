/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <pages.h>

static uint32_t pins[16];
static struct stretch stretch = { .gpa = 0x10000, .last = 0x1ffff, .pins = pins };

static void counts_granules_once(void **state)
{
	struct pages p;

	(void)state;
	pages_init(&p, 12, 0);
	pages_hold(&p, &stretch, 0x10fff, 0x11000); /* two bytes, two pages */
	assert_int_equal(p.npinned, 2);
	pages_hold(&p, &stretch, 0x11010, 0x12fff);
	assert_int_equal(p.npinned, 3);
	assert_int_equal(pins[1], 2);
	pages_release(&p, &stretch, 0x10fff, 0x11000);
	assert_int_equal(p.npinned, 2);
	pages_release(&p, &stretch, 0x11010, 0x12fff);
	assert_int_equal(p.npinned, 0);
}

static void budget_in_granules(void **state)
{
	struct pages p;

	(void)state;
	pages_init(&p, 21, ((uint64_t)2 << 21) - 1);
	assert_int_equal(p.budget, 1);
	p.npinned = 1;
	assert_false(pages_over_budget(&p));
	p.npinned = 2;
	assert_true(pages_over_budget(&p));
	pages_set_budget(&p, 0);
	assert_false(pages_over_budget(&p));
	pages_set_budget(&p, 1); /* not a granule: nothing, which is not "no limit" */
	assert_int_equal(p.budget, 0);
	assert_int_equal(pages_bytes(&p, 3), 3 << 21);
}

static void peak_is_of_commits(void **state)
{
	struct pages p;

	(void)state;
	pages_init(&p, 12, 0);
	pages_hold(&p, &stretch, 0x10000, 0x13fff);
	assert_int_equal(p.peak, 0);
	pages_commit(&p);
	assert_int_equal(p.peak, 4);
	pages_release(&p, &stretch, 0x10000, 0x13fff);
	pages_commit(&p);
	assert_int_equal(p.peak, 4);
}

static void most_pages_are_of_budget_or_memory(void **state)
{
	struct pages p;

	(void)state;
	pages_init(&p, 21, 0);
	assert_int_equal(pages_most(&p, 3u << 21), 3 * 512);
	pages_set_budget(&p, 2u << 21);
	assert_int_equal(pages_most(&p, 3u << 21), 2 * 512);
	assert_int_equal(pages_most(&p, 1u << 21), 512);
	pages_set_budget(&p, 1);
	assert_int_equal(pages_most(&p, 3u << 21), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_pages_are_of_budget_or_memory),
		cmocka_unit_test(counts_granules_once),
		cmocka_unit_test(budget_in_granules),
		cmocka_unit_test(peak_is_of_commits),
	};

	return run_all(tests);
}
