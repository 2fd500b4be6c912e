/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
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
	v.size = 0;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EINVAL);
	v.size = sizeof(v);
	v.liobn = PE_LIOBN; /* a window's, on another adapter */
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EEXIST);
	v.liobn = PE_LIOBN + 1; /* of a window that may yet be */
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EEXIST);
	v.liobn = SERVER_LIOBN + 1;
	v.partner = v.unit;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EINVAL);
	v.partner = 0x78;
	v.unit = VD_EVERY_DEVICE;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EINVAL);
	v.unit = 0x77;
	v.liobn = PE_LIOBN + 2; /* just behind them */
	assert_int_equal(vd_papr_add_vio(f->p, &v), 0);
	v.unit = 0x79;
	v.liobn = PE_LIOBN - 1;
	assert_int_equal(vd_papr_add_vio(f->p, &v), 0);
	v.liobn = 0x70000000;
	assert_int_equal(vd_papr_add_vio(f->p, &v), -EEXIST); /* the unit */
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

/* Fail the 1st allocation, then the 2nd, ...: nothing stays. */
static void test_out_of_memory(void **state)
{
	struct pf *f = *state;
	struct vd_adapter *a = vd_papr_vio_adapter(f->p);
	struct vd_papr_vio v = pf_vio(SERVER);
	struct vd_adapter_stats before = { .size = sizeof(before) },
				after = { .size = sizeof(after) };
	size_t live = mem_live();
	unsigned int n = 0;
	int err;

	v.unit = 0x77;
	v.liobn = 0x11000000;
	vd_adapter_stats(a, &before);
	do {
		mem_fail(++n);
		err = vd_papr_add_vio(f->p, &v);
		mem_fail(0);
		vd_adapter_stats(a, &after);
		assert_true(err == 0 || err == -ENOMEM);
		if (err) {
			assert_int_equal(after.nwindows, before.nwindows);
			assert_int_equal(after.nowners, before.nowners);
			assert_int_equal(after.ndevices, before.ndevices);
			assert_int_equal(after.table_bytes, before.table_bytes);
			assert_int_equal(mem_live(), live);
		}
	} while (err);
	assert_true(n > 3);
	assert_int_equal(after.nwindows, before.nwindows + 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, v.liobn, v.len - PAGE, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, v.liobn, v.len, pf_tce(1, RW)),
			 VD_H_PARAMETER);
}

/* Either end that goes takes the connection with it, for both. */
static void test_either_end(void **state)
{
	static const uint32_t unit[] = { SERVER_UNIT, CLIENT_UNIT };
	struct pf *f = *state;

	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 0, pf_tce(4, RW)), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(vd_papr_connect(f->p, unit[i % 2]), 0);
		assert_int_equal(
			pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, 0, 1), 0);
		assert_int_equal(vd_papr_disconnect(f->p, unit[i / 2]), -EBUSY);
		assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 0, 0, 1), 0);
		assert_int_equal(vd_papr_disconnect(f->p, unit[i / 2]), 0);
		assert_int_equal(
			pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, 0, 1),
			VD_H_R_PARM);
	}
}

/* The last entry of all is one of those that a disconnection ends. */
static void test_last_entry(void **state)
{
	struct pf *f = *state;

	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, (VIO_ENTRIES - 1) * PAGE,
				 pf_tce(4, RW)),
			 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, (VIO_ENTRIES - 1) * PAGE,
				 PE_LIOBN, 0, 1),
			 0);
	assert_int_equal(vd_papr_disconnect(f->p, CLIENT_UNIT), -EBUSY);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	assert_int_equal(vd_papr_disconnect(f->p, CLIENT_UNIT), 0);
	assert_true(pf_is_bucket(f, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_sane),	  pf_test(test_model_translates), pf_test(test_connect),
		pf_test(test_too_many),	  pf_test(test_out_of_memory),	  pf_test(test_either_end),
		pf_test(test_last_entry),
	};

	return run_all(tests);
}
