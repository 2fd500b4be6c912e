/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the translation engine is measured against, in the same process: a plain
 * three-level radix walk that checks nothing, GLib's balanced tree with a range
 * as its key, and what the machine itself takes for a load, an atomic on a line
 * that two threads share, and a loop that touches no memory.
 */
#ifndef BENCH_REFS_H
#define BENCH_REFS_H

#include "bench.h"

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define RADIX_BITS 9u
#define RADIX_SIZE (1u << RADIX_BITS)

struct radix {
	void *top[RADIX_SIZE];
	size_t bytes; /* of all its nodes */
};

void radix_set(struct radix *r, uint32_t page, uint64_t value);
void radix_end(struct radix *r);

static inline uint64_t *radix_leaf(const struct radix *r, uint32_t page)
{
	void *const *mid = r->top[page >> (2 * RADIX_BITS)];
	uint64_t *leaf = mid[(page >> RADIX_BITS) % RADIX_SIZE];

	return &leaf[page % RADIX_SIZE];
}

static inline uint64_t radix_get(const struct radix *r, uint32_t page)
{
	return __atomic_load_n(radix_leaf(r, page), __ATOMIC_RELAXED);
}

/* A tree of ranges of one page each. */
struct range {
	uint64_t low, high;
};

struct gtree {
	GTree *t;
	pthread_mutex_t lock;
};

void gtree_init(struct gtree *g);
void gtree_end(struct gtree *g);
void gtree_add(struct gtree *g, uint32_t page, uint64_t value);
bool gtree_remove(struct gtree *g, uint32_t page);
uint64_t gtree_get(struct gtree *g, uint64_t addr);
uint64_t gtree_get_locked(struct gtree *g, uint64_t addr);

/* ns for one dependent load that hits the first-level cache. */
double ref_l1_load(void);

/* ns for one atomic add to a line that another thread adds to as well. */
double ref_shared_atomic(void);

/* ns for @n steps of a loop without memory. */
double ref_alu(uint64_t n);

/*
 * @work on two threads at once, ns of the slower one. Each gets its number, 0
 * or 1, and @opaque, waits for the other, and returns how long it took.
 */
typedef double pair_fn(unsigned int thread, void *opaque);
double ref_pair(pair_fn *work, void *opaque);

/* Another thread that does @step until it is stopped. */
struct other {
	pthread_t thread;
	void (*step)(void *opaque);
	void *opaque;
	atomic_bool stop;
	atomic_ulong steps;
};

void other_start(struct other *o, void (*step)(void *opaque), void *opaque);
void other_stop(struct other *o);

void must(bool ok, const char *what);

/* Keeps the compiler from leaving out what made @v. */
static inline void use(uint64_t v)
{
	__asm__ volatile("" : : "r"(v) : "memory");
}

#endif
