/* SPDX-License-Identifier: BSD-2-Clause */
/* Magazines: what they keep, what they give away, and that nothing is lost. */
#include "mem_nth.h"
#include "test.h"
#include <pthread.h>
#include <space.h>

#define PAGE   ((uint64_t)4096)
#define CACHES 5u
#define ALL    32768u

struct rig {
	struct vd_space *s;
	struct vd_space_cache *c[CACHES];
};

static void open_rig(struct rig *r, uint64_t npages)
{
	const struct vd_space_cfg cfg = { .size = sizeof(cfg), .npages = npages, .page_shift = 12 };

	assert_int_equal(vd_space_create(&cfg, &r->s), 0);
	for (size_t i = 0; i < CACHES; i++)
		assert_int_equal(vd_space_cache_create(r->s, &r->c[i]), 0);
}

static void close_rig(struct rig *r)
{
	for (size_t i = 0; i < CACHES; i++)
		vd_space_cache_destroy(r->c[i]);
	vd_space_destroy(r->s);
	assert_int_equal(mem_live(), 0);
}

static struct vd_space_stats stats(const struct rig *r)
{
	struct vd_space_stats st = { .size = sizeof(st) };

	vd_space_stats(r->s, &st);
	assert_int_equal(st.given + st.reserved + st.cached + st.free, st.npages);
	return st;
}

static int64_t alloc(struct vd_space_cache *c, uint64_t n)
{
	vd_iova at = { 0 };
	int err = vd_space_alloc(c, n, &at);

	return err ? err : (int64_t)(at.v / PAGE);
}

static int give(struct vd_space_cache *c, uint64_t page, uint64_t n)
{
	return vd_space_free(c, (vd_iova){ page * PAGE }, n);
}

static void lowest_first_then_last_freed(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 1 << 20);
	for (int64_t i = 0; i < 1000; i++)
		assert_int_equal(alloc(r.c[1], 1), i);
	for (uint64_t n = 1; n <= VD_SPACE_SHORT; n++) {
		int64_t a = alloc(r.c[0], n), b = alloc(r.c[0], n);

		assert_true(a >= 0 && b >= 0);
		assert_true(a + (int64_t)n <= b || b + (int64_t)n <= a);
		assert_int_equal(give(r.c[0], (uint64_t)a, n), 0);
		assert_int_equal(alloc(r.c[0], n), a);
	}
	close_rig(&r);
}

static void frees_that_are_refused(void **state)
{
	struct rig r;
	int64_t a;

	(void)state;
	open_rig(&r, 4096);
	a = alloc(r.c[0], 3);
	assert_int_equal(give(r.c[0], (uint64_t)a, 4), -EINVAL);
	assert_int_equal(give(r.c[0], (uint64_t)a, 2), -EINVAL);
	assert_int_equal(give(r.c[0], (uint64_t)a, 0), -EINVAL);
	assert_int_equal(give(r.c[0], (uint64_t)a, UINT64_MAX), -EINVAL);
	assert_int_equal(give(r.c[0], (uint64_t)a, 259), -EINVAL); /* 3 in a byte */
	assert_int_equal(give(r.c[0], (uint64_t)a + 1, 2), -ENOENT);
	assert_int_equal(give(r.c[0], (uint64_t)a + 3, 1), -ENOENT);
	assert_int_equal(give(r.c[1], (uint64_t)a, 3), 0); /* any cache */
	assert_int_equal(give(r.c[1], (uint64_t)a, 3), -ENOENT);
	assert_int_equal(give(r.c[0], (uint64_t)a, 3), -ENOENT);
	assert_int_equal(stats(&r).bad_frees, 9);
	vd_space_cache_destroy(r.c[0]);
	r.c[0] = NULL;
	assert_int_equal(stats(&r).bad_frees, 9);
	assert_int_equal(stats(&r).given, 0);
	close_rig(&r);
}

/* All pages are allocated, whoever freed them, and each once. */
static void to_the_last_page(void **state)
{
	static bool given[4099];
	struct rig r;
	uint64_t n = ARRAY_LEN(given);

	(void)state;
	open_rig(&r, n);
	for (unsigned int who = 0; who < CACHES; who++) {
		memset(given, 0, sizeof(given));
		for (uint64_t i = 0; i < n; i++) {
			int64_t at = alloc(r.c[i % 2 ? who : 0], 1);

			assert_true(at >= 0 && !given[at]);
			given[at] = true;
		}
		for (unsigned int k = 0; k < CACHES; k++)
			assert_int_equal(alloc(r.c[k], 1), -ENOSPC);
		assert_int_equal(stats(&r).given, n);
		for (uint64_t i = 0; i < n; i++)
			assert_int_equal(give(r.c[i % CACHES], i * 7 % n, 1), 0);
	}
	assert_int_equal(alloc(r.c[0], n), 0);
	assert_int_equal(give(r.c[0], 0, n), 0);
	assert_int_equal(stats(&r).longest, n);
	close_rig(&r);
}

/* Each order that one thread freed serves each that another asks for. */
static void orders_become_each_other(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, ALL);
	for (uint64_t from = 1; from <= 32; from *= 2) {
		for (uint64_t to = 1; to <= 32; to *= 2) {
			for (uint64_t i = 0; i < ALL; i += from)
				assert_true(alloc(r.c[0], from) >= 0);
			for (uint64_t i = 0; i < ALL; i += from)
				assert_int_equal(give(r.c[1], i, from), 0);
			for (uint64_t i = 0; i < ALL; i += to)
				assert_true(alloc(r.c[2], to) >= 0);
			assert_int_equal(alloc(r.c[2], 1), -ENOSPC);
			for (uint64_t i = 0; i < ALL; i += to)
				assert_int_equal(give(r.c[3], i, to), 0);
		}
	}
	close_rig(&r);
}

/* When no block is left a run is as long as was asked for, not rounded up. */
static void the_last_pages_are_not_rounded(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 6);
	assert_int_equal(alloc(r.c[0], 3), 0); /* takes four */
	assert_int_equal(alloc(r.c[0], 1), 4);
	assert_int_equal(alloc(r.c[1], 3), -ENOSPC);
	assert_int_equal(give(r.c[1], 0, 3), 0);
	assert_int_equal(alloc(r.c[1], 3), 0);
	assert_int_equal(give(r.c[0], 0, 3), 0);
	assert_int_equal(give(r.c[0], 4, 1), 0);
	assert_int_equal(alloc(r.c[2], 1), 5);
	assert_int_equal(alloc(r.c[3], 5), 0); /* of which no block is */
	assert_int_equal(stats(&r).given, 6);
	assert_int_equal(give(r.c[3], 0, 8), -EINVAL);
	assert_int_equal(give(r.c[3], 0, 5), 0);
	assert_int_equal(give(r.c[3], 0, 5), -ENOENT);
	assert_int_equal(give(r.c[3], 5, 1), 0);
	close_rig(&r);
}

/* One allocates, another frees: no page goes through the map twice. */
static void runs_wander_through_the_depot(void **state)
{
	struct rig r;
	uint64_t highest = 0;

	(void)state;
	open_rig(&r, 1 << 20);
	for (int i = 0; i < 100000; i++) {
		int64_t a = alloc(r.c[0], 2);

		assert_true(a >= 0);
		highest = (uint64_t)a > highest ? (uint64_t)a : highest;
		assert_int_equal(give(r.c[1], (uint64_t)a, 2), 0);
	}
	assert_true(highest < 4 * 3 * 2 * MAGAZINE);
	assert_int_equal(stats(&r).take_backs, 0);
	close_rig(&r);
}

static void all_come_together_again(void **state)
{
	struct rig r;
	static struct {
		uint64_t at, n;
	} run[2000];

	(void)state;
	open_rig(&r, 65536);
	for (size_t i = 0; i < ARRAY_LEN(run); i++) {
		run[i].n = 1 + i * i % 37;
		run[i].at = (uint64_t)alloc(r.c[i % CACHES], run[i].n);
		assert_true((int64_t)run[i].at >= 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(run); i++)
		assert_int_equal(give(r.c[i * 3 % CACHES], run[i].at, run[i].n), 0);
	assert_true(stats(&r).cached > 0);
	assert_int_equal(alloc(r.c[0], 65536), 0);
	assert_int_equal(stats(&r).cached, 0);
	assert_int_equal(give(r.c[0], 0, 65536), 0);
	close_rig(&r);
}

/* A double free by two threads at once: one of them frees. */
struct racer {
	struct vd_space_cache *c;
	pthread_barrier_t *begin;
	uint64_t page;
	unsigned int freed;
};

#define RACES 2000

static void *race(void *arg)
{
	struct racer *r = arg;

	for (uint64_t i = 0; i < RACES; i++) {
		if (i % 64 == 0)
			pthread_barrier_wait(r->begin);
		r->freed += give(r->c, i, 1) == 0;
	}
	return NULL;
}

static void two_free_the_same(void **state)
{
	pthread_barrier_t begin;
	struct racer racer[2];
	pthread_t other;
	struct rig r;

	(void)state;
	open_rig(&r, RACES);
	for (int i = 0; i < RACES; i++)
		assert_true(alloc(r.c[0], 1) >= 0);
	pthread_barrier_init(&begin, NULL, 2);
	for (int i = 0; i < 2; i++)
		racer[i] = (struct racer){ r.c[i], &begin, 0, 0 };
	assert_int_equal(pthread_create(&other, NULL, race, &racer[1]), 0);
	race(&racer[0]);
	pthread_join(other, NULL);
	pthread_barrier_destroy(&begin);
	assert_int_equal(racer[0].freed + racer[1].freed, RACES);
	assert_int_equal(stats(&r).given, 0);
	assert_int_equal(stats(&r).bad_frees, RACES);
	close_rig(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowest_first_then_last_freed),
		cmocka_unit_test(frees_that_are_refused),
		cmocka_unit_test(to_the_last_page),
		cmocka_unit_test(orders_become_each_other),
		cmocka_unit_test(the_last_pages_are_not_rounded),
		cmocka_unit_test(runs_wander_through_the_depot),
		cmocka_unit_test(all_come_together_again),
		cmocka_unit_test(two_free_the_same),
	};

	return run_all(tests);
}
