// SPDX-License-Identifier: BSD-2-Clause
/* T2.4 for a guest: who may name which window, also after a split. */
#include "papr_fixture.h"

#define SECOND 0x81000000u

static void split(struct pf *f, uint64_t keep, uint32_t owner)
{
	const struct vd_split s = { .id = PE_LIOBN,
				    .newid = SECOND,
				    .owner = owner,
				    .keep = keep,
				    .live = VD_LIVE_REFUSE };

	assert_int_equal(vd_window_split(f->a, &s), 0);
}

/* The client as a provider of the same adapter, with its own device. */
static void add_provider(struct pf *f)
{
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[CLIENT]
	};

	assert_int_equal(vd_owner_add(f->a, &o), 0);
}

static void test_split(void **state)
{
	struct pf *f = *state;

	add_provider(f);
	split(f, 600, 2);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 599 * PAGE, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 600 * PAGE, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, SECOND, 600 * PAGE, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(vd_papr_adopt(f->p, CLIENT, f->a, SECOND), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, SECOND, 600 * PAGE, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, SECOND, 599 * PAGE, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, SECOND, 600 * PAGE, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(vd_papr_disown(f->p, SECOND), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, SECOND, 600 * PAGE, 0), VD_H_PARAMETER);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REVOKE), 0);
}

static void test_adopt(void **state)
{
	struct pf *f = *state;

	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, PE_LIOBN), -EEXIST);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), -ENOENT);
	assert_int_equal(vd_papr_disown(f->p, PE_LIOBN), -ENOENT);
	split(f, 600, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, STRANGER, f->a, SECOND), -ENOENT);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), 0);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), -EEXIST);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, SECOND,
				 600 * PAGE, PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(vd_papr_disown(f->p, SECOND), -EBUSY);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, f->h.out[0]), 0);
	assert_int_equal(vd_papr_disown(f->p, SECOND), 0);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REFUSE), 0);
}

/* A window that is gone behind the front end's back is no window. */
static void test_window_is_gone(void **state)
{
	struct pf *f = *state;

	assert_int_equal(vd_window_destroy(f->a, PE_LIOBN, VD_LIVE_REVOKE), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 0), VD_H_PARAMETER);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_split),
		pf_test(test_adopt),
		pf_test(test_window_is_gone),
	};

	return run_all(tests);
}
