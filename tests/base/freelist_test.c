/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "test.h"
#include <freelist.h>

struct thing {
	void *first;
	long rest[4];
};

static void keeps_some_and_gives_zeroes(void **state)
{
	struct thing *t[4];
	struct freelist p;

	(void)state;
	freelist_init(&p, sizeof(struct thing), 2);
	for (int i = 0; i < 4; i++) {
		t[i] = freelist_take(&p);
		assert_non_null(t[i]);
	}
	assert_int_equal(mem_live(), 4);
	for (int i = 0; i < 4; i++)
		freelist_give(&p, t[i]);
	assert_int_equal(mem_live(), 2);
	t[0] = freelist_take(&p);
	assert_ptr_equal(t[0], t[1]);
	assert_null(t[0]->first);
	assert_int_equal(mem_live(), 2);
	freelist_give(&p, t[0]);
	freelist_end(&p);
	assert_int_equal(mem_live(), 0);
}

static void out_of_memory(void **state)
{
	struct freelist p;

	(void)state;
	freelist_init(&p, sizeof(struct thing), 2);
	mem_fail(1);
	assert_null(freelist_take(&p));
	mem_fail(0);
	freelist_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_some_and_gives_zeroes),
		cmocka_unit_test(out_of_memory),
	};

	return run_all(tests);
}
