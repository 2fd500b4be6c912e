/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "papr_fixture.h"

static void test_sane(void **state)
{
	struct vd_papr_cfg cfg = { .size = sizeof(cfg) };
	struct vd_papr *p = NULL;

	(void)state;
	assert_int_equal(vd_papr_create(NULL, &p), -EINVAL);
	cfg.size = 0;
	assert_int_equal(vd_papr_create(&cfg, &p), -EINVAL);
	cfg.size = sizeof(cfg);
	cfg.grant_liobn = UINT32_MAX;
	assert_int_equal(vd_papr_create(&cfg, &p), -EINVAL);
	cfg.grant_liobn = UINT32_MAX - VD_PAPR_GRANT_LIOBNS + 1;
	assert_int_equal(vd_papr_create(&cfg, &p), -EINVAL);
	assert_null(p);
	cfg.grant_liobn--;
	assert_int_equal(vd_papr_create(&cfg, &p), 0);
	vd_papr_destroy(p);
	vd_papr_destroy(NULL);
}

static void test_out_of_memory(void **state)
{
	const struct vd_papr_cfg cfg = { .size = sizeof(cfg), .multi_table = true };
	struct vd_papr *p = NULL;
	size_t live = mem_live();
	unsigned int n = 0;
	int err;

	(void)state;
	do {
		mem_fail(++n);
		err = vd_papr_create(&cfg, &p);
		mem_fail(0);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(err != 0, p == NULL);
		assert_true(err == 0 || mem_live() == live);
	} while (err);
	assert_true(n > 3);
	vd_papr_destroy(p);
	assert_int_equal(mem_live(), live);
}

static void test_partitions(void **state)
{
	struct pf *f = *state;
	struct vd_papr_partition part = { .size = sizeof(part),
					  .id = SERVER,
					  .domain = f->d[SERVER] };

	assert_int_equal(vd_papr_add_partition(f->p, &part), -EEXIST);
	part.id = VD_NO_OWNER;
	assert_int_equal(vd_papr_add_partition(f->p, &part), -EINVAL);
	part.id = 100;
	part.domain = NULL;
	assert_int_equal(vd_papr_add_partition(f->p, &part), -EINVAL);
	part.domain = f->d[SERVER];
	for (uint32_t i = 2; i < VD_PAPR_MAX_PARTITIONS; i++) {
		part.id++;
		assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	}
	/* The last one is as good as the first. */
	assert_int_equal(pf_call(f, part.id, VD_H_GET_MPP, 0), 0);
	assert_int_equal(f->h.out[3] >> 56, 255);
	part.id++;
	assert_int_equal(vd_papr_add_partition(f->p, &part), -ENOSPC);
	part.size = 0;
	assert_int_equal(vd_papr_add_partition(f->p, &part), -EINVAL);
}

/* No other number than those of the calls is one of them. */
static void test_unknown(void **state)
{
	struct pf *f = *state;
	struct vd_papr_hcall h = { .token = 0 };
	struct vd_papr_stats s = { .size = sizeof(s) };
	unsigned int known = 0;

	for (h.token = 0; h.token < 0x1000; h.token++) {
		int err = vd_papr_hcall(f->p, SERVER, &h);

		known += err == 0;
		if (err) {
			assert_int_equal(err, -ENOENT);
			assert_int_equal(h.status, VD_H_FUNCTION);
			assert_int_equal(h.nout, 0);
		}
	}
	assert_int_equal(known, 14);
	h.token = (uint64_t)1 << 32 | VD_H_PUT_TCE;
	assert_int_equal(vd_papr_hcall(f->p, SERVER, &h), -ENOENT);
	h.token = VD_H_PUT_TCE;
	assert_int_equal(vd_papr_hcall(f->p, STRANGER, &h), -ENOENT);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.unknown, 0x1000 - 14 + 2);
	assert_int_equal(s.calls, 14);
	assert_int_equal(s.panes, 3);
}

static void test_counts(void **state)
{
	struct pf *f = *state;
	struct vd_papr_stats s = { .size = sizeof(s) };

	pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW));
	pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, 3);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.calls, 2);
	assert_int_equal(s.refused, 1);
}

/* Without a number of its own a partition may be entitled to what it has. */
static void test_most_entitled(void **state)
{
	struct pf *f = *state;
	struct vd_papr_partition part = { .size = sizeof(part), .id = 9, .domain = f->d[CLIENT] };

	vd_domain_set_budget(f->d[CLIENT], 5 * PAGE);
	assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	assert_int_equal(pf_call(f, 9, VD_H_SET_MPP, 5 * PAGE, 1), 0);
	assert_int_equal(pf_call(f, 9, VD_H_SET_MPP, 6 * PAGE, 1), VD_H_CONSTRAINED);
	vd_domain_set_budget(f->d[CLIENT], 0);
	part.id++;
	assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	assert_int_equal(pf_call(f, 10, VD_H_SET_MPP, PF_PAGES * PAGE, 1), 0);
	assert_int_equal(pf_call(f, 10, VD_H_SET_MPP, (PF_PAGES + 1) * PAGE, 1), VD_H_CONSTRAINED);
}

/* What there is to end: a PE with two windows, a loan, copies in an adopted window. */
static void fill(struct pf *f)
{
	const struct vd_split s = { .size = sizeof(s),
				    .id = PE_LIOBN,
				    .newid = 0x81000000,
				    .owner = PE_OWNER,
				    .keep = 600,
				    .live = VD_LIVE_REFUSE };
	const uint32_t create[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID, 12, 20 };

	assert_int_equal(vd_window_split(f->a, &s), 0);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, s.newid), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_CREATE, create, NULL), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH, pf_tce(2, RW)), 0);
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 0, pf_tce(3, RW)), 0);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, s.newid, 700 * PAGE, 1), 0);
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE,
					 i ? s.newid : PE_LIOBN, (8 + i * 700) * PAGE, PAGE,
					 SERVER_UNIT),
				 0);
		assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, f->h.out[0]), 0);
		assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, f->h.out[0], (8 + i * 700) * PAGE,
					 pf_tce(4 + i, RW)),
				 0);
	}
}

/* The platform goes, the adapter stays as it was before; but for what is not ours. */
static void test_destroy(void **state)
{
	struct pf *f = *state;
	struct vd_adapter_stats before = { .size = sizeof(before) },
				after = { .size = sizeof(after) };
	size_t live;

	pf_unmake(f);
	pf_make(f, NULL);
	vd_papr_destroy(f->p);
	live = mem_live();
	vd_adapter_stats(f->a, &before);
	for (int i = 0; i < 2; i++) {
		const struct vd_papr_cfg cfg = { .size = sizeof(cfg),
						 .grant_liobn = GRANT_LIOBN,
						 .bucket = f->d[BUCKET] };

		assert_int_equal(vd_papr_create(&cfg, &f->p), 0);
		for (uint32_t who = SERVER; who <= CLIENT; who++) {
			const struct vd_papr_partition part = {
				.size = sizeof(part), .id = who, .domain = f->d[who], .cmo = true
			};

			assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
		}
		pf_furnish(f);
		fill(f);
		vd_papr_destroy(f->p);
		f->p = NULL;
		/* The window that was split off, without copies and loans. */
		vd_adapter_stats(f->a, &after);
		assert_int_equal(after.nwindows, 1);
		assert_int_equal(after.nowners, before.nowners);
		assert_int_equal(pf_pinned(f, SERVER), 0);
		assert_int_equal(pf_pinned(f, CLIENT), 0);
		assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENXIO);
		assert_int_equal(pf_page(f, 700 * PAGE, VD_READ, NULL), -ENOENT);
		assert_int_equal(vd_window_destroy(f->a, 0x81000000, VD_LIVE_REFUSE), 0);
	}
	/* Each platform's default table is where that window was: it stays. */
	assert_true(mem_live() > live);
}

/* A PE that goes takes its table along. */
static void test_destroy_leaves_nothing(void **state)
{
	struct pf *f = *state;
	const uint32_t create[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID, 12, 20 };
	struct vd_adapter_stats s = { .size = sizeof(s) };

	assert_int_equal(pf_ddw(f, VD_DDW_CREATE, create, NULL), 0);
	vd_papr_destroy(f->p);
	f->p = NULL;
	vd_adapter_stats(f->a, &s);
	assert_int_equal(s.nwindows, 0);
	assert_int_equal(s.table_bytes, 0);
}

/* What does not come to rest stays on its adapter, and so do its pins. */
static void test_destroy_not_at_rest(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
	f->drain_says = -EIO;
	vd_papr_destroy(f->p);
	f->p = NULL;
	assert_int_equal(pf_page(f, 0, RW, NULL), 1);
	assert_int_equal(pf_pinned(f, SERVER), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sane),
		cmocka_unit_test(test_out_of_memory),
		pf_test(test_partitions),
		pf_test(test_unknown),
		pf_test(test_counts),
		pf_test(test_most_entitled),
		pf_test(test_destroy),
		pf_test(test_destroy_leaves_nothing),
		pf_test(test_destroy_not_at_rest),
	};

	return run_all(tests);
}
