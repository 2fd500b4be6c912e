/* SPDX-License-Identifier: BSD-2-Clause */
/* What counts as a copy, and what ends one. */
#include "papr_fixture.h"

static int setup(void **state)
{
	struct pf *f;

	pf_setup(state);
	f = *state;
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(
		pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, pf_tce(3, RW), VIO_ENTRIES), 0);
	return 0;
}

static int64_t redirect(struct pf *f, uint64_t from, uint64_t to, uint64_t n)
{
	return pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, from * PAGE, PE_LIOBN, to * PAGE,
		       n);
}

/* As many as the client has entries, in any order: no register is needed. */
static void test_all_of_them(void **state)
{
	struct pf *f = *state;

	for (uint64_t i = 0; i < VIO_ENTRIES; i++)
		assert_int_equal(redirect(f, i, 2 * (VIO_ENTRIES - 1 - i), 1), 0);
	for (uint64_t i = 0; i < VIO_ENTRIES; i++)
		assert_int_equal(redirect(f, i, 900, 1), VD_H_RESOURCE);
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	assert_int_equal(pf_pinned(f, SERVER), 0);
}

/* The server does with its table what it likes; what it overwrote is no copy. */
static void test_overwritten(void **state)
{
	struct pf *f = *state;

	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, i * PAGE,
					 pf_tce(20 + i, RW)),
				 0);
	assert_int_equal(redirect(f, 0, 10, 4), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 11 * PAGE, pf_tce(1, RW)), 0);
	assert_true(pf_is_of(f, SERVER, 11 * PAGE));
	assert_int_equal(redirect(f, 1, 20, 1), 0);
	/* By another copy as well. */
	assert_int_equal(redirect(f, 9, 12, 1), 0);
	assert_int_equal(redirect(f, 2, 21, 1), 0);
	/* What is not a copy holds no client off, and is not taken away. */
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 10 * PAGE, pf_tce(2, RW), 12),
			 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, 0, VIO_ENTRIES), 0);
	for (uint64_t i = 10; i < 22; i++)
		assert_int_equal(pf_page(f, i * PAGE, RW, NULL), 2);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
}

/* No guest can name the place where another's memory is for the server. */
static void test_out_of_reach(void **state)
{
	struct pf *f = *state;
	uint64_t tce;

	assert_int_equal(redirect(f, 0, 10, 1), 0);
	for (uint64_t high = 1; high < 256; high++) {
		tce = high << 56 | pf_tce(3, RW);
		pf_list(f, SERVER, &tce, 1);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, tce),
				 VD_H_PARAMETER);
		assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 0, tce, 2),
				 VD_H_PARAMETER);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 0, PF_GPA, 1),
				 VD_H_PARAMETER);
	}
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 10 * PAGE), VD_H_PARTIAL);
	assert_int_equal(f->h.out[0], VD_TCE_RPN | RW);
}

/* A window that somebody made: its copies end when it is disowned. */
static void test_disowned(void **state)
{
	const struct vd_split s = { .id = PE_LIOBN,
				    .newid = 0x81000000,
				    .owner = PE_OWNER,
				    .keep = 600,
				    .live = VD_LIVE_REFUSE };
	struct pf *f = *state;

	assert_int_equal(vd_window_split(f->a, &s), 0);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, s.newid), 0);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, s.newid, 700 * PAGE, 2), 0);
	assert_int_equal(pf_page(f, 701 * PAGE, RW, NULL), 3);
	assert_int_equal(vd_papr_disown(f->p, s.newid), 0);
	assert_int_equal(pf_page(f, 701 * PAGE, RW, NULL), -ENOENT);
	assert_int_equal(vd_window_destroy(f->a, s.newid, VD_LIVE_REFUSE), 0);
}

#define copy_test(t) cmocka_unit_test_setup_teardown(t, setup, pf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(test_all_of_them),
		copy_test(test_overwritten),
		copy_test(test_out_of_reach),
		copy_test(test_disowned),
	};

	return run_all(tests);
}
