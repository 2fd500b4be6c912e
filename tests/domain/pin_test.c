/* SPDX-License-Identifier: BSD-2-Clause */
/* Mapping by the pin table: the steps of pin.c, and each of them failing. */
#include "pins_fixture.h"
#include "mem_nth.h"

#define MASK_ALL UINT64_MAX

static int pin(struct px *p, struct vd_seg *segs, size_t n)
{
	return vd_device_pin(p->fx.d, FX_DEV, segs, n, MASK_ALL);
}

/* One request pins; all that follows is the guest's own. */
static void hits_need_no_host(void **state)
{
	struct px *p = *state;
	uint64_t calls, bus, again;

	assert_int_equal(px_map(p, 5, &bus), 0);
	assert_int_equal(bus, VD_FAKE_BASE + 5 * PAGE);
	assert_int_equal(*px_word(p, 5), (bus >> 12) << VD_HAL_WORD_PAGE_SHIFT |
						 VD_HAL_WORD_PINNED | VD_HAL_WORD_USED | 1);
	assert_int_equal(fx_pinned(&p->fx), 1);
	calls = vd_fake_calls(p->fx.host);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(px_map(p, 5, &again), 0);
		assert_int_equal(again, bus);
	}
	assert_int_equal(px_count(p, 5), 1001);
	for (int i = 0; i < 1001; i++)
		assert_true(px_unmap(p, 5, bus));
	assert_false(px_unmap(p, 5, bus));
	assert_int_equal(vd_fake_calls(p->fx.host), calls);
	assert_int_equal(p->nasked, 1);
	assert_int_equal(fx_pinned(&p->fx), 1); /* cached */
	assert_int_equal(fx_stats(&p->fx).cached, PAGE);
	assert_int_equal(px_stats(p).held, 0);
}

/* Several segments, some in one page, some pinned before: one call of the host. */
static void one_request_for_a_list(void **state)
{
	struct px *p = *state;
	struct vd_seg seg[4] = { fx_seg(10, 3), fx_seg(2, 1), fx_seg(2, 1), fx_seg(20, 1) };
	uint64_t calls;

	px_touch(p, 11);
	seg[1].len = 100;
	seg[2].gpa.v += 200;
	seg[2].len = 56;
	seg[3].gpa.v += 4000;
	seg[3].len = 200; /* into page 21 */
	calls = vd_fake_calls(p->fx.host);
	assert_int_equal(pin(p, seg, 4), 0);
	assert_int_equal(vd_fake_calls(p->fx.host), calls + 1);
	assert_int_equal(seg[0].iova.v, VD_FAKE_BASE + 10 * PAGE);
	assert_int_equal(seg[2].iova.v, VD_FAKE_BASE + 2 * PAGE + 200);
	assert_int_equal(seg[3].iova.v, VD_FAKE_BASE + 20 * PAGE + 4000);
	assert_int_equal(px_count(p, 2), 2);
	for (uint64_t i = 10; i < 13; i++)
		assert_int_equal(px_count(p, i), 1);
	assert_int_equal(px_count(p, 20), 1);
	assert_int_equal(px_count(p, 21), 1);
	assert_int_equal(fx_pinned(&p->fx), 6);
	assert_int_equal(px_stats(p).held, 6 * PAGE);
	for (uint64_t i = 0; i < FX_PAGES; i++)
		assert_true(vd_fake_pins(p->fx.host, i) <= 1); /* a page is pinned once */
}

struct refusal_row {
	const char *what;
	uint64_t gpa, len, mask;
	int err;
};

static const struct refusal_row refusals[] = {
	{ "no length", FX_GPA, 0, MASK_ALL, -EINVAL },
	{ "wraps", UINT64_MAX, 2, MASK_ALL, -EOVERFLOW },
	{ "not memory", FX_GPA - 1, 2, MASK_ALL, -EFAULT },
	{ "its end is not", FX_GPA + FX_PAGES *PAGE - 1, 2, MASK_ALL, -EFAULT },
	{ "far beyond", (uint64_t)1 << 60, 1, MASK_ALL, -EFAULT },
	{ "no run", FX_GPA + 30 * PAGE, 2 * PAGE, MASK_ALL, -EXDEV },
	{ "above the mask", FX_GPA, PAGE, VD_FAKE_BASE + PAGE - 2, -ERANGE },
	{ "at the mask", FX_GPA, PAGE, VD_FAKE_BASE + PAGE - 1, 0 },
};

static void refusals_change_no_count(void **state)
{
	struct px *p = *state;

	vd_fake_place(p->fx.host, 31, (vd_hpa){ 0x7000 });
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct refusal_row *r = &refusals[i];
		struct vd_seg seg[2] = { fx_seg(40, 1),
					 { .gpa = { r->gpa }, .len = r->len, .prot = VD_READ } };

		assert_int_equal(vd_device_pin(p->fx.d, FX_DEV, seg, 2,
					       r->mask == MASK_ALL ? MASK_ALL : r->mask),
				 r->mask == MASK_ALL ? r->err : -ERANGE);
		assert_int_equal(vd_device_pin(p->fx.d, FX_DEV, &seg[1], 1, r->mask), r->err);
	}
	assert_int_equal(px_count(p, 40), 0);
	assert_int_equal(px_count(p, 0), 1); /* the last row's */
	/* What was pinned on the way is cached: the guest sees why by itself. */
	assert_true(*px_word(p, 30) & VD_HAL_WORD_PINNED);
	assert_true(*px_word(p, 31) & VD_HAL_WORD_PINNED);
	assert_int_equal(
		vd_device_pin(p->fx.d, 999, &(struct vd_seg){ .len = 1, .prot = 1 }, 1, MASK_ALL),
		-ENODEV);
	assert_int_equal(vd_device_deny(p->fx.d, FX_DEV), 0);
	assert_int_equal(pin(p, &(struct vd_seg){ .gpa = fx_gpa(1), .len = 1, .prot = 1 }, 1),
			 -EPERM);
}

static void no_table_no_pin(void **state)
{
	struct fx *f = *state;
	struct vd_seg seg = fx_seg(0, 1);

	assert_int_equal(vd_device_pin(f->d, FX_DEV, &seg, 1, MASK_ALL), -ENOTSUP);
	assert_int_equal(vd_domain_drop_pins(f->d), 0);
	assert_int_equal(vd_domain_age(f->d, 1), 0);
	assert_int_equal(vd_domain_reclaim(f->d, UINT64_MAX), 0);
}

/* Every step fails once; nothing is left of it. */
static void fault_sweep(void **state)
{
	static const int errs[] = { -ENOMEM, -ENOSPC, -EFAULT };
	struct px *p = *state;
	size_t live = mem_live();
	int err;

	for (size_t i = 0; i < ARRAY_LEN(errs); i++) {
		struct vd_seg seg[2] = { fx_seg(1, 2), fx_seg(2, 3) };

		vd_fake_fail(p->fx.host, 1, errs[i]);
		assert_int_equal(pin(p, seg, 2), errs[i]);
		assert_int_equal(fx_pinned(&p->fx), 0);
		assert_int_equal(mem_live(), live);
		for (uint64_t j = 0; j < FX_PAGES; j++)
			assert_int_equal(*px_word(p, j), 0);
	}
	for (unsigned int nth = 1;; nth++) {
		struct vd_seg seg[2] = { fx_seg(1, 2), fx_seg(2, 3) };

		mem_fail(nth);
		err = pin(p, seg, 2);
		mem_fail(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(fx_pinned(&p->fx), 0);
		assert_int_equal(mem_live(), live);
	}
	assert_int_equal(px_count(p, 2), 2);
}

/* The host's table is full of what nobody holds: that goes. */
static void makes_room_in_the_host(void **state)
{
	struct px *p = *state;
	struct vd_seg seg = fx_seg(9, 1);

	for (uint64_t i = 0; i < 4; i++)
		px_touch(p, i);
	vd_fake_fail(p->fx.host, 1, -ENOSPC);
	assert_int_equal(pin(p, &seg, 1), 0);
	assert_int_equal(px_stats(p).reclaimed, 1);
	assert_int_equal(fx_pinned(&p->fx), 4);
	/* Strict maps as well. */
	vd_fake_fail(p->fx.host, 1, -ENOMEM);
	fx_map(&p->fx, 12, 1);
	assert_int_equal(px_stats(p).reclaimed, 2);
}

static void budget(void **state)
{
	struct px *p = *state;
	struct vd_seg three = fx_seg(20, 3), more = fx_seg(30, 2);
	uint64_t bus[4];

	vd_domain_set_budget(p->fx.d, 4 * PAGE);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(px_map(p, i, &bus[i]), 0);
	/* All held: refused, and nothing changes. */
	assert_int_equal(pin(p, &three, 1), -EDQUOT);
	assert_int_equal(fx_pinned(&p->fx), 4);
	assert_int_equal(px_stats(p).held, 4 * PAGE);
	assert_int_equal(fx_stats(&p->fx).refused_budget, 1);
	/* Held by nobody: they make room, as many as are needed. */
	for (uint64_t i = 0; i < 3; i++)
		assert_true(px_unmap(p, i, bus[i]));
	assert_int_equal(pin(p, &three, 1), 0);
	assert_int_equal(fx_pinned(&p->fx), 4);
	assert_int_equal(px_stats(p).reclaimed, 3);
	assert_int_equal(fx_stats(&p->fx).pinned_peak, 4 * PAGE);
	/* A strict map finds room in the same way, or not. */
	assert_int_equal(vd_device_map(p->fx.d, FX_DEV, &more, 1, MASK_ALL), -EDQUOT);
	for (uint64_t i = 20; i < 22; i++)
		assert_true(px_unmap(p, i, VD_FAKE_BASE + i * PAGE));
	assert_int_equal(vd_device_map(p->fx.d, FX_DEV, &more, 1, MASK_ALL), 0);
	assert_int_equal(fx_pinned(&p->fx), 4);
	/* A smaller budget takes at once what it can. */
	assert_true(px_unmap(p, 22, VD_FAKE_BASE + 22 * PAGE));
	vd_domain_set_budget(p->fx.d, PAGE);
	assert_int_equal(fx_pinned(&p->fx), 3); /* page 3, and 30 and 31 */
}

static void a_count_has_a_limit(void **state)
{
	struct px *p = *state;
	struct vd_seg seg = fx_seg(0, 1);
	uint64_t bus, full;

	px_touch(p, 0);
	*px_word(p, 0) |= VD_HAL_WORD_MOST;
	full = *px_word(p, 0);
	assert_false(hal_word_map(px_word(p, 0), &(unsigned long long){ 0 }));
	assert_int_equal(px_map(p, 0, &bus), -EBUSY);
	assert_int_equal(pin(p, &seg, 1), -EBUSY);
	assert_int_equal(*px_word(p, 0), full);
	assert_true(px_unmap(p, 0, VD_FAKE_BASE));
	assert_int_equal(px_map(p, 0, &bus), 0);
	assert_int_equal(*px_word(p, 0), full);
}

/* Neighbours come along unused, within the budget and memory, at nobody's cost. */
static void around(void **state)
{
	struct px *p = *state;
	uint64_t bus;

	assert_int_equal(vd_domain_set_around(p->fx.d, 9), -EINVAL);
	assert_int_equal(vd_domain_set_around(p->fx.d, 3), 0);
	assert_int_equal(px_map(p, 13, &bus), 0);
	assert_int_equal(fx_pinned(&p->fx), 8);
	assert_int_equal(p->nasked, 1);
	for (uint64_t i = 8; i < 16; i++) {
		assert_int_equal(!!(*px_word(p, i) & VD_HAL_WORD_USED), i == 13);
		px_touch(p, i);
	}
	assert_int_equal(p->nasked, 1);
	vd_domain_set_budget(p->fx.d, 10 * PAGE);
	assert_int_equal(px_map(p, 40, &bus), 0);
	assert_int_equal(fx_pinned(&p->fx), 10);
	assert_int_equal(px_stats(p).reclaimed, 0);
	/* Nobody touches those of 40: they are the first to go. */
	assert_int_equal(px_map(p, 50, &bus), 0);
	assert_int_equal(fx_pinned(&p->fx), 10);
	assert_int_equal(px_stats(p).reclaimed, 1);
	assert_true(*px_word(p, 8) & VD_HAL_WORD_PINNED);
	/* If the host cannot, the request is none the worse. */
	vd_domain_set_budget(p->fx.d, 0);
	vd_fake_fail(p->fx.host, 2, -ENOMEM);
	assert_int_equal(px_map(p, 24, &bus), 0);
	assert_int_equal(fx_pinned(&p->fx), 11);
}

/* What is cached is in reach of all that are permitted; both ways agree (X3). */
static void translations(void **state)
{
	struct px *p = *state;
	struct vd_domain *d = p->fx.d;
	uint64_t bus;
	vd_iova iova;
	vd_gpa gpa;

	assert_int_equal(fx_attach(&p->fx, FX_DEV + 1, FX_HOST + 1), 0);
	assert_int_equal(px_map(p, 7, &bus), 0);
	px_touch(p, 9);
	for (uint32_t id = FX_DEV; id <= FX_DEV + 1; id++) {
		assert_int_equal(vd_device_translate(d, id, (vd_iova){ bus + 5 }, VD_WRITE, &gpa),
				 0);
		assert_int_equal(gpa.v, fx_gpa(7).v + 5);
		assert_int_equal(vd_device_reverse(d, id, (vd_gpa){ fx_gpa(9).v + 8 }, &iova), 0);
		assert_int_equal(iova.v, bus + 2 * PAGE + 8);
	}
	assert_int_equal(vd_device_translate(d, FX_DEV, (vd_iova){ bus + PAGE }, VD_READ, &gpa),
			 -ENOENT);
	assert_int_equal(vd_device_deny(d, FX_DEV), 0);
	assert_int_equal(vd_device_translate(d, FX_DEV, (vd_iova){ bus }, VD_READ, &gpa), -EPERM);
	assert_int_equal(vd_device_reverse(d, FX_DEV, fx_gpa(7), &iova), -ENOENT);
	vd_domain_reclaim(d, UINT64_MAX);
	assert_int_equal(vd_device_translate(d, FX_DEV + 1, (vd_iova){ bus }, VD_READ, &gpa), 0);
	assert_int_equal(vd_device_reverse(d, FX_DEV + 1, fx_gpa(9), &iova), -ENOENT);
}

/* What a guest writes into its words is its own loss. */
static void lies(void **state)
{
	static const uint64_t lie[] = { 0,
					UINT64_MAX,
					VD_HAL_WORD_COUNT,
					VD_HAL_WORD_MOST,
					VD_HAL_WORD_PINNED,
					VD_HAL_WORD_PINNED | VD_HAL_WORD_USED,
					VD_HAL_WORD_PINNED | 1,
					(uint64_t)1 << 63 | VD_HAL_WORD_PINNED,
					1 };
	struct px *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(lie) * 3; i++) {
		struct vd_seg seg = fx_seg(4, 2);
		int err;

		if (i % 3 == 0)
			px_touch(p, 5);
		*px_word(p, 4) = *px_word(p, 5) = lie[i / 3];
		err = pin(p, &seg, 1);
		assert_true(err == 0 || err == -EBUSY);
		if (!err) /* the answer is the host's own knowledge */
			assert_int_equal(seg.iova.v, VD_FAKE_BASE + 4 * PAGE);
		*px_word(p, 4) = *px_word(p, 5) = lie[i / 3];
		if (i % 3 == 1)
			vd_domain_reclaim(p->fx.d, UINT64_MAX);
		for (uint64_t j = 0; j < FX_PAGES; j++)
			assert_true(vd_fake_pins(p->fx.host, j) <= 1);
		assert_true(fx_pinned(&p->fx) <= 2);
		if (i % 3 == 2) {
			assert_int_equal(vd_domain_drop_pins(p->fx.d), 0);
			assert_int_equal(fx_pinned(&p->fx), 0);
			assert_int_equal(*px_word(p, 4), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		px_test(hits_need_no_host),
		px_test(one_request_for_a_list),
		px_test(refusals_change_no_count),
		fx_test(no_table_no_pin),
		px_test(fault_sweep),
		px_test(makes_room_in_the_host),
		px_test(budget),
		px_test(a_count_has_a_limit),
		px_test(around),
		px_test(translations),
		px_test(lies),
	};

	return run_all(tests);
}
