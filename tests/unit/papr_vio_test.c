// SPDX-License-Identifier: BSD-2-Clause
#include "papr_fixture.h"

static void test_sane(void **state)
{
	struct pf *f = *state;
	struct vd_papr_vio v = pf_vio(SERVER);

	assert_int_equal(vd_papr_add_vio(f->p, &v), -EEXIST);
	v.unit = 0x77;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EEXIST); /* the LIOBN */
	v.liobn++;
	v.len = PAGE / 2;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EINVAL);
	v.len = 0;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EINVAL);
	v.len = PAGE;
	v.partition = STRANGER;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -ENOENT);
	v.partition = SERVER;
	v.size--;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EINVAL);
	v.size++;
	assert_int_equal(vd_papr_add_vio(f->p, &v), 0);
}

/* The device's model translates by what its driver put. */
static void test_model_translates(void **state)
{
	struct pf *f = *state;
	struct vd_reader *r;
	struct vd_target t;

	assert_int_equal(vd_reader_create(vd_papr_vio_adapter(f->p), CLIENT_UNIT, &r), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 2 * PAGE, pf_tce(5, 1)), 0);
	assert_int_equal(vd_translate_once(r, (vd_iova){ 2 * PAGE + 8 }, VD_READ, &t), 0);
	assert_ptr_equal(t.hva, f->mem[CLIENT] + 5 * PAGE + 8);
	assert_int_equal(vd_translate_once(r, (vd_iova){ 2 * PAGE }, VD_WRITE, &t), -EACCES);
	assert_int_equal(vd_translate_once(r, (vd_iova){ VIO_ENTRIES * PAGE }, VD_READ, &t),
			 -ERANGE);
	vd_reader_destroy(r);
}

static void test_connect(void **state)
{
	struct pf *f = *state;
	struct vd_papr_vio v = pf_vio(SERVER);

	assert_int_equal(vd_papr_connect(f->p, 0x77), -ENOENT);
	/* It names the client as its partner, who does not name it. */
	v.unit = 0x77;
	v.liobn++;
	assert_int_equal(vd_papr_add_vio(f->p, &v), 0);
	assert_int_equal(vd_papr_connect(f->p, 0x77), -ENOENT);
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(vd_papr_connect(f->p, CLIENT_UNIT), 0);
	assert_int_equal(vd_papr_disconnect(f->p, CLIENT_UNIT), 0);
	assert_int_equal(vd_papr_disconnect(f->p, 0x77), -ENOENT);
}

static void test_too_many(void **state)
{
	struct pf *f = *state;
	struct vd_papr_vio v = pf_vio(SERVER);

	for (uint32_t i = 2; i < VD_PAPR_MAX_VIOS; i++) {
		v.unit = 0x100 + i;
		v.liobn++;
		assert_int_equal(vd_papr_add_vio(f->p, &v), 0);
	}
	v.unit++;
	v.liobn++;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_sane),
		pf_test(test_model_translates),
		pf_test(test_connect),
		pf_test(test_too_many),
	};

	return run_all(tests);
}
