/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants:
 *  - in-order is ascending by (first, last, address of the node);
 *  - a parent's priority is not below its children's;
 *  - max_last is the highest last of the subtree.
 *
 * Insertion raises max_last on its way down, because the new node will be
 * below. Removal knows only on its way back what max_last falls to, hence the
 * recursion, as deep as the tree: some 60 at a million nodes.
 */
#include "tree.h"

#include <stddef.h>

static uint64_t priority(const struct tree_node *n)
{
	uint64_t x = (uintptr_t)n;

	/* The finaliser of splitmix64: any bit changes all. */
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static bool is_after(const struct tree_node *n, const struct tree_place *place)
{
	if (n->first != place->first)
		return n->first > place->first;
	if (n->last != place->last)
		return n->last > place->last;
	return (uintptr_t)n > place->node;
}

bool tree_is_before(const struct tree_node *a, const struct tree_node *b)
{
	const struct tree_place place = tree_place_of(a);

	return is_after(b, &place);
}

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void update_max(struct tree_node *n)
{
	n->max_last = n->last;
	if (n->left)
		n->max_last = higher(n->max_last, n->left->max_last);
	if (n->right)
		n->max_last = higher(n->max_last, n->right->max_last);
}

/* Part @t into what is before @at and what is after it. */
static void split(struct tree_node *t, const struct tree_node *at,
		  struct tree_node **before, struct tree_node **after)
{
	if (!t) {
		*before = NULL;
		*after = NULL;
		return;
	}
	if (tree_is_before(t, at)) {
		*before = t;
		split(t->right, at, &t->right, after);
	} else {
		*after = t;
		split(t->left, at, before, &t->left);
	}
	update_max(t);
}

/* All of @a is before all of @b. */
static struct tree_node *join(struct tree_node *a, struct tree_node *b)
{
	struct tree_node *top;

	if (!a || !b)
		return a ? a : b;
	if (priority(a) >= priority(b)) {
		a->right = join(a->right, b);
		top = a;
	} else {
		b->left = join(a, b->left);
		top = b;
	}
	update_max(top);
	return top;
}

void tree_insert(struct tree *t, struct tree_node *n)
{
	struct tree_node **link = &t->root;
	uint64_t mine;

	if (!t->root) { /* nearly always, in an index */
		n->max_last = n->last;
		n->left = n->right = NULL;
		t->root = n;
		return;
	}
	mine = priority(n);
	while (*link && priority(*link) >= mine) {
		struct tree_node *at = *link;

		at->max_last = higher(at->max_last, n->last);
		link = tree_is_before(at, n) ? &at->right : &at->left;
	}
	split(*link, n, &n->left, &n->right);
	update_max(n);
	*link = n;
}

static void remove_below(struct tree_node **link, struct tree_node *n)
{
	struct tree_node *at = *link;

	if (at == n) {
		*link = join(n->left, n->right);
		return;
	}
	remove_below(tree_is_before(at, n) ? &at->right : &at->left, n);
	update_max(at);
}

void tree_remove(struct tree *t, struct tree_node *n)
{
	remove_below(&t->root, n);
}

struct tree_node *tree_find(const struct tree *t, uint64_t first, uint64_t last)
{
	struct tree_node *n = t->root;

	while (n && (n->first != first || n->last != last)) {
		if (n->first < first || (n->first == first && n->last < last))
			n = n->right;
		else
			n = n->left;
	}
	return n;
}

struct tree_node *tree_overlap(const struct tree *t, uint64_t first,
			       uint64_t last)
{
	struct tree_node *n = t->root;

	while (n && n->max_last >= first) {
		/* If anything on the left reaches @first, the lowest that
		 * overlaps is there, or it begins after @last and so does all
		 * to its right. */
		if (n->left && n->left->max_last >= first)
			n = n->left;
		else if (n->first > last)
			return NULL;
		else if (n->last >= first)
			return n;
		else
			n = n->right;
	}
	return NULL;
}

struct tree_node *tree_first(const struct tree *t)
{
	struct tree_node *n = t->root;

	while (n && n->left)
		n = n->left;
	return n;
}

struct tree_node *tree_after(const struct tree *t,
			     const struct tree_place *place)
{
	struct tree_node *at = t->root;
	struct tree_node *best = NULL;

	while (at) {
		if (is_after(at, place)) {
			best = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return best;
}
