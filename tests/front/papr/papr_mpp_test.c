/* SPDX-License-Identifier: BSD-2-Clause */
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
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, ALL, 256), VD_H_CONSTRAINED);
	get(f, ALL, 0, 255);
	/* Nothing is not without limit. */
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, 0, 0), VD_H_CONSTRAINED);
	get(f, PAGE, 0, 0);
}

/* Where each number stands, of a partition that has them all. */
static void test_registers(void **state)
{
	struct pf *f = *state;
	const struct vd_papr_partition part = { .size = sizeof(part),
						.id = 9,
						.domain = f->d[CLIENT],
						.max_entitled = 40 * PAGE,
						.group = 0x1234,
						.pool = 0xfedc,
						.pool_bytes = 0x123456789000 };

	assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	assert_int_equal(pf_call(f, 9, VD_H_SET_MPP, 41 * PAGE, 5), VD_H_CONSTRAINED);
	assert_int_equal(pf_call(f, 9, VD_H_SET_MPP, 40 * PAGE, 5), 0);
	assert_int_equal(pf_call(f, 9, VD_H_SET_MPP, 7 * PAGE + PAGE / 2, 255), 0);
	assert_int_equal(pf_call(f, 9, VD_H_SET_MPP, 7 * PAGE, 5), 0);
	assert_int_equal(pf_call(f, 9, VD_H_GET_MPP, 0), 0);
	assert_int_equal(f->h.out[0], 7 * PAGE);
	assert_int_equal(f->h.out[1], 0);
	assert_int_equal(f->h.out[2], 0x1234fedc);
	assert_int_equal(f->h.out[3], 5ull << 56 | 250ull << 48 | 33);
	assert_int_equal(f->h.out[4], 0x123456789000);
	assert_int_equal(f->h.out[5], 0);
	assert_int_equal(f->h.out[6], ALL);
}

/* A part of a page is none, and less than a page is no entitlement. */
static void test_parts_of_pages(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, 3 * PAGE - 1, 1), 0);
	get(f, 2 * PAGE, 0, 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, PAGE, 1), 0);
	get(f, PAGE, 0, 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, PAGE - 1, 1), VD_H_CONSTRAINED);
	get(f, PAGE, 0, 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_SET_MPP, ALL, 255), 0);
	get(f, ALL, 0, 255);
}

/* The partition comes first: it may have what memory it gets. */
static void test_memory_comes_later(void **state)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct vd_papr_partition part = { .size = sizeof(part), .id = 9 };
	struct pf f;

	(void)state;
	pf_make(&f, NULL);
	assert_int_equal(vd_domain_create(f.host[CLIENT], &cfg, &part.domain), 0);
	assert_int_equal(vd_papr_add_partition(f.p, &part), 0);
	assert_int_equal(pf_call(&f, 9, VD_H_SET_MPP, 4 * PAGE, 1), VD_H_CONSTRAINED);
	assert_int_equal(
		vd_domain_add_memory(part.domain, (vd_gpa){ PF_GPA }, f.mem[CLIENT], 8 * PAGE), 0);
	assert_int_equal(pf_call(&f, 9, VD_H_SET_MPP, 4 * PAGE, 1), 0);
	assert_int_equal(pf_call(&f, 9, VD_H_GET_MPP, 0), 0);
	assert_int_equal(f.h.out[0], 4 * PAGE);
	assert_int_equal(f.h.out[3] & 0xffffffffffff, 4);
	assert_int_equal(pf_call(&f, 9, VD_H_SET_MPP, 9 * PAGE, 1), VD_H_CONSTRAINED);
	assert_int_equal(pf_call(&f, 9, VD_H_GET_MPP, 0), 0);
	assert_int_equal(f.h.out[0], 8 * PAGE);
	pf_unmake(&f);
	vd_domain_destroy(part.domain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_entitlement),
		pf_test(test_constrained),
		pf_test(test_registers),
		pf_test(test_parts_of_pages),
		cmocka_unit_test(test_memory_comes_later),
	};

	return run_all(tests);
}
