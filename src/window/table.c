/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Short tables are one array; long ones a radix tree whose top has just the
 * length it needs. A leaf is 512 entries: a page of 4 KiB, and the unit in
 * which short tables count valid entries as well.
 *
 * Invariants:
 *  - a count says how many entries or children of its node are not 0;
 *  - after each change of the adapter no node but the top is empty, so whether
 *    a range has a valid entry is known from its two edges;
 *  - what a reader can still see is not freed: nodes leave in two steps.
 */
#include "table.h"

#include <checked.h>
#include <mem.h>
#include <errno.h>

/*
 * One array up to this many entries: half a mebibyte that stays, for a window of
 * 256 MiB. Measured, a level more costs a look-up 0.7 ns of 3.5 there and 0.6 of
 * 4.4 at a million entries, where the array would be 8 MB that is never given
 * back.
 */
#define FLAT_MAX ((uint64_t)1 << 16)
#define TOP_MAX	 2048u

static int check_cfg(const struct vd_table_cfg *cfg)
{
	if ((unsigned int)cfg->format >= VD_FORMATS ||
	    cfg->page_shift < VD_IO_SHIFT_MIN ||
	    cfg->page_shift > VD_IO_SHIFT_MAX)
		return -EINVAL;
	if (cfg->nentries == 0 ||
	    cfg->nentries - 1 > UINT64_MAX >> cfg->page_shift)
		return -EINVAL;
	return 0;
}

/* False if that would be more than it or all tables may take. */
static bool charge(struct vd_table *t, uint64_t bytes)
{
	if (bytes > t->budget->max - t->budget->bytes ||
	    bytes > t->max - t->bytes)
		return false;
	t->budget->bytes += bytes;
	t->bytes += bytes;
	return true;
}

static void discharge(struct vd_table *t, uint64_t bytes)
{
	t->budget->bytes -= bytes;
	t->bytes -= bytes;
}

static uint64_t nblocks(uint64_t nentries)
{
	return (nentries - 1) / TABLE_BLOCK + 1;
}

static void set_shape(struct vd_table *t, const struct vd_table_cfg *cfg)
{
	t->format = cfg->format;
	t->shift = cfg->page_shift;
	t->nentries = cfg->nentries;
	t->at = cfg->at;
	t->max = cfg->max_bytes ? cfg->max_bytes : UINT64_MAX;
	t->ntop = cfg->nentries;
	if (t->nentries <= FLAT_MAX)
		return;
	do {
		t->ntop = nblocks(t->ntop);
		t->levels++;
	} while (t->ntop > TOP_MAX);
}

int table_create(const struct vd_table_cfg *cfg, struct table_budget *budget,
		 struct vd_table **out)
{
	struct vd_table *t;
	int err = check_cfg(cfg);

	if (err)
		return err;
	t = mem_zalloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->budget = budget;
	set_shape(t, cfg);
	err = -EDQUOT;
	if (!charge(t, t->ntop * sizeof(uint64_t)))
		goto err_free;
	err = -ENOMEM;
	t->top = mem_zalloc(t->ntop, sizeof(uint64_t));
	if (!t->top)
		goto err_discharge;
	if (t->levels == 0) {
		t->used = mem_zalloc(nblocks(t->nentries), sizeof(*t->used));
		if (!t->used)
			goto err_top;
	}
	*out = t;
	return 0;

err_top:
	mem_free(t->top);
err_discharge:
	discharge(t, t->bytes);
err_free:
	mem_free(t);
	return err;
}

static struct node *child(uint64_t word)
{
	return (struct node *)(uintptr_t)word;
}

/* Where the pointer to the node of level @level (1: leaf) for entry @i is. */
static uint64_t *find_slot(const struct vd_table *t, uint64_t i,
			   unsigned int level, struct node **parent)
{
	uint64_t *at = &t->top[i >> (TABLE_BITS * t->levels)];

	*parent = NULL;
	for (unsigned int l = t->levels; l > level; l--) {
		*parent = child(*at);
		if (!*parent)
			return NULL;
		at = &(*parent)->slot[i >> (TABLE_BITS * (l - 1)) & TABLE_MASK];
	}
	return at;
}

static struct node *find_leaf(const struct vd_table *t, uint64_t i)
{
	struct node *parent;
	uint64_t *at = find_slot(t, i, 1, &parent);

	return at ? child(*at) : NULL;
}

static int add_node(struct vd_table *t, uint64_t *at, struct node *parent)
{
	struct node *n;

	if (!charge(t, sizeof(*n)))
		return -EDQUOT;
	n = mem_zalloc(1, sizeof(*n));
	if (!n) {
		discharge(t, sizeof(*n));
		return -ENOMEM;
	}
	atom_store(at, (uintptr_t)n); /* zeroed: pairs with table_leaf() */
	if (parent)
		parent->used++;
	return 0;
}

/* The node for entry @i at @level, if it is there and empty, dies. */
static void prune_node(struct vd_table *t, uint64_t i, unsigned int level)
{
	struct node *parent, *n;
	uint64_t *at = find_slot(t, i, level, &parent);

	if (!at)
		return;
	n = child(*at);
	if (!n || n->used)
		return;
	atom_store(at, 0); /* epoch_wait() comes before table_bury() */
	if (parent)
		parent->used--;
	n->next = t->dead;
	t->dead = n;
}

void table_prune(struct vd_table *t, uint64_t i)
{
	for (unsigned int l = 1; l <= t->levels; l++)
		prune_node(t, i, l);
}

static int reserve_leaf(struct vd_table *t, uint64_t i)
{
	if (find_leaf(t, i))
		return 0;
	for (unsigned int l = t->levels; l > 0; l--) {
		struct node *parent;
		uint64_t *at = find_slot(t, i, l, &parent);
		int err = *at ? 0 : add_node(t, at, parent);

		if (err) {
			table_prune(t, i);
			return err;
		}
	}
	return 0;
}

int table_reserve(struct vd_table *t, uint64_t first, uint64_t n)
{
	uint64_t last = first + n - 1;

	if (t->levels == 0)
		return 0;
	for (uint64_t b = first >> TABLE_BITS; b <= last >> TABLE_BITS; b++) {
		int err = reserve_leaf(t, b << TABLE_BITS);

		if (err) {
			table_unreserve(t, first, n);
			return err;
		}
	}
	return 0;
}

void table_unreserve(struct vd_table *t, uint64_t first, uint64_t n)
{
	uint64_t last = first + n - 1;
	uint64_t i = table_next(t, first, last);

	while (i != TABLE_END) {
		table_prune(t, i);
		if ((i | TABLE_MASK) >= last)
			return;
		i = table_next(t, (i | TABLE_MASK) + 1, last);
	}
}

/* The first entry after those that a node of @level for entry @i would hold;
 * 0 if there is none. */
static uint64_t skip(uint64_t i, unsigned int level)
{
	unsigned int bits = TABLE_BITS * level;
	uint64_t next = ((i >> bits) + 1) << bits;

	return next > i ? next : 0;
}

uint64_t table_next(const struct vd_table *t, uint64_t i, uint64_t last)
{
	while (i <= last) {
		unsigned int l = t->levels;
		struct node *n;

		if (l == 0)
			return i;
		n = child(t->top[i >> (TABLE_BITS * l)]);
		while (n && --l > 0)
			n = child(n->slot[i >> (TABLE_BITS * l) & TABLE_MASK]);
		if (n)
			return i;
		i = skip(i, l);
		if (i == 0)
			break;
	}
	return TABLE_END;
}

struct table_run table_run(const struct vd_table *t, uint64_t first, uint64_t n)
{
	uint64_t at = first & TABLE_MASK;
	struct table_run r = { .n = TABLE_BLOCK - at };
	struct node *leaf;

	if (n < r.n)
		r.n = n;
	if (t->levels == 0) {
		r.slot = &t->top[first];
		r.used = &t->used[first >> TABLE_BITS];
		return r;
	}
	leaf = find_leaf(t, first);
	if (leaf) {
		r.slot = &leaf->slot[at];
		r.used = &leaf->used;
	}
	return r;
}

static uint64_t count_run(const struct table_run *r)
{
	uint64_t n = 0;

	for (size_t i = 0; r->slot && i < r->n; i++)
		n += r->slot[i] != 0;
	return n;
}

/* Valid entries of a run; a whole block knows. */
static uint64_t run_live(const struct table_run *r)
{
	return r->used && r->n == TABLE_BLOCK ? *r->used : count_run(r);
}

static uint64_t count_live(const struct vd_table *t, uint64_t first, uint64_t n,
			   uint64_t enough)
{
	uint64_t last = first + n - 1;
	uint64_t live = 0;
	uint64_t i = t->nlive ? table_next(t, first, last) : TABLE_END;

	while (i != TABLE_END && live < enough) {
		struct table_run r = table_run(t, i, last - i + 1);

		live += run_live(&r);
		if (last - i < r.n)
			break;
		i = table_next(t, i + r.n, last);
	}
	return live;
}

bool table_is_live(const struct vd_table *t, uint64_t first, uint64_t n)
{
	if (n == 1)
		return table_walk(t->top, t->levels, first) != 0;
	return count_live(t, first, n, 1) != 0;
}

uint64_t table_nlive(const struct vd_table *t, uint64_t first, uint64_t n)
{
	return count_live(t, first, n, UINT64_MAX);
}

void table_bury(struct vd_table *t)
{
	while (t->dead) {
		struct node *n = t->dead;

		t->dead = n->next;
		discharge(t, sizeof(*n));
		mem_free(n);
	}
}

/* No reader is left. */
void table_destroy(struct vd_table *t)
{
	uint64_t i = t->levels ? table_next(t, 0, t->nentries - 1) : TABLE_END;

	while (i != TABLE_END) {
		find_leaf(t, i)->used = 0;
		table_prune(t, i);
		i = table_next(t, i, t->nentries - 1);
	}
	table_bury(t);
	discharge(t, t->bytes);
	mem_free(t->used);
	mem_free(t->top);
	mem_free(t);
}
