/* SPDX-License-Identifier: BSD-2-Clause */
/* T2.4 for a guest: who may name which window, also after a split. */
#include "mem_nth.h"
#include "papr_fixture.h"
#include "papr_state.h"

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
	pf_split(f, PE_LIOBN, 600, SECOND, 2);
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
	/* It reboots: the window stays its own, and is empty. */
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	assert_int_equal(vd_papr_reset(f->p, CLIENT), 0);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, SECOND, 600 * PAGE), 0);
	assert_int_equal(f->h.out[0], 0);
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
	pf_split(f, PE_LIOBN, 600, SECOND, PE_OWNER);
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

/* Not under a number that is kept for a window of a PE. */
static void test_kept(void **state)
{
	struct pf *f = *state;

	pf_split(f, PE_LIOBN, 600, PE_LIOBN + 1, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, PE_LIOBN + 1), -EEXIST);
	assert_int_equal(vd_window_destroy(f->a, PE_LIOBN + 1, VD_LIVE_REFUSE), 0);
}

/*
 * Where LIOBNs of accepted panes and of a PE's windows are the same, by the VMM's
 * mistake, the second to come is refused: no LIOBN names two things.
 */
static void test_one_name_one_pane(void **state)
{
	const struct vd_papr_cfg cfg = { .size = sizeof(cfg), .grant_liobn = SECOND + 1 };
	uint32_t create[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID + 1, 12, 20 };
	struct vd_owner_cfg o = { .size = sizeof(o), .id = PE_OWNER, .provider = VD_NO_OWNER };
	struct vd_adapter_cfg a = { .size = sizeof(a) };
	struct vd_papr_pe pe;
	uint64_t cookie;
	struct pf f;

	(void)state;
	pf_make(&f, &cfg);
	pf_furnish(&f);
	a.ops = f.ops;
	a.opaque = &f;
	o.domain = f.d[SERVER];
	pe = pf_pe(&f);
	pe.buid++;
	pe.liobn = SECOND;
	assert_int_equal(vd_adapter_create(&a, &pe.adapter), 0);
	assert_int_equal(vd_owner_add(pe.adapter, &o), 0);
	assert_int_equal(vd_papr_add_pe(f.p, &pe), 0);
	assert_int_equal(pf_call(&f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 0);
	cookie = f.h.out[0];
	assert_int_equal(pf_ddw(&f, VD_DDW_CREATE, create, NULL), 0);
	assert_int_equal(pf_call(&f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_HARDWARE);
	assert_int_equal(pf_ddw(&f, VD_DDW_REMOVE, (uint32_t[]){ SECOND + 1 }, NULL), 0);
	assert_int_equal(pf_call(&f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), 0);
	assert_int_equal(f.h.out[0], SECOND + 1);
	assert_int_equal(pf_ddw(&f, VD_DDW_CREATE, create, NULL), VD_RTAS_PARAMETER);
	assert_int_equal(pf_call(&f, CLIENT, VD_H_PUT_TCE, SECOND + 1, 0, pf_tce(4, RW)), 0);
	assert_int_equal(pf_call(&f, SERVER, VD_H_PUT_TCE, SECOND + 1, HIGH, 0), VD_H_PARAMETER);
	vd_papr_destroy(f.p);
	f.p = NULL;
	vd_adapter_destroy(pe.adapter);
	pf_unmake(&f);
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

/* Adopts all windows of a new adapter, as many as there are panes left. */
static struct vd_adapter *adopt_many(struct pf *f, uint32_t liobn, bool *full)
{
	const struct vd_adapter_cfg cfg = {
		.size = sizeof(cfg), .nregs = VD_ADAPTER_MAX_REGS, .ops = f->ops, .opaque = f
	};
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 1, .provider = VD_NO_OWNER, .domain = f->d[SERVER]
	};
	struct vd_table_cfg t = { .size = sizeof(t),
				  .format = VD_FORMAT_TCE,
				  .page_shift = 12,
				  .nentries = VD_ADAPTER_MAX_REGS };
	struct vd_window_cfg w = { .size = sizeof(w), .owner = 1, .len = 1 };
	struct vd_adapter *a;

	assert_int_equal(vd_adapter_create(&cfg, &a), 0);
	assert_int_equal(vd_owner_add(a, &o), 0);
	assert_int_equal(vd_table_create(a, &t, &w.table), 0);
	for (uint32_t i = 0; i < VD_ADAPTER_MAX_REGS && !*full; i++) {
		int err;

		w.id = liobn + i;
		w.bus.v = i * PAGE;
		w.first = i;
		assert_int_equal(vd_window_create(a, &w), 0);
		err = vd_papr_adopt(f->p, SERVER, a, w.id);
		assert_true(err == 0 || err == -ENOSPC);
		*full = err != 0;
	}
	return a;
}

/*
 * What an administrator adds takes no pane that a guest has a right to: the PE's
 * second window is kept, and a grant has a pane of its own.
 */
static void test_panes_of_guests_are_kept(void **state)
{
	struct pf *f = *state;
	struct vd_adapter *a[4];
	struct vd_papr_vio vio = pf_vio(CLIENT);
	struct vd_papr_pe pe = pf_pe(f);
	const uint32_t create[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID, 12, 20 };
	struct vd_papr_stats s = { .size = sizeof(s) };
	bool full = false;

	for (uint32_t i = 0; i < 4; i++)
		a[i] = adopt_many(f, 0x1000 * (i + 1), &full);
	assert_true(full);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.panes, VD_PAPR_MAX_PANES - 1);
	pe.buid++;
	pe.liobn += 0x100;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -ENOSPC);
	vio.unit = 0x40;
	vio.liobn = 0x11000000;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), -ENOSPC);
	assert_int_equal(pf_ddw(f, VD_DDW_CREATE, create, NULL), VD_RTAS_SUCCESS);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, f->h.out[0]), 0);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.panes, VD_PAPR_MAX_PANES + 1);
	/* A PE with two windows needs two. */
	assert_int_equal(vd_papr_disown(f->p, 0x1000), 0);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), -ENOSPC);
	assert_int_equal(vd_papr_disown(f->p, 0x1001), 0);
	pe.max_windows = 1;
	assert_int_not_equal(vd_papr_add_pe(f->p, &pe), -ENOSPC);
	vd_papr_destroy(f->p);
	f->p = NULL;
	for (uint32_t i = 0; i < 4; i++)
		vd_adapter_destroy(a[i]);
}

/* Owners that the front end makes have numbers of its own, each another. */
static void test_clients(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = 0;
	uint32_t of[2];

	add_provider(f);
	pf_split(f, PE_LIOBN, 600, SECOND, 2);
	assert_int_equal(vd_papr_adopt(f->p, CLIENT, f->a, SECOND), 0);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t from = i ? CLIENT : SERVER, to = i ? SERVER : CLIENT;
		struct vd_window_info w = { .size = sizeof(w) };

		assert_int_equal(pf_call(f, from, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE,
					 i ? SECOND : PE_LIOBN, i * 700 * PAGE, PAGE,
					 i ? CLIENT_UNIT : SERVER_UNIT),
				 0);
		cookie = f->h.out[0];
		assert_int_equal(pf_call(f, to, VD_H_ACCEPT_LOGICAL, cookie), 0);
		assert_int_equal(vd_window_query(f->a, (uint32_t)f->h.out[0], &w), 0);
		of[i] = w.owner;
		assert_true(w.owner >= VD_PAPR_FIRST_OWNER);
		assert_int_equal(w.via, i ? 2 : PE_OWNER);
	}
	assert_true(of[0] != of[1]);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	assert_int_equal(vd_papr_disown(f->p, SECOND), 0);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REVOKE), 0);
}

/* The first acceptance makes an owner; without memory there is no loan. */
static void test_no_memory_for_a_client(void **state)
{
	struct pf *f = *state;
	unsigned int n = 0;
	uint64_t cookie;
	int64_t status;

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 0);
	cookie = f->h.out[0];
	do {
		mem_fail(++n);
		status = pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie);
		mem_fail(0);
		assert_true(status == 0 || status == VD_H_HARDWARE);
		assert_int_equal(f->h.nout, status == 0);
	} while (status);
	assert_true(n > 1);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, f->h.out[0], 0, pf_tce(9, RW)), 0);
	assert_true(pf_is_of(f, CLIENT, 0));
}

/* What an administrator has given to another provider is no one's LIOBN. */
static void test_merged_away(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { pf_tce(1, RW) };
	const struct vd_merge m = {
		.size = sizeof(m), .keep = PE_LIOBN, .clear = SECOND, .owner = 2
	};
	uint64_t cookie;

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 0);
	cookie = f->h.out[0];
	add_provider(f);
	pf_split(f, PE_LIOBN, 600, SECOND, 2);
	assert_int_equal(vd_window_merge(f->a, &m), 0);
	pf_list(f, SERVER, list, 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 0, 0, 1), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, 0, PF_GPA, 1),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 0), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, 0), VD_H_PARAMETER);
	/* What was on offer is not lent for the new owner. */
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 VD_H_PARAMETER);
}

/*
 * A pane whose window somebody has destroyed is of no provider, also where the
 * adapter has one with the number 0.
 */
static void test_nobody_reaches_it(void **state)
{
	struct pf *f = *state;
	const struct vd_owner_cfg o = { .size = sizeof(o),
					.provider = VD_NO_OWNER,
					.domain = f->d[SERVER] };
	struct vd_adapter_stats before = { .size = sizeof(before) },
				after = { .size = sizeof(after) };
	uint32_t id;
	int err;

	assert_int_equal(vd_owner_add(f->a, &o), 0);
	pf_split(f, PE_LIOBN, 600, SECOND, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, SECOND,
				 600 * PAGE, PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REVOKE), 0);
	vd_adapter_stats(f->a, &before);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, f->h.out[0]), VD_H_PARAMETER);
	lock_take(&f->p->lock); /* as if it went while that call was on its way */
	err = papr_client_id(f->p, papr_pane_any(f->p, SECOND), CLIENT, &id);
	lock_drop(&f->p->lock);
	assert_int_equal(err, -ENOENT);
	vd_adapter_stats(f->a, &after);
	assert_int_equal(after.nowners, before.nowners);
}

/* Just behind the end there is nothing, not even none of it. */
static void test_none_at_the_end(void **state)
{
	struct pf *f = *state;

	assert_int_equal(
		pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, (PE_ENTRIES - 1) * PAGE, 0, 0), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, PE_ENTRIES * PAGE, 0, 0),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, PE_ENTRIES * PAGE, 0),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, PE_ENTRIES * PAGE),
			 VD_H_PARAMETER);
}

/* No LIOBN but that of the loan is rescinded; and to its borrower only. */
static void test_rescinded_liobns(void **state)
{
	struct pf *f = *state;
	const uint64_t others[] = { 0,
				    1,
				    GRANT_LIOBN - 1,
				    GRANT_LIOBN + 1,
				    GRANT_LIOBN + VD_PAPR_GRANT_LIOBNS - 1,
				    GRANT_LIOBN + VD_PAPR_GRANT_LIOBNS,
				    ((uint64_t)1 << 32) + GRANT_LIOBN,
				    UINT64_MAX };
	uint64_t cookie;

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 0);
	cookie = f->h.out[0];
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), 0);
	assert_int_equal(f->h.out[0], GRANT_LIOBN);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, GRANT_LIOBN, 0), VD_H_RESCINDED);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, GRANT_LIOBN, 0), VD_H_PARAMETER);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, others[i], 0), VD_H_PARAMETER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_split),
		pf_test(test_adopt),
		pf_test(test_window_is_gone),
		pf_test(test_merged_away),
		pf_test(test_kept),
		cmocka_unit_test(test_one_name_one_pane),
		pf_test(test_panes_of_guests_are_kept),
		pf_test(test_clients),
		pf_test(test_no_memory_for_a_client),
		pf_test(test_nobody_reaches_it),
		pf_test(test_none_at_the_end),
		pf_test(test_rescinded_liobns),
	};

	return run_all(tests);
}
