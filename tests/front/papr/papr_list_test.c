/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
#include "papr_fixture.h"

static void test_list(void **state)
{
	struct pf *f = *state;
	uint64_t list[VD_TCE_LIST_MAX];

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = i % 5 == 4 ? 0 : pf_tce(1 + i % 40, 1 + i % 3);
	pf_list(f, SERVER, list, ARRAY_LEN(list));
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 8 * PAGE, PF_GPA, 512),
			 0);
	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		unsigned int prot = 1 + (unsigned int)i % 3;
		int64_t page = i % 5 == 4 ? -ENOENT : (int64_t)(1 + i % 40);

		assert_int_equal(pf_page(f, (8 + i) * PAGE, prot, NULL), page);
	}
	assert_int_equal(f->h.nout, 1);
	assert_int_equal(f->h.out[0], pf_pinned(f, SERVER) * PAGE);
}

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		uint64_t liobn, ioba, list, count;
		int64_t status;
	} rows[] = {
		{ "513", PE_LIOBN, 0, PF_GPA, 513, VD_H_PARAMETER },
		{ "all", PE_LIOBN, 0, PF_GPA, UINT64_MAX, VD_H_PARAMETER },
		{ "over the end", PE_LIOBN, (PE_ENTRIES - 1) * PAGE, PF_GPA, 2, VD_H_PARAMETER },
		{ "misaligned", PE_LIOBN, 0, PF_GPA + 8, 1, VD_H_PARAMETER },
		{ "no memory", PE_LIOBN, 0, 0, 1, VD_H_PARAMETER },
		{ "top of memory", PE_LIOBN, 0, 0 - PAGE, 1, VD_H_PARAMETER },
		{ "behind memory", PE_LIOBN, 0, PF_GPA + PF_PAGES * PAGE, 1, VD_H_PARAMETER },
		{ "no LIOBN", 9, 0, PF_GPA, 1, VD_H_PARAMETER },
		{ "LIOBN 0", 0, 0, PF_GPA, 1, VD_H_PARAMETER },
		{ "many tables, not enabled", 0 - 1ull, 0, PF_GPA, 1, VD_H_FUNCTION },
	};
	struct pf *f = *state;
	const uint64_t list[] = { pf_tce(1, RW), pf_tce(2, RW) };

	pf_list(f, SERVER, list, 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, rows[i].liobn, rows[i].ioba,
			    rows[i].list, rows[i].count) != rows[i].status)
			fail_msg("%s: %lld", rows[i].what, (long long)f->h.status);
		assert_int_equal(pf_pinned(f, SERVER), 0);
	}
}

/* The last entry is bad: none was stored, and what was there is there. */
static void test_all_or_none(void **state)
{
	struct pf *f = *state;
	uint64_t list[64];

	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(50, RW)), 0);
	for (size_t i = 0; i < 64; i++)
		list[i] = pf_tce(i, RW);
	list[63] = pf_tce(PF_PAGES, RW);
	pf_list(f, SERVER, list, 64);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 0, PF_GPA, 64),
			 VD_H_PARAMETER);
	assert_int_equal(pf_page(f, 0, RW, NULL), 50);
	assert_int_equal(pf_pinned(f, SERVER), 1);
	/* Up to the one before it is fine. */
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 0, PF_GPA, 63), 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), 0);
}

static void test_over_entitlement(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { pf_tce(1, RW), pf_tce(2, RW), pf_tce(3, RW) };

	vd_domain_set_budget(f->d[SERVER], 2 * PAGE);
	pf_list(f, SERVER, list, 3);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 0, PF_GPA, 3),
			 VD_H_NOT_ENOUGH);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 0, PF_GPA, 2), 0);
}

static int many_setup(void **state)
{
	const struct vd_papr_cfg cfg = { .size = sizeof(cfg),
					 .grant_liobn = GRANT_LIOBN,
					 .multi_table = true };
	struct pf *f = malloc(sizeof(*f));

	assert_non_null(f);
	pf_make(f, &cfg);
	pf_furnish(f);
	*state = f;
	return 0;
}

static uint64_t entry(struct pf *f, uint64_t liobn, uint64_t ioba)
{
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, liobn, ioba), 0);
	return f->h.out[0];
}

/* The LIOBNs come first, then the entries that each of them gets. */
static void test_many_tables(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { PE_LIOBN, SERVER_LIOBN, pf_tce(1, 1), pf_tce(2, 2), 0 };

	pf_list(f, SERVER, list, 5);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 4 * PAGE, PF_GPA, 3),
			 0);
	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(entry(f, list[t], (4 + i) * PAGE), list[2 + i]);
	}
	assert_int_equal(pf_pinned(f, SERVER), 2);
}

static void test_many_refused(void **state)
{
	static const struct {
		uint64_t ntables, count, list[3];
	} rows[] = {
		{ 129, 1, { PE_LIOBN } },
		{ 1ull << 63, 1, { PE_LIOBN } },
		{ 2, 511, { PE_LIOBN, SERVER_LIOBN } },
		{ 2, UINT64_MAX, { PE_LIOBN, SERVER_LIOBN } },
		{ 2, 1, { PE_LIOBN, CLIENT_LIOBN, PF_GPA | RW } },
		{ 2, 1, { PE_LIOBN, 1ull << 32 | SERVER_LIOBN, PF_GPA | RW } },
		{ 2, 1, { PE_LIOBN, SERVER_LIOBN, 3 } },
		/* In the first table, behind the end of the second. */
		{ 2, 200, { PE_LIOBN, SERVER_LIOBN, PF_GPA | RW } },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pf_list(f, SERVER, rows[i].list, 3);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - rows[i].ntables, 0,
					 PF_GPA, rows[i].count),
				 VD_H_PARAMETER);
		assert_int_equal(pf_pinned(f, SERVER), 0);
	}
}

/* As many as fit into the page, and as many tables as may be; not one more. */
static void test_many_at_most(void **state)
{
	struct pf *f = *state;
	uint64_t list[VD_TCE_LIST_MAX];

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = i < 129 ? PE_LIOBN : pf_tce(i % 40, RW);
	pf_list(f, SERVER, list, ARRAY_LEN(list));
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 129ull, 0, PF_GPA, 1),
			 VD_H_PARAMETER);
	list[128] = pf_tce(7, RW);
	pf_list(f, SERVER, list, ARRAY_LEN(list));
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 128ull, 0, PF_GPA, 385),
			 VD_H_PARAMETER);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 128ull, 0, PF_GPA, 384), 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), 7);
	assert_int_equal(pf_page(f, 383 * PAGE, RW, NULL), 511 % 40);
	assert_int_equal(pf_page(f, 384 * PAGE, RW, NULL), -ENOENT);
}

/* The second table cannot be filled: the first has what it had. */
static void test_many_undone(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { SERVER_LIOBN, PE_LIOBN, pf_tce(1, RW), pf_tce(2, RW) };

	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, SERVER_LIOBN, 0, pf_tce(9, 1)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, PAGE,
				 PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, f->h.out[0]), 0);
	pf_list(f, SERVER, list, 4);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 0, PF_GPA, 2),
			 VD_H_RESOURCE);
	assert_int_equal(entry(f, SERVER_LIOBN, 0), pf_tce(9, 1));
	assert_int_equal(entry(f, SERVER_LIOBN, PAGE), 0);
	assert_int_equal(entry(f, PE_LIOBN, 0), 0);
	assert_int_equal(pf_pinned(f, SERVER), 1);
}

static void redirect(struct pf *f, uint64_t from, uint64_t to)
{
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(
		pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, from * PAGE, pf_tce(20 + from, RW)),
		0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, from * PAGE, PE_LIOBN,
				 to * PAGE, 1),
			 0);
}

/* A virtual device whose table needs memory for its first entry. */
static void add_long_table(struct pf *f, uint32_t partition, uint32_t liobn)
{
	struct vd_papr_vio vio = pf_vio(partition);

	vio.unit = 0x40;
	vio.partner = 0x41;
	vio.liobn = liobn;
	vio.partner_liobn = 0;
	vio.len = (uint64_t)PAGE << 17;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), 0);
}

#define BIG ((uint64_t)16 * PAGE)

/* A window of 64 KiB pages, where the PE's has its bus addresses too. */
static uint32_t add_big_window(struct pf *f)
{
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[SERVER]
	};
	const struct vd_table_cfg t = {
		.size = sizeof(t), .format = VD_FORMAT_TCE, .page_shift = 16, .nentries = 64
	};
	struct vd_window_cfg w = { .size = sizeof(w), .id = 0x81000000, .owner = 2, .len = 64 };

	assert_int_equal(vd_owner_add(f->a, &o), 0);
	assert_int_equal(vd_table_create(f->a, &t, &w.table), 0);
	assert_int_equal(vd_window_create(f->a, &w), 0);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, w.id), 0);
	return w.id;
}

/*
 * Tables of different page sizes: the bus address of the call is cut to a page
 * of each table by itself, whichever comes first, also on the way back.
 */
static void test_many_page_sizes(void **state)
{
	struct pf *f = *state;
	const uint64_t big = add_big_window(f), ioba = BIG + 5 * PAGE, tce = PF_GPA | RW;

	add_long_table(f, SERVER, 0x11000000);
	for (int order = 0; order < 2; order++) {
		const uint64_t list[] = { order ? big : PE_LIOBN, order ? PE_LIOBN : big, tce };
		const uint64_t bad[] = { list[0], list[1], 0x11000000, tce };

		pf_list(f, SERVER, list, 3);
		assert_int_equal(
			pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, ioba, PF_GPA, 1), 0);
		assert_int_equal(entry(f, PE_LIOBN, ioba), tce);
		assert_int_equal(entry(f, PE_LIOBN, BIG), 0);
		assert_int_equal(entry(f, big, BIG), tce);

		/* The last of three cannot be filled. */
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, ioba, 0), 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, BIG, pf_tce(9, 1)), 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, big, BIG, 0), 0);
		pf_list(f, SERVER, bad, 4);
		mem_fail(1);
		assert_int_equal(
			pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 3ull, ioba, PF_GPA, 1),
			VD_H_HARDWARE);
		mem_fail(0);
		assert_int_equal(entry(f, PE_LIOBN, ioba), 0);
		assert_int_equal(entry(f, PE_LIOBN, BIG), pf_tce(9, 1));
		assert_int_equal(entry(f, big, BIG), 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, BIG, 0), 0);
	}
}

/* What the first table held may be what no guest can name. */
static void test_many_undone_to_copies(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { PE_LIOBN, 0x11000000, pf_tce(1, RW), pf_tce(2, RW) };
	unsigned int n = 0;
	int64_t status;

	add_long_table(f, SERVER, 0x11000000);
	redirect(f, 3, 1);
	pf_list(f, SERVER, list, 4);
	do {
		assert_int_equal(pf_page(f, PAGE, RW, NULL), 23);
		assert_int_equal(pf_pinned(f, SERVER), 0);
		assert_int_equal(pf_pinned(f, CLIENT), 1);
		mem_fail(++n);
		status = pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 0, PF_GPA, 2);
		mem_fail(0);
		assert_true(status == 0 || status == VD_H_HARDWARE);
	} while (status);
	assert_true(n > 1);
	assert_int_equal(pf_page(f, PAGE, RW, NULL), 2);
	assert_true(pf_is_of(f, SERVER, PAGE));
}

/* A client's call that fails ends no copy, whichever table it fails at. */
static void test_many_undone_ends_no_copy(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { CLIENT_LIOBN, 0x11000000, pf_tce(1, RW), pf_tce(2, RW) };
	unsigned int n = 0;
	int64_t status;

	add_long_table(f, CLIENT, 0x11000000);
	redirect(f, 1, 7);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	pf_list(f, CLIENT, list, 4);
	do {
		assert_int_equal(pf_page(f, 7 * PAGE, RW, NULL), 21);
		assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, CLIENT_LIOBN, PAGE), 0);
		assert_int_equal(f->h.out[0], pf_tce(21, RW));
		mem_fail(++n);
		status = pf_call(f, CLIENT, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 0, PF_GPA, 2);
		mem_fail(0);
		assert_true(status == 0 || status == VD_H_HARDWARE);
	} while (status);
	assert_true(n > 1);
	assert_true(pf_page(f, 7 * PAGE, VD_READ, NULL) < 0);
}

/*
 * Not even for the way back is there memory: the second table is left without
 * these entries, and the first has what it had.
 */
static void test_many_cannot_be_undone(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { CLIENT_LIOBN, 0x13000000, 0x11000000, pf_tce(1, RW),
				  pf_tce(2, RW) };
	struct vd_papr_vio vio = pf_vio(CLIENT);

	vio.unit = 0x42;
	vio.partner = 0x43;
	vio.liobn = 0x13000000;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), 0);
	add_long_table(f, CLIENT, 0x11000000);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	redirect(f, 1, 7);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, 0x13000000, 0, pf_tce(30, RW)), 0);
	pf_list(f, CLIENT, list, 5);
	vd_fake_fail(f->host[CLIENT], 3, -ENOMEM); /* after pages 1 and 2 */
	mem_fail(1);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE_INDIRECT, 0 - 3ull, 0, PF_GPA, 2),
			 VD_H_HARDWARE);
	mem_fail(0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, 0x13000000, 0), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, 0x13000000, PAGE), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, CLIENT_LIOBN, PAGE), 0);
	assert_int_equal(f->h.out[0], pf_tce(21, RW));
	assert_int_equal(pf_page(f, 7 * PAGE, RW, NULL), 21);
	assert_int_equal(pf_pinned(f, CLIENT), 1);
}

/* And where what is lost was redirected, its copy ends. */
static void test_many_lost_copy(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { CLIENT_LIOBN, 0x11000000, pf_tce(1, RW), pf_tce(2, RW) };

	add_long_table(f, CLIENT, 0x11000000);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	redirect(f, 1, 7);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 0, pf_tce(30, RW)), 0);
	pf_list(f, CLIENT, list, 4);
	vd_fake_fail(f->host[CLIENT], 3, -ENOMEM);
	mem_fail(1);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 0, PF_GPA, 2),
			 VD_H_HARDWARE);
	mem_fail(0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, CLIENT_LIOBN, PAGE), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_true(pf_is_bucket(f, 7 * PAGE));
	assert_int_equal(pf_pinned(f, CLIENT), 0);
}

/* A table named twice: the copy of what it held first ends all the same. */
static void test_many_twice(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { CLIENT_LIOBN, CLIENT_LIOBN, pf_tce(1, RW), pf_tce(2, RW) };

	redirect(f, 1, 7);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	pf_list(f, CLIENT, list, 4);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 0, PF_GPA, 2), 0);
	assert_int_equal(f->h.out[0], PAGE); /* two pages more, one less */
	assert_true(pf_page(f, 7 * PAGE, VD_READ, NULL) < 0);
	assert_int_equal(vd_fake_pins(f->host[CLIENT], 21), 0);
}

/* Its own partner: what the call itself puts over a copy is no copy. */
static void test_many_both_ends(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { PAIR_CLIENT, PE_LIOBN, pf_tce(1, RW), pf_tce(2, RW) };

	pf_add_pair(f, SERVER, VIO_ENTRIES);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PAIR_CLIENT, PAGE, pf_tce(9, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PAIR_PARTNER, PAGE, PE_LIOBN, PAGE, 1),
			 0);
	assert_int_equal(pf_page(f, PAGE, RW, NULL), 9);
	pf_list(f, SERVER, list, 4);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, 0 - 2ull, 0, PF_GPA, 2), 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), 1);
	assert_int_equal(pf_page(f, PAGE, RW, NULL), 2);
	assert_int_equal(pf_pinned(f, SERVER), 2);
}

#define many_test(t) cmocka_unit_test_setup_teardown(t, many_setup, pf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_list),
		pf_test(test_refused),
		pf_test(test_all_or_none),
		pf_test(test_over_entitlement),
		many_test(test_many_tables),
		many_test(test_many_refused),
		many_test(test_many_at_most),
		many_test(test_many_page_sizes),
		many_test(test_many_undone),
		many_test(test_many_undone_to_copies),
		many_test(test_many_undone_ends_no_copy),
		many_test(test_many_twice),
		many_test(test_many_cannot_be_undone),
		many_test(test_many_lost_copy),
		many_test(test_many_both_ends),
	};

	return run_all(tests);
}
