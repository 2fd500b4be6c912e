/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many ranges of addresses, found by address: what tree.h does, at the price of
 * an array look-up while few ranges begin in the same page and none is long.
 *
 * Insertion may need memory. Removal does not, so it cannot fail. The caller
 * locks, for looking too: it remembers where it was.
 */
#ifndef BASE_INDEX_H
#define BASE_INDEX_H

#include "freelist.h"
#include "tree.h"

#define INDEX_BITS    6u
#define INDEX_SLOTS   (1u << INDEX_BITS)
#define INDEX_CLASSES 4u

struct index_node;

struct index {
	struct index_node *root;
	unsigned int height;	/* levels; 0: empty */
	struct freelist *nodes; /* of index_node_size bytes; borrowed */
	/* The lowest node that was last gone to, and its page >> INDEX_BITS:
	 * who looks mostly changes next, and neighbours come together. */
	struct index_node *leaf;
	uint64_t leaf_key;
	struct tree far; /* ranges of more pages than any class */
	/* How many ranges touch at most 2^class pages, and more than half. */
	uint64_t live[INDEX_CLASSES];
	uint32_t classes; /* a bit for each that is not 0 */
};

extern const size_t index_node_size;

void index_init(struct index *x, struct freelist *nodes);

/* @n->first and @n->last are set. 0 or -ENOMEM: nothing has changed. */
int index_insert(struct index *x, struct tree_node *n);
void index_remove(struct index *x, struct tree_node *n);

/* As in tree.h. */
struct tree_node *index_find(struct index *x, uint64_t first, uint64_t last);
struct tree_node *index_overlap(struct index *x, uint64_t first, uint64_t last);
struct tree_node *index_first(struct index *x);
struct tree_node *index_after(struct index *x, const struct tree_place *place);
struct tree_node *index_next(struct index *x, const struct tree_node *n);

#endif
