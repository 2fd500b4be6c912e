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

static int64_t remove_copies(struct pf *f, uint64_t from, uint64_t to, uint64_t n)
{
	return pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, from * PAGE, PE_LIOBN, to * PAGE,
		       n, 0);
}

static int64_t unmap(struct pf *f, uint64_t i)
{
	return pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, i * PAGE, 0);
}

/*
 * Two entries name one page, and their copies have followed each other at one
 * place, however the first was cleared: the last one's it is.
 */
static void test_one_claim(void **state)
{
	struct pf *f = *state;

	for (int how = 0; how < 3; how++) {
		uint64_t a = 2 * (uint64_t)how, b = a + 1, to = 10 + a;

		assert_int_equal(redirect(f, a, to, 1), 0);
		if (how == 0)
			assert_int_equal(remove_copies(f, a, to, 1), 0);
		else if (how == 1)
			assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, to * PAGE, 0),
					 0);
		assert_int_equal(redirect(f, b, to, 1), 0);
		/* Without Bit Bucket Allowed nothing holds the client off. */
		assert_int_equal(unmap(f, a), 0);
		assert_int_equal(pf_page(f, to * PAGE, RW, NULL), 3);
		assert_int_equal(unmap(f, b), VD_H_RESOURCE);
	}
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	assert_int_equal(redirect(f, 6, 20, 1), 0);
	assert_int_equal(remove_copies(f, 6, 20, 1), 0);
	assert_int_equal(redirect(f, 7, 20, 1), 0);
	assert_int_equal(unmap(f, 6), 0);
	assert_int_equal(pf_page(f, 20 * PAGE, RW, NULL), 3);
	assert_int_equal(unmap(f, 7), 0);
	assert_true(pf_is_bucket(f, 20 * PAGE));
}

/* By whichever table of the client's, and whichever entries a removal names. */
static void test_one_claim_of_two_tables(void **state)
{
	struct pf *f = *state;

	pf_add_pair(f, CLIENT, 3);
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, PAIR_CLIENT, 0, pf_tce(3, RW), 3), 0);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PAIR_PARTNER, i * PAGE, PE_LIOBN,
					 (10 + 3 * i) * PAGE, 1),
				 0);
	}
	assert_int_equal(remove_copies(f, 9, 13, 1), 0);
	assert_int_equal(redirect(f, 5, 13, 1), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, PAIR_CLIENT, PAGE, 0), 0);
	assert_int_equal(pf_page(f, 13 * PAGE, RW, NULL), 3);
	for (uint64_t i = 0; i < 3; i += 2)
		assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, PAIR_CLIENT, i * PAGE, 0),
				 VD_H_RESOURCE);
	assert_int_equal(unmap(f, 5), VD_H_RESOURCE);
}

/* A window whose copy came with a part that was merged away: the same place. */
static void test_one_claim_of_two_windows(void **state)
{
	const struct vd_merge m = { .size = sizeof(m),
				    .keep = PE_LIOBN,
				    .clear = SECOND,
				    .owner = PE_OWNER,
				    .live = VD_LIVE_TRANSFER };
	struct pf *f = *state;

	assert_int_equal(redirect(f, 0, 700, 1), 0);
	pf_split(f, PE_LIOBN, 600, SECOND, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), 0);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, PAGE, SECOND, 700 * PAGE, 1), 0);
	assert_int_equal(vd_window_merge(f->a, &m), 0);
	assert_int_equal(unmap(f, 0), 0);
	assert_int_equal(pf_page(f, 700 * PAGE, RW, NULL), 3);
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
	struct pf *f = *state;

	pf_split(f, PE_LIOBN, 600, SECOND, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, SECOND, 700 * PAGE, 2),
			 0);
	assert_int_equal(pf_page(f, 701 * PAGE, RW, NULL), 3);
	assert_int_equal(vd_papr_disown(f->p, SECOND), 0);
	assert_int_equal(pf_page(f, 701 * PAGE, RW, NULL), -ENOENT);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REFUSE), 0);
}

#define copy_test(t) cmocka_unit_test_setup_teardown(t, setup, pf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		copy_test(test_all_of_them),
		copy_test(test_overwritten),
		copy_test(test_one_claim),
		copy_test(test_one_claim_of_two_tables),
		copy_test(test_one_claim_of_two_windows),
		copy_test(test_out_of_reach),
		copy_test(test_disowned),
	};

	return run_all(tests);
}
