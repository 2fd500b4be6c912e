/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"

#define L1 50u
#define L2 51u

static int lend(struct ex *x, uint32_t id, uint32_t newid, uint64_t first, uint64_t len)
{
	const struct vd_loan l = { sizeof(l), id, newid, EX_C, RW, VD_LIVE_REFUSE, first, len };

	return vd_window_lend(x->a, &l);
}

static void refuses(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), EX_W, L1, EX_C, 0, VD_LIVE_REFUSE, 0, 4 };

	assert_int_equal(lend(x, 99, L1, 0, 4), -ENOENT);
	assert_int_equal(vd_window_lend(x->a, &l), -EINVAL); /* no rights */
	l.rights = 4;
	assert_int_equal(vd_window_lend(x->a, &l), -EINVAL);
	l.rights = RW;
	l.owner = 99;
	assert_int_equal(vd_window_lend(x->a, &l), -ENOENT);
	assert_int_equal(lend(x, EX_W, L1, 0, 0), -EINVAL);
	assert_int_equal(lend(x, EX_W, L1, EX_LEN, 1), -ERANGE);
	assert_int_equal(lend(x, EX_W, L1, 1, EX_LEN), -ERANGE);
	assert_int_equal(lend(x, EX_W, L1, 1, UINT64_MAX), -ERANGE);
	assert_int_equal(lend(x, EX_W, EX_W, 0, 4), -EEXIST);
	assert_int_equal(lend(x, EX_W, L1, 8, 8), 0);
	assert_int_equal(lend(x, EX_W, L2, 15, 1), -EEXIST);
	assert_int_equal(lend(x, EX_W, L2, 0, 9), -EEXIST);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 20, 1), 0);
	assert_int_equal(lend(x, EX_W, L2, 16, 8), -EBUSY);
	l = (struct vd_loan){ sizeof(struct vd_loan), EX_W, L2, EX_C, RW, VD_LIVE_TRANSFER, 16, 8 };
	assert_int_equal(vd_window_lend(x->a, &l), -EXDEV);
	x->drain_says = -1;
	l.live = VD_LIVE_REVOKE;
	assert_int_equal(vd_window_lend(x->a, &l), -EIO);
	assert_int_equal(ex_pinned(&x->p1), 1);
	ex_check(x);
}

/* To oneself, with fewer rights: what devices keep is not true any more. */
static void fewer_rights(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), EX_W, L1, EX_P1, VD_READ, VD_LIVE_REFUSE, 8, 8 };
	unsigned char *hva;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 9, 1), 0);
	x->drain_says = -1;
	assert_int_equal(vd_window_lend(x->a, &l), -EIO);
	assert_int_equal(ex_access(x->r1, ex_bus(9).v, VD_WRITE, &hva), 0);
	x->drain_says = 0;
	x->ndrains = 0;
	assert_int_equal(vd_window_lend(x->a, &l), 0);
	assert_int_equal(x->ndrains, 1);
	assert_int_equal(x->drained.bus.v, ex_bus(8).v);
	assert_int_equal(x->found_at_drain, -ERANGE);
	assert_int_equal(ex_access(x->r1, ex_bus(9).v, VD_READ, &hva), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(9).v, VD_WRITE, &hva), -EACCES);
	assert_int_equal(vd_window_take_back(x->a, L1, VD_LIVE_REFUSE), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(9).v, VD_WRITE, &hva), 0);
	l.rights = RW;
	assert_int_equal(vd_window_lend(x->a, &l), 0);
	assert_int_equal(x->ndrains, 1);
	assert_int_equal(ex_put(x, EX_P1, L1, 10, ex_entry(2, RW)), 0);
	ex_check(x);
}

/* A loan of a part that is in the middle of a list is not written either. */
static void lender_writes_around_it(void **state)
{
	struct ex *x = *state;
	vd_entry e[8];
	struct vd_put p = { .size = sizeof(p),
			    .owner = EX_P1,
			    .window = EX_W,
			    .bus = ex_bus(4),
			    .n = 8,
			    .entry = e };

	for (uint64_t i = 0; i < 8; i++)
		e[i] = ex_entry(i, RW);
	assert_int_equal(lend(x, EX_W, L1, 8, 2), 0);
	assert_int_equal(vd_window_put(x->a, &p), -EPERM);
	p.n = 4;
	assert_int_equal(vd_window_put(x->a, &p), 0);
	p.bus = ex_bus(10);
	assert_int_equal(vd_window_put(x->a, &p), 0);
	assert_int_equal(ex_pinned(&x->p1), 4);
	assert_int_equal(ex_info(x, EX_W).lent, 2);
}

/* Rights of a loan: entries cannot go beyond them. */
static void rights(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), EX_W, L1, EX_C, VD_READ, VD_LIVE_REFUSE, 8, 8 };
	unsigned char *hva;

	assert_int_equal(vd_window_lend(x->a, &l), 0);
	assert_int_equal(ex_put(x, EX_C, L1, 8, ex_entry(3, RW)), -EACCES);
	assert_int_equal(ex_put(x, EX_C, L1, 8, ex_entry(3, VD_READ)), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(8).v, VD_READ, &hva), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(8).v, VD_WRITE, &hva), -EACCES);
	assert_int_equal(ex_fault(x).reason, VD_FAULT_EXTENT); /* the drain's own look */
	assert_int_equal(ex_fault(x).reason, VD_FAULT_DIRECTION);
	l = (struct vd_loan){ sizeof(struct vd_loan), L1, L2, EX_P2, RW, VD_LIVE_REVOKE, 0, 1 };
	assert_int_equal(vd_window_lend(x->a, &l), -EINVAL); /* more than it has */
}

/* Lent on: the innermost one counts, and ends first. */
static void lent_on(void **state)
{
	struct ex *x = *state;
	struct vd_loan l = { sizeof(l), L1, L2, EX_P2, RW, VD_LIVE_REFUSE, 2, 2 };
	unsigned char *hva;

	assert_int_equal(lend(x, EX_W, L1, 8, 8), 0);
	assert_int_equal(vd_window_lend(x->a, &l), 0);
	assert_int_equal(ex_map(x, EX_C, L1, 9, 1), 0);
	assert_int_equal(ex_map(x, EX_C, L1, 10, 1), -EPERM);
	assert_int_equal(ex_map(x, EX_P2, L2, 10, 2), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(10).v, VD_READ, &hva), 0);
	assert_ptr_equal(hva, x->p2.mem + 2 * PAGE);
	assert_int_equal(vd_window_take_back(x->a, L1, VD_LIVE_REVOKE), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, L2, VD_LIVE_REVOKE), 0);
	assert_int_equal(ex_access(x->r1, ex_bus(10).v, VD_READ, &hva), -ENOENT);
	assert_int_equal(ex_access(x->r1, ex_bus(9).v, VD_READ, &hva), 0);
	x->drain_says = -1;
	assert_int_equal(vd_window_take_back(x->a, L1, VD_LIVE_REVOKE), -EIO);
	assert_int_equal(ex_access(x->r1, ex_bus(9).v, VD_READ, &hva), 0);
	x->drain_says = 0;
	assert_int_equal(vd_window_take_back(x->a, L1, VD_LIVE_REVOKE), 0);
	assert_int_equal(vd_window_take_back(x->a, EX_W, VD_LIVE_REVOKE), -ENOENT);
}

/* What is lent neither moves nor merges. */
static void splits_keep_off(void **state)
{
	struct ex *x = *state;
	struct vd_split s = { sizeof(s), EX_W, 60, EX_P2, VD_LIVE_REFUSE, 12 };
	struct vd_merge m = { sizeof(m), EX_W, 60, EX_P1, VD_LIVE_REFUSE };

	assert_int_equal(lend(x, EX_W, L1, 8, 8), 0);
	assert_int_equal(vd_window_split(x->a, &s), -EBUSY); /* through it */
	s.keep = 4;
	assert_int_equal(vd_window_split(x->a, &s), -EBUSY); /* it would move */
	s.id = L1;
	assert_int_equal(vd_window_split(x->a, &s), -EBUSY);
	s.id = EX_W;
	s.keep = 16;
	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(vd_window_merge(x->a, &m), -EBUSY);
	assert_int_equal(vd_window_take_back(x->a, L1, VD_LIVE_REFUSE), 0);
	assert_int_equal(vd_window_merge(x->a, &m), 0);
}

/* Up to the last entry; and where registers want powers of two, where one lies. */
static void edges(void **state)
{
	struct ex x;
	struct vd_window_cfg w = { .size = sizeof(w), .id = EX_W, .owner = EX_P1, .len = 256 };

	(void)state;
	ex_make(&x, VD_ADAPTER_POWERS_OF_TWO, VD_FORMAT_NATIVE);
	w.table = x.t;
	w.first = 256;
	w.bus = ex_bus(256);
	assert_int_equal(vd_window_create(x.a, &w), 0);
	assert_int_equal(lend(&x, EX_W, L1, 0, 3), -EINVAL);
	assert_int_equal(lend(&x, EX_W, L1, 2, 4), -EINVAL);
	assert_int_equal(lend(&x, EX_W, L1, 252, 8), -EINVAL);
	assert_int_equal(lend(&x, EX_W, L1, 248, 8), 0);
	assert_int_equal(ex_info(&x, L1).bus.v, ex_bus(504).v);
	assert_int_equal(ex_info(&x, L1).len, 8);
	assert_int_equal(vd_window_take_back(x.a, L1, VD_LIVE_REFUSE), 0);
	assert_int_equal(lend(&x, EX_W, L1, 0, 256), 0); /* all of it */
	assert_int_equal(ex_info(&x, EX_W).lent, 256);
	ex_unmake(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(refuses),	 ex_test(lender_writes_around_it),
		ex_test(rights),	 ex_test(fewer_rights),
		ex_test(lent_on),	 ex_test(splits_keep_off),
		cmocka_unit_test(edges),
	};

	return run_all(tests);
}
