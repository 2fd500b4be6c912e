/* SPDX-License-Identifier: BSD-2-Clause */
/* The map against an array of bools that is looked through. */
#include "mem_nth.h"
#include "test.h"
#include <freemap.h>

#define MAX 40000u

struct naive {
	struct freemap m;
	uint64_t npages, origin, nfree;
	bool taken[MAX];
};

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 20;
}

static void open_map(struct naive *n, uint64_t npages, uint64_t origin)
{
	memset(n, 0, sizeof(*n));
	n->npages = npages;
	n->origin = origin;
	n->nfree = npages;
	assert_int_equal(freemap_init(&n->m, npages, origin), 0);
}

static void take(struct naive *n, uint64_t first, uint64_t len)
{
	freemap_take(&n->m, first, len);
	for (uint64_t i = first; i < first + len; i++) {
		n->nfree -= !n->taken[i];
		n->taken[i] = true;
	}
}

static void give(struct naive *n, uint64_t first, uint64_t len)
{
	freemap_give(&n->m, first, len);
	for (uint64_t i = first; i < first + len; i++) {
		n->nfree += n->taken[i];
		n->taken[i] = false;
	}
}

static bool all_free(const struct naive *n, uint64_t first, uint64_t len)
{
	if (first + len > n->npages)
		return false;
	for (uint64_t i = first; i < first + len; i++)
		if (n->taken[i])
			return false;
	return true;
}

static bool naive_run(const struct naive *n, const struct freemap_want *w, uint64_t *first)
{
	for (uint64_t i = 0; i < n->npages && i + w->npages <= w->end; i++) {
		if ((n->origin + i) % ((uint64_t)1 << w->order) == 0 && all_free(n, i, w->npages)) {
			*first = i;
			return true;
		}
	}
	return false;
}

/* The lowest multiple of the block's own length, if it fits. */
static bool naive_block(const struct naive *n, const struct freemap_want *w, uint64_t *first)
{
	uint64_t len = (uint64_t)1 << w->order;

	while (len < w->npages)
		len *= 2;
	for (uint64_t i = 0; i < n->npages; i += len) {
		if (!all_free(n, i, len))
			continue;
		if ((n->origin + i) % ((uint64_t)1 << w->order) || i + w->npages > w->end)
			return false;
		*first = i;
		return true;
	}
	return false;
}

static uint64_t naive_longest(const struct naive *n)
{
	uint64_t longest = 0, len = 0;

	for (uint64_t i = 0; i < n->npages; i++) {
		len = n->taken[i] ? 0 : len + 1;
		longest = len > longest ? len : longest;
	}
	return longest;
}

static uint64_t some_len(uint64_t *seed, uint64_t most)
{
	uint64_t len = (uint64_t)1 << next_random(seed) % 16;

	len += next_random(seed) % len;
	return len > most ? 1 + next_random(seed) % most : len;
}

static void check_search(const struct naive *n, uint64_t *seed)
{
	struct freemap_want w = { .npages = some_len(seed, n->npages),
				  .order = (unsigned int)(next_random(seed) % 8),
				  .end = n->npages };
	uint64_t a = 0, b = 0;

	if (next_random(seed) % 4 == 0)
		w.end = next_random(seed) % (n->npages + 1);
	assert_int_equal(freemap_run(&n->m, &w, &a), naive_run(n, &w, &b));
	assert_int_equal(a, b);
	a = b = 0;
	assert_int_equal(freemap_block(&n->m, &w, &a), naive_block(n, &w, &b));
	assert_int_equal(a, b);
}

static void check_range(const struct naive *n, uint64_t *seed)
{
	uint64_t first = next_random(seed) % n->npages;
	uint64_t len = some_len(seed, n->npages - first);

	assert_int_equal(freemap_is_free(&n->m, first, len), all_free(n, first, len));
}

static void take_some_runs(struct naive *n, uint64_t *seed)
{
	unsigned int order = (unsigned int)(next_random(seed) % FREEMAP_ORDERS);
	uint32_t first[50], max = (uint32_t)(next_random(seed) % 50), got;
	struct freemap_want w = { (uint64_t)1 << order, 0, n->npages };
	uint64_t lowest = 0;

	got = freemap_take_runs(&n->m, order, max, first);
	for (uint32_t i = 0; i < got; i++) {
		assert_true(naive_block(n, &w, &lowest));
		assert_int_equal(first[i], lowest);
		for (uint64_t p = lowest; p < lowest + w.npages; p++)
			n->taken[p] = true;
		n->nfree -= w.npages;
	}
	assert_true(got == max || !naive_block(n, &w, &lowest));
}

static void step(struct naive *n, uint64_t *seed)
{
	uint64_t first = next_random(seed) % n->npages;
	uint64_t len = some_len(seed, n->npages - first);

	if (next_random(seed) % 8 == 0)
		take_some_runs(n, seed);
	else if (next_random(seed) % 100 < 50)
		take(n, first, len);
	else
		give(n, first, len);
}

static void against_an_array(uint64_t npages, uint64_t origin, unsigned int steps)
{
	static struct naive n;
	uint64_t seed = npages;

	open_map(&n, npages, origin);
	for (unsigned int i = 0; i < steps; i++) {
		step(&n, &seed);
		check_search(&n, &seed);
		check_range(&n, &seed);
		assert_int_equal(freemap_longest(&n.m), naive_longest(&n));
	}
	give(&n, 0, npages);
	assert_int_equal(freemap_longest(&n.m), npages);
	freemap_end(&n.m);
}

static void every_length(void **state)
{
	static const uint64_t npages[] = { 1, 2, 31, 63, 64, 65, 127, 640, 4095, 4096, 4097 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(npages); i++)
		against_an_array(npages[i], 0, 4000);
	against_an_array(MAX, 0, 600);
	against_an_array(1000, 24, 4000);
	against_an_array(1000, 7, 4000);
}

/* Ranges that begin and end beside multiples of 64 words. */
static void edges(void **state)
{
	static const uint64_t at[] = { 0,    1,	   63,	 64,   65,   4031, 4032, 4033, 4095,
				       4096, 4097, 4159, 4160, 8191, 8192, 8193, 12287 };
	static struct naive n;
	uint64_t seed = 1;

	(void)state;
	open_map(&n, 12288, 0);
	for (size_t a = 0; a < ARRAY_LEN(at); a++) {
		for (size_t b = a + 1; b < ARRAY_LEN(at); b++) {
			take(&n, at[a], at[b] - at[a]);
			assert_int_equal(freemap_longest(&n.m), naive_longest(&n));
			check_search(&n, &seed);
			give(&n, at[a], at[b] - at[a]);
			assert_int_equal(freemap_longest(&n.m), 12288);
			take(&n, 0, 12288);
			give(&n, at[a], at[b] - at[a]);
			assert_int_equal(freemap_longest(&n.m), at[b] - at[a]);
			give(&n, 0, 12288);
		}
	}
	freemap_end(&n.m);
}

/* Few pages left in a map of several levels. */
static void nearly_full(void **state)
{
	static struct naive n;
	uint64_t seed = 3;

	(void)state;
	open_map(&n, MAX, 0);
	take(&n, 0, MAX);
	for (int i = 0; i < 1000; i++) {
		uint64_t p = next_random(&seed) % MAX;

		give(&n, p, 1 + (p < MAX - 8 ? next_random(&seed) % 8 : 0));
		check_search(&n, &seed);
		assert_int_equal(freemap_longest(&n.m), naive_longest(&n));
		take(&n, next_random(&seed) % MAX, 1);
	}
	freemap_end(&n.m);
}

/* As many pages as there may be: both ends, and the middle. */
static void huge(void **state)
{
	const uint64_t all = (uint64_t)1 << FREEMAP_MAX_BITS;
	struct freemap_want w = { all, 0, all };
	struct freemap m;
	uint64_t at = 1;

	(void)state;
	assert_int_equal(freemap_init(&m, all, 0), 0);
	assert_true(freemap_block(&m, &w, &at));
	assert_int_equal(at, 0);
	freemap_take(&m, all / 2, 1);
	freemap_take(&m, all - 1, 1);
	assert_false(freemap_block(&m, &w, &at));
	assert_false(freemap_run(&m, &w, &at));
	assert_int_equal(freemap_longest(&m), all / 2);
	w.npages = all / 2 - 2;
	freemap_take(&m, 0, 1000);
	assert_true(freemap_run(&m, &w, &at));
	assert_int_equal(at, all / 2 + 1);
	freemap_give(&m, 0, 1000);
	freemap_give(&m, all / 2, 1);
	freemap_give(&m, all - 1, 1);
	assert_int_equal(freemap_longest(&m), all);
	freemap_end(&m);
}

static void orders(void **state)
{
	(void)state;
	assert_int_equal(freemap_order(1), 0);
	assert_int_equal(freemap_order(2), 1);
	assert_int_equal(freemap_order(3), 2);
	assert_int_equal(freemap_order(32), 5);
	assert_int_equal(freemap_order(33), 6);
	assert_int_equal(freemap_order((uint64_t)1 << 32), 32);
}

static void no_memory(void **state)
{
	struct freemap m;

	(void)state;
	mem_fail(1);
	assert_int_equal(freemap_init(&m, 100, 0), -ENOMEM);
	assert_int_equal(mem_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length), cmocka_unit_test(edges),
		cmocka_unit_test(nearly_full),	cmocka_unit_test(huge),
		cmocka_unit_test(orders),	cmocka_unit_test(no_memory),
	};

	return run_all(tests);
}
