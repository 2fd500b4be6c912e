/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "test.h"
#include <pool.h>

struct thing {
	void *first;
	long rest[4];
};

static void keeps_some_and_gives_zeroes(void **state)
{
	struct thing *t[4];
	struct pool p;

	(void)state;
	pool_init(&p, sizeof(struct thing), 2);
	for (int i = 0; i < 4; i++) {
		t[i] = pool_take(&p);
		assert_non_null(t[i]);
	}
	assert_int_equal(mem_live(), 4);
	for (int i = 0; i < 4; i++)
		pool_give(&p, t[i]);
	assert_int_equal(mem_live(), 2);
	t[0] = pool_take(&p);
	assert_ptr_equal(t[0], t[1]);
	assert_null(t[0]->first);
	assert_int_equal(mem_live(), 2);
	pool_give(&p, t[0]);
	pool_end(&p);
	assert_int_equal(mem_live(), 0);
}

static void out_of_memory(void **state)
{
	struct pool p;

	(void)state;
	pool_init(&p, sizeof(struct thing), 2);
	mem_fail(1);
	assert_null(pool_take(&p));
	mem_fail(0);
	pool_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_some_and_gives_zeroes),
		cmocka_unit_test(out_of_memory),
	};

	return run_all(tests);
}
