/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges in a tree: an intrusive treap ordered by (first, last, node), each
 * node knowing the highest last of its subtree.
 *
 * Ranges may overlap and may be equal. No operation allocates, so none can
 * fail. Priorities are a hash of the node's place in memory, which whoever
 * chooses the ranges does not choose; so depth is logarithmic whatever the
 * order of insertion.
 */
#ifndef BASE_TREE_H
#define BASE_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct tree_node {
	uint64_t first, last; /* inclusive; set before insertion */
	uint64_t max_last;    /* of this subtree */
	struct tree_node *left, *right;
};

struct tree {
	struct tree_node *root;
};

void tree_insert(struct tree *t, struct tree_node *n);
void tree_remove(struct tree *t, struct tree_node *n); /* is in @t */

/* A node with exactly this range, or NULL. */
struct tree_node *tree_find(const struct tree *t, uint64_t first,
			    uint64_t last);

/* The lowest node that shares a byte with this range, or NULL. */
struct tree_node *tree_overlap(const struct tree *t, uint64_t first,
			       uint64_t last);

/*
 * Where a node is in the order of a tree: what a walk keeps that stops in
 * between. It is of use when the node is gone, too.
 */
struct tree_place {
	uint64_t first, last;
	uintptr_t node;
};

static inline struct tree_place tree_place_of(const struct tree_node *n)
{
	return (struct tree_place){ n->first, n->last, (uintptr_t)n };
}

/* Does @a come before @b in the order of a tree? Not of equal nodes. */
bool tree_is_before(const struct tree_node *a, const struct tree_node *b);

/* In order: the lowest node, and the first after a place; or NULL. */
struct tree_node *tree_first(const struct tree *t);
struct tree_node *tree_after(const struct tree *t,
			     const struct tree_place *place);

static inline struct tree_node *tree_next(const struct tree *t,
					  const struct tree_node *n)
{
	const struct tree_place place = tree_place_of(n);

	return tree_after(t, &place);
}

#endif
