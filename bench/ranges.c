/* SPDX-License-Identifier: BSD-2-Clause */
#include "ranges.h"
#include "contest.h"

#include <glib.h>
#include <pthread.h>
#include <stdlib.h>

#define SHIFT 12u

struct range {
	uint64_t low, high; /* inclusive */
};

struct target {
	uint64_t to;
	unsigned int prot;
};

struct ranges {
	GTree *tree;
	int locked;
	pthread_mutex_t lock;
};

static gint compare(gconstpointer a, gconstpointer b, gpointer opaque)
{
	const struct range *x = a, *y = b;

	(void)opaque;
	if (x->high < y->low)
		return -1;
	return y->high < x->low;
}

struct ranges *ranges_new(void)
{
	struct ranges *r = calloc(1, sizeof(*r));
	pthread_mutexattr_t attr;

	bench_must(r != NULL, "no memory");
	r->tree = g_tree_new_full(compare, NULL, g_free, g_free);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&r->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return r;
}

void ranges_free(struct ranges *r)
{
	g_tree_destroy(r->tree);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void ranges_use_lock(struct ranges *r, int locked)
{
	r->locked = locked;
}

static void take(struct ranges *r)
{
	if (r->locked)
		pthread_mutex_lock(&r->lock);
}

static void drop(struct ranges *r)
{
	if (r->locked)
		pthread_mutex_unlock(&r->lock);
}

static struct range page_range(uint64_t page)
{
	return (struct range){ page << SHIFT, ((page + 1) << SHIFT) - 1 };
}

int ranges_map(struct ranges *r, uint64_t page, uint64_t to, unsigned int prot)
{
	struct range key = page_range(page), *k;
	struct target *t;
	int fresh;

	take(r);
	fresh = !g_tree_lookup(r->tree, &key);
	if (fresh) {
		k = g_new(struct range, 1);
		t = g_new(struct target, 1);
		*k = key;
		*t = (struct target){ to, prot };
		g_tree_insert(r->tree, k, t);
	}
	drop(r);
	return fresh;
}

void ranges_unmap(struct ranges *r, uint64_t page)
{
	struct range key = page_range(page);
	gpointer k, v;

	take(r);
	while (g_tree_lookup_extended(r->tree, &key, &k, &v))
		g_tree_remove(r->tree, k);
	drop(r);
}

uint64_t ranges_get(struct ranges *r, uint64_t at, unsigned int prot)
{
	const struct range key = { at, at };
	uint64_t found = 0;
	gpointer k, v;

	take(r);
	if (g_tree_lookup_extended(r->tree, &key, &k, &v)) {
		const struct range *range = k;
		const struct target *t = v;

		if ((t->prot & prot) == prot)
			found = t->to + (at - range->low);
	}
	drop(r);
	return found;
}
