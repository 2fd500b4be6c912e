/* SPDX-License-Identifier: BSD-2-Clause */
#include "pins_fixture.h"

static struct vd_why why(struct px *p, uint64_t i)
{
	struct vd_why w = { .size = sizeof(w) };

	assert_int_equal(vd_domain_why_pinned(p->fx.d, fx_gpa(i), &w), 0);
	return w;
}

static void errors(void **state)
{
	struct px *p = *state;
	struct vd_why w = { .size = sizeof(w), .asked = 7 };

	assert_int_equal(vd_domain_why_pinned(p->fx.d, (vd_gpa){ 0 }, &w), -EFAULT);
	assert_int_equal(vd_domain_why_pinned(p->fx.d, fx_gpa(FX_PAGES), &w), -EFAULT);
	assert_int_equal(vd_domain_why_pinned(p->fx.d, fx_gpa(3), &w), -ENOENT);
	assert_int_equal(w.asked, 7);
}

static void strict_mappings_are_exact(void **state)
{
	struct px *p = *state;
	struct vd_seg seg = fx_seg(0, 9);
	struct vd_why w = { .size = sizeof(w) };

	assert_int_equal(fx_attach(&p->fx, FX_DEV + 1, FX_HOST + 1), 0);
	fx_map(&p->fx, 3, 1);
	fx_map(&p->fx, 2, 4);
	fx_map(&p->fx, 4, 1);
	assert_int_equal(vd_device_map(p->fx.d, FX_DEV + 1, &seg, 1, UINT64_MAX), 0);
	w = why(p, 3);
	assert_true(w.pinned);
	assert_false(w.cached);
	assert_int_equal(w.mappings, 3);
	assert_int_equal(w.nby, 2);
	assert_int_equal(w.by[0], FX_DEV);
	assert_int_equal(w.by[1], FX_DEV + 1);
	assert_int_equal(why(p, 8).mappings, 1);
}

static void cached_pages(void **state)
{
	struct px *p = *state;
	struct vd_seg seg = fx_seg(3, 1);
	struct vd_why w = { .size = sizeof(w) };
	uint64_t bus;

	vd_domain_age(p->fx.d, 1000);
	assert_int_equal(px_map(p, 3, &bus), 0);
	assert_int_equal(px_map(p, 3, &bus), 0);
	vd_domain_age(p->fx.d, 2000);
	assert_int_equal(vd_device_pin(p->fx.d, FX_DEV, &seg, 1, UINT64_MAX), 0);
	w = why(p, 3);
	assert_true(w.pinned && w.cached && w.used);
	assert_int_equal(w.mappings, 0);
	assert_int_equal(w.held, 3);
	assert_int_equal(w.device, FX_DEV);
	assert_int_equal(w.asked, 2); /* the second map was no request */
	assert_int_equal(w.since_ms, 1000);
	assert_int_equal(w.asked_ms, 2000);
}

static void neighbours(void **state)
{
	struct px *p = *state;
	uint64_t bus;

	assert_int_equal(vd_domain_set_around(p->fx.d, 1), 0);
	assert_int_equal(px_map(p, 3, &bus), 0);
	assert_int_equal(why(p, 2).device, VD_WHY_AROUND);
	assert_int_equal(why(p, 2).asked, 0);
	assert_false(why(p, 2).used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		px_test(errors),
		px_test(strict_mappings_are_exact),
		px_test(cached_pages),
		px_test(neighbours),
	};

	return run_all(tests);
}
