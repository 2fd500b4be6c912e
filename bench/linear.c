/* SPDX-License-Identifier: BSD-2-Clause */
#include "linear.h"
#include "contest.h"

#include <glib.h>
#include <stdlib.h>

/* Keys are first pages, values lengths; both are numbers in pointers. */
struct linear {
	GTree *given;
	GTreeNode *at; /* where the next search begins; NULL: at the top */
	uint64_t npages;
};

static gint compare(gconstpointer a, gconstpointer b)
{
	return (a > b) - (a < b);
}

struct linear *linear_new(uint64_t npages)
{
	struct linear *l = calloc(1, sizeof(*l));

	bench_must(l != NULL, "no memory");
	l->given = g_tree_new(compare);
	l->npages = npages;
	return l;
}

void linear_free(struct linear *l)
{
	g_tree_destroy(l->given);
	free(l);
}

static uint64_t first_of(GTreeNode *n)
{
	return (uintptr_t)g_tree_node_key(n);
}

static uint64_t end_of(GTreeNode *n)
{
	return first_of(n) + (uintptr_t)g_tree_node_value(n);
}

/* Downwards from @n, or from the top. */
static uint64_t search(const struct linear *l, GTreeNode *n, uint64_t npages)
{
	uint64_t high = n ? first_of(n) : l->npages;

	n = n ? g_tree_node_previous(n) : g_tree_node_last(l->given);
	while (n && high - end_of(n) < npages) {
		high = first_of(n);
		n = g_tree_node_previous(n);
	}
	return n || high >= npages ? high - npages : UINT64_MAX;
}

static GTreeNode *put(struct linear *l, uint64_t first, uint64_t npages)
{
	return g_tree_insert_node(l->given, (gpointer)(uintptr_t)first,
				  (gpointer)(uintptr_t)npages);
}

void linear_put(struct linear *l, uint64_t first, uint64_t npages)
{
	put(l, first, npages);
}

uint64_t linear_take(struct linear *l, uint64_t npages)
{
	uint64_t first = search(l, l->at, npages);

	if (first == UINT64_MAX && l->at)
		first = search(l, NULL, npages);
	if (first == UINT64_MAX)
		return first;
	l->at = put(l, first, npages);
	return first;
}

void linear_give(struct linear *l, uint64_t first)
{
	gpointer key = (gpointer)(uintptr_t)first;
	GTreeNode *n = g_tree_lookup_node(l->given, key);
	uint64_t at = l->at ? first_of(l->at) : l->npages;

	bench_must(n != NULL, "not given");
	if (first >= at)
		l->at = g_tree_node_next(n);
	/* A removal may move what nodes hold: look the place up again. */
	at = l->at ? first_of(l->at) : l->npages;
	g_tree_remove(l->given, key);
	l->at = at < l->npages ?
			g_tree_lookup_node(l->given, (gpointer)(uintptr_t)at) :
			NULL;
}
