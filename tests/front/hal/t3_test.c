/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * T3.1 to T3.8: HAL and VMM together make DMA possible. Here the guest's side
 * is these tests, speaking the wire layout; real drivers over the real HAL
 * module are in tests/e2e.
 */
#include "hal_fixture.h"

/* The wire's MAP is all that a HAL needs to serve an unmodified driver's
 * map_sg: here a list; tests/e2e runs stock nvme and e1000e drivers. */
static void t3_1_a_scatter_list_through_the_hal(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;

	hal_hello(h);
	p = hal_request(h, VD_HAL_OP_MAP, 5);
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	for (uint64_t i = 0; i < 5; i++) {
		vd_gpa gpa;

		assert_int_equal(vd_device_translate(h->fx.d, FX_DEV, (vd_iova){ p->seg[i].addr },
						     VD_READ, &gpa),
				 0);
		assert_int_equal(gpa.v, fx_gpa(i).v);
	}
}

static void t3_2_neither_can_do_it_alone(void **state)
{
	struct hal_fx *h = *state;
	vd_gpa gpa;

	/* A HAL that is not in charge gets no address. */
	hal_request(h, VD_HAL_OP_MAP, 1);
	hal_ring(h);
	assert_int_equal(fx_pinned(&h->fx), 0);
	/* A VMM to which no HAL spoke has nothing mapped. */
	assert_int_equal(
		vd_device_translate(h->fx.d, FX_DEV, (vd_iova){ VD_FAKE_BASE }, VD_READ, &gpa),
		-ENOENT);
}

static void t3_3_deny_revokes_and_permit_restores(void **state)
{
	struct hal_fx *h = *state;
	struct vd_fault fault = { .size = sizeof(fault) };
	vd_iova a;
	vd_gpa gpa;

	hal_hello(h);
	assert_int_equal(fx_attach(&h->fx, 16, 0x400), 0);
	hal_request(h, VD_HAL_OP_MAP, 1);
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	a.v = hal_page(h, 0)->seg[0].addr;
	assert_int_equal(vd_device_deny(h->fx.d, FX_DEV), 0);
	assert_int_equal(vd_device_translate(h->fx.d, FX_DEV, a, VD_READ, &gpa), -EPERM);
	assert_int_equal(vd_domain_next_fault(h->fx.d, &fault), 0);
	assert_int_equal(fault.guest_id, FX_DEV);
	assert_int_equal(fault.iova.v, a.v);
	assert_int_equal(fault.reason, VD_FAULT_DENIED);
	assert_int_equal(fx_pinned(&h->fx), 0);
	hal_request(h, VD_HAL_OP_MAP, 1);
	assert_int_equal(hal_ring(h), VD_HAL_S_DENIED);
	assert_int_equal(fx_stats(&h->fx).refused_denied, 1);
	/* Only this device. */
	hal_page(h, 0)->head.device = 16;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(vd_device_permit(h->fx.d, FX_DEV), 0);
	hal_request(h, VD_HAL_OP_MAP, 1);
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
}

/* What an engine can do about it: a device of one domain has no address in
 * another one's tables. Without an IOMMU the hardware itself stops nothing. */
static void t3_4_no_way_into_another_domain(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct hal_fx *h = *state;
	struct vd_domain *other;
	struct vd_seg seg = fx_seg(0, 1);
	vd_iova a = fx_map(&h->fx, 0, 1);
	vd_gpa gpa;

	assert_int_equal(vd_domain_create(h->fx.host, &cfg, &other), 0);
	assert_int_equal(vd_device_translate(other, FX_DEV, a, VD_READ, &gpa), -ENODEV);
	assert_int_equal(vd_device_map(other, FX_DEV, &seg, 1, UINT64_MAX), -ENODEV);
	assert_int_equal(vd_device_unmap(other, FX_DEV, a, PAGE), -ENODEV);
	hal_hello(h);
	hal_request(h, VD_HAL_OP_MAP, 1);
	hal_page(h, 0)->head.device = 0x77; /* of some other domain */
	assert_int_equal(hal_ring(h), VD_HAL_S_NODEV);
	vd_domain_destroy(other);
}

static void t3_5_scattered_pages_serve_one_buffer(void **state)
{
	struct hal_fx *h = *state;

	for (uint64_t i = 0; i < 3; i++)
		vd_fake_place(h->fx.host, i, (vd_hpa){ 0x900000 - i * 0x10000 });
	hal_hello(h);
	hal_request(h, VD_HAL_OP_MAP, 1);
	hal_page(h, 0)->seg[0].len = 3 * VD_PAGE_SIZE;
	/* As one run: told apart, so that the HAL can bounce it ... */
	assert_int_equal(hal_ring(h), VD_HAL_S_DISCONTIG);
	/* ... or take it page by page. */
	hal_request(h, VD_HAL_OP_MAP, 3);
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(hal_page(h, 0)->seg[i].addr, 0x900000 - i * 0x10000);
}

static void t3_6_direction_is_enforced(void **state)
{
	struct hal_fx *h = *state;
	struct vd_seg seg = fx_seg(0, 1);
	struct vd_fault fault = { .size = sizeof(fault) };
	vd_gpa gpa = { 42 };

	seg.prot = VD_READ;
	assert_int_equal(vd_device_map(h->fx.d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	assert_int_equal(vd_device_translate(h->fx.d, FX_DEV, seg.iova, VD_READ, &gpa), 0);
	gpa.v = 42;
	assert_int_equal(vd_device_translate(h->fx.d, FX_DEV, seg.iova, VD_WRITE, &gpa), -EACCES);
	assert_int_equal(gpa.v, 42);
	assert_int_equal(vd_domain_next_fault(h->fx.d, &fault), 0);
	assert_int_equal(fault.reason, VD_FAULT_DIRECTION);
	assert_int_equal(fault.prot, VD_WRITE);
}

static void t3_7_table_full_is_an_error(void **state)
{
	const struct vd_domain_cfg cfg = {
		.size = sizeof(cfg),
		.granule_shift = 12,
		.max_mappings = 3,
	};
	struct vd_seg segs[2] = { fx_seg(5, 1), fx_seg(6, 1) };
	struct fx f;
	vd_iova a;

	(void)state;
	fx_make(&f, &cfg);
	a = fx_map(&f, 0, 1);
	fx_map(&f, 1, 1);
	assert_int_equal(vd_device_map(f.d, FX_DEV, segs, 2, UINT64_MAX), -ENOSPC);
	assert_int_equal(fx_pinned(&f), 2);
	assert_int_equal(fx_unmap(&f, a, 1), 0);
	assert_int_equal(vd_device_map(f.d, FX_DEV, segs, 2, UINT64_MAX), 0);
	assert_int_equal(fx_stats(&f).nmappings, 3);
	fx_unmake(&f);
}

static void t3_8_statistics_of_a_device(void **state)
{
	struct hal_fx *h = *state;
	struct fx *f = &h->fx;
	struct vd_seg bad = fx_seg(FX_PAGES, 1);
	vd_iova a = fx_map(f, 0, 2);
	struct vd_device_info info = { .size = sizeof(info) };
	vd_gpa gpa;

	fx_map(f, 5, 1);
	assert_int_equal(vd_device_map(f->d, FX_DEV, &bad, 1, UINT64_MAX), -EFAULT);
	vd_device_translate(f->d, FX_DEV, a, VD_READ, &gpa);
	vd_device_translate(f->d, FX_DEV, (vd_iova){ 1 }, VD_READ, &gpa);
	fx_unmap(f, a, 2);
	info = fx_info(f, FX_DEV);
	assert_int_equal(info.nmappings, 1);
	assert_int_equal(info.mapped, PAGE);
	assert_int_equal(info.maps, 2);
	assert_int_equal(info.unmaps, 1);
	assert_int_equal(info.translations, 2);
	assert_int_equal(info.faults, 1);
	assert_int_equal(info.refused, 1);
	vd_device_deny(f->d, FX_DEV);
	vd_device_deny(f->d, FX_DEV);
	assert_int_equal(fx_info(f, FX_DEV).denies, 1);
	assert_int_equal(fx_stats(f).nfaults, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hal_test(t3_1_a_scatter_list_through_the_hal),
		hal_test(t3_2_neither_can_do_it_alone),
		hal_test(t3_3_deny_revokes_and_permit_restores),
		hal_test(t3_4_no_way_into_another_domain),
		hal_test(t3_5_scattered_pages_serve_one_buffer),
		hal_test(t3_6_direction_is_enforced),
		cmocka_unit_test(t3_7_table_full_is_an_error),
		hal_test(t3_8_statistics_of_a_device),
	};

	return run_all(tests);
}
