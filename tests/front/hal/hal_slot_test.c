/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests. */
#include "hal_fixture.h"

static void map_and_unmap(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;

	hal_hello(h);
	p = hal_request(h, VD_HAL_OP_MAP, 3);
	p->seg[1].addr += 10;
	p->seg[1].len = 5;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->head.done, 3);
	assert_int_equal(p->seg[0].addr, VD_FAKE_BASE);
	assert_int_equal(p->seg[1].addr, VD_FAKE_BASE + PAGE + 10);
	assert_int_equal(p->seg[1].len, 5);
	assert_int_equal(p->seg[2].addr, VD_FAKE_BASE + 2 * PAGE);
	assert_int_equal(fx_pinned(&h->fx), 3);

	p->head.op = VD_HAL_OP_UNMAP;
	p->head.mask = 0;
	for (int i = 0; i < 3; i++)
		p->seg[i].prot = 0;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->head.done, 3);
	assert_int_equal(fx_pinned(&h->fx), 0);
	/* Replayed. */
	assert_int_equal(hal_ring(h), VD_HAL_S_NOENT);
	assert_int_equal(p->head.done, 0);
	assert_int_equal(hal_count(h).requests, 3);
	assert_int_equal(hal_count(h).map_requests, 1);
	assert_int_equal(hal_count(h).unmap_requests, 2);
	assert_int_equal(hal_count(h).segs, 6);
	assert_int_equal(hal_count(h).status[VD_HAL_S_NOENT], 1);
}

static void largest_request(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;

	hal_hello(h);
	p = hal_request(h, VD_HAL_OP_MAP, VD_HAL_NSEGS);
	for (uint32_t i = 0; i < VD_HAL_NSEGS; i++)
		p->seg[i].addr = fx_gpa(i % 60).v;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->head.done, VD_HAL_NSEGS);
	assert_int_equal(fx_stats(&h->fx).nmappings, VD_HAL_NSEGS);
}

struct bad_row {
	const char *what;
	uint32_t op, count;
	size_t off, len; /* what is changed in the page, and to what */
	uint64_t value;
	uint32_t status;
};

#define HEAD(m) offsetof(struct vd_hal_slot, head.m), sizeof(((struct vd_hal_head *)0)->m)
#define SEG1(m) offsetof(struct vd_hal_slot, seg[1].m), sizeof(((struct vd_hal_seg *)0)->m)

#define MAP	VD_HAL_OP_MAP
#define UNMAP	VD_HAL_OP_UNMAP
#define DEVICES VD_HAL_OP_DEVICES

static const struct bad_row bad_rows[] = {
	{ "op 0", MAP, 2, HEAD(op), 0, VD_HAL_S_UNSUPP },
	{ "op 4", MAP, 2, HEAD(op), 4, VD_HAL_S_UNSUPP },
	{ "op 2^32-1", MAP, 2, HEAD(op), UINT32_MAX, VD_HAL_S_UNSUPP },
	{ "count 0", MAP, 2, HEAD(count), 0, VD_HAL_S_INVAL },
	{ "count 255", MAP, 2, HEAD(count), VD_HAL_NSEGS + 1, VD_HAL_S_INVAL },
	{ "count 2^32-1", MAP, 2, HEAD(count), UINT32_MAX, VD_HAL_S_INVAL },
	{ "a life", MAP, 2, HEAD(life), 1, VD_HAL_S_INVAL },
	{ "no such device", MAP, 2, HEAD(device), 9, VD_HAL_S_NODEV },
	{ "narrow mask", MAP, 2, HEAD(mask), UINT32_MAX, VD_HAL_S_MASK },
	{ "length 0", MAP, 2, SEG1(len), 0, VD_HAL_S_INVAL },
	{ "4 GiB", MAP, 2, SEG1(len), UINT32_MAX, VD_HAL_S_INVAL },
	{ "outside", MAP, 2, SEG1(addr), 0, VD_HAL_S_FAULT },
	{ "wraps", MAP, 2, SEG1(addr), UINT64_MAX, VD_HAL_S_FAULT },
	{ "2^62", MAP, 2, SEG1(addr), (uint64_t)1 << 62, VD_HAL_S_FAULT },
	{ "no right", MAP, 2, SEG1(prot), 0, VD_HAL_S_INVAL },
	{ "right 4", MAP, 2, SEG1(prot), 4, VD_HAL_S_INVAL },
	{ "unmap nothing", UNMAP, 2, SEG1(prot), 0, VD_HAL_S_INVAL }, /* seg 0 has rights */
	{ "devices of a device", DEVICES, 2, HEAD(device), 1, VD_HAL_S_INVAL },
	{ "devices of a life", DEVICES, 2, HEAD(life), 1, VD_HAL_S_INVAL },
	{ "devices with a mask", DEVICES, 2, HEAD(mask), 1, VD_HAL_S_INVAL },
	{ "devices, no room", DEVICES, 2, HEAD(count), 0, VD_HAL_S_INVAL },
};

static void bad_requests(void **state)
{
	struct hal_fx *h = *state;

	hal_hello(h);
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		const struct bad_row *r = &bad_rows[i];
		struct vd_hal_slot *p = hal_request(h, r->op, r->count);
		struct vd_hal_slot was;

		memcpy((char *)p + r->off, &r->value, r->len);
		was = *p;
		if (hal_ring(h) != r->status)
			fail_msg("%s: %u", r->what, p->head.status);
		/* Only status and done were written. */
		was.head.status = r->status;
		assert_memory_equal(p, &was, sizeof(was));
		assert_int_equal(fx_pinned(&h->fx), 0);
	}
}

static void errors_of_the_engine(void **state)
{
	struct hal_fx *h = *state;

	hal_hello(h);
	hal_request(h, VD_HAL_OP_MAP, 2);
	vd_domain_set_budget(h->fx.d, PAGE);
	assert_int_equal(hal_ring(h), VD_HAL_S_BUDGET);
	vd_domain_set_budget(h->fx.d, 0);
	vd_fake_fail(h->fx.host, 1, -ENOMEM);
	assert_int_equal(hal_ring(h), VD_HAL_S_NOMEM);
	vd_fake_fail(h->fx.host, 1, -ENOSPC);
	assert_int_equal(hal_ring(h), VD_HAL_S_FULL);
	vd_fake_fail(h->fx.host, 1, -ENOTSUP); /* has no word of its own */
	assert_int_equal(hal_ring(h), VD_HAL_S_NOMEM);
	hal_page(h, 0)->seg[0].len = 2 * VD_PAGE_SIZE;
	vd_fake_place(h->fx.host, 1, (vd_hpa){ 0x1000 });
	assert_int_equal(hal_ring(h), VD_HAL_S_DISCONTIG);
	vd_device_deny(h->fx.d, FX_DEV);
	assert_int_equal(hal_ring(h), VD_HAL_S_DENIED);
	assert_int_equal(hal_count(h).status[VD_HAL_S_DENIED], 1);
}

static uint32_t busy_status;
static struct hal_fx *busy_hal;

static void ring_while_quiescing(struct fx *f)
{
	(void)f;
	busy_status = hal_ring(busy_hal);
}

static void busy_while_quiescing(void **state)
{
	struct hal_fx *h = *state;

	hal_hello(h);
	hal_request(h, VD_HAL_OP_MAP, 1);
	busy_hal = h;
	h->fx.at_quiesce = ring_while_quiescing;
	assert_int_equal(vd_device_deny(h->fx.d, FX_DEV), 0);
	h->fx.at_quiesce = NULL;
	assert_int_equal(busy_status, VD_HAL_S_BUSY);
}

static void unmap_reports_how_far_it_came(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;

	hal_hello(h);
	p = hal_request(h, VD_HAL_OP_MAP, 4);
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	p->head.op = VD_HAL_OP_UNMAP;
	p->head.mask = 0;
	for (int i = 0; i < 4; i++)
		p->seg[i].prot = 0;
	p->seg[2].addr++;
	assert_int_equal(hal_ring(h), VD_HAL_S_NOENT);
	assert_int_equal(p->head.done, 2);
	p->seg[0] = p->seg[3];
	p->seg[1].len = 0; /* malformed, but the one before it is done */
	assert_int_equal(hal_ring(h), VD_HAL_S_INVAL);
	assert_int_equal(p->head.done, 1);
	assert_int_equal(fx_pinned(&h->fx), 1);
	p->head.mask = 1;
	assert_int_equal(hal_ring(h), VD_HAL_S_INVAL);
}

static void devices(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;

	hal_hello(h);
	fx_attach(&h->fx, 16, 5);
	fx_attach(&h->fx, 24, 6);
	vd_device_deny(h->fx.d, 16);
	p = hal_request(h, VD_HAL_OP_DEVICES, 10);
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->head.done, 3);
	assert_int_equal(p->seg[0].addr, 8);
	assert_int_equal(p->seg[0].prot, 1);
	assert_int_equal(p->seg[1].addr, 16);
	assert_int_equal(p->seg[1].prot, 0);
	assert_int_equal(p->seg[2].addr, 24);
	assert_int_equal(p->seg[2].len, fx_info(&h->fx, 24).incarnation);
	p = hal_request(h, VD_HAL_OP_DEVICES, 1); /* less room than devices */
	p->seg[1].addr = 42;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->head.done, 1);
	assert_int_equal(p->seg[1].addr, 42);
}

static uint32_t told_life(struct hal_fx *h)
{
	struct vd_hal_slot *p = hal_request(h, VD_HAL_OP_DEVICES, 1);

	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	return p->seg[0].len;
}

static uint32_t ring_as(struct hal_fx *h, uint32_t op, uint32_t life, uint64_t addr)
{
	struct vd_hal_slot *p = hal_request(h, op, 1);

	p->head.life = life;
	p->seg[0].addr = addr;
	if (op == VD_HAL_OP_UNMAP)
		p->seg[0].prot = 0;
	return hal_ring(h);
}

/* The guest may never have seen the deny: a driver of before reaches nothing. */
static void lives(void **state)
{
	struct hal_fx *h = *state;
	uint64_t *word = &h->word[FX_GPA / PAGE], gpa = fx_gpa(0).v;
	uint32_t was, is, age;

	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_PINS | VD_HAL_F_LIVES);
	hal_hello(h);
	was = told_life(h);
	assert_int_equal(told_life(h), was);
	assert_int_equal(ring_as(h, VD_HAL_OP_MAP, 0, gpa), VD_HAL_S_INVAL);
	assert_int_equal(ring_as(h, VD_HAL_OP_MAP, was, gpa), VD_HAL_S_OK);
	assert_int_equal(ring_as(h, VD_HAL_OP_PIN, was, gpa), VD_HAL_S_OK);
	age = hal_get(h, VD_HAL_REG_PINS_AGE);
	assert_int_equal(vd_device_deny(h->fx.d, FX_DEV), 0);
	assert_int_equal(vd_device_permit(h->fx.d, FX_DEV), 0);
	assert_int_not_equal(hal_get(h, VD_HAL_REG_PINS_AGE), age);

	is = told_life(h);
	assert_int_not_equal(is, was);
	assert_int_equal(ring_as(h, VD_HAL_OP_MAP, was, gpa), VD_HAL_S_DENIED);
	assert_int_equal(ring_as(h, VD_HAL_OP_PIN, was, gpa), VD_HAL_S_DENIED);
	assert_int_equal(word[0], 0);
	assert_int_equal(fx_pinned(&h->fx), 0);
	/* Its unmap is not that of a newer mapping of the same place. */
	assert_int_equal(ring_as(h, VD_HAL_OP_MAP, is, gpa), VD_HAL_S_OK);
	assert_int_equal(ring_as(h, VD_HAL_OP_UNMAP, was, VD_FAKE_BASE), VD_HAL_S_DENIED);
	assert_int_equal(fx_stats(&h->fx).nmappings, 1);
	assert_int_equal(ring_as(h, VD_HAL_OP_UNMAP, is, VD_FAKE_BASE), VD_HAL_S_OK);
}

static uint32_t admit(struct hal_fx *h, uint32_t device, uint32_t life)
{
	struct vd_hal_slot *p = hal_request(h, VD_HAL_OP_ADMIT, 1);

	memset(p->seg, 0, sizeof(p->seg));
	p->head.device = device;
	p->head.life = life;
	p->head.mask = 0;
	return hal_ring(h);
}

/* Only of the life that the device has, while it is permitted, and well formed. */
static void admits(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;
	uint32_t was, is;

	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_LIVES | VD_HAL_F_ADMIT);
	hal_hello(h);
	assert_true(hal_count(h).admits);
	was = told_life(h);
	assert_int_equal(h->nadmitted, 0);
	assert_int_equal(admit(h, FX_DEV, was), VD_HAL_S_OK);
	assert_int_equal(h->nadmitted, 1);
	assert_int_equal(h->admitted, FX_DEV);
	assert_int_equal(h->admitted_life, was);
	assert_int_equal(admit(h, FX_DEV, was), VD_HAL_S_OK); /* once more */
	assert_int_equal(h->nadmitted, 2);

	assert_int_equal(admit(h, FX_DEV + 1, was), VD_HAL_S_NODEV);
	assert_int_equal(admit(h, FX_DEV, 0), VD_HAL_S_INVAL);
	assert_int_equal(admit(h, FX_DEV, was + 1), VD_HAL_S_DENIED);
	for (int i = 0; i < 5; i++) {
		p = hal_request(h, VD_HAL_OP_ADMIT, 1 + (i == 4));
		memset(p->seg, 0, sizeof(p->seg));
		p->head.life = was;
		p->head.mask = i == 0;
		p->seg[0].addr = i == 1;
		p->seg[0].len = i == 2;
		p->seg[0].prot = i == 3;
		assert_int_equal(hal_ring(h), VD_HAL_S_INVAL);
	}
	assert_int_equal(vd_device_deny(h->fx.d, FX_DEV), 0);
	assert_int_equal(admit(h, FX_DEV, was), VD_HAL_S_DENIED);
	assert_int_equal(vd_device_permit(h->fx.d, FX_DEV), 0);
	assert_int_equal(admit(h, FX_DEV, was), VD_HAL_S_DENIED);
	assert_int_equal(h->nadmitted, 2);
	is = told_life(h);
	assert_int_equal(admit(h, FX_DEV, is), VD_HAL_S_OK);
	assert_int_equal(h->admitted_life, is);

	hal_put(h, VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
	assert_false(hal_count(h).admits);
}

/* It is no operation for who has not accepted it, and cannot be had alone. */
static void admit_unasked(void **state)
{
	struct hal_fx *h = *state;

	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_ADMIT);
	hal_hello(h);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_REFUSED);
	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_LIVES);
	hal_hello(h);
	assert_int_equal(hal_get(h, VD_HAL_REG_STATUS), VD_HAL_STATUS_HELLO);
	assert_false(hal_count(h).admits);
	assert_int_equal(admit(h, FX_DEV, told_life(h)), VD_HAL_S_UNSUPP);
	assert_int_equal(h->nadmitted, 0);
}

/* A slot's own page may be mapped; the answer is then seen by the device. */
static void request_that_names_its_own_page(void **state)
{
	struct hal_fx *h = *state;
	struct vd_hal_slot *p;

	hal_hello(h);
	p = hal_request(h, VD_HAL_OP_MAP, 1);
	p->seg[0].addr = fx_gpa(FX_PAGES - 1).v;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->seg[0].addr, VD_FAKE_BASE + (FX_PAGES - 1) * PAGE);
}

/* PIN is MAP by the words; without the feature it is no operation. */
static void pin(void **state)
{
	struct hal_fx *h = *state;
	uint64_t *word = &h->word[FX_GPA / PAGE];
	struct vd_hal_slot *p;

	hal_put(h, VD_HAL_REG_WANTED, VD_HAL_F_PINS);
	hal_hello(h);
	p = hal_request(h, VD_HAL_OP_PIN, 3);
	p->seg[1].addr += 10;
	p->seg[1].len = 5;
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(p->head.done, 3);
	assert_int_equal(p->seg[1].addr, VD_FAKE_BASE + PAGE + 10);
	for (int i = 0; i < 3; i++)
		assert_int_equal(word[i] & VD_HAL_WORD_COUNT, 1);
	assert_int_equal(hal_count(h).pin_requests, 1);
	assert_int_equal(fx_stats(&h->fx).nmappings, 0);

	p = hal_request(h, VD_HAL_OP_PIN, 1);
	p->seg[0].addr = 1 << 30;
	assert_int_equal(hal_ring(h), VD_HAL_S_FAULT);
	assert_int_equal(p->head.done, 0);
	p = hal_request(h, VD_HAL_OP_PIN, 1);
	p->head.mask = 1;
	assert_int_equal(hal_ring(h), VD_HAL_S_MASK);
	p = hal_request(h, VD_HAL_OP_PIN, 1);
	p->head.life = 1;
	assert_int_equal(hal_ring(h), VD_HAL_S_INVAL);
}

static void pin_needs_the_feature(void **state)
{
	struct hal_fx *h = *state;
	uint64_t *word = &h->word[FX_GPA / PAGE];

	hal_hello(h);
	hal_request(h, VD_HAL_OP_PIN, 1);
	assert_int_equal(hal_ring(h), VD_HAL_S_UNSUPP);
	assert_int_equal(word[0], 0);
	hal_request(h, VD_HAL_OP_MAP, 1); /* strict, as ever */
	assert_int_equal(hal_ring(h), VD_HAL_S_OK);
	assert_int_equal(word[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hal_test(map_and_unmap),
		hal_test(largest_request),
		hal_test(bad_requests),
		hal_test(errors_of_the_engine),
		hal_test(busy_while_quiescing),
		hal_test(unmap_reports_how_far_it_came),
		hal_test(devices),
		hal_test(request_that_names_its_own_page),
		hal_pins_test(pin),
		hal_pins_test(lives),
		hal_pins_test(admits),
		hal_pins_test(admit_unasked),
		hal_pins_test(pin_needs_the_feature),
	};

	return run_all(tests);
}
