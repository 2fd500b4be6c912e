// SPDX-License-Identifier: BSD-2-Clause
#include "papr_fixture.h"

#define HI  ((uint32_t)(PE_BUID >> 32))
#define LOW ((uint32_t)PE_BUID)
#define PE  0x800, HI, LOW

static int32_t create(struct pf *f, uint32_t page, uint32_t size, uint32_t *out)
{
	return pf_ddw(f, VD_DDW_CREATE, (uint32_t[]){ PE, page, size }, out);
}

static int32_t drop(struct pf *f, uint32_t liobn)
{
	return pf_ddw(f, VD_DDW_REMOVE, &liobn, NULL);
}

static uint32_t available(struct pf *f)
{
	uint32_t out[8];

	assert_int_equal(pf_ddw(f, VD_DDW_QUERY, (uint32_t[]){ PE }, out), 0);
	return out[1];
}

static void test_query(void **state)
{
	struct pf *f = *state;
	struct vd_papr_rtas r = {
		.call = VD_DDW_QUERY, .nin = 3, .nout = 6, .in = { PE }, .out = { 0, 9, 9, 9, 9, 9 }
	};
	uint32_t out[8];

	assert_int_equal(pf_ddw(f, VD_DDW_QUERY, (uint32_t[]){ PE }, out), 0);
	assert_int_equal(out[1], 1);
	assert_int_equal(out[2], 4096);
	assert_int_equal(out[3], VD_DDW_4K | VD_DDW_64K);
	assert_int_equal(out[4], 0);
	assert_int_equal(vd_papr_rtas(f->p, SERVER, &r), 0);
	assert_int_equal(r.out[0], 0);
	assert_int_equal(r.out[1], 1);
	assert_int_equal(r.out[2], 0);
	assert_int_equal(r.out[3], 4096);
	assert_int_equal(r.out[4], VD_DDW_4K | VD_DDW_64K);
	assert_int_equal(r.out[5], 0);
}

/* Numbers of arguments, and who and what is named. */
static void test_refused(void **state)
{
	static const struct {
		const char *what;
		uint32_t who;
		struct vd_papr_rtas r;
	} rows[] = {
		{ "inputs", SERVER, { VD_DDW_QUERY, 2, 5, { PE }, { 0 } } },
		{ "more inputs", SERVER, { VD_DDW_QUERY, UINT32_MAX, 5, { PE }, { 0 } } },
		{ "outputs", SERVER, { VD_DDW_QUERY, 3, 4, { PE }, { 0 } } },
		{ "seven outputs", SERVER, { VD_DDW_QUERY, 3, 7, { PE }, { 0 } } },
		{ "not its own", CLIENT, { VD_DDW_QUERY, 3, 5, { PE }, { 0 } } },
		{ "another address", SERVER, { VD_DDW_QUERY, 3, 5, { 0x900, HI, LOW }, { 0 } } },
		{ "register fields", SERVER, { VD_DDW_QUERY, 3, 5, { 0x801, HI, LOW }, { 0 } } },
		{ "another bridge", SERVER, { VD_DDW_QUERY, 3, 5, { 0x800, HI, LOW + 1 }, { 0 } } },
		{ "halves swapped", SERVER, { VD_DDW_QUERY, 3, 5, { 0x800, LOW, HI }, { 0 } } },
		{ "create: outputs", SERVER, { VD_DDW_CREATE, 5, 5, { PE, 12, 20 }, { 0 } } },
		{ "create: not its own", CLIENT, { VD_DDW_CREATE, 5, 4, { PE, 12, 20 }, { 0 } } },
		{ "create: 2 KiB", SERVER, { VD_DDW_CREATE, 5, 4, { PE, 11, 20 }, { 0 } } },
		{ "create: 16 MiB", SERVER, { VD_DDW_CREATE, 5, 4, { PE, 24, 30 }, { 0 } } },
		{ "create: no size", SERVER, { VD_DDW_CREATE, 5, 4, { PE, 75, 80 }, { 0 } } },
		{ "create: less than a page",
		  SERVER,
		  { VD_DDW_CREATE, 5, 4, { PE, 16, 15 }, { 0 } } },
		{ "create: too many entries",
		  SERVER,
		  { VD_DDW_CREATE, 5, 4, { PE, 12, 25 }, { 0 } } },
		{ "create: 2^64", SERVER, { VD_DDW_CREATE, 5, 4, { PE, 12, 64 }, { 0 } } },
		{ "create: 2^76", SERVER, { VD_DDW_CREATE, 5, 4, { PE, 12, 76 }, { 0 } } },
		{ "create: as large as can be",
		  SERVER,
		  { VD_DDW_CREATE, 5, 4, { PE, 12, UINT32_MAX }, { 0 } } },
		{ "remove: no window", SERVER, { VD_DDW_REMOVE, 1, 1, { PE_LIOBN + 1 }, { 0 } } },
		{ "remove: no PE's", SERVER, { VD_DDW_REMOVE, 1, 1, { SERVER_LIOBN }, { 0 } } },
		{ "remove: not its own", CLIENT, { VD_DDW_REMOVE, 1, 1, { PE_LIOBN }, { 0 } } },
		{ "remove: inputs", SERVER, { VD_DDW_REMOVE, 0, 1, { PE_LIOBN }, { 0 } } },
		{ "reset: outputs", SERVER, { VD_DDW_RESET, 3, 2, { PE }, { 0 } } },
		{ "reset: not its own", CLIENT, { VD_DDW_RESET, 3, 1, { PE }, { 0 } } },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vd_papr_rtas r = rows[i].r;

		assert_int_equal(vd_papr_rtas(f->p, rows[i].who, &r), 0);
		if (r.out[0] != (uint32_t)VD_RTAS_PARAMETER)
			fail_msg("%s: %d", rows[i].what, (int)r.out[0]);
		assert_int_equal(available(f), 1);
	}
}

static void test_create(void **state)
{
	struct pf *f = *state;
	uint32_t out[8];

	assert_int_equal(create(f, 16, 28, out), 0);
	assert_int_equal(out[1], PE_LIOBN + 1);
	assert_int_equal((uint64_t)out[2] << 32 | out[3], HIGH);
	assert_int_equal(available(f), 0);
	assert_int_equal(create(f, 12, 20, out), VD_RTAS_PARAMETER);
	/* One entry of 64 KiB is 16 pages of memory. */
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH + 0x20000, PF_GPA | RW), 0);
	assert_int_equal(f->h.out[0], 16 * PAGE);
	assert_int_equal(pf_page(f, HIGH + 0x2f123, RW, NULL), 15);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH, (PF_GPA + PAGE) | RW),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, 0, PF_GPA | RW),
			 VD_H_PARAMETER);
	/* Both windows at once. */
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(3, RW)), 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), 3);
}

static void test_live_is_not_removed(void **state)
{
	struct pf *f = *state;

	assert_int_equal(create(f, 12, 20, NULL), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH, pf_tce(3, RW)), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), VD_RTAS_PARAMETER);
	assert_int_equal(pf_page(f, HIGH, RW, NULL), 3);
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN + 1, HIGH, 0, 256), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), VD_RTAS_PARAMETER);
	assert_int_equal(available(f), 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH, pf_tce(3, RW)),
			 VD_H_PARAMETER);
}

/* R1-..-3: the last window that is not the default one brings that back. */
static void test_default_comes_back(void **state)
{
	struct pf *f = *state;
	struct vd_window_info before, after;
	uint32_t out[8];

	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &before), 0);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(available(f), 2);
	assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENXIO);
	/* The first has the default window's place, the second the high one. */
	assert_int_equal(create(f, 16, 24, out), 0);
	assert_int_equal(out[1], PE_LIOBN);
	assert_int_equal((uint64_t)out[2] << 32 | out[3], 0);
	assert_int_equal(create(f, 12, 20, out), 0);
	assert_int_equal(out[1], PE_LIOBN + 1);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(available(f), 1);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &after), -ENOENT);
	assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	assert_int_equal(available(f), 1);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &after), 0);
	assert_int_equal(after.bus.v, before.bus.v);
	assert_int_equal(after.len, before.len);
	assert_int_equal(after.page_shift, before.page_shift);
	assert_int_equal(after.table, before.table);
	/* But the default window does not bring itself back. */
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(available(f), 2);
	assert_int_equal(create(f, 12, 20, NULL), 0);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &after), 0);
	assert_int_equal(after.len, PE_ENTRIES);
}

static void test_reset(void **state)
{
	struct pf *f = *state;
	struct vd_window_info w;

	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(create(f, 16, 24, NULL), 0);
	assert_int_equal(create(f, 12, 20, NULL), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH, pf_tce(3, RW)), 0);
	f->drain_says = -EIO;
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, (uint32_t[]){ PE }, NULL), VD_RTAS_HARDWARE);
	f->drain_says = 0;
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, (uint32_t[]){ PE }, NULL), 0);
	assert_int_equal(available(f), 1);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &w), 0);
	assert_int_equal(w.len, PE_ENTRIES);
	assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
}

static void test_lent_stays(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(drop(f, PE_LIOBN), VD_RTAS_PARAMETER);
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, (uint32_t[]){ PE }, NULL), VD_RTAS_BUSY);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, f->h.out[0]), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, (uint32_t[]){ PE }, NULL), 0);
}

static void test_unknown(void **state)
{
	struct pf *f = *state;
	struct vd_papr_rtas r = { .call = VD_DDW_CALLS, .nin = 3, .nout = 5, .in = { PE } };

	assert_int_equal(vd_papr_rtas(f->p, SERVER, &r), -ENOENT);
	r.call = VD_DDW_QUERY;
	assert_int_equal(vd_papr_rtas(f->p, STRANGER, &r), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_query),
		pf_test(test_refused),
		pf_test(test_create),
		pf_test(test_live_is_not_removed),
		pf_test(test_default_comes_back),
		pf_test(test_reset),
		pf_test(test_lent_stays),
		pf_test(test_unknown),
	};

	return run_all(tests);
}
