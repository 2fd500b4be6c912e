/* SPDX-License-Identifier: BSD-2-Clause */
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
	bad[n++].size = 0;
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

static void add_owner(struct pf *f, uint32_t id)
{
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = id, .provider = VD_NO_OWNER, .domain = f->d[SERVER]
	};

	assert_int_equal(vd_owner_add(f->a, &o), 0);
}

/* Everything that a PE can be at its most, and at its least. */
static void test_extremes(void **state)
{
	struct pf *f = *state;
	struct vd_papr_pe pe = pf_pe(f);
	struct vd_window_info w = { .size = sizeof(w) };

	pe.buid++;
	pe.max_windows = VD_PAPR_MAX_WINDOWS;
	pe.slot_shift = 60;
	pe.liobn = UINT32_MAX - VD_PAPR_MAX_WINDOWS;
	pe.base = ((uint64_t)1 << 32) - 2 * PAGE;
	pe.len = 2 * PAGE;
	pe.owner = 78;
	add_owner(f, 78);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	assert_int_equal(vd_window_query(f->a, pe.liobn, &w), 0);
	assert_int_equal(w.bus.v, pe.base);
	assert_int_equal(w.len, 2);
	pe.buid++;
	pe.max_windows = 1;
	pe.slot_shift = 32;
	pe.liobn = 0;
	pe.base = 0;
	pe.len = PAGE;
	pe.owner = 79;
	add_owner(f, 79);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	assert_int_equal(vd_window_query(f->a, 0, &w), 0);
	assert_int_equal(w.len, 1);
}

/* LIOBNs side by side, of two PEs of one bridge and a virtual device. */
static void test_neighbours(void **state)
{
	struct pf *f = *state;
	struct vd_papr_pe pe = pf_pe(f);
	uint32_t owner = 80;

	pe.config_addr = 0x900;
	pe.liobn = PE_LIOBN + 2;
	pe.owner = owner;
	add_owner(f, owner++);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	pe.config_addr = 0xa00;
	pe.liobn = PE_LIOBN - 2;
	pe.owner = owner;
	add_owner(f, owner++);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	pe.config_addr = 0xb00;
	pe.liobn = SERVER_LIOBN - 1;
	pe.owner = owner;
	add_owner(f, owner++);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST);
	pe.max_windows = 1;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	pe.config_addr = 0xc00;
	pe.liobn = SERVER_LIOBN + 1;
	pe.owner = owner;
	add_owner(f, owner++);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	/* All of a bridge is in the way of each of its PEs. */
	pe.buid++;
	pe.config_addr = VD_PAPR_WHOLE_BRIDGE;
	pe.liobn += 100;
	pe.owner = owner;
	add_owner(f, owner++);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	pe.config_addr = 0xc00;
	pe.liobn += 100;
	pe.owner = owner;
	add_owner(f, owner++);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST);
	pe.buid++;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
}

/* One whose default window cannot be leaves no table. */
static void test_no_window_no_table(void **state)
{
	struct pf *f = *state;
	struct vd_papr_pe pe = pf_pe(f);
	struct vd_adapter_stats before = { .size = sizeof(before) },
				after = { .size = sizeof(after) };

	pe.config_addr = 0x900;
	pe.liobn += 0x100;
	vd_adapter_stats(f->a, &before);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -EEXIST); /* the bus addresses */
	vd_adapter_stats(f->a, &after);
	assert_int_equal(after.table_bytes, before.table_bytes);
}

/* As many as there can be, the last like the first; not one more. */
static void test_too_many(void **state)
{
	struct pf *f = *state;
	struct vd_papr_pe pe = pf_pe(f);

	pe.max_windows = 1;
	pe.page_sizes = 0;
	for (uint32_t i = 1; i <= VD_PAPR_MAX_PES; i++) {
		bool fits = i < VD_PAPR_MAX_PES;

		pe.buid++;
		pe.liobn += 0x100;
		pe.owner = 1000 + i;
		if (i < VD_ADAPTER_MAX_OWNERS)
			add_owner(f, pe.owner);
		assert_int_equal(vd_papr_add_pe(f->p, &pe), fits ? 0 : -ENOSPC);
	}
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, pe.liobn - 0x100, 0, pf_tce(1, RW)), 0);
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
	add_owner(f, 78);
	pe.owner = 78;
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
	struct vd_adapter_stats before = { .size = sizeof(before) },
				after = { .size = sizeof(after) };
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

/* What an administrator does: a part of a window goes to another provider. */
#define OTHER 78u
#define PART  100u

static void merge(struct pf *f, uint32_t keep, uint32_t clear, uint32_t owner)
{
	const struct vd_merge m = { .size = sizeof(m),
				    .keep = keep,
				    .clear = clear,
				    .owner = owner,
				    .live = VD_LIVE_REVOKE };

	assert_int_equal(vd_window_merge(f->a, &m), 0);
}

static int32_t create(struct pf *f, uint32_t shift)
{
	return pf_ddw(f, VD_DDW_CREATE,
		      (uint32_t[]){ 0x800, PE_BUID >> 32, (uint32_t)PE_BUID, 12, shift }, NULL);
}

static int32_t drop(struct pf *f, uint32_t liobn)
{
	return pf_ddw(f, VD_DDW_REMOVE, &liobn, NULL);
}

/* The window @id is that of @owner, with @len entries from @first on. */
static void assert_window(struct pf *f, uint32_t id, uint32_t owner, uint64_t first, uint64_t len)
{
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(vd_window_query(f->a, id, &w), 0);
	assert_int_equal(w.owner, owner);
	assert_int_equal(w.first, first);
	assert_int_equal(w.len, len);
}

/* A LIOBN that leads to another's window now: nothing of the guest's ends it. */
static void test_given_away(void **state)
{
	struct pf *f = *state;
	const vd_entry entry = { pf_tce(3, RW) };
	struct vd_put put = {
		.size = sizeof(put), .owner = OTHER, .window = PE_LIOBN, .n = 1, .entry = &entry
	};

	add_owner(f, OTHER);
	assert_int_equal(create(f, 20), 0);
	pf_split(f, PE_LIOBN, 512, PART, OTHER);
	merge(f, PE_LIOBN, PART, OTHER);
	pf_split(f, PE_LIOBN + 1, 128, PART, OTHER);
	merge(f, PART, PE_LIOBN + 1, OTHER);
	pf_split(f, PART, 128, PE_LIOBN + 1, OTHER);
	assert_int_equal(vd_window_put(f->a, &put), 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), -EIO);
	assert_window(f, PE_LIOBN, OTHER, 0, PE_ENTRIES);
	assert_window(f, PE_LIOBN + 1, OTHER, 128, 128);
	assert_int_equal(pf_pinned(f, SERVER), 1);
}

/* Nor is a loan with such a number a window of the guest's. */
static void test_lent_by_that_name(void **state)
{
	struct pf *f = *state;
	const struct vd_loan l = { .size = sizeof(l),
				   .id = PART,
				   .newid = PE_LIOBN + 1,
				   .owner = PE_OWNER,
				   .rights = RW,
				   .len = 1 };

	add_owner(f, OTHER);
	assert_int_equal(create(f, 20), 0);
	pf_split(f, PE_LIOBN + 1, 128, PART, OTHER);
	merge(f, PART, PE_LIOBN + 1, OTHER);
	assert_int_equal(vd_window_lend(f->a, &l), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	assert_window(f, PE_LIOBN + 1, PE_OWNER, 0, 1);
}

static uint64_t table_bytes(struct pf *f)
{
	struct vd_adapter_stats s = { .size = sizeof(s) };

	vd_adapter_stats(f->a, &s);
	return s.table_bytes;
}

/* A table that is somebody's in part stays as long as that does, not longer. */
static void test_tables_do_not_stay(void **state)
{
	struct pf *f = *state;
	uint64_t empty = table_bytes(f), one;

	assert_int_equal(create(f, 24), 0);
	one = table_bytes(f) - empty;
	assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	for (uint32_t i = 0; i < 3; i++) {
		add_owner(f, OTHER + i);
		assert_int_equal(create(f, 24), 0);
		pf_split(f, PE_LIOBN + 1, 2048, PART + i, OTHER + i);
		assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	}
	assert_int_equal(table_bytes(f), empty + 3 * one);
	/* The next window has the room, */
	assert_int_equal(vd_window_destroy(f->a, PART, VD_LIVE_REFUSE), 0);
	assert_int_equal(create(f, 24), 0);
	assert_int_equal(table_bytes(f), empty + 3 * one);
	/* and so has whoever comes after a window's end, or a reboot. */
	assert_int_equal(vd_window_destroy(f->a, PART + 2, VD_LIVE_REFUSE), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), 0);
	assert_int_equal(table_bytes(f), empty + one);
	assert_int_equal(vd_window_destroy(f->a, PART + 1, VD_LIVE_REFUSE), 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_int_equal(table_bytes(f), empty);
}

static int32_t reset(struct pf *f)
{
	return pf_ddw(f, VD_DDW_RESET, (uint32_t[]){ 0x800, PE_BUID >> 32, (uint32_t)PE_BUID },
		      NULL);
}

static void put(struct pf *f, uint32_t liobn, uint64_t bus)
{
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, liobn, bus, pf_tce(1, RW)), 0);
}

/* Its default window's last part is another provider's, with a valid entry. */
static void shorten(struct pf *f)
{
	const vd_entry entry = { pf_tce(3, RW) };
	struct vd_put p = { .size = sizeof(p),
			    .owner = OTHER,
			    .window = PART,
			    .bus = { 600 * PAGE },
			    .n = 1,
			    .entry = &entry };

	add_owner(f, OTHER);
	pf_split(f, PE_LIOBN, 600, PART, OTHER);
	assert_int_equal(vd_window_put(f->a, &p), 0);
}

/* As it is after a reset, and the other provider's as it was. */
static void assert_short(struct pf *f)
{
	assert_window(f, PE_LIOBN, PE_OWNER, 0, 600);
	assert_window(f, PART, OTHER, 600, PE_ENTRIES - 600);
	assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, SERVER), 1);
	put(f, PE_LIOBN, 599 * PAGE);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 600 * PAGE, 0), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 599 * PAGE, 0), 0);
}

/* A default window that is open is emptied where it is, whatever its length. */
static void test_reset_of_a_part(void **state)
{
	struct pf *f = *state;
	unsigned int ndrains;

	shorten(f);
	ndrains = f->ndrains;
	f->drain_says = -EIO; /* nobody asks */
	put(f, PE_LIOBN, 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_short(f);
	put(f, PE_LIOBN, 0);
	assert_int_equal(reset(f), 0);
	assert_short(f);
	assert_int_equal(f->ndrains, ndrains);
}

/* One that is closed comes back as it was when it closed. */
static void test_a_part_comes_back(void **state)
{
	struct pf *f = *state;

	shorten(f);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(drop(f, PE_LIOBN), 0);
		assert_int_equal(create(f, 20), 0);
		assert_int_equal(create(f, 20), 0);
		assert_int_equal(drop(f, PE_LIOBN), 0);
		assert_int_equal(drop(f, PE_LIOBN + 1), 0);
		assert_short(f);
	}
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(create(f, 20), 0);
	assert_int_equal(create(f, 20), 0);
	put(f, PE_LIOBN, 0);
	assert_int_equal(reset(f), 0);
	assert_short(f);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_short(f);
	/* What it was given back it has again. */
	merge(f, PE_LIOBN, PART, PE_OWNER);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(reset(f), 0);
	assert_window(f, PE_LIOBN, PE_OWNER, 0, PE_ENTRIES);
}

/* Nor need a part be the first. */
static void test_the_last_part(void **state)
{
	struct pf *f = *state;
	struct vd_window_info w = { .size = sizeof(w) };

	pf_split(f, PE_LIOBN, 600, PART, PE_OWNER);
	merge(f, PART, PE_LIOBN, PE_OWNER);
	pf_split(f, PART, 100, PE_LIOBN, PE_OWNER);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(reset(f), 0);
	assert_window(f, PE_LIOBN, PE_OWNER, 100, PE_ENTRIES - 100);
	assert_int_equal(vd_window_query(f->a, PE_LIOBN, &w), 0);
	assert_int_equal(w.bus.v, 100 * PAGE);
	put(f, PE_LIOBN, 100 * PAGE);
	assert_int_equal(reset(f), 0);
	assert_int_equal(pf_pinned(f, SERVER), 0);
}

/* A part of another table that has the default window's number is not it. */
static void test_another_by_that_name(void **state)
{
	struct pf *f = *state;

	shorten(f);
	assert_int_equal(create(f, 20), 0);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), 0); /* it is remembered now */
	pf_split(f, PE_LIOBN, 300, PART + 1, PE_OWNER);
	merge(f, PART + 1, PE_LIOBN, PE_OWNER);
	assert_int_equal(create(f, 20), 0);
	pf_split(f, PE_LIOBN + 1, 128, PE_LIOBN, PE_OWNER);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(vd_window_destroy(f->a, PART + 1, VD_LIVE_REFUSE), 0);
	assert_int_equal(reset(f), 0);
	assert_short(f);
}

/* What does not come to rest stays, and there is the default window with it. */
static void test_not_at_rest(void **state)
{
	struct pf *f = *state;

	shorten(f);
	assert_int_equal(create(f, 20), 0);
	put(f, PE_LIOBN, 0);
	put(f, PE_LIOBN + 1, HIGH);
	f->drain_says = -EIO;
	assert_int_equal(reset(f), VD_RTAS_HARDWARE);
	assert_int_equal(pf_page(f, 0, RW, NULL), 1);
	assert_int_equal(pf_page(f, HIGH, RW, NULL), 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, 0), 0);
	f->drain_says = 0;
	assert_int_equal(drop(f, PE_LIOBN), 0);
	f->drain_says = -EIO;
	assert_int_equal(reset(f), VD_RTAS_HARDWARE);
	assert_int_equal(pf_page(f, HIGH, RW, NULL), 1);
	assert_window(f, PE_LIOBN, PE_OWNER, 0, 600);
	f->drain_says = 0;
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_short(f);
}

/* It is back as soon as who has taken it gives it back. */
static void test_taken_and_given_back(void **state)
{
	struct pf *f = *state;

	for (int removes = 0; removes < 2; removes++) {
		if (removes == 0)
			add_owner(f, OTHER);
		pf_split(f, PE_LIOBN, 600, PART, OTHER);
		merge(f, PE_LIOBN, PART, OTHER);
		assert_int_equal(reset(f), VD_RTAS_HARDWARE);
		assert_int_equal(vd_papr_reset(f->p, SERVER), -EIO);
		if (removes)
			assert_int_equal(drop(f, PE_LIOBN), 0);
		pf_split(f, PE_LIOBN, 600, PART, OTHER);
		merge(f, PE_LIOBN, PART, PE_OWNER);
		assert_int_equal(reset(f), 0);
		assert_window(f, PE_LIOBN, PE_OWNER, 0, PE_ENTRIES);
		put(f, PE_LIOBN, 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, 0), 0);
	}
}

/* The last window went, and the default window's addresses are not free. */
static void test_cannot_come_back(void **state)
{
	struct pf *f = *state;
	const struct vd_table_cfg t = {
		.size = sizeof(t), .format = VD_FORMAT_TCE, .page_shift = 12, .nentries = 1
	};
	struct vd_window_cfg w = { .size = sizeof(w), .id = PART, .owner = PE_OWNER, .len = 1 };

	assert_int_equal(create(f, 20), 0);
	assert_int_equal(drop(f, PE_LIOBN), 0);
	assert_int_equal(vd_table_create(f->a, &t, &w.table), 0);
	assert_int_equal(vd_window_create(f->a, &w), 0);
	assert_int_equal(drop(f, PE_LIOBN + 1), VD_RTAS_HARDWARE);
	assert_int_equal(drop(f, PE_LIOBN + 1), VD_RTAS_PARAMETER);
	assert_int_equal(vd_window_destroy(f->a, PART, VD_LIVE_REFUSE), 0);
	assert_int_equal(reset(f), 0);
	assert_window(f, PE_LIOBN, PE_OWNER, 0, PE_ENTRIES);
}

/* An administrator's loan is one: nothing is reset. */
static void test_lent_by_an_administrator(void **state)
{
	struct pf *f = *state;
	const struct vd_loan l = { .size = sizeof(l),
				   .id = PE_LIOBN,
				   .newid = PART,
				   .owner = OTHER,
				   .rights = RW,
				   .first = 9,
				   .len = 1 };

	add_owner(f, OTHER);
	assert_int_equal(create(f, 20), 0);
	put(f, PE_LIOBN, 0);
	assert_int_equal(vd_window_lend(f->a, &l), 0);
	assert_int_equal(reset(f), VD_RTAS_BUSY);
	assert_int_equal(vd_papr_reset(f->p, SERVER), -EIO);
	assert_int_equal(pf_page(f, 0, RW, NULL), 1);
	assert_window(f, PE_LIOBN + 1, PE_OWNER, 0, 256);
	assert_int_equal(vd_window_take_back(f->a, PART, VD_LIVE_REFUSE), 0);
	assert_int_equal(reset(f), 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), -ENOENT);
}

/* The attributes of an emptied window are those of a new one. */
static void test_attributes_end(void **state)
{
	struct pf *f = *state;

	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	assert_int_equal(reset(f), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, 0), 0);
	assert_int_equal(f->h.out[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_sane),
		pf_test(test_taken),
		pf_test(test_extremes),
		pf_test(test_neighbours),
		pf_test(test_no_window_no_table),
		pf_test(test_too_many),
		cmocka_unit_test(test_out_of_memory),
		pf_test(test_given_away),
		pf_test(test_lent_by_that_name),
		pf_test(test_tables_do_not_stay),
		pf_test(test_reset_of_a_part),
		pf_test(test_a_part_comes_back),
		pf_test(test_the_last_part),
		pf_test(test_another_by_that_name),
		pf_test(test_not_at_rest),
		pf_test(test_taken_and_given_back),
		pf_test(test_cannot_come_back),
		pf_test(test_lent_by_an_administrator),
		pf_test(test_attributes_end),
	};

	return run_all(tests);
}
