/* SPDX-License-Identifier: BSD-2-Clause */
#include "pins_fixture.h"
#include <state.h>
#include <granule_pin.h>

static struct granule_run run_of(struct fx *f, uint64_t page, uint64_t npages)
{
	struct stretch *s;

	assert_int_equal(granule_pin_open(f->d, 0, &s), 0);
	return (struct granule_run){ s, fx_gpa(page).v, fx_gpa(page + npages).v - 1 };
}

static void pinned_while_held(void **state)
{
	struct fx *f = *state;
	struct granule_run a = run_of(f, 3, 2), b = run_of(f, 4, 2);
	int64_t pinned = 0;

	assert_int_equal(granule_pin_hold(f->d, &a, &pinned), 0);
	assert_int_equal(pinned, 2 * PAGE);
	assert_int_equal(granule_pin_hold(f->d, &b, &pinned), 0);
	assert_int_equal(pinned, 3 * PAGE); /* page 4 is in both */
	assert_int_equal(fx_pinned(f), 3);
	granule_pin_release(f->d, &a, &pinned);
	assert_int_equal(fx_pinned(f), 2);
	granule_pin_release(f->d, &b, &pinned);
	assert_int_equal(pinned, 0);
	assert_int_equal(fx_pinned(f), 0);
}

/* Holding what is held asks the host for nothing. */
static void warm_is_free(void **state)
{
	struct fx *f = *state;
	struct granule_run r = run_of(f, 0, 8);
	int64_t pinned = 0;
	uint64_t calls;

	assert_int_equal(granule_pin_hold(f->d, &r, &pinned), 0);
	calls = vd_fake_calls(f->host);
	assert_int_equal(granule_pin_hold(f->d, &r, &pinned), 0);
	granule_pin_release(f->d, &r, &pinned);
	assert_int_equal(vd_fake_calls(f->host), calls);
	granule_pin_release(f->d, &r, &pinned);
	assert_int_equal(fx_pinned(f), 0);
}

/* Many at once, as far as nothing has to be pinned or let go; none by half. */
static void warm_at_once(void **state)
{
	struct fx *f = *state;
	struct granule_run all = run_of(f, 0, 2), last = run_of(f, 1, 1);
	const uint64_t e[] = {
		fx_gpa(0).v | VD_READ, 0, fx_gpa(1).v | VD_WRITE, fx_gpa(2).v | VD_READ,
		fx_gpa(0).v | VD_READ,
	};
	struct granule_list l = { all.s, all.s->gpa, e, 0, 0, 5, 12 };
	int64_t pinned = 0;

	assert_int_equal(granule_pin_expect_list(f->d, &l), 5);
	assert_int_equal(granule_pin_hold_list(f->d, &l), 0);
	assert_int_equal(granule_pin_hold(f->d, &all, &pinned), 0);
	assert_int_equal(granule_pin_hold_list(f->d, &l), 3); /* page 2 is cold */
	granule_pin_release(f->d, &last, &pinned);
	assert_int_equal(granule_pin_release_list(f->d, &l), 2); /* page 1 is the last */
	assert_int_equal(fx_pinned(f), 2);
	granule_pin_release(f->d, &all, &pinned);
	assert_int_equal(pinned, 0);
	assert_int_equal(fx_pinned(f), 0);
}

/* Also with a device's mapping of the same pages beside it. */
static void shares_the_budget(void **state)
{
	struct fx *f = *state;
	struct granule_run r = run_of(f, 2, 4);
	int64_t pinned = 0;
	vd_iova iova = fx_map(f, 2, 2);

	vd_domain_set_budget(f->d, 3 * PAGE);
	assert_int_equal(granule_pin_hold(f->d, &r, &pinned), -EDQUOT);
	assert_int_equal(fx_stats(f).pinned, 2 * PAGE);
	vd_domain_set_budget(f->d, 4 * PAGE);
	assert_int_equal(granule_pin_hold(f->d, &r, &pinned), 0);
	assert_int_equal(pinned, 2 * PAGE);
	assert_int_equal(fx_unmap(f, iova, 2), 0);
	assert_int_equal(fx_stats(f).pinned, 4 * PAGE);
	granule_pin_release(f->d, &r, &pinned);
	assert_int_equal(fx_pinned(f), 0);
}

/* Whatever the host refuses, nothing is left; part of it was warm. */
static void host_refuses(void **state)
{
	struct fx *f = *state;
	struct granule_run warm = run_of(f, 1, 1), r = run_of(f, 0, 64);
	int64_t pinned = 0;

	assert_int_equal(granule_pin_hold(f->d, &warm, &pinned), 0);
	vd_fake_fail(f->host, 1, -ENOSPC);
	assert_int_equal(granule_pin_hold(f->d, &r, &pinned), -ENOSPC);
	vd_fake_fail(f->host, 0, 0);
	assert_int_equal(pinned, PAGE);
	assert_int_equal(fx_pinned(f), 1);
	assert_int_equal(granule_pin_hold(f->d, &r, &pinned), 0);
	assert_int_equal(fx_pinned(f), 64);
	granule_pin_release(f->d, &r, &pinned);
	granule_pin_release(f->d, &warm, &pinned);
	assert_int_equal(fx_pinned(f), 0);
}

/* The second batch of cold ones fails: those of the first go as well. */
static void second_batch_fails(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	char *base = (char *)0x40000000;
	struct granule_run r;
	struct vd_host *h;
	struct vd_domain *d;
	int64_t pinned = 0;

	(void)state;
	assert_int_equal(vd_host_fake_create(base, 256, &h), 0);
	assert_int_equal(vd_domain_create(h, &cfg, &d), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 0 }, base, 256 * PAGE), 0);
	assert_int_equal(granule_pin_open(d, 0, &r.s), 0);
	r.first = 0;
	r.last = 256 * PAGE - 1;
	vd_fake_fail(h, 3, -ENOMEM);
	assert_int_equal(granule_pin_hold(d, &r, &pinned), -ENOMEM);
	assert_int_equal(vd_fake_pinned(h), 0);
	assert_int_equal(pinned, 0);
	vd_domain_set_budget(d, 200 * PAGE);
	assert_int_equal(granule_pin_hold(d, &r, &pinned), -EDQUOT);
	assert_int_equal(vd_fake_pinned(h), 0);
	vd_domain_destroy(d);
	vd_host_destroy(h);
}

/* What is only cached makes room, for the budget and for the host. */
static void cached_pages_make_room(void **state)
{
	struct px *p = *state;
	struct granule_run r = run_of(&p->fx, 10, 2);
	int64_t pinned = 0;

	for (uint64_t i = 1; i <= 3; i++)
		px_touch(p, i);
	vd_domain_set_budget(p->fx.d, 4 * PAGE);
	assert_int_equal(granule_pin_hold(p->fx.d, &r, &pinned), 0);
	assert_int_equal(pinned, PAGE); /* two more, one less */
	assert_int_equal(fx_pinned(&p->fx), 4);
	vd_domain_set_budget(p->fx.d, 0);
	r = run_of(&p->fx, 20, 1);
	vd_fake_fail(p->fx.host, 1, -ENOSPC);
	assert_int_equal(granule_pin_hold(p->fx.d, &r, &pinned), 0);
	assert_int_equal(fx_pinned(&p->fx), 4);
	vd_domain_reclaim(p->fx.d, UINT64_MAX);
	vd_domain_set_budget(p->fx.d, 3 * PAGE);
	r = run_of(&p->fx, 30, 1);
	assert_int_equal(granule_pin_hold(p->fx.d, &r, &pinned), -EDQUOT); /* nothing to give */
	r = run_of(&p->fx, 20, 1);
	granule_pin_release(p->fx.d, &r, &pinned);
	r = run_of(&p->fx, 10, 2);
	granule_pin_release(p->fx.d, &r, &pinned);
	assert_int_equal(fx_pinned(&p->fx), 0);
}

/* Pages may be large: one take of the lock goes so far and no further. */
static void large_pages_in_pieces(void **state)
{
	enum { SHIFT = 26, N = 16 };
	const uint64_t len = (uint64_t)N << SHIFT, each = 1u << (SHIFT - 12);
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	void *base = (void *)0x10000000;
	struct vd_host *host;
	struct vd_domain *d;
	struct granule_run all = { .first = 0, .last = len - 1 };
	struct granule_list l = { .first = VD_READ, .step = (uint64_t)1 << SHIFT, .shift = SHIFT };
	int64_t pinned = 0;
	size_t n;

	(void)state;
	assert_int_equal(vd_host_fake_create(base, len / PAGE, &host), 0);
	assert_int_equal(vd_domain_create(host, &cfg, &d), 0);
	assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ 0 }, base, len), 0);
	assert_int_equal(granule_pin_open(d, 0, &all.s), 0);
	assert_int_equal(granule_pin_hold(d, &all, &pinned), 0);
	l.s = all.s;
	l.n = N;
	n = granule_pin_hold_list(d, &l);
	assert_true(n > 0 && n < N && (n - 1) * each < 1u << 16);
	assert_int_equal(all.s->held[n * each - 1], 2);
	assert_int_equal(all.s->held[n * each], 1);
	assert_int_equal(granule_pin_release_list(d, &l), n);
	assert_int_equal(all.s->held[0], 1);
	granule_pin_release(d, &all, &pinned);
	assert_int_equal(pinned, 0);
	vd_domain_destroy(d);
	vd_host_destroy(host);
}

static void no_such_stretch(void **state)
{
	struct fx *f = *state;
	struct stretch *s;

	assert_int_equal(granule_pin_open(f->d, 1, &s), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fx_test(pinned_while_held),
		fx_test(warm_is_free),
		fx_test(warm_at_once),
		fx_test(shares_the_budget),
		cmocka_unit_test(large_pages_in_pieces),
		fx_test(host_refuses),
		cmocka_unit_test(second_batch_fails),
		px_test(cached_pages_make_room),
		fx_test(no_such_stretch),
	};

	return run_all(tests);
}
