/* SPDX-License-Identifier: BSD-2-Clause */
/* The rival is an array of what is in the tree, searched from end to end. */
#include "test.h"
#include <checked.h>
#include <tree.h>

#define N      400
#define ROUNDS 40000
#define SPACE  1000u

static struct tree_node node[N];
static bool in[N];

static bool is_lower(const struct tree_node *a, const struct tree_node *b)
{
	if (a->first != b->first)
		return a->first < b->first;
	if (a->last != b->last)
		return a->last < b->last;
	return (uintptr_t)a < (uintptr_t)b;
}

static const struct tree_node *rival_overlap(uint64_t first, uint64_t last)
{
	const struct tree_node *best = NULL;

	for (int i = 0; i < N; i++) {
		if (in[i] && ranges_overlap(node[i].first, node[i].last, first, last) &&
		    (!best || is_lower(&node[i], best)))
			best = &node[i];
	}
	return best;
}

static bool rival_has(uint64_t first, uint64_t last)
{
	for (int i = 0; i < N; i++) {
		if (in[i] && node[i].first == first && node[i].last == last)
			return true;
	}
	return false;
}

static uint64_t check_subtree(const struct tree_node *n, int *count)
{
	uint64_t max = n->last;

	(*count)++;
	if (n->left) {
		uint64_t left = check_subtree(n->left, count);

		assert_true(is_lower(n->left, n));
		max = left > max ? left : max;
	}
	if (n->right) {
		uint64_t right = check_subtree(n->right, count);

		assert_true(is_lower(n, n->right));
		max = right > max ? right : max;
	}
	assert_true(n->max_last == max);
	return max;
}

static void check_all(const struct tree *t)
{
	const struct tree_node *prev = NULL;
	int nin = 0, ntree = 0, nwalk = 0;

	for (int i = 0; i < N; i++)
		nin += in[i];
	if (t->root)
		check_subtree(t->root, &ntree);
	for (const struct tree_node *n = tree_first(t); n; n = tree_next(t, n)) {
		assert_true(!prev || is_lower(prev, n));
		prev = n;
		nwalk++;
	}
	assert_int_equal(ntree, nin);
	assert_int_equal(nwalk, nin);
}

static void random_against_rival(void **state)
{
	struct tree t = { NULL };

	(void)state;
	srandom(1);
	for (int round = 0; round < ROUNDS; round++) {
		int i = (int)(random() % N);
		uint64_t first = (uint64_t)random() % SPACE;
		uint64_t last = first + (uint64_t)random() % (round % 3 ? 4 : 100);

		if (in[i]) {
			tree_remove(&t, &node[i]);
		} else {
			node[i].first = first;
			node[i].last = last;
			tree_insert(&t, &node[i]);
		}
		in[i] = !in[i];
		assert_ptr_equal(tree_overlap(&t, first, last), rival_overlap(first, last));
		assert_int_equal(tree_find(&t, first, last) != NULL, rival_has(first, last));
		if (round % 97 == 0)
			check_all(&t);
	}
	check_all(&t);
}

static unsigned int depth(const struct tree_node *n)
{
	unsigned int left, right;

	if (!n)
		return 0;
	left = depth(n->left);
	right = depth(n->right);
	return 1 + (left > right ? left : right);
}

/* Ascending and equal ranges are what would make a plain tree a list. */
static void depth_is_logarithmic(void **state)
{
	const size_t n = 1u << 16;
	struct tree_node *nodes = calloc(n, sizeof(*nodes));
	struct tree t = { NULL };

	(void)state;
	assert_non_null(nodes);
	for (size_t i = 0; i < n; i++) {
		nodes[i].first = i / 2;
		nodes[i].last = i / 2;
		tree_insert(&t, &nodes[i]);
	}
	assert_true(depth(t.root) < 16 * 5);
	for (size_t i = 0; i < n; i++)
		tree_remove(&t, &nodes[i]);
	assert_null(t.root);
	free(nodes);
}

static void ends_of_the_space(void **state)
{
	struct tree_node all = { .first = 0, .last = UINT64_MAX };
	struct tree_node top = { .first = UINT64_MAX, .last = UINT64_MAX };
	struct tree t = { NULL };

	(void)state;
	assert_null(tree_first(&t));
	assert_null(tree_overlap(&t, 0, UINT64_MAX));
	tree_insert(&t, &top);
	assert_null(tree_overlap(&t, 0, UINT64_MAX - 1));
	tree_insert(&t, &all);
	assert_ptr_equal(tree_overlap(&t, 5, 5), &all);
	assert_ptr_equal(tree_find(&t, UINT64_MAX, UINT64_MAX), &top);
	assert_ptr_equal(tree_next(&t, &all), &top);
	assert_null(tree_next(&t, &top));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_against_rival),
		cmocka_unit_test(depth_is_logarithmic),
		cmocka_unit_test(ends_of_the_space),
	};

	return run_all(tests);
}
