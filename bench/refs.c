/* SPDX-License-Identifier: BSD-2-Clause */
#include "refs.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench: %s\n", what);
		exit(1);
	}
}

static void *radix_node(struct radix *r)
{
	void *p = calloc(RADIX_SIZE, sizeof(uint64_t));

	must(p, "no memory");
	r->bytes += RADIX_SIZE * sizeof(uint64_t);
	return p;
}

void radix_set(struct radix *r, uint32_t page, uint64_t value)
{
	void **at = &r->top[page >> (2 * RADIX_BITS)];

	if (!*at)
		*at = radix_node(r);
	at = &((void **)*at)[(page >> RADIX_BITS) % RADIX_SIZE];
	if (!*at)
		*at = radix_node(r);
	*radix_leaf(r, page) = value;
}

void radix_end(struct radix *r)
{
	for (size_t i = 0; i < RADIX_SIZE; i++) {
		void **mid = r->top[i];

		for (size_t k = 0; mid && k < RADIX_SIZE; k++)
			free(mid[k]);
		free(mid);
	}
}

static gint compare(gconstpointer a, gconstpointer b, gpointer unused)
{
	const struct range *x = a, *y = b;

	(void)unused;
	if (x->high < y->low)
		return -1;
	return x->low > y->high;
}

void gtree_init(struct gtree *g)
{
	g->t = g_tree_new_full(compare, NULL, g_free, g_free);
	pthread_mutex_init(&g->lock, NULL);
}

void gtree_end(struct gtree *g)
{
	g_tree_destroy(g->t);
	pthread_mutex_destroy(&g->lock);
}

static struct range range_of(uint32_t page)
{
	uint64_t low = (uint64_t)page << 12;

	return (struct range){ low, low | 4095 };
}

/* As an emulator's IOMMU does it: look for an overlap, then two allocations. */
void gtree_add(struct gtree *g, uint32_t page, uint64_t value)
{
	const struct range r = range_of(page);
	struct range *key;
	uint64_t *v;

	pthread_mutex_lock(&g->lock);
	if (!g_tree_lookup(g->t, &r)) {
		key = g_new(struct range, 1);
		*key = r;
		v = g_new(uint64_t, 1);
		*v = value;
		g_tree_insert(g->t, key, v);
	}
	pthread_mutex_unlock(&g->lock);
}

bool gtree_remove(struct gtree *g, uint32_t page)
{
	const struct range r = range_of(page);
	bool found;

	pthread_mutex_lock(&g->lock);
	found = g_tree_remove(g->t, &r);
	pthread_mutex_unlock(&g->lock);
	return found;
}

uint64_t gtree_get(struct gtree *g, uint64_t addr)
{
	const struct range r = { addr, addr };
	const uint64_t *v = g_tree_lookup(g->t, &r);

	return v ? *v : 0;
}

uint64_t gtree_get_locked(struct gtree *g, uint64_t addr)
{
	uint64_t v;

	pthread_mutex_lock(&g->lock);
	v = gtree_get(g, addr);
	pthread_mutex_unlock(&g->lock);
	return v;
}

#define CHAIN 2048u /* pointers: 16 KiB */

double ref_l1_load(void)
{
	static void *chain[CHAIN];
	const unsigned int n = 200000;
	void **p;
	double begin;

	for (unsigned int i = 0; i < CHAIN; i++)
		chain[i] = &chain[(i + 8 * 37) % CHAIN];
	p = chain[0];
	begin = bench_now_ns();
	for (unsigned int i = 0; i < n; i++) {
		p = *p;
		__asm__ volatile("" : "+r"(p));
	}
	return (bench_now_ns() - begin) / n;
}

double ref_alu(uint64_t n)
{
	uint64_t x = 1;
	double begin = bench_now_ns();

	for (uint64_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + i;
		__asm__ volatile("" : "+r"(x));
	}
	return bench_now_ns() - begin;
}

struct pair {
	pair_fn *work;
	void *opaque;
	atomic_uint ready;
};

struct half {
	struct pair *pair;
	unsigned int number;
	double ns;
};

static void *run_half(void *arg)
{
	struct half *h = arg;

	atomic_fetch_add(&h->pair->ready, 1);
	while (atomic_load(&h->pair->ready) < 2)
		sched_yield();
	h->ns = h->pair->work(h->number, h->pair->opaque);
	return NULL;
}

double ref_pair(pair_fn *work, void *opaque)
{
	struct pair p = { work, opaque, 0 };
	struct half h[2] = { { &p, 0, 0 }, { &p, 1, 0 } };
	pthread_t t;

	must(pthread_create(&t, NULL, run_half, &h[1]) == 0, "no thread");
	run_half(&h[0]);
	pthread_join(t, NULL);
	return h[0].ns > h[1].ns ? h[0].ns : h[1].ns;
}

static double add_shared(unsigned int thread, void *opaque)
{
	const unsigned int n = 100000;
	double begin = bench_now_ns();

	(void)thread;
	for (unsigned int i = 0; i < n; i++)
		atomic_fetch_add((atomic_ulong *)opaque, 1);
	return (bench_now_ns() - begin) / n;
}

double ref_shared_atomic(void)
{
	static atomic_ulong line[16];

	return ref_pair(add_shared, &line[8]);
}

static void *run_other(void *arg)
{
	struct other *o = arg;

	while (!atomic_load_explicit(&o->stop, memory_order_relaxed)) {
		o->step(o->opaque);
		atomic_fetch_add_explicit(&o->steps, 1, memory_order_relaxed);
	}
	return NULL;
}

void other_start(struct other *o, void (*step)(void *opaque), void *opaque)
{
	o->step = step;
	o->opaque = opaque;
	atomic_init(&o->stop, false);
	atomic_init(&o->steps, 0);
	must(pthread_create(&o->thread, NULL, run_other, o) == 0, "no thread");
	while (atomic_load(&o->steps) < 2)
		sched_yield();
}

void other_stop(struct other *o)
{
	atomic_store(&o->stop, true);
	pthread_join(o->thread, NULL);
}
