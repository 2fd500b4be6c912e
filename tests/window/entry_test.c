/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"
#include "mem_nth.h"

/* One page each, all held; a list with one bad entry changes nothing. */
static void list_or_nothing(void **state)
{
	const struct {
		vd_entry bad;
		int err;
	} rows[] = {
		{ ex_entry(EX_PAGES, RW), -EFAULT },
		{ { (UINT64_MAX & ~(uint64_t)0xfff) | RW }, -EFAULT },
		{ { EX_GPA | 4 | RW }, -EINVAL },
		{ { EX_GPA }, -EINVAL }, /* an address without rights */
		{ { 0x800 | RW }, -EINVAL },
	};
	struct ex *x = *state;
	uint64_t before[EX_LEN], after[EX_LEN];
	vd_entry e[16];
	struct vd_put p = { .size = sizeof(p),
			    .owner = EX_P1,
			    .window = EX_W,
			    .bus = ex_bus(100),
			    .n = 16,
			    .entry = e };

	for (uint64_t i = 0; i < 16; i++)
		e[i] = ex_entry(i, RW);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 105, 40), 0);
	ex_entries(x, before);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		vd_entry good = e[15];

		e[15] = rows[i].bad;
		assert_int_equal(vd_window_put(x->a, &p), rows[i].err);
		e[15] = good;
		assert_int_equal(ex_pinned(&x->p1), 1);
	}
	vd_fake_fail(x->p1.host, 9, -ENOSPC);
	assert_int_equal(vd_window_put(x->a, &p), -ENOSPC);
	vd_fake_fail(x->p1.host, 0, 0);
	vd_domain_set_budget(x->p1.d, 16 * PAGE); /* old and new at once: 17 */
	assert_int_equal(vd_window_put(x->a, &p), -EDQUOT);
	assert_int_equal(ex_pinned(&x->p1), 1);
	ex_entries(x, after);
	assert_memory_equal(before, after, sizeof(before));
	vd_domain_set_budget(x->p1.d, 17 * PAGE);
	assert_int_equal(vd_window_put(x->a, &p), 0);
	assert_int_equal(p.pinned, 15 * (int64_t)PAGE);
	assert_int_equal(ex_pinned(&x->p1), 16);
}

static void refuses(void **state)
{
	struct ex *x = *state;
	const vd_entry e = ex_entry(1, RW), none = { 0 };
	const struct vd_put good = { .size = sizeof(good),
				     .owner = EX_P1,
				     .window = EX_W,
				     .bus = ex_bus(0),
				     .n = 1,
				     .entry = &e };
	struct vd_put p = good;
	vd_entry out;

	p.window = 99;
	assert_int_equal(vd_window_put(x->a, &p), -ENOENT);
	p = good;
	p.owner = EX_P2;
	assert_int_equal(vd_window_put(x->a, &p), -EPERM);
	p = good;
	p.n = 0;
	assert_int_equal(vd_window_put(x->a, &p), -EINVAL);
	p.n = VD_PUT_MAX + 1;
	assert_int_equal(vd_window_put(x->a, &p), -EINVAL);
	assert_int_equal(vd_window_fill(x->a, &p), -EINVAL);
	p = good;
	p.flags = 2;
	assert_int_equal(vd_window_put(x->a, &p), -EINVAL);
	p = good;
	p.bus.v++;
	assert_int_equal(vd_window_put(x->a, &p), -EINVAL);
	p.bus = (vd_iova){ EX_BUS - PAGE };
	assert_int_equal(vd_window_put(x->a, &p), -ERANGE);
	p.bus = (vd_iova){ 0 };
	assert_int_equal(vd_window_put(x->a, &p), -ERANGE);
	p.bus = ex_bus(EX_LEN);
	assert_int_equal(vd_window_put(x->a, &p), -ERANGE);
	p.entry = &none;
	p.bus = ex_bus(1);
	p.n = SIZE_MAX;
	assert_int_equal(vd_window_fill(x->a, &p), -ERANGE);
	assert_int_equal(vd_window_get(x->a, EX_P1, EX_W, ex_bus(0), &out, VD_PUT_MAX + 1),
			 -EINVAL);
	assert_int_equal(vd_window_get(x->a, EX_P2, EX_W, ex_bus(0), &out, 1), -EPERM);
	assert_int_equal(vd_window_get(x->a, EX_P1, EX_W, ex_bus(EX_LEN), &out, 1), -ERANGE);
	assert_int_equal(ex_pinned(&x->p1), 0);
}

static void fresh_refuses_what_is_there(void **state)
{
	struct ex *x = *state;
	const vd_entry e = ex_entry(1, VD_READ);
	struct vd_put p = { .size = sizeof(p),
			    .owner = EX_P1,
			    .window = EX_W,
			    .bus = ex_bus(0),
			    .n = 8,
			    .entry = &e,
			    .flags = VD_PUT_FRESH };
	vd_entry out;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 7, 2), 0);
	assert_int_equal(vd_window_fill(x->a, &p), -EEXIST);
	assert_int_equal(vd_window_get(x->a, EX_P1, EX_W, ex_bus(0), &out, 1), 0);
	assert_int_equal(out.v, 0);
	p.n = 7;
	assert_int_equal(vd_window_fill(x->a, &p), 0);
	assert_int_equal(p.pinned, PAGE); /* one page, seven times */
	assert_int_equal(ex_pinned(&x->p1), 2);
	p.flags = 0;
	p.n = 8;
	assert_int_equal(vd_window_fill(x->a, &p), 0);
	assert_int_equal(p.pinned, -(int64_t)PAGE);
}

/*
 * One entry at a time, of a page that something else holds and of one that nothing
 * else does, beside an entry that stays: nothing, or no more than its own pin.
 */
static void one_by_one(void **state)
{
	struct ex *x = *state;
	const vd_entry none = { 0 };
	struct vd_put p = { .size = sizeof(p),
			    .owner = EX_P1,
			    .window = EX_W,
			    .bus = ex_bus(3),
			    .n = 1,
			    .entry = &none,
			    .flags = VD_PUT_FRESH };
	uint64_t calls;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 0, 9), 0);
	calls = vd_fake_calls(x->p1.host);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 9), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 9), 0);
	assert_int_equal(vd_window_put(x->a, &p), -EEXIST);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 3, none), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 3, none), 0);
	assert_int_equal(vd_window_put(x->a, &p), 0);
	assert_int_equal(p.pinned, 0);
	assert_int_equal(vd_fake_calls(x->p1.host), calls);
	assert_int_equal(vd_fake_pins(x->p1.host, 9), 1);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 10), 0);
	p.flags = 0;
	assert_int_equal(vd_window_put(x->a, &p), 0);
	assert_int_equal(p.pinned, -(int64_t)PAGE);
	assert_int_equal(vd_fake_pins(x->p1.host, 10), 0);
	assert_int_equal(vd_fake_pins(x->p1.host, 9), 1);
}

/* Over itself: the pin of a page that is in both does not lapse. */
static void replaces(void **state)
{
	struct ex *x = *state;
	uint64_t calls;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 9), 0);
	calls = vd_fake_calls(x->p1.host);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 3, ex_entry(9, VD_READ)), 0);
	assert_int_equal(vd_fake_calls(x->p1.host), calls);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 3, 10), 0);
	assert_int_equal(vd_fake_pins(x->p1.host, 9), 0);
	assert_int_equal(vd_fake_pins(x->p1.host, 10), 1);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 3, (vd_entry){ 0 }), 0);
	assert_int_equal(ex_pinned(&x->p1), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 3, (vd_entry){ 0 }), 0);
}

static void runs(void **state)
{
	struct ex *x = *state;
	struct vd_window_range r = { sizeof(r),	  EX_P1,      EX_W,	      RW,
				     ex_bus(500), { EX_GPA }, EX_PAGES * PAGE };
	vd_entry e[EX_PAGES];

	assert_int_equal(vd_window_map(x->a, &r), 0);
	assert_int_equal(vd_window_map(x->a, &r), -EEXIST);
	assert_int_equal(vd_window_get(x->a, EX_P1, EX_W, ex_bus(500), e, EX_PAGES), 0);
	for (uint64_t i = 0; i < EX_PAGES; i++)
		assert_int_equal(e[i].v, ex_entry(i, RW).v);
	assert_int_equal(ex_pinned(&x->p1), EX_PAGES);
	assert_int_equal(vd_window_unmap(x->a, EX_P1, EX_W, ex_bus(510), 20 * PAGE), 0);
	assert_int_equal(ex_pinned(&x->p1), EX_PAGES - 20);
	assert_int_equal(vd_window_unmap(x->a, EX_P1, EX_W, ex_bus(0), EX_LEN * PAGE), 0);
	assert_int_equal(ex_pinned(&x->p1), 0);
	r.prot = 0;
	assert_int_equal(vd_window_map(x->a, &r), -EINVAL);
	r.prot = RW;
	r.len += PAGE;
	assert_int_equal(vd_window_map(x->a, &r), -EFAULT);
	r.len = PAGE / 2;
	assert_int_equal(vd_window_map(x->a, &r), -EINVAL);
	r.len = 0;
	assert_int_equal(vd_window_map(x->a, &r), -EINVAL);
	r.window = 99;
	assert_int_equal(vd_window_map(x->a, &r), -ENOENT);
	assert_int_equal(vd_window_unmap(x->a, EX_P1, EX_W, ex_bus(0), 1), -EINVAL);
	assert_int_equal(vd_window_unmap(x->a, EX_P1, 99, ex_bus(0), PAGE), -ENOENT);
}

/* Memory that ends in the middle of a page of the window: that page is not to be
 * had, by itself or at the end of a run. */
static void half_a_page(void **state)
{
	struct ex *x = *state;
	const struct vd_span memory = { { EX_GPA }, x->p1.mem, 24 * PAGE };
	const struct vd_owner_cfg owner = { .size = sizeof(owner),
					    .id = 5,
					    .provider = VD_NO_OWNER,
					    .memory = &memory,
					    .nmemory = 1 };
	const struct vd_table_cfg table = {
		.size = sizeof(table), .page_shift = 16, .nentries = 16, .at = 2 * EX_TABLE
	};
	struct vd_window_cfg w = { .size = sizeof(w), .id = 50, .owner = 5, .len = 16 };
	struct vd_window_range r = { sizeof(r), 5, 50, RW, { 0 }, { EX_GPA }, 32 * PAGE };
	vd_entry e[2] = { { EX_GPA | RW }, { (EX_GPA + 16 * PAGE) | RW } };
	struct vd_put p = { .size = sizeof(p), .owner = 5, .window = 50, .n = 2, .entry = e };
	uint64_t nlive;

	assert_int_equal(vd_owner_add(x->a, &owner), 0);
	assert_int_equal(vd_table_create(x->a, &table, &w.table), 0);
	assert_int_equal(vd_window_create(x->a, &w), 0);
	assert_int_equal(vd_window_map(x->a, &r), -EFAULT);
	assert_int_equal(vd_window_put(x->a, &p), -EFAULT);
	p.n = 1;
	p.entry = &e[1];
	assert_int_equal(vd_window_put(x->a, &p), -EFAULT);
	assert_int_equal(vd_window_fill(x->a, &p), -EFAULT);
	assert_int_equal(vd_window_nlive(x->a, 50, &nlive), 0);
	assert_int_equal(nlive, 0);
	r.len = 16 * PAGE;
	assert_int_equal(vd_window_map(x->a, &r), 0);
}

static void forgot(struct ex *x, uint64_t first, uint64_t n, size_t pinned)
{
	assert_int_equal(x->nforgot, 1);
	assert_int_equal(x->forgot.owner, EX_P1);
	assert_int_equal(x->forgot.device, VD_EVERY_DEVICE);
	assert_int_equal(x->forgot.bus.v, ex_bus(first).v);
	assert_int_equal(x->forgot.last.v, ex_bus(first + n).v - 1);
	assert_int_equal(x->pinned_at_forget, pinned);
	x->nforgot = 0;
}

/* What a device may have kept of an entry is forgotten before the page goes; what
 * was not valid, or is refused, nobody is asked for; a split's drain is enough. */
static void devices_forget(void **state)
{
	struct ex *x = *state;
	const struct vd_split s = { sizeof(s), EX_W, 8, EX_P2, VD_LIVE_REVOKE, 512 };
	struct vd_window_range r = {
		sizeof(r), EX_P1, EX_W, RW, ex_bus(100), { EX_GPA }, 8 * PAGE
	};
	vd_entry e[3] = { ex_entry(20, RW), ex_entry(21, RW), ex_entry(EX_PAGES, RW) };
	struct vd_put p = { .size = sizeof(p),
			    .owner = EX_P1,
			    .window = EX_W,
			    .bus = ex_bus(100),
			    .n = 3,
			    .entry = e };

	assert_int_equal(vd_window_map(x->a, &r), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 200, (vd_entry){ 0 }), 0);
	assert_int_equal(vd_window_put(x->a, &p), -EFAULT);
	assert_int_equal(x->nforgot, 0);
	p.n = 2;
	assert_int_equal(vd_window_put(x->a, &p), 0);
	forgot(x, 100, 2, 10);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 103, (vd_entry){ 0 }), 0);
	forgot(x, 103, 1, 8);
	assert_int_equal(vd_window_unmap(x->a, EX_P1, EX_W, ex_bus(104), 2 * PAGE), 0);
	forgot(x, 104, 2, 7);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 600, 30), 0);
	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(x->nforgot, 0);
	assert_int_equal(ex_pinned(&x->p1), 5);
}

/* A sparse window: whichever allocation fails, nothing is left of the call; and
 * what is given back is given back whole. */
static void without_memory(void **state)
{
	struct ex *x = *state;
	const struct vd_table_cfg tcfg = { .size = sizeof(tcfg),
					   .page_shift = 12,
					   .nentries = (uint64_t)1 << 40 };
	struct vd_window_cfg w = { .size = sizeof(w), .id = 70, .owner = EX_P1 };
	struct vd_window_range r = { sizeof(r), EX_P1, 70, RW, { 0 }, { EX_GPA }, EX_PAGES * PAGE };
	struct vd_table_stats s = { .size = sizeof(s) }, s0 = { .size = sizeof(s0) };
	size_t live;
	int err;

	w.bus.v = (uint64_t)1 << 60;
	w.len = tcfg.nentries;
	assert_int_equal(vd_table_create(x->a, &tcfg, &w.table), 0);
	assert_int_equal(vd_window_create(x->a, &w), 0);
	r.bus.v = w.bus.v + ((((uint64_t)1 << 39) - 7) << 12);
	vd_table_stats(x->a, w.table, &s0);
	live = mem_live();
	for (unsigned int nth = 1;; nth++) {
		mem_fail(nth);
		err = vd_window_map(x->a, &r);
		mem_fail(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(mem_live(), live);
		assert_int_equal(ex_pinned(&x->p1), 0);
	}
	vd_table_stats(x->a, w.table, &s);
	assert_int_equal(s.nlive, EX_PAGES);
	assert_true(s.bytes > s0.bytes);
	assert_int_equal(vd_window_unmap(x->a, EX_P1, 70, w.bus, w.len << 12), 0);
	vd_table_stats(x->a, w.table, &s);
	assert_int_equal(s.bytes, s0.bytes);
	assert_int_equal(mem_live(), live);
	vd_fake_fail(x->p1.host, 1, -EFAULT);
	assert_int_equal(vd_window_map(x->a, &r), -EFAULT);
	vd_fake_fail(x->p1.host, 0, 0);
	assert_int_equal(mem_live(), live);
}

/* A leaf that a list touches with invalid entries only is not kept, whether or
 * not the list must be new. */
static void keeps_no_empty_leaf(void **state)
{
	struct ex *x = *state;
	const struct vd_table_cfg tcfg = { .size = sizeof(tcfg),
					   .page_shift = 12,
					   .nentries = (uint64_t)1 << 20 };
	struct vd_window_cfg w = { .size = sizeof(w), .id = 70, .owner = EX_P1 };
	const vd_entry e[2] = { ex_entry(1, RW), { 0 } }, none[2] = { { 0 } };
	struct vd_put p = { .size = sizeof(p), .owner = EX_P1, .window = 70, .n = 2, .entry = e };
	struct vd_table_stats s0 = { .size = sizeof(s0) }, one = { .size = sizeof(one) },
			      s = { .size = sizeof(s) };

	w.bus.v = (uint64_t)1 << 60;
	w.len = tcfg.nentries;
	assert_int_equal(vd_table_create(x->a, &tcfg, &w.table), 0);
	assert_int_equal(vd_window_create(x->a, &w), 0);
	vd_table_stats(x->a, w.table, &s0);
	p.bus.v = w.bus.v;
	assert_int_equal(vd_window_put(x->a, &p), 0); /* both in one leaf */
	vd_table_stats(x->a, w.table, &one);
	for (int fresh = 0; fresh < 2; fresh++) {
		p.flags = 0;
		p.entry = none;
		p.n = fresh ? 1 : 2;
		assert_int_equal(vd_window_put(x->a, &p), 0);
		vd_table_stats(x->a, w.table, &s);
		assert_int_equal(s.bytes, s0.bytes);
		p.n = 2;
		p.flags = fresh ? VD_PUT_FRESH : 0;
		p.bus.v = w.bus.v + (511 << 12); /* the last of one leaf */
		p.entry = e;
		assert_int_equal(vd_window_put(x->a, &p), 0);
		vd_table_stats(x->a, w.table, &s);
		assert_int_equal(s.nlive, 1);
		assert_int_equal(s.bytes, one.bytes);
	}
}

/* The host must be asked nothing while an entry names a page already held by
 * another window. */
static void held_once_for_many_windows(void **state)
{
	struct ex *x = *state;
	struct vd_split s = { sizeof(s), EX_W, 8, EX_P1, VD_LIVE_REFUSE, 512 };

	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 0, 5), 0);
	assert_int_equal(ex_map(x, EX_P1, 8, 512, 5), 0);
	assert_int_equal(vd_fake_pins(x->p1.host, 5), 1);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 0, (vd_entry){ 0 }), 0);
	assert_int_equal(vd_fake_pins(x->p1.host, 5), 1);
	assert_int_equal(ex_put(x, EX_P1, 8, 512, (vd_entry){ 0 }), 0);
	assert_int_equal(vd_fake_pins(x->p1.host, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(list_or_nothing),
		ex_test(refuses),
		ex_test(fresh_refuses_what_is_there),
		ex_test(one_by_one),
		ex_test(replaces),
		ex_test(runs),
		ex_test(half_a_page),
		ex_test(devices_forget),
		ex_test(without_memory),
		ex_test(keeps_no_empty_leaf),
		ex_test(held_once_for_many_windows),
	};

	return run_all(tests);
}
