/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of entries. Readers walk them without a lock; who changes one holds
 * the adapter's entry lock.
 */
#ifndef WINDOW_TABLE_H
#define WINDOW_TABLE_H

#include "format.h"
#include <atom.h>
#include <stdbool.h>
#include <stddef.h>

#define TABLE_BITS  9u
#define TABLE_BLOCK (1u << TABLE_BITS) /* entries in a leaf */
#define TABLE_MASK  (TABLE_BLOCK - 1)

/*
 * A leaf holds entries, the others pointers to nodes as words. A node is there
 * only while something in it is, but between reserve and prune.
 */
struct node {
	uint64_t slot[TABLE_BLOCK];
	uint32_t used;	   /* valid entries, or children */
	struct node *next; /* when it is dead */
};

/* What all tables of an adapter may take. */
struct table_budget {
	uint64_t bytes, max;
};

struct vd_table {
	enum vd_format format;
	unsigned int shift;  /* of the page that an entry stands for */
	unsigned int levels; /* below the top; 0: the top holds entries */
	uint64_t nentries;
	uint64_t ntop;
	uint64_t *top;	/* owned */
	uint32_t *used; /* owned; of each block, if the top holds entries */
	uint64_t nlive;
	uint64_t bytes, max;
	uint64_t at;
	struct node *dead; /* out of sight, not yet free */
	struct table_budget *budget;
	struct vd_table *next; /* of the adapter */
	uint32_t nwindows;
	bool implied; /* made for a window: goes with the last */
};

/* Entries that stand side by side, all in one block. */
struct table_run {
	uint64_t *slot; /* NULL: none of them is there, all are invalid */
	uint32_t *used; /* valid entries of the block */
	size_t n;
};

/* 0, -EINVAL, -EDQUOT, -ENOMEM. */
int table_create(const struct vd_table_cfg *cfg, struct table_budget *budget,
		 struct vd_table **out);
void table_destroy(struct vd_table *t);

/* Make room for valid entries: 0, or an error and nothing has changed. */
int table_reserve(struct vd_table *t, uint64_t first, uint64_t n);

/* The entries from @first on, at most @n of them. */
struct table_run table_run(const struct vd_table *t, uint64_t first,
			   uint64_t n);

/* So many more entries of the run are valid now. */
static inline void table_count(struct vd_table *t, const struct table_run *r,
			       int64_t more)
{
	t->nlive += (uint64_t)more;
	*r->used += (uint32_t)more;
}

/* Take back what a reserve made and nobody used. */
void table_unreserve(struct vd_table *t, uint64_t first, uint64_t n);

/*
 * Take the nodes above entry @i out of sight as far as they are empty. They are
 * freed when no reader can be inside any more: table_bury().
 */
void table_prune(struct vd_table *t, uint64_t i);
void table_bury(struct vd_table *t);

/* The first entry from @i to @last that has a place; TABLE_END: there is none. */
#define TABLE_END UINT64_MAX
uint64_t table_next(const struct vd_table *t, uint64_t i, uint64_t last);

bool table_is_live(const struct vd_table *t, uint64_t first, uint64_t n);
uint64_t table_nlive(const struct vd_table *t, uint64_t first, uint64_t n);

/* The leaf of entry @i, by a reader, or NULL. There is at least one level. */
static inline const struct node *table_leaf(const uint64_t *top,
					    unsigned int levels, uint64_t i)
{
	uint64_t n = atom_load(&top[i >> (TABLE_BITS * levels)]);

	for (unsigned int l = levels - 1; l > 0 && n; l--) {
		const struct node *at = (const struct node *)(uintptr_t)n;

		n = atom_load(&at->slot[i >> (TABLE_BITS * l) & TABLE_MASK]);
	}
	return (const struct node *)(uintptr_t)n;
}

/* The word of entry @i, by a reader. */
static inline uint64_t table_walk(const uint64_t *top, unsigned int levels,
				  uint64_t i)
{
	const struct node *leaf;

	if (levels == 0)
		return atom_peek(&top[i]);
	leaf = table_leaf(top, levels, i);
	return leaf ? atom_peek(&leaf->slot[i & TABLE_MASK]) : 0;
}

/*
 * Where entry @i is, by a reader; *n: how many stand side by side from there
 * on, if that is less. NULL: none of them is there.
 */
static inline const uint64_t *table_row(const uint64_t *top,
					unsigned int levels, uint64_t i,
					uint64_t *n)
{
	uint64_t at = i & TABLE_MASK;
	const struct node *leaf;

	if (levels == 0)
		return &top[i];
	leaf = table_leaf(top, levels, i);
	if (*n > TABLE_BLOCK - at)
		*n = TABLE_BLOCK - at;
	return leaf ? &leaf->slot[at] : NULL;
}

#endif
