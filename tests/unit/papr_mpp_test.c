// SPDX-License-Identifier: BSD-2-Clause
/* T1.8 by the standard's words: entitlement is the pin budget. */
#include "papr_fixture.h"

#define ALL (PF_PAGES * PAGE)

static void get(struct pf *f, uint64_t entitled, uint64_t mapped, uint64_t weight)
{
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_MPP, 0), 0);
	assert_int_equal(f->h.nout, 7);
	assert_int_equal(f->h.out[0], entitled);
	assert_int_equal(f->h.out[1], mapped);
	assert_int_equal(f->h.out[3] >> 56, weight);
	assert_int_equal(f->h.out[3] & 0xffffffffffff, (ALL - entitled) / 4096);
	assert_int_equal(f->h.out[4], UINT64_MAX);
	assert_int_equal(f->h.out[6], ALL);
}

static void test_entitlement(void **state)
{
	struct pf *f = *state;

	get(f, ALL, 0, 255); /* at boot: the most that it may have */
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, 2 * PAGE, 7), 0);
	get(f, 2 * PAGE, 0, 7);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, SERVER_LIOBN, 0, pf_tce(1, RW)), 0);
	get(f, 2 * PAGE, PAGE, 7); /* mapped twice, counts once */
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, SERVER_LIOBN, PAGE, pf_tce(2, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, PAGE, pf_tce(3, RW)),
			 VD_H_NOT_ENOUGH);
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, 3 * PAGE, 7), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, PAGE, pf_tce(3, RW)), 0);
	get(f, 3 * PAGE, 3 * PAGE, 7);
}

static void test_constrained(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, ALL + PAGE, 3), VD_H_CONSTRAINED);
	get(f, ALL, 0, 3);
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, UINT64_MAX, 256), VD_H_CONSTRAINED);
	get(f, ALL, 0, 255);
	/* Nothing is not without limit. */
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, 0, 0), VD_H_CONSTRAINED);
	get(f, PAGE, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_entitlement),
		pf_test(test_constrained),
	};

	return run_all(tests);
}
