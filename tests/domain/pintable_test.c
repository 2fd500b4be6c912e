/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include "mem_nth.h"
#include <pintable.h>

#define WORDS (5u * PIN_BLOCK + 7u)

static uint64_t word[WORDS];

static void share(struct pintable *t)
{
	*t = (struct pintable){ .now_ms = 5 };
	assert_int_equal(pintable_share(t, word, WORDS), 0);
}

static void pin(struct pintable *t, uint64_t page)
{
	struct pin_record *r = pintable_reserve(t, page);

	assert_non_null(r);
	r->state = PIN_TAKEN;
	pintable_record(t, page, page + 1, page << 12);
}

static void share_errors(void **state)
{
	struct pintable t = { .word = NULL };

	(void)state;
	assert_int_equal(pintable_share(&t, NULL, 1), -EINVAL);
	assert_int_equal(pintable_share(&t, word, 0), -EINVAL);
	assert_int_equal(pintable_share(&t, word, ((uint64_t)1 << 40) + 1), -EINVAL);
	assert_int_equal(pintable_share(&t, (uint64_t *)(void *)((char *)word + 4), 1), -EINVAL);
	mem_fail(1);
	assert_int_equal(pintable_share(&t, word, WORDS), -ENOMEM);
	mem_fail(0);
	share(&t);
	assert_int_equal(pintable_share(&t, word, WORDS), -EEXIST);
	pintable_end(&t);
	assert_int_equal(mem_live(), 0);
}

static void states(void **state)
{
	struct pintable t;
	struct pin_record *r;

	(void)state;
	share(&t);
	assert_null(pintable_find(&t, 3));
	assert_null(pintable_find(&t, WORDS));
	r = pintable_reserve(&t, 3);
	assert_int_equal(r->state, PIN_RESERVED);
	assert_int_equal(r->since_ms, 5);
	assert_ptr_equal(pintable_find(&t, 3), r);
	assert_int_equal(t.ncached, 0); /* reserved is not pinned */
	assert_int_equal(pintable_next(&t, 0, WORDS), PIN_NOT);
	r->state = PIN_TAKEN;
	pintable_record(&t, 3, 77, 0x9000);
	assert_int_equal(t.ncached, 1);
	assert_int_equal(pintable_next(&t, 0, WORDS), 3);
	pintable_forget(&t, 3);
	assert_null(pintable_find(&t, 3));
	assert_int_equal(t.ncached, 0);
	pintable_end(&t);
}

/* Blocks are there while they are needed and no longer. */
static void memory_follows(void **state)
{
	struct pintable t;
	size_t before;

	(void)state;
	share(&t);
	before = mem_live();
	pin(&t, 0);
	pin(&t, PIN_BLOCK - 1);
	assert_int_equal(mem_live(), before + 1);
	pin(&t, PIN_BLOCK);
	assert_int_equal(mem_live(), before + 2);
	pintable_forget(&t, 0);
	assert_int_equal(mem_live(), before + 2);
	pintable_forget(&t, PIN_BLOCK - 1);
	pintable_forget(&t, PIN_BLOCK);
	assert_int_equal(mem_live(), before);
	mem_fail(1);
	assert_null(pintable_reserve(&t, 9));
	mem_fail(0);
	pin(&t, WORDS - 1);
	pintable_end(&t);
	assert_int_equal(mem_live(), 0);
}

/* What a request uses is marked by the host, for the host. */
static void busy(void **state)
{
	struct pintable t;

	(void)state;
	share(&t);
	assert_false(pintable_is_busy(&t, 70));
	assert_non_null(pintable_reserve(&t, 70));
	assert_non_null(pintable_reserve(&t, 71));
	pintable_set_busy(&t, 70, true);
	pintable_set_busy(&t, 70, true);
	assert_true(pintable_is_busy(&t, 70));
	assert_false(pintable_is_busy(&t, 71));
	assert_false(pintable_is_busy(&t, PIN_BLOCK + 70));
	pintable_set_busy(&t, 70, false);
	assert_false(pintable_is_busy(&t, 70));
	pintable_end(&t);
}

/* Against the plain way to find the next. */
static void finds_the_next(void **state)
{
	static bool is_pinned[WORDS];
	struct pintable t;
	uint32_t x = 7;

	(void)state;
	share(&t);
	for (int i = 0; i < 60; i++) {
		uint64_t page = (x = x * 1103515245u + 12345u) / 65536 % WORDS;

		/* Two blocks stay empty, the last word is taken. */
		if (i == 0)
			page = WORDS - 1;
		if (is_pinned[page] || page / PIN_BLOCK == 1 || page / PIN_BLOCK == 3)
			continue;
		is_pinned[page] = true;
		pin(&t, page);
	}
	for (uint64_t at = 0; at < WORDS; at++) {
		for (uint64_t end = at; end <= WORDS + 100; end += 61) {
			uint64_t i = at;

			while (i < end && i < WORDS && !is_pinned[i])
				i++;
			assert_int_equal(pintable_next(&t, at, end),
					 i < end && i < WORDS ? i : PIN_NOT);
		}
	}
	pintable_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(share_errors),	  cmocka_unit_test(states),
		cmocka_unit_test(memory_follows), cmocka_unit_test(busy),
		cmocka_unit_test(finds_the_next),
	};

	return run_all(tests);
}
