/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of each format and of one, two and more levels against a list of what
 * is in them.
 */
#include "mem_nth.h"
#include "test.h"
#include <table.h>

#define KEPT  64u
#define STEPS 20000u

static struct table_budget budget;

static struct vd_table *make(enum vd_format f, uint64_t nentries)
{
	const struct vd_table_cfg cfg = {
		.size = sizeof(cfg), .format = f, .page_shift = 12, .nentries = nentries
	};
	struct vd_table *t;

	budget = (struct table_budget){ 0, UINT64_MAX };
	assert_int_equal(table_create(&cfg, &budget, &t), 0);
	return t;
}

static uint64_t get(const struct vd_table *t, uint64_t i)
{
	return format_decode(t->format, table_walk(t->top, t->levels, i));
}

static int set(struct vd_table *t, uint64_t i, uint64_t e)
{
	struct table_run r;
	uint64_t was;
	int err = e ? table_reserve(t, i, 1) : 0;

	if (err)
		return err;
	r = table_run(t, i, 1);
	if (!r.slot)
		return 0;
	was = *r.slot;
	*r.slot = format_encode(t->format, e);
	table_count(t, &r, (e != 0) - (was != 0));
	table_prune(t, i);
	table_bury(t);
	return 0;
}

struct kept {
	uint64_t i, e;
};

static uint64_t naive_live(const struct kept *k, uint64_t first, uint64_t last)
{
	uint64_t n = 0;

	for (size_t j = 0; j < KEPT; j++)
		n += k[j].e && k[j].i >= first && k[j].i <= last;
	return n;
}

static void check_range(const struct vd_table *t, const struct kept *k, uint64_t a, uint64_t b)
{
	uint64_t first = a < b ? a : b, last = a < b ? b : a;
	uint64_t n = naive_live(k, first, last);

	assert_int_equal(table_nlive(t, first, last - first + 1), n);
	assert_int_equal(table_is_live(t, first, last - first + 1), n != 0);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 20;
}

/* Somewhere, or near what is there. */
static uint64_t choose(const struct kept *k, uint64_t n, uint64_t *seed)
{
	uint64_t r = next_random(seed);

	if (r % 2)
		return (r >> 1) % n;
	return (k[(r >> 1) % KEPT].i + (r >> 8) % 700) % n;
}

static void against_a_list(enum vd_format f, uint64_t n)
{
	struct vd_table *t = make(f, n);
	struct kept k[KEPT] = { { 0, 0 } };
	uint64_t seed = n + f, empty = t->bytes;

	for (unsigned int step = 0; step < STEPS; step++) {
		struct kept *one = &k[next_random(&seed) % KEPT];

		if (one->e)
			assert_int_equal(set(t, one->i, 0), 0);
		one->e = 0;
		one->i = choose(k, n, &seed);
		if (naive_live(k, one->i, one->i) == 0 && step % 3) {
			one->e = (next_random(&seed) % 1000000) << 12 | 3;
			assert_int_equal(set(t, one->i, one->e), 0);
		}
		if (one->e || naive_live(k, one->i, one->i) == 0)
			assert_int_equal(get(t, one->i), one->e);
		check_range(t, k, choose(k, n, &seed), choose(k, n, &seed));
		assert_int_equal(t->nlive, naive_live(k, 0, n - 1));
	}
	for (size_t j = 0; j < KEPT; j++) {
		if (k[j].e)
			assert_int_equal(get(t, k[j].i), k[j].e);
		if (k[j].e)
			assert_int_equal(set(t, k[j].i, 0), 0);
	}
	assert_int_equal(t->bytes, empty); /* all nodes given back */
	table_destroy(t);
	assert_int_equal(budget.bytes, 0);
}

static void every_format_and_length(void **state)
{
	static const uint64_t n[] = {
		1, 511, 513, 65536, 65537, 1u << 20, (uint64_t)1 << 30, (uint64_t)1 << 52
	};

	(void)state;
	for (unsigned int f = 0; f < VD_FORMATS; f++) {
		for (size_t i = 0; i < ARRAY_LEN(n); i++)
			against_a_list(f, n[i]);
	}
}

/* Words as hardware would find them. */
static void formats(void **state)
{
	const uint64_t e = 0x123456789000 | VD_READ | VD_WRITE;
	const unsigned char tce[] = { 0x00, 0x00, 0x12, 0x34, 0x56, 0x78, 0x90, 0x03 };
	const unsigned char iotsb[] = { 0x80, 0x00, 0x12, 0x34, 0x56, 0x78, 0x90, 0x03 };
	uint64_t word;

	(void)state;
	word = format_encode(VD_FORMAT_TCE, e);
	assert_memory_equal(&word, tce, 8);
	word = format_encode(VD_FORMAT_IOTSB, e);
	assert_memory_equal(&word, iotsb, 8);
	assert_int_equal(format_encode(VD_FORMAT_NATIVE, e), e);
	for (unsigned int f = 0; f < VD_FORMATS; f++) {
		assert_int_equal(format_encode(f, 0), 0);
		assert_int_equal(format_decode(f, format_encode(f, e)), e);
	}
}

static void refuses(void **state)
{
	const struct vd_table_cfg good = { .size = sizeof(good),
					   .page_shift = 12,
					   .nentries = 1000 };
	struct vd_table_cfg cfg = good;
	struct vd_table *t;

	(void)state;
	budget = (struct table_budget){ 0, 7999 };
	cfg.page_shift = 11;
	assert_int_equal(table_create(&cfg, &budget, &t), -EINVAL);
	cfg.page_shift = 35;
	assert_int_equal(table_create(&cfg, &budget, &t), -EINVAL);
	cfg.page_shift = 34;
	cfg.nentries = ((uint64_t)1 << 30) + 1;
	assert_int_equal(table_create(&cfg, &budget, &t), -EINVAL);
	cfg = good;
	cfg.nentries = 0;
	assert_int_equal(table_create(&cfg, &budget, &t), -EINVAL);
	cfg = good;
	cfg.format = VD_FORMATS;
	assert_int_equal(table_create(&cfg, &budget, &t), -EINVAL);
	assert_int_equal(table_create(&good, &budget, &t), -EDQUOT);
	assert_int_equal(budget.bytes, 0);
}

/* A reserve that fails leaves nothing behind, whichever step it was. */
static void reserve_or_nothing(void **state)
{
	struct vd_table *t = make(VD_FORMAT_TCE, (uint64_t)1 << 40);
	uint64_t empty = t->bytes;
	size_t live = mem_live();
	int err;

	(void)state;
	assert_int_equal(set(t, 5, 0x1003), 0);
	for (unsigned int nth = 1;; nth++) {
		uint64_t before = t->bytes;

		mem_fail(nth);
		err = table_reserve(t, ((uint64_t)1 << 39) - 3, 2000);
		mem_fail(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		table_bury(t);
		assert_int_equal(t->bytes, before);
		assert_int_equal(get(t, 5), 0x1003);
	}
	table_unreserve(t, ((uint64_t)1 << 39) - 3, 2000);
	assert_int_equal(set(t, 5, 0), 0);
	table_bury(t);
	assert_int_equal(t->bytes, empty);
	assert_int_equal(mem_live(), live);
	budget.max = t->bytes + 5000; /* a node, not a path */
	assert_int_equal(set(t, 5, 0x1003), -EDQUOT);
	table_bury(t);
	assert_int_equal(t->bytes, empty);
	table_destroy(t);
}

/* Its own limit, whatever there is for all; what went makes room again. */
static void own_limit(void **state)
{
	struct vd_table_cfg cfg = {
		.size = sizeof(cfg), .format = VD_FORMAT_TCE, .page_shift = 12, .nentries = 1024
	};
	struct vd_table *t;

	(void)state;
	budget = (struct table_budget){ .max = UINT64_MAX };
	cfg.max_bytes = 1024 * 8 - 1;
	assert_int_equal(table_create(&cfg, &budget, &t), -EDQUOT);
	assert_int_equal(budget.bytes, 0);
	cfg.max_bytes++;
	assert_int_equal(table_create(&cfg, &budget, &t), 0);
	table_destroy(t);
	t = make(VD_FORMAT_TCE, (uint64_t)1 << 30);
	assert_int_equal(set(t, 5, 0x1003), 0);
	t->max = t->bytes;
	assert_int_equal(set(t, 6, 0x1003), 0);
	assert_int_equal(set(t, 1 << 20, 0x1003), -EDQUOT);
	assert_int_equal(set(t, 5, 0), 0);
	assert_int_equal(set(t, 6, 0), 0);
	table_bury(t);
	assert_int_equal(set(t, 1 << 20, 0x1003), 0);
	assert_int_equal(set(t, 1 << 20, 0), 0);
	table_bury(t);
	table_destroy(t);
}

/* A clear of an empty range of any length looks at the top only. */
static void next_skips_what_is_not_there(void **state)
{
	struct vd_table *t = make(VD_FORMAT_NATIVE, (uint64_t)1 << 52);
	uint64_t last = ((uint64_t)1 << 52) - 1;

	(void)state;
	assert_true(table_next(t, 0, last) == TABLE_END);
	assert_int_equal(set(t, last, 0x1003), 0);
	assert_int_equal(table_next(t, 0, last), last & ~(uint64_t)TABLE_MASK);
	assert_true(table_next(t, 0, last - TABLE_BLOCK) == TABLE_END);
	table_destroy(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_and_length),
		cmocka_unit_test(formats),
		cmocka_unit_test(refuses),
		cmocka_unit_test(reserve_or_nothing),
		cmocka_unit_test(own_limit),
		cmocka_unit_test(next_skips_what_is_not_there),
	};

	return run_all(tests);
}
