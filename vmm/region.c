/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Region maps: an array sorted by base, searched by halves.
 *
 * The lock is held for the search only, never while a region's owner runs: an
 * owner may add and unlink regions (a configuration write that moves a BAR).
 * What keeps a region alive during a call is its count of accesses inside,
 * raised under the lock, which region_remove() waits for.
 */
#include "region.h"
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void region_map_init(struct region_map *m)
{
	memset(m, 0, sizeof(*m));
	pthread_rwlock_init(&m->lock, NULL);
}

void region_map_fini(struct region_map *m)
{
	assert(m->n == 0);
	pthread_rwlock_destroy(&m->lock);
}

/* How many regions begin at or below @addr. */
static unsigned int count_below(const struct region_map *m, uint64_t addr)
{
	unsigned int lo = 0, hi = m->n;

	while (lo < hi) {
		unsigned int mid = lo + (hi - lo) / 2;

		if (m->at[mid]->base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static uint64_t last_of(const struct region *r)
{
	return r->base + (r->len - 1);
}

static struct region_cause *find_cause(struct region_map *m, const char *name)
{
	struct region_cause *c;

	for (unsigned int i = 0; i < m->ncauses; i++) {
		if (!strncmp(m->cause[i].name, name, sizeof(c->name) - 1))
			return &m->cause[i];
	}
	if (m->ncauses == REGION_CAUSES - 1)
		name = "other";
	if (m->ncauses == REGION_CAUSES)
		return &m->cause[REGION_CAUSES - 1];
	c = &m->cause[m->ncauses++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

static int insert(struct region_map *m, struct region *r)
{
	unsigned int i = count_below(m, r->base);

	if (i > 0 && last_of(m->at[i - 1]) >= r->base)
		return -EEXIST;
	if (i < m->n && m->at[i]->base <= last_of(r))
		return -EEXIST;
	if (m->n == REGION_MAX)
		return -ENOSPC;
	memmove(&m->at[i + 1], &m->at[i], (m->n - i) * sizeof(m->at[0]));
	m->at[i] = r;
	m->n++;
	r->counter = find_cause(m, r->cause);
	return 0;
}

int region_add(struct region_map *m, struct region *r)
{
	int err;

	if (r->len == 0 || r->base + (r->len - 1) < r->base)
		return -EINVAL;
	pthread_rwlock_wrlock(&m->lock);
	err = insert(m, r);
	pthread_rwlock_unlock(&m->lock);
	return err;
}

void region_unlink(struct region_map *m, struct region *r)
{
	unsigned int i;

	pthread_rwlock_wrlock(&m->lock);
	i = count_below(m, r->base);
	if (i > 0 && m->at[i - 1] == r) {
		m->n--;
		memmove(&m->at[i - 1], &m->at[i],
			(m->n - (i - 1)) * sizeof(m->at[0]));
	}
	pthread_rwlock_unlock(&m->lock);
}

void region_remove(struct region_map *m, struct region *r)
{
	const struct timespec nap = { .tv_nsec = 50000 };

	region_unlink(m, r);
	/* acquire: what the last access did is seen by who frees the owner */
	while (atomic_load_explicit(&r->inside, memory_order_acquire))
		nanosleep(&nap, NULL);
}

/* The region that holds all of the access, entered, or NULL. */
static struct region *enter(struct region_map *m, uint64_t addr,
			    unsigned int width, uint64_t *off)
{
	struct region *r = NULL;
	unsigned int i;

	pthread_rwlock_rdlock(&m->lock);
	i = count_below(m, addr);
	if (i > 0) {
		r = m->at[i - 1];
		*off = addr - r->base;
		if (*off >= r->len || width > r->len - *off)
			r = NULL;
	}
	if (r) {
		atomic_fetch_add_explicit(&r->inside, 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&r->counter->exits, 1,
					  memory_order_relaxed);
	}
	pthread_rwlock_unlock(&m->lock);
	if (!r)
		atomic_fetch_add_explicit(&m->unclaimed, 1,
					  memory_order_relaxed);
	return r;
}

static void leave(struct region *r)
{
	atomic_fetch_sub_explicit(&r->inside, 1, memory_order_release);
}

uint64_t region_read(struct region_map *m, uint64_t addr, unsigned int width)
{
	uint64_t off, value = UINT64_MAX;
	struct region *r = enter(m, addr, width, &off);

	if (r) {
		value = r->ops->read(r->ctx, off, width);
		leave(r);
	}
	return width < 8 ? value & ((1ull << width * 8) - 1) : value;
}

void region_write(struct region_map *m, uint64_t addr, unsigned int width,
		  uint64_t value)
{
	uint64_t off;
	struct region *r = enter(m, addr, width, &off);

	if (!r)
		return;
	r->ops->write(r->ctx, off, width, value);
	leave(r);
}

void region_exits(struct region_map *m,
		  void (*visit)(void *ctx, const char *cause, uint64_t exits),
		  void *ctx)
{
	pthread_rwlock_rdlock(&m->lock);
	for (unsigned int i = 0; i < m->ncauses; i++)
		visit(ctx, m->cause[i].name,
		      atomic_load_explicit(&m->cause[i].exits,
					   memory_order_relaxed));
	pthread_rwlock_unlock(&m->lock);
}
