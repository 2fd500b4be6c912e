/* SPDX-License-Identifier: BSD-2-Clause */
/* A space: what may be one, and what is given out by the map itself. */
#include "mem_nth.h"
#include "test.h"
#include <space.h>

#define PAGE ((uint64_t)4096)

struct rig {
	struct vd_space *s;
	struct vd_space_cache *c;
	uint64_t base;
};

static void open_rig(struct rig *r, uint64_t base, uint64_t npages)
{
	const struct vd_space_cfg cfg = {
		.size = sizeof(cfg), .base = { base }, .npages = npages, .page_shift = 12
	};

	r->base = base;
	assert_int_equal(vd_space_create(&cfg, &r->s), 0);
	assert_int_equal(vd_space_cache_create(r->s, &r->c), 0);
}

static void close_rig(struct rig *r)
{
	vd_space_cache_destroy(r->c);
	vd_space_destroy(r->s);
}

static struct vd_space_stats stats(const struct rig *r)
{
	struct vd_space_stats st = { .size = sizeof(st) };

	vd_space_stats(r->s, &st);
	assert_int_equal(st.given + st.reserved + st.cached + st.free, st.npages);
	return st;
}

static int reserve(struct rig *r, uint64_t page, uint64_t n)
{
	return vd_space_reserve(r->s, (vd_iova){ r->base + page * PAGE }, n);
}

static int unreserve(struct rig *r, uint64_t page, uint64_t n)
{
	return vd_space_unreserve(r->s, (vd_iova){ r->base + page * PAGE }, n);
}

static int give(struct rig *r, uint64_t page, uint64_t n)
{
	return vd_space_free(r->c, (vd_iova){ r->base + page * PAGE }, n);
}

/* The page that was given out, or the error. */
static int64_t alloc(struct rig *r, uint64_t n)
{
	vd_iova at = { 0 };
	int err = vd_space_alloc(r->c, n, &at);

	return err ? err : (int64_t)((at.v - r->base) / PAGE);
}

static int64_t alloc_within(struct rig *r, uint64_t n, unsigned int shift, uint64_t last)
{
	const struct vd_space_need need = { sizeof(need), n, shift, { last } };
	vd_iova at = { 0 };
	int err = vd_space_alloc_within(r->c, &need, &at);

	return err ? err : (int64_t)((at.v - r->base) / PAGE);
}

static void what_may_be_a_space(void **state)
{
	static const struct {
		uint64_t base, npages;
		unsigned int shift;
		int err;
	} row[] = {
		{ 0, 1, 12, 0 },
		{ 0, 0, 12, -EINVAL },
		{ 0, VD_SPACE_MAX_PAGES + 1, 12, -EINVAL },
		{ 0, 1, 11, -EINVAL },
		{ 0, 1, 35, -EINVAL },
		{ 0, 1, 34, 0 },
		{ 0x800, 1, 12, -EINVAL },
		{ -PAGE, 1, 12, 0 },
		{ -PAGE, 2, 12, -EOVERFLOW },
		{ -(PAGE << 20), (uint64_t)1 << 20, 12, 0 },
		{ 0, (uint64_t)1 << 30, 34, 0 },
		{ 0, ((uint64_t)1 << 30) + 1, 34, -EOVERFLOW },
		{ 0x800000000000000, (uint64_t)1 << 20, 16, 0 },
	};
	struct vd_space *s = NULL;

	(void)state;
	assert_int_equal(vd_space_create(NULL, &s), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct vd_space_cfg cfg = { .size = sizeof(cfg),
						  .base = { row[i].base },
						  .npages = row[i].npages,
						  .page_shift = row[i].shift };

		assert_int_equal(vd_space_create(&cfg, &s), row[i].err);
		if (!row[i].err)
			vd_space_destroy(s);
	}
	vd_space_destroy(NULL);
	vd_space_cache_destroy(NULL);
}

static void no_memory(void **state)
{
	const struct vd_space_cfg cfg = { .size = sizeof(cfg), .npages = 100, .page_shift = 12 };
	struct vd_space_cache *c = NULL;
	struct vd_space *s = NULL;
	unsigned int nth;

	(void)state;
	for (nth = 1;; nth++) {
		int err;

		mem_fail(nth);
		err = vd_space_create(&cfg, &s);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(s);
		assert_int_equal(mem_live(), 0);
	}
	assert_int_equal(nth, 4);
	mem_fail(1);
	assert_int_equal(vd_space_cache_create(s, &c), -ENOMEM);
	assert_null(c);
	mem_fail(0);
	vd_space_destroy(s);
	assert_int_equal(mem_live(), 0);
}

static void long_runs(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 0x10000000, 1000);
	assert_int_equal(alloc(&r, 1001), -ENOSPC);
	assert_int_equal(alloc(&r, UINT64_MAX), -ENOSPC);
	assert_int_equal(alloc(&r, 0), -EINVAL);
	assert_int_equal(alloc(&r, 600), 0); /* no block of 1024 is there */
	assert_int_equal(stats(&r).given, 600);
	assert_int_equal(alloc(&r, 400), 600);
	assert_int_equal(alloc(&r, 1), -ENOSPC);
	assert_int_equal(give(&r, 0, 599), -EINVAL);
	assert_int_equal(give(&r, 0, 601), -EINVAL);
	assert_int_equal(give(&r, 0, 0), -EINVAL);
	assert_int_equal(give(&r, 0, 88), -EINVAL);
	assert_int_equal(give(&r, 1, 599), -ENOENT);
	assert_int_equal(give(&r, 0, 600), 0);
	assert_int_equal(give(&r, 0, 600), -ENOENT);
	assert_int_equal(stats(&r).bad_frees, 6);
	assert_int_equal(stats(&r).longest, 600);
	assert_int_equal(give(&r, 600, 400), 0);
	assert_int_equal(stats(&r).longest, 1000);
	assert_int_equal(stats(&r).refused, 3);
	close_rig(&r);
}

static void addresses_that_are_none(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 0x10000000, 1000);
	assert_int_equal(alloc(&r, 1), 0);
	assert_int_equal(vd_space_free(r.c, (vd_iova){ r.base - PAGE }, 1), -ERANGE);
	assert_int_equal(vd_space_free(r.c, (vd_iova){ 0 }, 1), -ERANGE);
	assert_int_equal(vd_space_free(r.c, (vd_iova){ UINT64_MAX }, 1), -ERANGE);
	assert_int_equal(vd_space_free(r.c, (vd_iova){ r.base + 1000 * PAGE }, 1), -ERANGE);
	assert_int_equal(vd_space_free(r.c, (vd_iova){ r.base + 1 }, 1), -EINVAL);
	assert_int_equal(vd_space_reserve(r.s, (vd_iova){ r.base + 1 }, 1), -EINVAL);
	assert_int_equal(reserve(&r, 5, 0), -EINVAL);
	assert_int_equal(reserve(&r, 1000, 1), -ERANGE);
	assert_int_equal(reserve(&r, 999, 2), -ERANGE);
	assert_int_equal(reserve(&r, 1, UINT64_MAX), -ERANGE);
	assert_int_equal(stats(&r).bad_frees, 5);
	assert_int_equal(give(&r, 0, 1), 0);
	close_rig(&r);
}

static void reserved_runs(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 0, 1000);
	assert_int_equal(reserve(&r, 100, 300), 0);
	assert_int_equal(reserve(&r, 399, 2), -EEXIST);
	assert_int_equal(reserve(&r, 0, 101), -EEXIST);
	assert_int_equal(reserve(&r, 50, 4), 0);
	assert_int_equal(stats(&r).reserved, 304);
	assert_int_equal(stats(&r).longest, 600);
	assert_int_equal(alloc(&r, 601), -ENOSPC);
	assert_int_equal(alloc(&r, 600), 400);
	assert_int_equal(reserve(&r, 999, 1), -EEXIST);
	assert_int_equal(give(&r, 100, 300), -ENOENT);
	assert_int_equal(give(&r, 50, 4), -ENOENT);
	assert_int_equal(unreserve(&r, 400, 600), -ENOENT);
	assert_int_equal(unreserve(&r, 100, 299), -EINVAL);
	assert_int_equal(unreserve(&r, 101, 299), -ENOENT);
	assert_int_equal(unreserve(&r, 1000, 1), -ERANGE);
	assert_int_equal(unreserve(&r, 100, 300), 0);
	assert_int_equal(unreserve(&r, 100, 300), -ENOENT);
	assert_int_equal(unreserve(&r, 50, 4), 0);
	assert_int_equal(stats(&r).longest, 400);
	close_rig(&r);
}

/* What caches hold can be reserved, what was given out cannot. */
static void reserve_takes_back(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 0, 1000);
	for (int i = 0; i < 20; i++)
		assert_int_not_equal(alloc(&r, 1), -ENOSPC);
	for (uint64_t i = 0; i < 19; i++)
		assert_int_equal(give(&r, i, 1), 0);
	assert_true(stats(&r).cached > 0);
	assert_int_equal(reserve(&r, 0, 20), -EEXIST);
	assert_int_equal(reserve(&r, 0, 19), 0);
	assert_int_equal(stats(&r).cached, 0);
	assert_int_equal(stats(&r).take_backs, 1);
	close_rig(&r);
}

/* Alignment is that of the bus address, wherever the space begins. */
static void alignment(void **state)
{
	static const uint64_t base[] = { 0, 7 * PAGE, 0x12345000, 0x7ffff000, (uint64_t)1 << 59 };
	struct rig r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(base); i++) {
		open_rig(&r, base[i], (uint64_t)1 << 22);
		for (unsigned int shift = 0; shift <= 32; shift++) {
			int64_t at = alloc_within(&r, 3, shift, UINT64_MAX);

			assert_true(at >= 0);
			assert_int_equal((base[i] + (uint64_t)at * PAGE) % ((uint64_t)1 << shift),
					 0);
			assert_int_equal(give(&r, (uint64_t)at, 3), 0);
		}
		assert_int_equal(alloc_within(&r, 3, 64, UINT64_MAX), -EINVAL);
		assert_int_equal(alloc_within(&r, 0, 12, UINT64_MAX), -EINVAL);
		assert_int_equal(alloc_within(&r, 3, 63, UINT64_MAX), base[i] ? -ENOSPC : 0);
		close_rig(&r);
	}
}

static void devices_with_a_narrow_mask(void **state)
{
	const uint64_t base = 0xffff0000; /* 16 pages below 4 GiB */
	struct rig r;

	(void)state;
	open_rig(&r, base, 1000);
	assert_int_equal(alloc_within(&r, 1, 0, 0), -ENOSPC);
	assert_int_equal(alloc_within(&r, 1, 0, base - 1), -ENOSPC);
	assert_int_equal(alloc_within(&r, 1, 0, base + PAGE - 2), -ENOSPC);
	assert_int_equal(stats(&r).take_backs, 0); /* it could not be */
	assert_int_equal(alloc_within(&r, 17, 0, UINT32_MAX), -ENOSPC);
	assert_int_equal(alloc_within(&r, 1, 0, base + PAGE - 1), 0);
	assert_int_equal(alloc_within(&r, 8, 0, UINT32_MAX), 8);
	assert_int_equal(alloc_within(&r, 7, 0, UINT32_MAX), 1); /* no block */
	assert_int_equal(alloc_within(&r, 1, 0, UINT32_MAX), -ENOSPC);
	assert_true(alloc(&r, 1) >= 16);
	assert_int_equal(give(&r, 1, 7), 0);
	assert_int_equal(alloc_within(&r, 6, 0, UINT32_MAX), 1);
	close_rig(&r);
}

/* Large pages, up to the last byte of the bus. */
static void pages_of_every_size(void **state)
{
	(void)state;
	for (unsigned int shift = 12; shift <= 34; shift++) {
		const struct vd_space_cfg cfg = { .size = sizeof(cfg),
						  .base = { -((uint64_t)50 << shift) },
						  .npages = 50,
						  .page_shift = shift };
		const struct vd_space_need need = { sizeof(need), 1, shift + 3, { UINT64_MAX } };
		struct vd_space_cache *c;
		struct vd_space *s;
		vd_iova at;

		assert_int_equal(vd_space_create(&cfg, &s), 0);
		assert_int_equal(vd_space_cache_create(s, &c), 0);
		assert_int_equal(vd_space_alloc(c, 50, &at), 0);
		assert_true(at.v == cfg.base.v);
		assert_int_equal(vd_space_free(c, at, 50), 0);
		assert_int_equal(vd_space_alloc_within(c, &need, &at), 0);
		assert_true(at.v % ((uint64_t)8 << shift) == 0 && at.v >= cfg.base.v);
		at.v += (uint64_t)1 << (shift - 1);
		assert_int_equal(vd_space_free(c, at, 1), -EINVAL);
		at.v = -((uint64_t)1 << shift);
		assert_int_equal(vd_space_reserve(s, at, 1), 0);
		assert_int_equal(vd_space_reserve(s, at, 2), -ERANGE);
		assert_int_equal(vd_space_unreserve(s, at, 1), 0);
		vd_space_cache_destroy(c);
		vd_space_destroy(s);
	}
}

/* What only wide devices could use lies on top of the magazine. */
static void narrow_among_wide(void **state)
{
	struct rig r;

	(void)state;
	open_rig(&r, 0, 4096);
	for (int i = 0; i < 4096; i++)
		assert_true(alloc(&r, 1) >= 0);
	assert_int_equal(give(&r, 5, 1), 0);
	for (uint64_t i = 4000; i < 4096; i++)
		assert_int_equal(give(&r, i, 1), 0);
	assert_int_equal(alloc_within(&r, 1, 0, 100 * PAGE - 1), 5);
	assert_int_equal(alloc_within(&r, 1, 0, 100 * PAGE - 1), -ENOSPC);
	assert_int_equal(give(&r, 5, 1), 0);
	close_rig(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_may_be_a_space), cmocka_unit_test(no_memory),
		cmocka_unit_test(long_runs),	       cmocka_unit_test(addresses_that_are_none),
		cmocka_unit_test(reserved_runs),       cmocka_unit_test(reserve_takes_back),
		cmocka_unit_test(alignment),	       cmocka_unit_test(devices_with_a_narrow_mask),
		cmocka_unit_test(pages_of_every_size), cmocka_unit_test(narrow_among_wide),
	};

	return run_all(tests);
}
