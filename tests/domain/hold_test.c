/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done in pieces: how often a call drops the domain's lock, by counting
 * calls of lock_drop(). Whoever waits gets its turn at each.
 */
#include "fixture.h"
#include <state.h>
#include <granule_pin.h>
#include <lock.h>
#include <viaduct/abi/hal.h>

void __real_lock_drop(struct lock *l);
void __wrap_lock_drop(struct lock *l);

static unsigned int ndrops;
static const struct lock *counted; /* NULL: all are */

void __wrap_lock_drop(struct lock *l) LOCK_UNCHECKED
{
	ndrops += !counted || l == counted;
	__real_lock_drop(l);
}

#define MANY	    1024u /* mappings of one page, and a bit more than pieces */
#define PIECE	    256u
#define WORDS	    (8u * 64 * 512)
#define WORDS_PIECE (64u * 512)

static uint64_t word[WORDS];

struct hold_fx {
	struct fx fx;
	vd_iova iova; /* of MANY mappings, none of which allows a write */
};

static int setup(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct hold_fx *h = malloc(sizeof(*h));
	struct vd_seg seg = { .gpa = fx_gpa(0), .len = PAGE, .prot = VD_READ };

	assert_non_null(h);
	fx_make(&h->fx, &cfg);
	memset(word, 0, sizeof(word));
	assert_int_equal(vd_domain_share_pins(h->fx.d, word, WORDS), 0);
	for (unsigned int i = 0; i < MANY; i++)
		assert_int_equal(vd_device_map(h->fx.d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	h->iova = seg.iova;
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct hold_fx *h = *state;

	fx_unmake(&h->fx);
	free(h);
	return 0;
}

#define hold_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

static void look_ups(void **state)
{
	struct hold_fx *h = *state;
	struct vd_domain *d = h->fx.d;
	struct vd_mapping out[PIECE + 1];
	struct vd_pins_stats st = { .size = sizeof(st) };
	struct vd_why why = { .size = sizeof(why) };
	vd_gpa gpa;
	size_t n;

	ndrops = 0;
	assert_int_equal(vd_device_translate(d, FX_DEV, h->iova, VD_WRITE, &gpa), -EACCES);
	assert_in_range(ndrops, MANY / PIECE, MANY / PIECE + 1);
	assert_int_equal(fx_info(&h->fx, FX_DEV).translations, 1);
	assert_int_equal(fx_info(&h->fx, FX_DEV).faults, 1);

	ndrops = 0; /* the words, all of them */
	assert_int_equal(vd_device_translate(d, FX_DEV, (vd_iova){ 0 }, VD_WRITE, &gpa), -ENOENT);
	assert_int_equal(ndrops, WORDS / WORDS_PIECE);

	ndrops = 0;
	assert_int_equal(vd_domain_why_pinned(d, fx_gpa(0), &why), 0);
	assert_int_equal(why.mappings, MANY);
	assert_int_equal(why.nby, 1);
	assert_true(ndrops >= MANY / PIECE);

	ndrops = 0;
	vd_domain_pins_stats(d, &st);
	assert_true(ndrops >= WORDS / WORDS_PIECE);

	ndrops = 0;
	assert_int_equal(vd_device_mappings(d, FX_DEV, MANY - 2, out, PIECE + 1, &n), 0);
	assert_int_equal(n, 2);
	assert_in_range(ndrops, MANY / PIECE, MANY / PIECE + 1);
	ndrops = 0;
	assert_int_equal(vd_device_mappings(d, FX_DEV, 0, out, PIECE + 1, &n), 0);
	assert_int_equal(n, PIECE + 1);
	assert_int_equal(ndrops, 2);
}

/* A request of as many pages as one may name: those are pinned before, in pieces. */
static void long_pins(void **state)
{
	enum { N = VD_MAP_MAX_PAGES / FX_PAGES, PIECES = 8 };
	struct hold_fx *h = *state;
	struct vd_seg seg[N];

	for (size_t i = 0; i < N; i++)
		seg[i] = fx_seg(0, FX_PAGES);
	counted = &h->fx.d->lock;
	ndrops = 0;
	assert_int_equal(vd_device_pin(h->fx.d, FX_DEV, seg, 1, UINT64_MAX), 0);
	assert_int_equal(ndrops, 1); /* a short one is not */
	ndrops = 0;
	assert_int_equal(vd_device_pin(h->fx.d, FX_DEV, seg, N, UINT64_MAX), 0);
	assert_int_equal(ndrops, PIECES + 1);
	assert_int_equal(word[FX_GPA / PAGE] & VD_HAL_WORD_COUNT, N + 1);

	/* One that is refused is refused at the first look. */
	seg[N - 1].gpa.v = 0;
	ndrops = 0;
	assert_int_equal(vd_device_pin(h->fx.d, FX_DEV, seg, N, UINT64_MAX), -EFAULT);
	assert_int_equal(ndrops, 2);
	assert_int_equal(word[FX_GPA / PAGE] & VD_HAL_WORD_COUNT, N + 1);
	counted = NULL;
}

/* Mappings of all pages: 64 of them are as much as one map call may hold. */
static void ends_of_long_mappings(void **state)
{
	enum { ONE_HOLD = VD_MAP_MAX_PAGES / FX_PAGES, HOLDS = 3, N = HOLDS * ONE_HOLD };
	struct hold_fx *h = *state;
	struct vd_seg seg[N], bad;
	size_t done;

	assert_int_equal(vd_device_revoke(h->fx.d, FX_DEV), 0);
	for (int turn = 0; turn < 2; turn++) {
		for (size_t i = 0; i < N; i++) {
			seg[i] = fx_seg(0, FX_PAGES);
			assert_int_equal(vd_device_map(h->fx.d, FX_DEV, &seg[i], 1, UINT64_MAX), 0);
		}
		ndrops = 0;
		if (turn == 0)
			assert_int_equal(vd_device_unmap_segs(h->fx.d, FX_DEV, seg, N, &done), 0);
		else
			assert_int_equal(vd_device_revoke(h->fx.d, FX_DEV), 0);
		assert_true(ndrops >= HOLDS);
		assert_int_equal(fx_pinned(&h->fx), 0);
	}
	/* Lengths that no mapping has neither overflow nor stop it. */
	fx_map(&h->fx, 0, 1);
	bad = (struct vd_seg){ .iova = h->iova, .len = UINT64_MAX };
	assert_int_equal(vd_device_unmap_segs(h->fx.d, FX_DEV, &bad, 1, &done), -ENOENT);
	assert_int_equal(done, 0);
}

/* A lower budget lets go in pieces. */
static void lower_budget(void **state)
{
	struct hold_fx *h = *state;
	struct vd_seg seg = fx_seg(0, FX_PAGES);

	assert_int_equal(vd_device_revoke(h->fx.d, FX_DEV), 0);
	assert_int_equal(vd_device_pin(h->fx.d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	for (size_t i = 0; i < WORDS; i++)
		word[i] &= ~(uint64_t)VD_HAL_WORD_COUNT;
	ndrops = 0;
	vd_domain_set_budget(h->fx.d, 5 * PAGE);
	assert_true(ndrops > WORDS / 512 / 256); /* blocks in a piece */
	assert_int_equal(fx_pinned(&h->fx), 5);
}

/* A request that finds no room in its part of the table has all looked at. */
static void room_far_away(void **state)
{
	struct hold_fx *h = *state;
	struct vd_domain *d = h->fx.d;
	struct vd_seg seg = fx_seg(0, 4);

	assert_int_equal(vd_device_revoke(d, FX_DEV), 0);
	vd_domain_set_budget(d, 4 * PAGE);
	for (uint64_t turn = 0; turn < 4; turn++) {
		assert_int_equal(vd_device_pin(d, FX_DEV, &seg, 1, UINT64_MAX), 0);
		for (size_t i = 0; i < WORDS; i++)
			word[i] &= ~(uint64_t)VD_HAL_WORD_COUNT;
		d->pins.hand = 1; /* they are the last that it comes to */
		seg = fx_seg(4 * (turn + 1), 4);
		if (turn % 2)
			continue;
		assert_int_equal(vd_device_map(d, FX_DEV, &seg, 1, UINT64_MAX), 0);
		assert_int_equal(vd_device_revoke(d, FX_DEV), 0);
	}
	/* What is held is refused, and counted once. */
	assert_int_equal(vd_device_pin(d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	seg = fx_seg(0, 4);
	assert_int_equal(vd_device_pin(d, FX_DEV, &seg, 1, UINT64_MAX), -EDQUOT);
	assert_int_equal(fx_stats(&h->fx).refused_budget, 1);
}

/* A page of a window that is many granules: held whole or not at all. */
static void large_pages(void **state)
{
	enum { PIECES = 5, N = PIECES * PIECE };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	char *base = (char *)0x40000000;
	struct granule_run all, high;
	struct vd_host *h;
	struct vd_domain *d;
	int64_t pinned = 0;

	(void)state;
	assert_int_equal(vd_host_fake_create(base, N, &h), 0);
	assert_int_equal(vd_domain_create(h, &cfg, &d), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 0 }, base, N * PAGE), 0);
	assert_int_equal(granule_pin_open(d, 0, &all.s), 0);
	all.first = 0;
	all.last = N * PAGE - 1;
	high = all;
	high.first = (N - 1) * PAGE;
	counted = &d->lock;
	ndrops = 0;
	assert_int_equal(granule_pin_hold(d, &all, &pinned), 0);
	assert_int_equal(ndrops, PIECES);
	assert_int_equal(pinned, N * PAGE);
	assert_int_equal(granule_pin_hold(d, &all, &pinned), 0); /* all warm, and long */
	granule_pin_release(d, &all, &pinned);
	assert_int_equal(ndrops, PIECES);
	granule_pin_release(d, &all, &pinned);
	assert_int_equal(ndrops, 2 * PIECES);
	assert_int_equal(pinned, 0);
	/* The last piece finds no room; what others hold stays. */
	assert_int_equal(granule_pin_hold(d, &high, &pinned), 0);
	vd_domain_set_budget(d, (N - 1) * PAGE);
	assert_int_equal(granule_pin_hold(d, &all, &pinned), -EDQUOT);
	assert_int_equal(pinned, PAGE);
	assert_int_equal(vd_fake_pinned(h), 1);
	granule_pin_release(d, &high, &pinned);
	assert_int_equal(vd_fake_pinned(h), 0);
	counted = NULL;
	vd_domain_destroy(d);
	vd_host_destroy(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hold_test(look_ups),	 hold_test(long_pins),	   hold_test(ends_of_long_mappings),
		hold_test(lower_budget), hold_test(room_far_away), cmocka_unit_test(large_pages),
	};

	return run_all(tests);
}
