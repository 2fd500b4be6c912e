/* SPDX-License-Identifier: BSD-2-Clause */
/* Letting cached pages go: each transition of evict.c by itself. */
#include "pins_fixture.h"

static void ageing_gives_a_second_chance(void **state)
{
	struct px *p = *state;

	px_touch(p, 1);
	assert_int_equal(vd_domain_age(p->fx.d, 1), 0); /* spare */
	assert_int_equal(*px_word(p, 1) & VD_HAL_WORD_USED, 0);
	px_touch(p, 1);
	assert_int_equal(vd_domain_age(p->fx.d, 2), 0);
	assert_int_equal(fx_pinned(&p->fx), 1);
	assert_int_equal(vd_domain_age(p->fx.d, 3), PAGE); /* evict, unpin */
	assert_int_equal(fx_pinned(&p->fx), 0);
	assert_int_equal(*px_word(p, 1), 0);
	assert_int_equal(px_stats(p).aged, 1);
	px_touch(p, 1);
	assert_int_equal(p->nasked, 2);
}

static void never_what_is_held(void **state)
{
	struct px *p = *state;
	uint64_t bus;

	assert_int_equal(px_map(p, 1, &bus), 0);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(vd_domain_age(p->fx.d, i), 0);
	assert_int_equal(vd_domain_reclaim(p->fx.d, UINT64_MAX), 0);
	vd_domain_set_budget(p->fx.d, 1);
	assert_int_equal(fx_pinned(&p->fx), 1);
	assert_int_equal(vd_fake_pins(p->fx.host, 1), 1);
	assert_true(px_unmap(p, 1, bus));
	assert_int_equal(vd_domain_reclaim(p->fx.d, UINT64_MAX), PAGE);
	assert_int_equal(fx_pinned(&p->fx), 0);
}

/* The unused first, no more than is wanted, and on from where it stopped. */
static void reclaim_takes_the_unused_first(void **state)
{
	struct px *p = *state;

	for (uint64_t i = 0; i < 8; i++)
		px_touch(p, i);
	vd_domain_age(p->fx.d, 1);
	for (uint64_t i = 0; i < 4; i++)
		px_touch(p, i);
	assert_int_equal(vd_domain_reclaim(p->fx.d, 1), PAGE); /* rounded up */
	assert_int_equal(vd_domain_reclaim(p->fx.d, 2 * PAGE), 2 * PAGE);
	assert_int_equal(fx_pinned(&p->fx), 5);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(vd_fake_pins(p->fx.host, i), 1);
	assert_int_equal(vd_domain_reclaim(p->fx.d, 0), 0);
	assert_int_equal(vd_domain_reclaim(p->fx.d, 3 * PAGE), 3 * PAGE);
	assert_int_equal(fx_pinned(&p->fx), 2);
	assert_int_equal(vd_domain_reclaim(p->fx.d, UINT64_MAX), 2 * PAGE);
	assert_int_equal(px_stats(p).reclaimed, 8);
	assert_int_equal(px_stats(p).pinned, 8);
}

static void drop_takes_all(void **state)
{
	struct px *p = *state;
	uint64_t bus;

	assert_int_equal(px_map(p, 1, &bus), 0);
	px_touch(p, 2);
	p->word[0] = 77; /* where there is no memory */
	assert_int_equal(vd_domain_drop_pins(p->fx.d), 0);
	assert_int_equal(fx_pinned(&p->fx), 0);
	for (size_t i = 0; i < PX_WORDS; i++)
		assert_int_equal(p->word[i], 0);
	assert_false(px_unmap(p, 1, bus)); /* too late, and harmless */
	assert_int_equal(*px_word(p, 1), 0);
	assert_int_equal(px_stats(p).dropped, 2);
}

/* X4: still pinned while the device is being stopped. */
static void at_quiesce(struct fx *f)
{
	assert_int_equal(vd_domain_drop_pins(f->d), -EIO);
	assert_true(vd_fake_pinned(f->host) > 0);
}

static void deny_of_the_last_device_drops(void **state)
{
	struct px *p = *state;
	struct fx *f = &p->fx;
	uint64_t bus;

	assert_int_equal(fx_attach(f, FX_DEV + 8, FX_HOST + 8), 0);
	assert_int_equal(px_map(p, 1, &bus), 0);
	px_touch(p, 2);
	assert_int_equal(vd_device_deny(f->d, FX_DEV), 0);
	f->at_quiesce = at_quiesce;
	assert_int_equal(fx_pinned(f), 2); /* the other may use them */
	assert_int_equal(vd_device_deny(f->d, FX_DEV + 8), 0);
	assert_int_equal(f->pinned_at_quiesce, 2);
	assert_int_equal(fx_pinned(f), 0);
	f->at_quiesce = NULL;
}

static void detach_of_the_last_device_drops(void **state)
{
	struct px *p = *state;
	struct fx *f = &p->fx;
	uint64_t bus;

	assert_int_equal(fx_attach(f, FX_DEV + 8, FX_HOST + 8), 0);
	assert_int_equal(px_map(p, 1, &bus), 0);
	assert_int_equal(vd_device_deny(f->d, FX_DEV + 8), 0);
	assert_int_equal(fx_pinned(f), 1);
	assert_int_equal(vd_device_detach(f->d, FX_DEV), 0);
	assert_int_equal(fx_pinned(f), 0);
}

/* A device that does not stop keeps every cached page, not its words. */
static void a_stuck_device_keeps_pins(void **state)
{
	struct px *p = *state;
	struct fx *f = &p->fx;
	uint64_t bus;

	assert_int_equal(px_map(p, 1, &bus), 0);
	f->quiesce_says = -1;
	assert_int_equal(vd_device_revoke(f->d, FX_DEV), -EIO);
	assert_int_equal(vd_domain_drop_pins(f->d), -EIO);
	assert_int_equal(*px_word(p, 1), 0);
	assert_int_equal(fx_pinned(f), 1);
	/* Nor does anything else take them: that it is not held means nothing. */
	vd_domain_age(f->d, 1);
	vd_domain_age(f->d, 2);
	vd_domain_reclaim(f->d, UINT64_MAX);
	assert_int_equal(fx_pinned(f), 1);
	f->quiesce_says = 0;
	assert_int_equal(vd_device_deny(f->d, FX_DEV), 0);
	assert_int_equal(fx_pinned(f), 0);
	assert_int_equal(vd_device_permit(f->d, FX_DEV), 0);
	assert_int_equal(px_map(p, 1, &bus), 0);
	assert_int_equal(px_count(p, 1), 1);
}

#define STUCK (FX_DEV + 8)

/*
 * What a drop could not take goes when the device has stopped, whatever the guest
 * writes meanwhile; what it has pinned anew stays. The other device is permitted
 * all along, so it is not because of a deny.
 */
static void what_a_drop_owes_goes_later(void **state)
{
	struct px *p = *state;
	struct fx *f = &p->fx;
	uint64_t bus;

	assert_int_equal(fx_attach(f, STUCK, FX_HOST + 8), 0);
	assert_int_equal(px_map(p, 1, &bus), 0);
	px_touch(p, 2);
	f->quiesce_says = -1;
	assert_int_equal(vd_device_revoke(f->d, STUCK), -EIO);
	assert_int_equal(vd_domain_drop_pins(f->d), -EIO);
	f->quiesce_says = 0;
	*px_word(p, 1) = 77; /* a count that means nothing */
	px_touch(p, 2);
	assert_int_equal(vd_device_revoke(f->d, FX_DEV), 0);
	assert_int_equal(fx_pinned(f), 2); /* one is still stuck */
	assert_int_equal(vd_device_revoke(f->d, STUCK), 0);
	assert_int_equal(fx_pinned(f), 1);
	assert_int_equal(*px_word(p, 1), 0);
	assert_true(*px_word(p, 2) & VD_HAL_WORD_PINNED);
	assert_int_equal(px_stats(p).dropped, 1);
}

static int never(void *opaque, void *hva, uint64_t len)
{
	(void)hva;
	*(uint64_t *)opaque += len;
	return 0;
}

static void discard_and_the_cache(void **state)
{
	struct px *p = *state;
	uint64_t given = 0, bus;
	struct vd_discard how = { .size = sizeof(how), .give = never, .opaque = &given };

	px_touch(p, 1);
	assert_int_equal(px_map(p, 2, &bus), 0);
	assert_int_equal(vd_domain_discard(p->fx.d, fx_gpa(0), 4 * PAGE, &how), 0);
	assert_int_equal(how.given, 3 * PAGE);
	assert_int_equal(how.pinned, PAGE);
	assert_int_equal(given, 3 * PAGE);
	assert_int_equal(*px_word(p, 1), 0);
	assert_int_equal(fx_pinned(&p->fx), 1);
}

/* A granule of 2 MiB is pinned by any of its pages. */
static void huge_granules(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 21 };
	static uint64_t word[1024];
	static const struct vd_device_ops ops = { .size = sizeof(ops), .quiesce = NULL };
	unsigned char *mem = aligned_alloc(1 << 21, 1 << 22);
	struct vd_host *host;
	struct vd_domain *d;
	struct vd_domain_stats s = { .size = sizeof(s) };
	struct vd_seg seg[2] = { { .gpa = { 0 }, .len = 4096, .prot = 1 },
				 { .gpa = { 8192 }, .len = 4096, .prot = 1 } };

	(void)state;
	(void)ops;
	assert_non_null(mem);
	assert_int_equal(vd_host_fake_create(mem, 1024, &host), 0);
	assert_int_equal(vd_domain_create(host, &cfg, &d), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 0 }, mem, 1 << 22), 0);
	assert_int_equal(vd_domain_share_pins(d, word, 1024), 0);
	assert_int_equal(
		vd_device_attach(d,
				 &(struct vd_device_cfg){ sizeof(struct vd_device_cfg), 1, 1,
							  &fx_ops, &(struct fx){ .host = host } }),
		0);
	assert_int_equal(vd_device_pin(d, 1, seg, 2, UINT64_MAX), 0);
	vd_domain_stats(d, &s);
	assert_int_equal(s.pinned, 1 << 21);
	assert_true(hal_word_unmap(&word[0], seg[0].iova.v));
	assert_int_equal(vd_domain_reclaim(d, UINT64_MAX), 0); /* page 2 holds it */
	assert_int_equal(vd_fake_pinned(host), 1);
	assert_true(hal_word_unmap(&word[2], seg[1].iova.v));
	assert_int_equal(vd_domain_reclaim(d, UINT64_MAX), 1 << 21);
	assert_int_equal(vd_device_detach(d, 1), 0);
	vd_domain_destroy(d);
	vd_host_destroy(host);
	free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		px_test(ageing_gives_a_second_chance),	 px_test(never_what_is_held),
		px_test(reclaim_takes_the_unused_first), px_test(drop_takes_all),
		px_test(deny_of_the_last_device_drops),	 px_test(detach_of_the_last_device_drops),
		px_test(a_stuck_device_keeps_pins),	 px_test(what_a_drop_owes_goes_later),
		px_test(discard_and_the_cache),		 cmocka_unit_test(huge_granules),
	};

	return run_all(tests);
}
