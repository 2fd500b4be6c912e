/* SPDX-License-Identifier: BSD-2-Clause */
/* The rival is one tree of all ranges, which tree_test.c tests. */
#include "mem_nth.h"
#include "test.h"
#include <index.h>

#define N      600
#define ROUNDS 60000
#define PAGE   4096u

/* A range is in both: two nodes, and a way from one to the other. */
struct range {
	struct tree_node in_index, in_rival;
	bool in;
};

static struct range range[N];

static struct range *from_index(struct tree_node *n)
{
	return n ? container_of(n, struct range, in_index) : NULL;
}

static struct range *from_rival(struct tree_node *n)
{
	return n ? container_of(n, struct range, in_rival) : NULL;
}

/* The two may order equal ranges differently. */
static void assert_same(struct tree_node *a, struct tree_node *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a) {
		assert_true(a->first == b->first);
		assert_true(a->last == b->last);
	}
}

static void check_walk(struct index *x, const struct tree *rival)
{
	struct tree_node *a = index_first(x), *b = tree_first(rival);

	for (; a && b; a = index_next(x, a), b = tree_next(rival, b)) {
		assert_same(a, b);
		assert_true(from_index(a)->in && from_rival(b)->in);
	}
	assert_same(a, b);
}

/* Where ranges begin: close together, far apart, at the very top. */
static uint64_t somewhere(int round)
{
	static const uint64_t base[] = { 0, 1ull << 32, 1ull << 51, UINT64_MAX - 99 * PAGE };

	return base[round / 97 % 4] + (uint64_t)random() % (99 * PAGE);
}

static void set_range(struct range *r, int round)
{
	uint64_t first = somewhere(round), len = (uint64_t)random();

	len %= round % 11 == 0 ? 40 * PAGE : round % 3 ? PAGE : 3 * PAGE;
	if (round % 5 == 0)
		first -= first % PAGE;
	r->in_index.first = r->in_rival.first = first;
	r->in_index.last = r->in_rival.last = first + len < first ? UINT64_MAX : first + len;
}

static void random_against_rival(void **state)
{
	struct tree rival = { NULL };
	struct freelist pool;
	struct index x;

	(void)state;
	srandom(4);
	freelist_init(&pool, index_node_size, 8);
	index_init(&x, &pool);
	for (int round = 0; round < ROUNDS; round++) {
		struct range *r = &range[random() % N];
		uint64_t first, last;

		if (r->in) {
			index_remove(&x, &r->in_index);
			tree_remove(&rival, &r->in_rival);
		} else {
			set_range(r, round);
			assert_int_equal(index_insert(&x, &r->in_index), 0);
			tree_insert(&rival, &r->in_rival);
		}
		r->in = !r->in;
		first = somewhere(round);
		last = first + (uint64_t)random() % (8 * PAGE);
		last = last < first ? UINT64_MAX : last;
		assert_same(index_overlap(&x, first, last), tree_overlap(&rival, first, last));
		assert_same(index_find(&x, r->in_index.first, r->in_index.last),
			    tree_find(&rival, r->in_index.first, r->in_index.last));
		if (round % 499 == 0)
			check_walk(&x, &rival);
	}
	for (int i = 0; i < N; i++) {
		if (range[i].in)
			index_remove(&x, &range[i].in_index);
	}
	assert_null(x.root);
	assert_null(x.far.root);
	assert_int_equal(x.height + x.classes, 0);
	assert_null(index_first(&x));
	freelist_end(&pool);
	assert_int_equal(mem_live(), 0);
}

/* Whichever node cannot be had, the index is as it was. */
static void fault_sweep(void **state)
{
	struct tree_node low = { .first = 5 * PAGE, .last = 6 * PAGE };
	struct tree_node high = { .first = 1ull << 60, .last = (1ull << 60) + 9 };
	struct freelist pool;
	struct index x;
	unsigned int n = 0;
	int err;

	(void)state;
	freelist_init(&pool, index_node_size, 0);
	index_init(&x, &pool);
	for (unsigned int i = 1; i <= 9; i++) { /* on an empty one */
		mem_fail(i);
		assert_int_equal(index_insert(&x, &high), -ENOMEM);
		mem_fail(0);
		assert_null(x.root);
		assert_int_equal(mem_live(), 0);
	}
	assert_int_equal(index_insert(&x, &low), 0);
	do {
		mem_fail(++n);
		err = index_insert(&x, &high);
		mem_fail(0);
		assert_ptr_equal(index_first(&x), &low);
		assert_ptr_equal(index_overlap(&x, 0, UINT64_MAX), &low);
		if (err)
			assert_null(index_find(&x, high.first, high.last));
		/* It may have grown higher meanwhile, which nobody sees. */
		assert_true(mem_live() <= 18);
	} while (err);
	assert_true(n > 4);
	index_remove(&x, &high);
	index_remove(&x, &low);
	assert_int_equal(mem_live(), 0);
	freelist_end(&pool);
}

struct reach_row {
	uint64_t npages;
	unsigned int classes; /* that look-ups go back for */
};

static const struct reach_row reach_rows[] = {
	{ 1, 1 }, { 2, 2 }, { 4, 4 }, { 8, 8 }, { 9, 0 }, { 4096, 0 }, { 1ull << 51, 0 },
};

/* How far a look-up goes back is bounded, whatever ranges there are. */
static void long_ranges_lengthen_no_look_up(void **state)
{
	struct freelist pool;
	struct index x;

	(void)state;
	freelist_init(&pool, index_node_size, 0);
	index_init(&x, &pool);
	for (size_t i = 0; i < ARRAY_LEN(reach_rows); i++) {
		struct tree_node n = { .first = 7 * PAGE };

		n.last = n.first + reach_rows[i].npages * PAGE - 1;
		assert_int_equal(index_insert(&x, &n), 0);
		assert_int_equal(x.classes, reach_rows[i].classes);
		assert_ptr_equal(index_overlap(&x, n.last, n.last), &n);
		assert_ptr_equal(index_first(&x), &n);
		assert_null(index_next(&x, &n));
		index_remove(&x, &n);
		assert_int_equal(x.classes, 0);
	}
	freelist_end(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_against_rival),
		cmocka_unit_test(fault_sweep),
		cmocka_unit_test(long_ranges_lengthen_no_look_up),
	};

	return run_all(tests);
}
