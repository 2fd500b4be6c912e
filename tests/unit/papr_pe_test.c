// SPDX-License-Identifier: BSD-2-Clause
#include "mem_nth.h"
#include "papr_fixture.h"

static void test_sane(void **state)
{
	struct pf *f = *state;
	const struct vd_papr_pe good = pf_pe(f);
	struct vd_papr_pe bad[12];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bad[i] = good;
		bad[i].buid++;
		bad[i].liobn += 0x100;
	}
	bad[n++].size--;
	bad[n++].adapter = NULL;
	bad[n++].max_windows = 0;
	bad[n++].max_windows = VD_PAPR_MAX_WINDOWS + 1;
	bad[n++].slot_shift = 31;
	bad[n++].slot_shift = 61;
	bad[n++].liobn = UINT32_MAX;
	bad[n++].base = 1;
	bad[n++].len = 0;
	bad[n++].len = PAGE + 1;
	bad[n++].len = ((uint64_t)1 << 32) + PAGE; /* not below 4 GiB */
	bad[n].base = UINT64_MAX - PAGE + 1;
	bad[n++].len = 2 * PAGE;
	for (size_t i = 0; i < n; i++)
		assert_int_equal(vd_papr_add_pe(f->p, &bad[i]), -EINVAL);
}

static void test_taken(void **state)
{
	struct pf *f = *state;
	struct vd_papr_pe pe = pf_pe(f);

	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST);
	pe.config_addr = 0x900;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST); /* the LIOBN */
	pe.liobn = PE_LIOBN - 1;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST); /* its second */
	pe.liobn = PE_LIOBN + 1;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST); /* the other's second */
	pe.liobn = SERVER_LIOBN;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST);
	pe.liobn = PE_LIOBN + 0x100;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST); /* the bus addresses */
	pe.owner = 77;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -ENOENT);
	pe.partition = STRANGER;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -ENOENT);
	pe = pf_pe(f);
	pe.liobn = PE_LIOBN + 0x100;
	pe.config_addr = VD_PAPR_WHOLE_BRIDGE;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST);
}

/* Fail the 1st allocation, then the 2nd, ...: nothing stays. */
static void test_out_of_memory(void **state)
{
	struct pf f;
	struct vd_adapter_stats before, after;
	unsigned int n = 0;
	int err;

	(void)state;
	pf_make(&f, NULL);
	vd_adapter_stats(f.a, &before);
	do {
		const struct vd_papr_pe pe = pf_pe(&f);

		mem_fail(++n);
		err = vd_papr_add_pe(f.p, &pe);
		mem_fail(0);
		vd_adapter_stats(f.a, &after);
		if (err) {
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(after.nwindows, before.nwindows);
			assert_int_equal(after.table_bytes, before.table_bytes);
		}
	} while (err);
	assert_true(n > 1);
	pf_unmake(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_sane),
		pf_test(test_taken),
		cmocka_unit_test(test_out_of_memory),
	};

	return run_all(tests);
}
