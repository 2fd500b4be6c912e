/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library of these tests knows struct now. A caller from before has struct
 * old, one from after it struct later.
 */
#include "test.h"
#include <sized.h>

#include <errno.h>
#include <string.h>

struct old {
	size_t size;
	uint32_t a, b;
};

struct now {
	size_t size;
	uint32_t a, b;
	uint64_t c;
};

struct later {
	size_t size;
	uint32_t a, b;
	uint64_t c, d;
};

static void an_equal_caller(void **state)
{
	const struct now in = { sizeof(in), 1, 2, 3 };
	struct now out;

	(void)state;
	assert_int_equal(sized_read(&out, sizeof(out), &in), 0);
	assert_memory_equal(&out, &in, sizeof(in));
}

static void an_older_caller_is_extended_by_zeros(void **state)
{
	const struct old in = { sizeof(in), 1, 2 };
	struct now out = { 9, 9, 9, 9 };

	(void)state;
	assert_int_equal(sized_read(&out, sizeof(out), &in), 0);
	assert_int_equal(out.size, sizeof(out));
	assert_int_equal(out.a, 1);
	assert_int_equal(out.b, 2);
	assert_int_equal(out.c, 0);
}

static void a_newer_caller_may_not_want_more(void **state)
{
	struct later in = { sizeof(in), 1, 2, 3, 0 };
	struct now out;

	(void)state;
	assert_int_equal(sized_read(&out, sizeof(out), &in), 0);
	assert_int_equal(out.size, sizeof(out));
	assert_int_equal(out.c, 3);

	in.d = (uint64_t)1 << 63;
	memset(&out, 7, sizeof(out));
	assert_int_equal(sized_read(&out, sizeof(out), &in), -E2BIG);
	assert_int_equal(out.a, 0x07070707); /* not written */
}

static void no_size_is_no_struct(void **state)
{
	static const size_t sizes[] = { 0, 1, sizeof(size_t) - 1, SIZED_MOST + 1, SIZE_MAX };
	struct now in = { 0, 1, 2, 3 }, out = { 5, 5, 5, 5 };

	(void)state;
	assert_int_equal(sized_read(&out, sizeof(out), NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		in.size = sizes[i];
		assert_int_equal(sized_read(&out, sizeof(out), &in), -EINVAL);
		assert_int_equal(out.a, 5);
	}
}

static void the_shortest_struct_is_its_size(void **state)
{
	const size_t in = sizeof(in);
	struct now out = { 5, 5, 5, 5 };

	(void)state;
	assert_int_equal(sized_read(&out, sizeof(out), &in), 0);
	assert_int_equal(out.a + out.b + out.c, 0);
}

/* What stands behind the caller's struct is not the library's. */
static void an_older_caller_gets_what_it_has_room_for(void **state)
{
	const struct now from = { sizeof(from), 1, 2, 3 };
	struct {
		struct now to;
		uint64_t behind;
	} s = { { 0, 9, 9, 9 }, 9 };

	(void)state;
	for (size_t size = sizeof(size_t); size <= sizeof(s.to); size++) {
		memset(&s, 9, sizeof(s));
		s.to.size = size;
		sized_write(&s.to, &from, sizeof(from));
		assert_int_equal(s.to.size, size);
		assert_memory_equal((char *)&s + sizeof(size_t),
				    (const char *)&from + sizeof(size_t), size - sizeof(size_t));
		for (size_t i = size; i < sizeof(s); i++)
			assert_int_equal(((unsigned char *)&s)[i], 9);
	}
}

static void a_newer_caller_gets_zeros_beyond(void **state)
{
	const struct now from = { sizeof(from), 1, 2, 3 };
	struct later to = { sizeof(to), 9, 9, 9, 9 };

	(void)state;
	sized_write(&to, &from, sizeof(from));
	assert_int_equal(to.size, sizeof(to));
	assert_int_equal(to.a, 1);
	assert_int_equal(to.c, 3);
	assert_int_equal(to.d, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_equal_caller),
		cmocka_unit_test(an_older_caller_is_extended_by_zeros),
		cmocka_unit_test(a_newer_caller_may_not_want_more),
		cmocka_unit_test(no_size_is_no_struct),
		cmocka_unit_test(the_shortest_struct_is_its_size),
		cmocka_unit_test(an_older_caller_gets_what_it_has_room_for),
		cmocka_unit_test(a_newer_caller_gets_zeros_beyond),
	};

	return run_all(tests);
}
