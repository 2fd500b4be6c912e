/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * T1.1 to T1.9: what an emulated IOMMU on a host without one must do, shown on
 * the engine over the fake host. T1.1 and T1.2 need real pages and a real
 * device: the parts of them that the engine decides are here, the pins are in
 * noiommu_test.c (native), and the device in tests/e2e.
 */
#include "fixture.h"

static void t1_1_mapped_is_pinned_unmapped_is_not(void **state)
{
	struct fx *f = *state;
	vd_iova a;

	assert_int_equal(vd_fake_pins(f->host, 3), 0);
	a = fx_map(f, 3, 1);
	assert_int_equal(vd_fake_pins(f->host, 3), 1);
	assert_int_equal(fx_pinned(f), 1);
	assert_int_equal(fx_unmap(f, a, 1), 0);
	assert_int_equal(vd_fake_pins(f->host, 3), 0);
}

static void t1_2_the_address_is_all_a_device_needs(void **state)
{
	struct fx *f = *state;

	/* The bus address is where the host says the page is, and nothing
	 * else: no offset, no table. */
	vd_fake_place(f->host, 5, (vd_hpa){ 0x123456000 });
	assert_int_equal(fx_map(f, 5, 1).v, 0x123456000);
}

static void t1_3_same_page_k_times(void **state)
{
	enum { K = 100 };
	struct fx *f = *state;
	vd_iova a[K];

	assert_int_equal(fx_attach(f, 16, 0x400), 0);
	for (int i = 0; i < K; i++) {
		struct vd_seg seg = fx_seg(7, 1);

		assert_int_equal(vd_device_map(f->d, i % 2 ? 16 : FX_DEV, &seg, 1, UINT64_MAX), 0);
		a[i] = seg.iova;
	}
	assert_int_equal(fx_stats(f).nmappings, K);
	for (int i = 0; i < K; i++) {
		assert_int_equal(fx_pinned(f), 1);
		assert_int_equal(vd_device_unmap(f->d, i % 2 ? 16 : FX_DEV, a[i], PAGE), 0);
	}
	assert_int_equal(fx_pinned(f), 0);
	assert_int_equal(vd_fake_pins(f->host, 7), 0);
}

/* That a swapped-out page comes back is in noiommu_test.c. */
static void t1_4_outside_memory_or_no_device_pins_nothing(void **state)
{
	struct fx *f = *state;
	struct vd_seg outside = fx_seg(FX_PAGES, 1), good = fx_seg(0, 1);
	struct vd_seg across = fx_seg(FX_PAGES - 1, 2);

	assert_int_equal(vd_device_map(f->d, FX_DEV, &outside, 1, UINT64_MAX), -EFAULT);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &across, 1, UINT64_MAX), -EFAULT);
	assert_int_equal(vd_device_map(f->d, 99, &good, 1, UINT64_MAX), -ENODEV);
	assert_int_equal(fx_pinned(f), 0);
}

static void t1_5_one_address_for_each_page(void **state)
{
	struct fx *f = *state;
	struct vd_seg all = fx_seg(0, 4);
	struct vd_seg segs[4] = { fx_seg(0, 1), fx_seg(1, 1), fx_seg(2, 1), fx_seg(3, 1) };

	for (uint64_t i = 0; i < 4; i++)
		vd_fake_place(f->host, i, (vd_hpa){ 0x900000 - i * 0x10000 });
	assert_int_equal(vd_device_map(f->d, FX_DEV, &all, 1, UINT64_MAX), -EXDEV);
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 4, UINT64_MAX), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(segs[i].iova.v, 0x900000 - i * 0x10000);
}

static void t1_6_look_up_both_ways_while_mapped(void **state)
{
	struct fx *f = *state;
	vd_iova a = fx_map(f, 2, 2), back;
	vd_gpa gpa;

	a.v += PAGE + 17;
	assert_int_equal(vd_device_translate(f->d, FX_DEV, a, VD_WRITE, &gpa), 0);
	assert_int_equal(gpa.v, fx_gpa(3).v + 17);
	assert_int_equal(vd_device_reverse(f->d, FX_DEV, gpa, &back), 0);
	assert_int_equal(back.v, a.v);
	a.v -= PAGE + 17;
	assert_int_equal(fx_unmap(f, a, 2), 0);
	assert_int_equal(vd_device_translate(f->d, FX_DEV, a, VD_WRITE, &gpa), -ENOENT);
	assert_int_equal(vd_device_reverse(f->d, FX_DEV, fx_gpa(2), &back), -ENOENT);
	fx_map(f, 9, 1);
	assert_int_equal(fx_unmap(f, a, 2), -ENOENT); /* double unmap */
	assert_int_equal(fx_pinned(f), 1);
}

static void t1_7_detach_and_death_release_everything(void **state)
{
	struct fx *f = *state;

	assert_int_equal(fx_attach(f, 16, 0x400), 0);
	fx_map(f, 0, 5);
	fx_map(f, 3, 9);
	assert_int_equal(vd_device_detach(f->d, FX_DEV), 0);
	assert_int_equal(fx_pinned(f), 0);
	assert_int_equal(f->pinned_at_quiesce, 12);
	assert_int_equal(fx_attach(f, FX_DEV, FX_HOST), 0);
	fx_map(f, 0, 5);
	vd_domain_destroy(f->d);
	f->d = NULL;
	assert_int_equal(vd_fake_pinned(f->host), 0);
}

static void t1_8_over_budget_is_its_own_error(void **state)
{
	struct fx *f = *state;
	struct vd_seg segs[2] = { fx_seg(0, 3), fx_seg(2, 3) };
	vd_iova a;

	vd_domain_set_budget(f->d, 5 * PAGE);
	/* 0..4 are five pages, though the segments have six. */
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 2, UINT64_MAX), 0);
	assert_int_equal(fx_pinned(f), 5);
	segs[0] = fx_seg(4, 2);
	assert_int_equal(vd_device_map(f->d, FX_DEV, segs, 1, UINT64_MAX), -EDQUOT);
	assert_int_equal(fx_pinned(f), 5);
	assert_int_equal(fx_stats(f).nmappings, 2);
	assert_int_equal(fx_stats(f).refused_budget, 1);
	assert_int_equal(fx_stats(f).pinned_peak, 5 * PAGE);
	a = fx_map(f, 1, 4); /* what is pinned already costs nothing */
	assert_int_equal(fx_unmap(f, a, 4), 0);
}

static void t1_9_listed_and_never_more_pinned_than_mapped(void **state)
{
	struct fx *f = *state;
	struct vd_mapping m[8];
	size_t n;

	fx_map(f, 4, 1);
	fx_map(f, 4, 1);
	fx_map(f, 2, 2);
	assert_int_equal(vd_device_mappings(f->d, FX_DEV, 0, m, 8, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(m[0].gpa.v, fx_gpa(2).v);
	assert_int_equal(m[0].len, 2 * PAGE);
	assert_int_equal(m[1].gpa.v, fx_gpa(4).v); /* refcount 2: listed twice */
	assert_int_equal(m[2].gpa.v, fx_gpa(4).v);
	assert_int_equal(m[1].iova.v, m[2].iova.v);
	assert_true(fx_stats(f).pinned <= fx_stats(f).mapped);
	assert_int_equal(fx_info(f, FX_DEV).host_id, FX_HOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(t1_1_mapped_is_pinned_unmapped_is_not),
		fx_test(t1_2_the_address_is_all_a_device_needs),
		fx_test(t1_3_same_page_k_times),
		fx_test(t1_4_outside_memory_or_no_device_pins_nothing),
		fx_test(t1_5_one_address_for_each_page),
		fx_test(t1_6_look_up_both_ways_while_mapped),
		fx_test(t1_7_detach_and_death_release_everything),
		fx_test(t1_8_over_budget_is_its_own_error),
		fx_test(t1_9_listed_and_never_more_pinned_than_mapped),
	};

	return run_all(tests);
}
