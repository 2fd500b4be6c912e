// SPDX-License-Identifier: BSD-2-Clause
/* How many runs of redirected entries there can be, and that none is lost. */
#include "papr_fixture.h"

static int64_t redirect(struct pf *f, uint64_t from, uint64_t to)
{
	return pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, from * PAGE, PE_LIOBN, to * PAGE,
		       1);
}

static void test_as_many_as_registers(void **state)
{
	struct pf *f = *state;
	uint64_t n = 0;

	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(
		pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, pf_tce(3, RW), VIO_ENTRIES), 0);
	while (redirect(f, n, 2 * n) == 0)
		n++;
	/* An adapter has 16 registers, of which one is the default window's. */
	assert_int_equal(n, 15);
	assert_int_equal(f->h.status, VD_H_RESOURCE);
	assert_int_equal(pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, 4 * PAGE, PE_LIOBN,
				 8 * PAGE, 1),
			 0);
	assert_int_equal(redirect(f, 20, 60), 0);
	assert_int_equal(redirect(f, 21, 70), VD_H_RESOURCE);
	for (uint64_t i = 0; i < n; i++) {
		int64_t page = i == 4 ? -ENOENT : 3;

		assert_int_equal(pf_page(f, 2 * i * PAGE, VD_READ, NULL), page);
	}
}

/* A run that does not come to rest keeps its register, but reaches nothing. */
static void test_not_at_rest(void **state)
{
	struct pf *f = *state;

	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 0, pf_tce(3, RW)), 0);
	assert_int_equal(redirect(f, 0, 9), 0);
	f->drain_says = -EIO;
	assert_int_equal(
		pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, 9 * PAGE, 1),
		VD_H_HARDWARE);
	assert_int_equal(pf_page(f, 9 * PAGE, VD_READ, NULL), -ENOENT);
	f->drain_says = 0;
	assert_int_equal(
		pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, 9 * PAGE, 1), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 9 * PAGE, pf_tce(1, RW)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_as_many_as_registers),
		pf_test(test_not_at_rest),
	};

	return run_all(tests);
}
