/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A radix tree over the page in which a range begins, six bits a level, as high
 * as the highest such page needs. A slot of its lowest level is a treap
 * (tree.h) of the ranges that begin in that page: nearly always one or none,
 * but a million equal ones are no list either.
 *
 * A range that reaches into a page began in it or before. How far before is
 * bounded by the longest range there is, of which the number of ranges in each
 * power of two of lengths is kept. So a look-up scans the slots that are in use
 * from there on; with ranges of one page that is one slot. Ranges of more than
 * 2^NEAR_MOST pages are kept apart, in one treap of their own: one of them would
 * otherwise let every look-up scan thousands of slots. So whatever ranges there
 * are a look-up costs a few slots and the logarithm of their number.
 *
 * Invariants:
 *  - a node's bit is set if and only if its slot is not empty;
 *  - no node is empty; an index without near ranges has no nodes.
 */
#include "index.h"

#include <errno.h>
#include <stdbool.h>

#define PAGE_BITS  12u
#define LEVELS_MAX 9u /* of 6 bits, for 52 */
#define NO_PAGE	   UINT64_MAX
#define NEAR_MOST  (INDEX_CLASSES - 1) /* the highest that is found by page */

struct index_node {
	uint64_t used;
	void *slot[INDEX_SLOTS]; /* nodes, or on level 0 struct tree_node */
};

const size_t index_node_size = sizeof(struct index_node);

void index_init(struct index *x, struct freelist *nodes)
{
	*x = (struct index){ .nodes = nodes };
}

static uint64_t page_of(const struct tree_node *n)
{
	return n->first >> PAGE_BITS;
}

static unsigned int slot_of(uint64_t page, unsigned int level)
{
	return page >> (level * INDEX_BITS) & (INDEX_SLOTS - 1);
}

static bool fits(uint64_t page, unsigned int height)
{
	return height == LEVELS_MAX || page >> (height * INDEX_BITS) == 0;
}

/* log2 of the pages that a range touches, rounded up. */
static unsigned int class_of(uint64_t first, uint64_t last)
{
	uint64_t more = (last >> PAGE_BITS) - (first >> PAGE_BITS);

	return more ? 64 - (unsigned int)__builtin_clzll(more) : 0;
}

static bool is_far(uint64_t first, uint64_t last)
{
	return class_of(first, last) > NEAR_MOST;
}

static void set_slot(struct index_node *node, unsigned int i, void *to)
{
	node->slot[i] = to;
	if (to)
		node->used |= (uint64_t)1 << i;
	else
		node->used &= ~((uint64_t)1 << i);
}

static int plant(struct index *x, uint64_t page)
{
	x->root = freelist_take(x->nodes);
	if (!x->root)
		return -ENOMEM;
	x->height = 1;
	while (!fits(page, x->height))
		x->height++;
	return 0;
}

/* Levels on top until @page fits. What was there goes to slot 0 of the new. */
static int grow(struct index *x, uint64_t page)
{
	while (!fits(page, x->height)) {
		struct index_node *node = freelist_take(x->nodes);

		if (!node)
			return -ENOMEM;
		set_slot(node, 0, x->root);
		x->root = node;
		x->height++;
	}
	return 0;
}

/* Give back the nodes on the way to @page that are empty, from below. */
static void prune(struct index *x, uint64_t page)
{
	struct index_node *way[LEVELS_MAX];
	struct index_node *node = x->root;
	unsigned int level = x->height;

	x->leaf = NULL;
	while (level > 0 && node) {
		way[--level] = node;
		node = level ? node->slot[slot_of(page, level)] : NULL;
	}
	for (; level < x->height && way[level]->used == 0; level++) {
		freelist_give(x->nodes, way[level]);
		if (level + 1 == x->height) {
			x->root = NULL;
			x->height = 0;
			return;
		}
		set_slot(way[level + 1], slot_of(page, level + 1), NULL);
	}
}

/* Where the last call was, if @page belongs there. */
static struct index_node *at_leaf(const struct index *x, uint64_t page)
{
	return x->leaf_key == page >> INDEX_BITS ? x->leaf : NULL;
}

static struct index_node *stay_at(struct index *x, uint64_t page,
				  struct index_node *leaf)
{
	x->leaf = leaf;
	x->leaf_key = page >> INDEX_BITS;
	return leaf;
}

/* The lowest node on the way to @page, with all above it; or NULL. */
static struct index_node *reach(struct index *x, uint64_t page)
{
	struct index_node *node = at_leaf(x, page);

	if (node)
		return node;
	if ((x->root ? grow(x, page) : plant(x, page)) != 0)
		return NULL;
	node = x->root;
	for (unsigned int level = x->height - 1; level > 0; level--) {
		struct index_node *next = node->slot[slot_of(page, level)];

		if (!next) {
			next = freelist_take(x->nodes);
			if (!next)
				return NULL;
			set_slot(node, slot_of(page, level), next);
		}
		node = next;
	}
	return stay_at(x, page, node);
}

static struct index_node *leaf_of(struct index *x, uint64_t page)
{
	struct index_node *node = at_leaf(x, page);

	if (node)
		return node;
	if (x->height == 0 || !fits(page, x->height))
		return NULL;
	node = x->root;
	for (unsigned int level = x->height - 1; level > 0 && node; level--)
		node = node->slot[slot_of(page, level)];
	return stay_at(x, page, node);
}

int index_insert(struct index *x, struct tree_node *n)
{
	unsigned int class = class_of(n->first, n->last);
	uint64_t page = page_of(n);
	struct index_node *leaf;
	struct tree t;

	if (class > NEAR_MOST) {
		tree_insert(&x->far, n);
		return 0;
	}
	leaf = reach(x, page);
	if (!leaf) {
		if (x->root)
			prune(x, page);
		return -ENOMEM;
	}
	t.root = leaf->slot[slot_of(page, 0)];
	tree_insert(&t, n);
	set_slot(leaf, slot_of(page, 0), t.root);
	x->live[class]++;
	x->classes |= 1u << class;
	return 0;
}

void index_remove(struct index *x, struct tree_node *n)
{
	unsigned int class = class_of(n->first, n->last);
	uint64_t page = page_of(n);
	struct index_node *leaf;
	struct tree t;

	if (class > NEAR_MOST) {
		tree_remove(&x->far, n);
		return;
	}
	leaf = leaf_of(x, page);
	t.root = leaf->slot[slot_of(page, 0)];
	tree_remove(&t, n);
	set_slot(leaf, slot_of(page, 0), t.root);
	if (leaf->used == 0)
		prune(x, page);
	if (--x->live[class] == 0)
		x->classes &= ~(1u << class);
}

/*
 * Below @node: the first page not below @page in which a range begins. @page's
 * higher bits lead to @node.
 */
static uint64_t next_below(const struct index_node *node, unsigned int level,
			   uint64_t page)
{
	unsigned int i = slot_of(page, level), shift = level * INDEX_BITS;
	uint64_t from_here = node->used >> i << i;
	uint64_t found = NO_PAGE;

	if (level > 0 && (from_here >> i & 1)) {
		found = next_below(node->slot[i], level - 1, page);
		from_here &= from_here - 1;
	}
	if (found != NO_PAGE || from_here == 0)
		return found;
	i = (unsigned int)__builtin_ctzll(from_here);
	page = (page >> shift >> INDEX_BITS << INDEX_BITS | i) << shift;
	/* No node is empty, so there is one. */
	return level ? next_below(node->slot[i], level - 1, page) : page;
}

static uint64_t next_page(struct index *x, uint64_t page)
{
	if (x->height == 0 || !fits(page, x->height))
		return NO_PAGE;
	return next_below(x->root, x->height - 1, page);
}

static struct tree tree_at(struct index *x, uint64_t page)
{
	const struct index_node *leaf = leaf_of(x, page);

	return (struct tree){ leaf ? leaf->slot[slot_of(page, 0)] : NULL };
}

struct tree_node *index_find(struct index *x, uint64_t first, uint64_t last)
{
	struct tree t = x->far;

	if (!is_far(first, last))
		t = tree_at(x, first >> PAGE_BITS);
	return tree_find(&t, first, last);
}

/* The lower of a near one and a far one, of which either may be NULL. */
static struct tree_node *lower(struct tree_node *near, struct tree_node *far)
{
	if (!near || !far)
		return near ? near : far;
	return tree_is_before(far, near) ? far : near;
}

/* The first page in which a range may begin that reaches into @page. */
static uint64_t first_page(struct index *x, uint64_t page)
{
	uint64_t back = 0;

	if (x->classes > 1)
		back = (1u << (31 - __builtin_clz(x->classes))) - 1;
	return page > back ? page - back : 0;
}

static struct tree_node *near_overlap(struct index *x, uint64_t first,
				      uint64_t last)
{
	uint64_t page = first_page(x, first >> PAGE_BITS);
	uint64_t end = last >> PAGE_BITS;
	struct tree_node *n = NULL;
	struct tree t;

	if (page == end) { /* nearly always; the rest costs more */
		t = tree_at(x, page);
		return tree_overlap(&t, first, last);
	}
	for (page = next_page(x, page); !n && page <= end;
	     page = next_page(x, page + 1)) {
		t = tree_at(x, page);
		n = tree_overlap(&t, first, last);
	}
	return n;
}

struct tree_node *index_overlap(struct index *x, uint64_t first, uint64_t last)
{
	return lower(near_overlap(x, first, last),
		     tree_overlap(&x->far, first, last));
}

struct tree_node *index_first(struct index *x)
{
	const struct tree t = tree_at(x, next_page(x, 0));

	return lower(tree_first(&t), tree_first(&x->far));
}

static struct tree_node *near_after(struct index *x,
				    const struct tree_place *place)
{
	uint64_t page = place->first >> PAGE_BITS;
	struct tree t = tree_at(x, page);
	struct tree_node *next = tree_after(&t, place);

	if (next)
		return next;
	t = tree_at(x, next_page(x, page + 1));
	return tree_first(&t);
}

struct tree_node *index_after(struct index *x, const struct tree_place *place)
{
	return lower(near_after(x, place), tree_after(&x->far, place));
}

struct tree_node *index_next(struct index *x, const struct tree_node *n)
{
	const struct tree_place place = tree_place_of(n);

	return index_after(x, &place);
}
