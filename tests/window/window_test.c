/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"

static struct vd_window_cfg cfg_of(struct ex *x, uint64_t first, uint64_t len)
{
	return (struct vd_window_cfg){ .size = sizeof(struct vd_window_cfg),
				       .id = 1,
				       .owner = EX_P1,
				       .bus = { 0x10000000 },
				       .table = x->t,
				       .first = first,
				       .len = len };
}

static struct vd_table *table(struct ex *x, unsigned int shift, uint64_t nentries)
{
	const struct vd_table_cfg cfg = { .size = sizeof(cfg),
					  .page_shift = shift,
					  .nentries = nentries };
	struct vd_table *t;

	assert_int_equal(vd_table_create(x->a, &cfg, &t), 0);
	return t;
}

static uint64_t table_bytes(struct ex *x)
{
	struct vd_adapter_stats s = { .size = sizeof(s) };

	vd_adapter_stats(x->a, &s);
	return s.table_bytes;
}

/* It is there as long as a window points into it. */
static void a_table_of_its_own(void **state)
{
	struct ex *x = *state;
	struct vd_window_cfg cfg = cfg_of(x, 0, 16);
	struct vd_split s = { .size = sizeof(s), .id = 1, .newid = 2, .owner = EX_P1, .keep = 4 };
	const struct vd_window_range r = { .size = sizeof(r),
					   .owner = EX_P1,
					   .window = 1,
					   .bus = cfg.bus,
					   .gpa = { EX_GPA + 3 * PAGE },
					   .len = PAGE,
					   .prot = RW };
	const uint64_t before = table_bytes(x);
	unsigned char *hva;

	cfg.table = NULL;
	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	assert_true(table_bytes(x) > before);
	assert_int_equal(ex_info(x, 1).page_shift, 12);
	assert_int_equal(vd_window_map(x->a, &r), 0);
	assert_int_equal(ex_access(x->r1, cfg.bus.v, VD_READ, &hva), 0);
	assert_ptr_equal(hva, x->p1.mem + 3 * PAGE);
	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(vd_window_destroy(x->a, 1, VD_LIVE_REVOKE), 0);
	assert_true(table_bytes(x) > before);
	assert_int_equal(vd_window_destroy(x->a, 2, VD_LIVE_REFUSE), 0);
	assert_int_equal(table_bytes(x), before);
	assert_int_equal(ex_pinned(&x->p1), 0);

	cfg.page_shift = 16;
	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	assert_int_equal(ex_info(x, 1).page_shift, 16); /* it goes with the adapter */
}

static void no_table_is_left_behind(void **state)
{
	struct ex *x = *state;
	struct vd_window_cfg cfg = cfg_of(x, 0, 16);
	const uint64_t before = table_bytes(x);

	cfg.page_shift = 12;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL); /* the table's */
	cfg.table = NULL;
	cfg.first = 1;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL);
	cfg.first = 0;
	cfg.page_shift = 11;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL);
	cfg.page_shift = 0;
	cfg.len = 0;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL);
	cfg.len = (uint64_t)1 << 40;
	cfg.id = EX_W;
	assert_int_equal(vd_window_create(x->a, &cfg), -EEXIST);
	cfg.id = 1;
	cfg.owner = 99;
	assert_int_equal(vd_window_create(x->a, &cfg), -ENOENT);
	assert_int_equal(table_bytes(x), before);
}

static void create_refuses(void **state)
{
	struct ex *x = *state;
	struct vd_window_cfg cfg = cfg_of(x, 0, 16);

	assert_int_equal(vd_window_create(x->a, NULL), -EINVAL);
	assert_int_equal(vd_window_create(x->a, &cfg), -EEXIST); /* EX_W has the entries */
	cfg.table = table(x, 16, 64);
	cfg.size = 1;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL);
	cfg.size = sizeof(cfg);
	cfg.len = 0;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL);
	cfg.len = 65;
	assert_int_equal(vd_window_create(x->a, &cfg), -ERANGE);
	cfg.len = 2;
	cfg.first = 63;
	assert_int_equal(vd_window_create(x->a, &cfg), -ERANGE);
	cfg.first = UINT64_MAX;
	assert_int_equal(vd_window_create(x->a, &cfg), -ERANGE);
	cfg.first = 0;
	cfg.bus.v = 0x1000;
	assert_int_equal(vd_window_create(x->a, &cfg), -EINVAL);
	cfg.bus.v = UINT64_MAX - 0xffff;
	assert_int_equal(vd_window_create(x->a, &cfg), -EOVERFLOW);
	cfg.bus.v = EX_BUS + 16 * PAGE;
	assert_int_equal(vd_window_create(x->a, &cfg), -EEXIST); /* bus addresses */
	cfg.bus.v = 0;
	cfg.owner = 99;
	assert_int_equal(vd_window_create(x->a, &cfg), -ENOENT);
	cfg.owner = EX_P1;
	cfg.id = EX_W;
	assert_int_equal(vd_window_create(x->a, &cfg), -EEXIST);
	ex_check(x);
	assert_int_equal(x->ntold, 0);
}

/* The last page of the address space; another provider at the same addresses. */
static void create_at_the_edges(void **state)
{
	struct ex *x = *state;
	struct vd_window_cfg cfg = cfg_of(x, 0, 1);
	unsigned char *hva;

	cfg.table = table(x, 12, 64);
	cfg.bus.v = UINT64_MAX - 0xfff;
	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	cfg = cfg_of(x, 1, 16);
	cfg.table = table(x, 12, 64);
	cfg.id = 2;
	cfg.owner = EX_P2;
	cfg.bus.v = EX_BUS;
	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 0, 1), 0);
	assert_int_equal(ex_map(x, EX_P2, 2, 0, 1), 0);
	assert_int_equal(ex_access(x->r1, EX_BUS, VD_READ, &hva), 0);
	assert_ptr_equal(hva, x->p1.mem + PAGE);
	assert_int_equal(ex_access(x->r2, EX_BUS, VD_READ, &hva), 0);
	assert_ptr_equal(hva, x->p2.mem + PAGE);
}

static void registers_run_out(void **state)
{
	struct ex *x = *state;
	struct vd_window_cfg cfg = cfg_of(x, 0, 1);
	struct vd_window_info w = { .size = sizeof(w) };

	cfg.table = table(x, 12, 64);
	for (uint32_t i = 1; i < 8; i++) {
		cfg.id = 100 + i;
		cfg.first = i;
		cfg.bus.v = i * PAGE;
		assert_int_equal(vd_window_create(x->a, &cfg), 0);
	}
	cfg.id = 108;
	cfg.first = 8;
	cfg.bus.v = 8 * PAGE;
	assert_int_equal(vd_window_create(x->a, &cfg), -ENOSPC);
	assert_int_equal(vd_window_destroy(x->a, 103, VD_LIVE_REFUSE), 0);
	assert_int_equal(vd_window_show(x->a, 3, &w), -ENOENT);
	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	assert_int_equal(ex_info(x, 108).slot, 3);
	assert_int_equal(vd_window_show(x->a, 8, &w), -EINVAL);
}

static void destroy_and_what_it_refuses(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), EX_W, 9, EX_C, RW, VD_LIVE_REFUSE, 0, 4 };
	struct vd_window_info w = { .size = sizeof(w) };
	unsigned char *hva;

	assert_int_equal(vd_window_destroy(x->a, 99, VD_LIVE_REFUSE), -ENOENT);
	assert_int_equal(vd_window_destroy(x->a, EX_W, VD_LIVE_TRANSFER), -EINVAL);
	assert_int_equal(vd_window_lend(x->a, &l), 0);
	assert_int_equal(vd_window_destroy(x->a, EX_W, VD_LIVE_REVOKE), -EBUSY);
	assert_int_equal(vd_window_destroy(x->a, 9, VD_LIVE_REVOKE), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, 9, VD_LIVE_REFUSE), 0);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 5, 1), 0);
	assert_int_equal(vd_window_destroy(x->a, EX_W, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(vd_table_destroy(x->a, x->t), -EBUSY);
	x->drain_says = -1;
	assert_int_equal(vd_window_destroy(x->a, EX_W, VD_LIVE_REVOKE), -EIO);
	assert_int_equal(ex_access(x->r1, ex_bus(5).v, VD_READ, &hva), 0);
	x->drain_says = 0;
	x->ntold = 0;
	assert_int_equal(vd_window_destroy(x->a, EX_W, VD_LIVE_REVOKE), 0);
	assert_int_equal(x->pinned_at_drain, 1);
	assert_int_equal(ex_pinned(&x->p1), 0);
	assert_int_equal(x->ntold, 1);
	assert_int_equal(x->told[0].w.len, 0);
	assert_int_equal(ex_access(x->r1, ex_bus(5).v, VD_READ, &hva), -ENXIO);
	assert_int_equal(vd_window_query(x->a, EX_W, &w), -ENOENT);
	assert_int_equal(vd_table_destroy(x->a, x->t), 0);
}

static void table_says_what_it_takes(void **state)
{
	struct ex *x = *state;
	struct vd_table_stats s = { .size = sizeof(s) };
	uint64_t nlive;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 5, 1), 0);
	vd_table_stats(x->a, x->t, &s);
	assert_int_equal(s.nentries, EX_LEN);
	assert_int_equal(s.nlive, 1);
	assert_int_equal(s.bytes, 8 * EX_LEN);
	assert_int_equal(s.levels, 1);
	assert_int_equal(vd_window_nlive(x->a, EX_W, &nlive), 0);
	assert_int_equal(nlive, 1);
	assert_int_equal(vd_window_nlive(x->a, 99, &nlive), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(create_refuses),	   ex_test(a_table_of_its_own),
		ex_test(no_table_is_left_behind),  ex_test(create_at_the_edges),
		ex_test(registers_run_out),	   ex_test(destroy_and_what_it_refuses),
		ex_test(table_says_what_it_takes),
	};

	return run_all(tests);
}
