/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"
#include <ram.h>

#define HVA(n) ((void *)(uintptr_t)(0x40000000u + (n)*0x1000u))

static int held, calls, fail_at;

static int hold(void *opaque, const struct vd_span *span, size_t n)
{
	(void)opaque;
	assert_int_equal(span->len, PAGE);
	if (++calls == fail_at)
		return -ENOSPC;
	held += (int)n;
	return 0;
}

static void release(void *opaque, const struct vd_span *span, size_t n)
{
	(void)opaque;
	(void)span;
	held -= (int)n;
}

static const struct vd_owner_ops ops = { sizeof(ops), hold, release };

static void finds_spans(void **state)
{
	const struct vd_span spans[] = {
		{ { 0 }, HVA(0), 4 * PAGE },
		{ { 0x100000 }, HVA(100), PAGE },
	};
	const struct vd_owner_cfg cfg = { .memory = spans, .nmemory = 2 };
	struct ram r;

	(void)state;
	assert_int_equal(ram_init(&r, &cfg), 0);
	assert_ptr_equal(ram_find(&r, 0, PAGE), &r.at[0]);
	assert_ptr_equal(ram_find(&r, 3 * PAGE, PAGE), &r.at[0]);
	assert_null(ram_find(&r, 3 * PAGE, PAGE + 1));
	assert_null(ram_find(&r, 4 * PAGE, 1));
	assert_ptr_equal(ram_find(&r, 0x100fff, 1), &r.at[1]);
	assert_null(ram_find(&r, UINT64_MAX, 1));
	assert_int_equal(ram_look(&r, 4 * PAGE, 1), -EFAULT);
}

static void refuses(void **state)
{
	const struct vd_span rows[][2] = {
		{ { { 1 }, HVA(0), PAGE } },
		{ { { 0 }, HVA(0), 0 } },
		{ { { 0 }, NULL, PAGE } },
		{ { { UINT64_MAX - 4095 }, HVA(0), 2 * PAGE } },
		{ { { 0 }, HVA(0), 2 * PAGE }, { { PAGE }, HVA(9), PAGE } },
	};
	struct fx *f = *state;
	struct ram r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct vd_owner_cfg cfg = { .memory = rows[i],
						  .nmemory = rows[i][1].len ? 2 : 1 };

		assert_int_equal(ram_init(&r, &cfg), rows[i][1].len ? -EEXIST : -EINVAL);
	}
	/* A domain, and memory beside it. */
	assert_int_equal(ram_init(&r, &(struct vd_owner_cfg){ .domain = f->d, .nmemory = 1 }),
			 -EINVAL);
	assert_int_equal(ram_init(&r, &(struct vd_owner_cfg){ .nmemory = 65 }), -EINVAL);
}

static void can_take(void **state)
{
	const struct vd_span span = { { 0 }, HVA(0), 4 * PAGE };
	struct fx *f = *state;
	struct ram a, b, d;

	assert_int_equal(ram_init(&a, &(struct vd_owner_cfg){ .memory = &span, .nmemory = 1 }), 0);
	assert_int_equal(ram_init(&b, &(struct vd_owner_cfg){ .memory = &span, .nmemory = 1 }), 0);
	assert_int_equal(ram_init(&d, &(struct vd_owner_cfg){ .domain = f->d }), 0);
	assert_true(ram_can_take(&b, &a));
	assert_true(ram_can_take(&d, &d));
	assert_false(ram_can_take(&d, &a));
	b.at[0].len = PAGE;
	assert_false(ram_can_take(&b, &a));
	b = d; /* the same bytes, but nobody pins them */
	b.domain = NULL;
	assert_false(ram_can_take(&d, &b));
	assert_false(ram_can_take(&b, &d));
	b = a;
	b.who = &ops;
	assert_false(ram_can_take(&b, &a));
}

/* Memory that a domain gets later is found; entries are held through it. */
static void domain_grows(void **state)
{
	struct fx *f = *state;
	struct ram r;

	assert_int_equal(ram_init(&r, &(struct vd_owner_cfg){ .domain = f->d }), 0);
	assert_int_equal(ram_look(&r, 0, PAGE), -EFAULT);
	assert_int_equal(vd_domain_add_memory(f->d, (vd_gpa){ 0 }, HVA(0), PAGE), 0);
	assert_int_equal(ram_look(&r, 0, PAGE), 0);
	assert_ptr_equal(ram_find(&r, 0, PAGE)->hva, HVA(0));
}

#define FAR ((uint64_t)1 << 56)

static struct vd_domain *make_domain(struct fx *f, uint64_t gpa, unsigned int page)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct vd_domain *d;

	assert_int_equal(vd_domain_create(f->host, &cfg, &d), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ gpa }, HVA(page), PAGE), 0);
	return d;
}

/* Again is for what the other domain has got since: all of that or nothing. */
static void reaches_what_grows(void **state)
{
	struct fx *f = *state;
	struct vd_domain *d = make_domain(f, 0, 0), *in_the_way = make_domain(f, 0, 100);
	struct ram r;

	assert_int_equal(ram_init(&r, &(struct vd_owner_cfg){ .domain = f->d }), 0);
	assert_int_equal(ram_reach(&r, in_the_way, FAR + 4 * PAGE), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ram_reach(&r, d, FAR), 0);
		assert_int_equal(r.n, 3);
	}
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 2 * PAGE }, HVA(2), PAGE), 0);
	assert_null(ram_find(&r, FAR + 2 * PAGE, PAGE));
	assert_int_equal(ram_reach(&r, d, FAR), 0);
	assert_int_equal(r.n, 4);
	assert_ptr_equal(ram_find(&r, FAR, PAGE)->hva, HVA(0));
	assert_ptr_equal(ram_find(&r, FAR + 2 * PAGE, PAGE)->hva, HVA(2));

	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 3 * PAGE }, HVA(3), PAGE), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 4 * PAGE }, HVA(4), PAGE), 0);
	assert_int_equal(ram_reach(&r, d, FAR), -EEXIST);
	assert_int_equal(r.n, 4);
	assert_null(ram_find(&r, FAR + 3 * PAGE, PAGE));
	vd_domain_destroy(d);
	vd_domain_destroy(in_the_way);
}

/* The owner's own hold: in calls of at most 64; a refusal undoes the others. */
static void holds_by_ops(void **state)
{
	const struct vd_span span = { { 0 }, HVA(0), 200 * PAGE };
	const struct vd_owner_cfg cfg = { .memory = &span, .nmemory = 1, .ops = &ops };
	struct ram_pages p = { .first = VD_READ, .step = PAGE, .n = 200, .shift = 12 };
	int64_t pinned = 0;
	struct ram r;

	(void)state;
	assert_int_equal(ram_init(&r, &cfg), 0);
	held = calls = 0;
	fail_at = 3;
	assert_int_equal(ram_hold(&r, &p, &pinned), -ENOSPC);
	assert_int_equal(held, 0);
	fail_at = calls = 0;
	assert_int_equal(ram_hold(&r, &p, &pinned), 0);
	assert_int_equal(held, 200);
	assert_int_equal(calls, 4);
	ram_release(&r, &p, &pinned);
	assert_int_equal(held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_spans),
		fx_test(refuses),
		fx_test(can_take),
		fx_test(domain_grows),
		fx_test(reaches_what_grows),
		cmocka_unit_test(holds_by_ops),
	};

	return run_all(tests);
}
