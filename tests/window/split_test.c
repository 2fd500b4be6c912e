/* SPDX-License-Identifier: BSD-2-Clause */
/* What t2_test.c does not say about split and merge. */
#include "engine_fixture.h"

static int split(struct ex *x, uint32_t id, uint32_t newid, uint64_t keep, uint32_t owner)
{
	const struct vd_split s = { sizeof(s), id, newid, owner, VD_LIVE_REFUSE, keep };

	return vd_window_split(x->a, &s);
}

static int merge(struct ex *x, uint32_t keep, uint32_t clear, uint32_t owner)
{
	const struct vd_merge m = { sizeof(m), keep, clear, owner, VD_LIVE_REVOKE };

	return vd_window_merge(x->a, &m);
}

/* Many parts, merged in another order, to a third owner in the end. */
static void parts_in_any_order(void **state)
{
	struct ex *x = *state;
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(split(x, EX_W, 20, 512, EX_P2), 0);
	assert_int_equal(split(x, EX_W, 21, 256, EX_C), 0);
	assert_int_equal(split(x, 20, 22, 100, EX_P1), 0);
	ex_check(x);
	assert_int_equal(merge(x, 21, 20, EX_C), 0); /* a client's grows */
	assert_int_equal(ex_info(x, 21).len, 356);
	assert_int_equal(ex_info(x, 21).via, EX_P1);
	assert_int_equal(merge(x, 22, 21, EX_P2), 0);
	assert_int_equal(merge(x, 22, EX_W, EX_P2), 0);
	w = ex_info(x, 22);
	assert_int_equal(w.bus.v, EX_BUS);
	assert_int_equal(w.len, EX_LEN);
	assert_int_equal(w.owner, EX_P2);
	assert_int_equal(vd_owner_remove(x->a, EX_C), 0); /* owns nothing any more */
}

/* The second of the two does not come to rest: the first is seen again. */
static struct ex *flaky;

static int fail_second(void *opaque, const struct vd_drain *what)
{
	(void)opaque;
	(void)what;
	return ++flaky->ndrains == 2 ? -1 : 0;
}

static void no_change(void *opaque, uint32_t owner, const struct vd_window_info *w)
{
	(void)opaque;
	(void)owner;
	(void)w;
}

static void merge_undone(void **state)
{
	static const struct vd_adapter_ops ops = { .size = sizeof(ops),
						   .drain = fail_second,
						   .changed = no_change };
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg), .ops = &ops };
	const struct vd_table_cfg tcfg = { .size = sizeof(tcfg), .page_shift = 12, .nentries = 8 };
	const struct vd_span ram = { { EX_GPA }, (void *)0x40000000, 16 * PAGE };
	struct vd_owner_cfg o = {
		.size = sizeof(o), .provider = VD_NO_OWNER, .memory = &ram, .nmemory = 1
	};
	struct vd_window_cfg w = { .size = sizeof(w), .id = EX_W, .owner = 1, .len = 8 };
	struct ex x = { .ndrains = 0 };
	unsigned char *hva;

	(void)state;
	flaky = &x;
	w.bus.v = EX_BUS;
	assert_int_equal(vd_adapter_create(&cfg, &x.a), 0);
	for (o.id = 1; o.id <= 3; o.id++)
		assert_int_equal(vd_owner_add(x.a, &o), 0);
	assert_int_equal(vd_adapter_attach(x.a, EX_D1, 1), 0);
	assert_int_equal(vd_reader_create(x.a, EX_D1, &x.r1), 0);
	assert_int_equal(vd_table_create(x.a, &tcfg, &w.table), 0);
	assert_int_equal(vd_window_create(x.a, &w), 0);
	assert_int_equal(split(&x, EX_W, 8, 4, 2), 0);
	assert_int_equal(ex_map(&x, 1, EX_W, 1, 1), 0);
	x.ndrains = 0;
	assert_int_equal(merge(&x, EX_W, 8, 3), -EIO);
	assert_int_equal(x.ndrains, 2);
	assert_int_equal(ex_access(x.r1, ex_bus(1).v, VD_READ, &hva), 0);
	assert_int_equal(ex_map(&x, 1, EX_W, 2, 1), 0);
	assert_int_equal(ex_map(&x, 2, 8, 5, 1), 0);
	vd_reader_destroy(x.r1);
	vd_adapter_destroy(x.a);
}

/* The new owner's devices see something else there already. */
static void bus_addresses_clash(void **state)
{
	struct ex *x = *state;
	const struct vd_table_cfg tcfg = { .size = sizeof(tcfg), .page_shift = 12, .nentries = 8 };
	struct vd_window_cfg w = { .size = sizeof(w), .id = 30, .owner = EX_P2, .len = 8 };

	w.bus = ex_bus(EX_LEN - 8);
	assert_int_equal(vd_table_create(x->a, &tcfg, &w.table), 0);
	assert_int_equal(vd_window_create(x->a, &w), 0);
	assert_int_equal(split(x, EX_W, 20, 256, EX_P2), -EEXIST);
	assert_int_equal(split(x, EX_W, 20, 256, EX_C), 0);
	assert_int_equal(merge(x, EX_W, 20, EX_P2), -EEXIST);
}

/* Neighbours in the table, and on the bus only if addresses wrapped. */
static void no_merge_over_the_top(void **state)
{
	struct ex *x = *state;
	const struct vd_table_cfg tcfg = { .size = sizeof(tcfg), .page_shift = 12, .nentries = 8 };
	struct vd_window_cfg low = { .size = sizeof(low), .id = 30, .owner = EX_P1, .len = 4 };
	struct vd_window_cfg high;

	low.bus.v = -(uint64_t)(4 * PAGE);
	assert_int_equal(vd_table_create(x->a, &tcfg, &low.table), 0);
	assert_int_equal(vd_window_create(x->a, &low), 0);
	high = low;
	high.id = 31;
	high.bus.v = 0;
	high.first = 4;
	assert_int_equal(vd_window_create(x->a, &high), 0);
	assert_int_equal(merge(x, 30, 31, EX_P1), -EINVAL);
	assert_int_equal(merge(x, 31, 30, EX_P1), -EINVAL);
}

/* What the adapter counts, and what a table and an owner know of their windows. */
static void counts(void **state)
{
	struct ex *x = *state;
	struct vd_adapter_stats s = { .size = sizeof(s) };

	assert_int_equal(split(x, EX_W, 20, 512, EX_C), 0);
	assert_int_equal(split(x, 20, 21, 256, EX_P2), 0);
	assert_int_equal(split(x, 20, 21, 100, EX_P2), -EEXIST);
	assert_int_equal(merge(x, EX_W, 21, EX_P1), -EINVAL);
	vd_adapter_stats(x->a, &s);
	assert_int_equal(s.nwindows, 3);
	assert_int_equal(s.splits, 2);
	assert_int_equal(s.merges, 0);
	assert_int_equal(s.refused, 2);
	assert_int_equal(vd_owner_remove(x->a, EX_C), -EBUSY); /* it has the middle */
	assert_int_equal(merge(x, EX_W, 20, EX_P1), 0);
	assert_int_equal(vd_owner_remove(x->a, EX_C), 0);
	vd_adapter_stats(x->a, &s);
	assert_int_equal(s.nwindows, 2);
	assert_int_equal(s.merges, 1);
	assert_int_equal(vd_window_destroy(x->a, EX_W, VD_LIVE_REFUSE), 0);
	assert_int_equal(vd_table_destroy(x->a, x->t), -EBUSY);
	assert_int_equal(vd_window_destroy(x->a, 21, VD_LIVE_REFUSE), 0);
	assert_int_equal(vd_table_destroy(x->a, x->t), 0);
}

static int lend(struct ex *x, uint32_t id, uint32_t newid, uint64_t first, uint64_t len)
{
	const struct vd_loan l = { sizeof(l), id, newid, EX_C, RW, VD_LIVE_REFUSE, first, len };

	return vd_window_lend(x->a, &l);
}

/* A loan is no part of a merge, whichever of the two it is; nor what has lent. */
static void no_merge_of_what_is_lent(void **state)
{
	struct ex *x = *state;

	assert_int_equal(split(x, EX_W, 20, 512, EX_P1), 0);
	assert_int_equal(lend(x, EX_W, 30, 504, 8), 0); /* up to the neighbour */
	assert_int_equal(merge(x, 30, 20, EX_P1), -EBUSY);
	assert_int_equal(merge(x, 20, 30, EX_P1), -EBUSY);
	assert_int_equal(merge(x, EX_W, 20, EX_P1), -EBUSY);
	assert_int_equal(merge(x, 20, EX_W, EX_P1), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, 30, VD_LIVE_REFUSE), 0);
	assert_int_equal(lend(x, 20, 30, 0, 8), 0);
	assert_int_equal(merge(x, EX_W, 30, EX_P1), -EBUSY);
	assert_int_equal(merge(x, 30, EX_W, EX_P1), -EBUSY);
	assert_int_equal(merge(x, EX_W, 20, EX_P1), -EBUSY);
	assert_int_equal(merge(x, 20, EX_W, EX_P1), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, 30, VD_LIVE_REFUSE), 0);
	assert_int_equal(merge(x, EX_W, 20, EX_P1), 0);
	assert_int_equal(ex_info(x, EX_W).len, EX_LEN);
	/* And a split of what has lent before it can be lent as well. */
	assert_int_equal(lend(x, EX_W, 30, 0, 8), 0);
	assert_int_equal(split(x, EX_W, 20, 512, EX_P2), 0);
	assert_int_equal(lend(x, 20, 31, 0, 8), 0);
	assert_int_equal(merge(x, EX_W, 20, EX_P1), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, 30, VD_LIVE_REFUSE), 0);
	assert_int_equal(merge(x, EX_W, 20, EX_P1), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, 31, VD_LIVE_REFUSE), 0);
	assert_int_equal(merge(x, EX_W, 20, EX_P1), 0);
	ex_check(x);
}

/* Where registers want powers of two a merged window is one, where it lies. */
static void merge_of_powers_of_two(void **state)
{
	struct ex x;
	struct vd_window_cfg w = { .size = sizeof(w), .owner = EX_P1, .len = 128 };

	(void)state;
	ex_make(&x, VD_ADAPTER_POWERS_OF_TWO, VD_FORMAT_NATIVE);
	w.table = x.t;
	for (uint32_t i = 0; i < 4; i++) {
		w.id = 20 + i;
		w.first = i * 128;
		w.bus = ex_bus(w.first);
		assert_int_equal(vd_window_create(x.a, &w), 0);
	}
	assert_int_equal(merge(&x, 21, 22, EX_P1), -EINVAL); /* begins at half of its length */
	assert_int_equal(merge(&x, 22, 21, EX_P1), -EINVAL);
	assert_int_equal(merge(&x, 20, 21, EX_P1), 0);
	assert_int_equal(merge(&x, 20, 22, EX_P1), -EINVAL); /* three of them */
	assert_int_equal(merge(&x, 23, 22, EX_P1), 0);
	assert_int_equal(merge(&x, 23, 20, EX_P1), 0);
	assert_int_equal(ex_info(&x, 23).first, 0);
	assert_int_equal(ex_info(&x, 23).len, 512);
	assert_int_equal(split(&x, 23, 24, 128, EX_P1), -EINVAL);
	assert_int_equal(split(&x, 23, 24, 256, EX_P1), 0);
	assert_int_equal(ex_info(&x, 24).first, 256);
	ex_unmake(&x);
}

static int create(struct ex *x, uint32_t id, struct vd_table *t, uint64_t bus, uint64_t first)
{
	const struct vd_window_cfg w = { .size = sizeof(w),
					 .id = id,
					 .owner = EX_P2,
					 .bus = ex_bus(bus),
					 .table = t,
					 .first = first,
					 .len = 8 };

	return vd_window_create(x->a, &w);
}

/* Windows side by side, on the bus and in a table; and by one entry too near. */
static void neighbours(void **state)
{
	struct ex *x = *state;
	const struct vd_table_cfg tcfg = { .size = sizeof(tcfg), .page_shift = 12, .nentries = 64 };
	struct vd_table *one, *two;

	assert_int_equal(vd_table_create(x->a, &tcfg, &one), 0);
	assert_int_equal(vd_table_create(x->a, &tcfg, &two), 0);
	assert_int_equal(create(x, 30, one, 100, 16), 0);
	assert_int_equal(create(x, 31, two, 107, 0), -EEXIST);	/* its last address */
	assert_int_equal(create(x, 31, two, 93, 0), -EEXIST);	/* its first */
	assert_int_equal(create(x, 31, one, 300, 23), -EEXIST); /* its last entry */
	assert_int_equal(create(x, 31, one, 300, 9), -EEXIST);	/* its first */
	assert_int_equal(create(x, 31, two, 108, 0), 0);
	assert_int_equal(create(x, 32, two, 92, 8), 0);
	assert_int_equal(create(x, 33, one, 300, 24), 0);
	assert_int_equal(create(x, 34, one, 400, 8), 0);
	assert_int_equal(create(x, 35, one, 500, 57), -ERANGE);
	assert_int_equal(create(x, 35, one, 500, 64), -ERANGE);
	assert_int_equal(create(x, 35, one, 500, 56), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(parts_in_any_order),
		cmocka_unit_test(merge_undone),
		ex_test(bus_addresses_clash),
		ex_test(no_merge_over_the_top),
		ex_test(counts),
		ex_test(neighbours),
		ex_test(no_merge_of_what_is_lent),
		cmocka_unit_test(merge_of_powers_of_two),
	};

	return run_all(tests);
}
