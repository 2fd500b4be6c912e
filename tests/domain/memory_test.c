/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "test.h"
#include <memory.h>

#define K 0x1000u

struct add_row {
	const char *what;
	uint64_t gpa, hva, len;
	int err;
};

/* Guest memory is at 16K..32K, process memory at 1M. */
static const struct add_row add_rows[] = {
	{ "empty", 0, 0x200000, 0, -EINVAL },
	{ "gpa misaligned", 1, 0x200000, K, -EINVAL },
	{ "hva misaligned", 0, 0x200001, K, -EINVAL },
	{ "len misaligned", 0, 0x200000, K + 1, -EINVAL },
	{ "no hva", 0, 0, K, -EINVAL },
	{ "gpa wraps", UINT64_MAX - K + 1, 0x200000, 2 * K, -EOVERFLOW },
	{ "hva wraps", 0, UINT64_MAX - K + 1, 2 * K, -EOVERFLOW },
	{ "same", 4 * K, 0x100000, 4 * K, -EEXIST },
	{ "gpa overlaps at its end", K, 0x200000, 4 * K, -EEXIST },
	{ "gpa overlaps at its start", 7 * K, 0x200000, 4 * K, -EEXIST },
	{ "hva overlaps", 16 * K, 0x103000, K, -EEXIST },
	{ "just below", 3 * K, 0x0ff000, K, 0 },
	{ "just above", 8 * K, 0x104000, K, 0 },
	{ "last page there is", UINT64_MAX - K + 1, 0x300000, K, 0 },
};

static void add_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(add_rows); i++) {
		const struct add_row *r = &add_rows[i];
		struct memory m;
		uint64_t len;

		memory_init(&m, 12);
		assert_int_equal(memory_add(&m, 4 * K, (void *)0x100000, 4 * K), 0);
		len = m.len;
		if (memory_add(&m, r->gpa, (void *)(uintptr_t)r->hva, r->len) != r->err)
			fail_msg("%s", r->what);
		assert_int_equal(m.n, r->err ? 1 : 2);
		assert_int_equal(m.len, r->err ? len : len + r->len);
		memory_end(&m);
	}
}

static void table_full_and_no_memory(void **state)
{
	struct memory m;

	(void)state;
	memory_init(&m, 12);
	mem_fail(1);
	assert_int_equal(memory_add(&m, 0, (void *)0x100000, K), -ENOMEM);
	assert_int_equal(m.n, 0);
	for (uintptr_t i = 0; i < MEMORY_MAX; i++)
		assert_int_equal(memory_add(&m, i * 2 * K, (void *)((i + 1) * K), K), 0);
	assert_int_equal(memory_add(&m, 1000 * K, (void *)(1000 * K), K), -ENOSPC);
	memory_end(&m);
	assert_int_equal(mem_live(), 0);
}

static void find_and_piece(void **state)
{
	struct memory m;
	uint64_t piece;

	(void)state;
	memory_init(&m, 12);
	memory_add(&m, 0, (void *)0x100000, K);
	memory_add(&m, K, (void *)0x200000, K);
	assert_ptr_equal(memory_find(&m, 0, K - 1), &m.at[0]);
	assert_ptr_equal(memory_find(&m, K, 2 * K - 1), &m.at[1]);
	assert_null(memory_find(&m, K - 1, K)); /* two stretches */
	assert_null(memory_find(&m, 2 * K, 2 * K));
	assert_ptr_equal(memory_piece(&m, 10, 5, &piece), 0x10000a);
	assert_int_equal(piece, 5);
	assert_ptr_equal(memory_piece(&m, K - 3, 5, &piece), 0x100ffd);
	assert_int_equal(piece, 3);
	assert_null(memory_piece(&m, 2 * K, 5, &piece));
	memory_end(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_errors),
		cmocka_unit_test(table_full_and_no_memory),
		cmocka_unit_test(find_and_piece),
	};

	return run_all(tests);
}
