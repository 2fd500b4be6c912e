/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem_nth.h"
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
		{ "remove: outputs", SERVER, { VD_DDW_REMOVE, 1, 2, { PE_LIOBN }, { 0 } } },
		{ "remove: more inputs", SERVER, { VD_DDW_REMOVE, 2, 1, { PE_LIOBN }, { 0 } } },
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
	struct vd_window_info before = { .size = sizeof(before) },
			      after = { .size = sizeof(after) };
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
	struct vd_window_info w = { .size = sizeof(w) };

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

/* A platform with one PE, which is not as all others are. */
struct odd {
	struct pf f;
	struct vd_papr_pe pe;
	struct vd_adapter_stats empty; /* with the PE in it */
};

static void odd_begin(struct odd *o)
{
	pf_make(&o->f, NULL);
	o->pe = pf_pe(&o->f);
}

static void odd_add(struct odd *o)
{
	assert_int_equal(vd_papr_add_pe(o->f.p, &o->pe), 0);
	o->empty.size = sizeof(o->empty);
	vd_adapter_stats(o->f.a, &o->empty);
}

static void assert_as_before(struct odd *o)
{
	struct vd_adapter_stats now = { .size = sizeof(now) };

	vd_adapter_stats(o->f.a, &now);
	assert_int_equal(now.nwindows, o->empty.nwindows);
	assert_int_equal(now.table_bytes, o->empty.table_bytes);
}

/* LoPAR's table: each bit is one page size, and that page size is that bit. */
static void test_page_sizes(void **state)
{
	static const struct {
		uint32_t bit, shift;
	} sizes[] = { { 1, 12 },  { 2, 16 },  { 4, 24 },   { 8, 25 },  { 16, 26 },
		      { 32, 27 }, { 64, 28 }, { 128, 34 }, { 256, 21 } };
	uint32_t out[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct odd o;
		struct vd_window_info w = { .size = sizeof(w) };

		odd_begin(&o);
		o.pe.page_sizes = sizes[i].bit;
		odd_add(&o);
		for (uint32_t shift = 0; shift < 80; shift++) {
			bool is = shift == sizes[i].shift;

			assert_int_equal(create(&o.f, shift, shift + 1, out),
					 is ? 0 : VD_RTAS_PARAMETER);
			if (!is)
				continue;
			assert_int_equal(vd_window_query(o.f.a, PE_LIOBN + 1, &w), 0);
			assert_int_equal(w.page_shift, shift);
			assert_int_equal(w.len, 2);
			assert_int_equal(drop(&o.f, PE_LIOBN + 1), 0);
		}
		assert_as_before(&o);
		pf_unmake(&o.f);
	}
}

/* Six results have 64 bits of entries, five as many as 32 bits can say. */
static void test_query_many(void **state)
{
	static const struct {
		uint64_t tces;
		uint32_t five, high, low;
	} rows[] = { { UINT32_MAX - 1, UINT32_MAX - 1, 0, UINT32_MAX - 1 },
		     { UINT32_MAX, UINT32_MAX, 0, UINT32_MAX },
		     { 1ull << 32, UINT32_MAX, 1, 0 },
		     { (6ull << 32) + 5, UINT32_MAX, 6, 5 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vd_papr_rtas r = { .call = VD_DDW_QUERY, .nin = 3, .nout = 6, .in = { PE } };
		struct odd o;
		uint32_t out[8];

		odd_begin(&o);
		o.pe.max_tces = rows[i].tces;
		odd_add(&o);
		assert_int_equal(pf_ddw(&o.f, VD_DDW_QUERY, (uint32_t[]){ PE }, out), 0);
		assert_int_equal(out[2], rows[i].five);
		assert_int_equal(out[3], VD_DDW_4K | VD_DDW_64K);
		assert_int_equal(vd_papr_rtas(o.f.p, SERVER, &r), 0);
		assert_int_equal(r.out[0], 0);
		assert_int_equal(r.out[2], rows[i].high);
		assert_int_equal(r.out[3], rows[i].low);
		assert_int_equal(r.out[4], VD_DDW_4K | VD_DDW_64K);
		pf_unmake(&o.f);
	}
}

static void test_no_extensions(void **state)
{
	struct vd_papr_rtas r = { .call = VD_DDW_QUERY, .nin = 3, .nout = 6, .in = { PE } };
	struct odd o;

	(void)state;
	odd_begin(&o);
	o.pe.extensions = false;
	odd_add(&o);
	assert_int_equal(vd_papr_rtas(o.f.p, SERVER, &r), 0);
	assert_int_equal(r.out[0], (uint32_t)VD_RTAS_PARAMETER);
	assert_int_equal(available(&o.f), 1);
	pf_unmake(&o.f);
}

/* Without the option; and with the smallest there can be. */
static void test_no_option(void **state)
{
	struct odd o;

	(void)state;
	odd_begin(&o);
	o.pe.page_sizes = 0;
	odd_add(&o);
	assert_int_equal(pf_ddw(&o.f, VD_DDW_QUERY, (uint32_t[]){ PE }, NULL), VD_RTAS_PARAMETER);
	assert_int_equal(create(&o.f, 12, 20, NULL), VD_RTAS_PARAMETER);
	assert_int_equal(drop(&o.f, PE_LIOBN), VD_RTAS_PARAMETER);
	assert_int_equal(pf_ddw(&o.f, VD_DDW_RESET, (uint32_t[]){ PE }, NULL), VD_RTAS_PARAMETER);
	assert_as_before(&o);
	pf_unmake(&o.f);
	odd_begin(&o);
	o.pe.page_sizes = VD_DDW_4K;
	odd_add(&o);
	assert_int_equal(available(&o.f), 1);
	assert_int_equal(drop(&o.f, PE_LIOBN), 0);
	pf_unmake(&o.f);
}

/* How long a window can be at each place: up to where the next one begins. */
static void test_room(void **state)
{
	static const struct {
		uint64_t base;
		uint32_t slot_shift;
		bool second;
		uint32_t page, largest; /* log2 */
	} rows[] = {
		{ 0, 32, false, 16, 32 },	   { 0, 32, true, 16, 32 },
		{ 0x80000000, 32, false, 16, 31 }, { 0x80000000, 32, true, 16, 32 },
		{ 0xf0000000, 32, false, 16, 28 }, { 0x10000, 32, false, 16, 31 },
		{ 0x10000, 33, false, 16, 32 },	   { 0, 60, false, 34, 60 },
		{ 0x80000000, 60, true, 34, 60 },
	};
	uint32_t out[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t bus = rows[i].second ? 1ull << rows[i].slot_shift : rows[i].base;
		struct odd o;

		odd_begin(&o);
		o.pe.base = rows[i].base;
		o.pe.slot_shift = rows[i].slot_shift;
		o.pe.page_sizes = VD_DDW_64K | VD_DDW_16G;
		o.pe.max_tces = 1ull << 60;
		odd_add(&o);
		if (!rows[i].second)
			assert_int_equal(drop(&o.f, PE_LIOBN), 0);
		for (uint32_t shift = rows[i].largest + 1; shift < 70; shift++)
			assert_int_equal(create(&o.f, rows[i].page, shift, out), VD_RTAS_PARAMETER);
		assert_int_equal(create(&o.f, rows[i].page, rows[i].largest, out), 0);
		assert_int_equal(out[1], PE_LIOBN + rows[i].second);
		assert_int_equal((uint64_t)out[2] << 32 | out[3], bus);
		pf_unmake(&o.f);
	}
}

/* As many entries as the PE may have, and one page. */
static void test_length(void **state)
{
	struct pf *f = *state;
	struct vd_window_info w = { .size = sizeof(w) };

	for (uint32_t shift = 12; shift <= 24; shift++) {
		assert_int_equal(create(f, 12, shift, NULL), 0);
		assert_int_equal(vd_window_query(f->a, PE_LIOBN + 1, &w), 0);
		assert_int_equal(w.len, 1u << (shift - 12));
		assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	}
	assert_int_equal(create(f, 12, 25, NULL), VD_RTAS_PARAMETER);
}

/* What fails after its table was made leaves no table. */
static void test_create_fails(void **state)
{
	struct odd o;
	unsigned int n = 0;
	int32_t status;

	(void)state;
	odd_begin(&o);
	o.pe.base = PAGE; /* no window of larger pages can begin here */
	odd_add(&o);
	do {
		assert_as_before(&o);
		mem_fail(++n);
		status = create(&o.f, 12, 20, NULL);
		mem_fail(0);
		assert_true(status == 0 || status == VD_RTAS_HARDWARE);
	} while (status);
	assert_true(n > 1);
	assert_int_equal(drop(&o.f, PE_LIOBN + 1), 0);
	assert_as_before(&o);
	assert_int_equal(drop(&o.f, PE_LIOBN), 0);
	o.empty.size = sizeof(o.empty);
	vd_adapter_stats(o.f.a, &o.empty);
	assert_int_equal(create(&o.f, 16, 20, NULL), VD_RTAS_PARAMETER);
	assert_as_before(&o);
	pf_unmake(&o.f);
}

/* A window that is not removed brings nothing back. */
static void test_refused_brings_nothing_back(void **state)
{
	struct pf *f = *state;
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(create(f, 12, 20, NULL), 0);
	assert_int_equal(create(f, 12, 20, NULL), 0);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN + 1, HIGH, pf_tce(3, RW)), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), VD_RTAS_PARAMETER);
	assert_int_equal(available(f), 1);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &w), -ENOENT);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN + 1, &w), 0);
}

/* Whichever window is lent, even the last: nothing is reset. */
static void test_second_is_lent(void **state)
{
	struct pf *f = *state;
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(create(f, 12, 20, NULL), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(3, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN + 1,
				 HIGH, PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, (uint32_t[]){ PE }, NULL), VD_RTAS_BUSY);
	assert_int_equal(pf_page(f, 0, RW, NULL), 3);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN + 1, &w), 0);
}

/* Two PEs: each has its own windows, and its guest names them by LIOBN. */
static void test_two_pes(void **state)
{
	struct pf *f = *state;
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[SERVER]
	};
	struct vd_papr_pe pe = pf_pe(f);
	const uint32_t second[] = { 0x900, HI, LOW, 12, 20 };
	uint32_t out[8];

	assert_int_equal(vd_owner_add(f->a, &o), 0);
	pe.config_addr = 0x900;
	pe.owner = 2;
	pe.liobn = 0x12340000;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_CREATE, second, out), 0);
	assert_int_equal(out[1], 0x12340001);
	assert_int_equal(available(f), 1);
	assert_int_equal(create(f, 12, 20, out), 0);
	assert_int_equal(out[1], PE_LIOBN + 1);
	assert_int_equal(pf_ddw(f, VD_DDW_QUERY, second, out), 0);
	assert_int_equal(out[1], 0);
	assert_int_equal(drop(f, 0x12340001), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_QUERY, second, out), 0);
	assert_int_equal(out[1], 1);
	assert_int_equal(available(f), 0);
	assert_int_equal(drop(f, 0x12340000), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, second, NULL), 0);
	assert_int_equal(available(f), 0);
}

static void test_counts(void **state)
{
	struct pf *f = *state;
	struct vd_papr_stats s = { .size = sizeof(s) };

	available(f);
	assert_int_equal(drop(f, PE_LIOBN + 1), VD_RTAS_PARAMETER);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.rtas, 3);
	assert_int_equal(s.rtas_refused, 1);
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
		cmocka_unit_test(test_page_sizes),
		cmocka_unit_test(test_query_many),
		cmocka_unit_test(test_no_extensions),
		cmocka_unit_test(test_no_option),
		cmocka_unit_test(test_room),
		pf_test(test_length),
		cmocka_unit_test(test_create_fails),
		pf_test(test_refused_brings_nothing_back),
		pf_test(test_second_is_lent),
		pf_test(test_two_pes),
		pf_test(test_counts),
	};

	return run_all(tests);
}
