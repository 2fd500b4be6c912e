/* SPDX-License-Identifier: BSD-2-Clause */
/* T2.9, the standard's way: a part of a window lent to a client. */
#include "papr_fixture.h"

#define FIRST 16u /* entry of the lent part */
#define LEN   32u

static uint64_t grant(struct pf *f, uint64_t flags)
{
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE | flags, PE_LIOBN,
				 FIRST * PAGE, LEN * PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(f->h.nout, 1);
	return f->h.out[0];
}

static uint64_t accept(struct pf *f, uint64_t cookie)
{
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), 0);
	assert_int_equal(f->h.nout, 1);
	return f->h.out[0];
}

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		uint32_t who;
		uint64_t arg[9];
	} rows[] = {
		{ "no type", SERVER, { 0, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "memory", SERVER, { 1ull << 40, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "an interrupt", SERVER, { 4ull << 40, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "no read",
		  SERVER,
		  { VD_GRANT_DMA_PANE | VD_GRANT_NO_READ, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "no write",
		  SERVER,
		  { VD_GRANT_DMA_PANE | VD_GRANT_NO_WRITE, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "reserved",
		  SERVER,
		  { VD_GRANT_DMA_PANE | VD_GRANT_RESERVED, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "a low flag", SERVER, { VD_GRANT_DMA_PANE | 1, PE_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "not its LIOBN", CLIENT, { VD_GRANT_DMA_PANE, PE_LIOBN, 0, PAGE, CLIENT_UNIT } },
		{ "a virtual window",
		  SERVER,
		  { VD_GRANT_DMA_PANE, SERVER_LIOBN, 0, PAGE, SERVER_UNIT } },
		{ "nothing", SERVER, { VD_GRANT_DMA_PANE, PE_LIOBN, 0, 0, SERVER_UNIT } },
		{ "part of a page",
		  SERVER,
		  { VD_GRANT_DMA_PANE, PE_LIOBN, 0, PAGE / 2, SERVER_UNIT } },
		{ "misaligned", SERVER, { VD_GRANT_DMA_PANE, PE_LIOBN, 1, PAGE, SERVER_UNIT } },
		{ "over the end",
		  SERVER,
		  { VD_GRANT_DMA_PANE, PE_LIOBN, PE_ENTRIES * PAGE - PAGE, 2 * PAGE,
		    SERVER_UNIT } },
		{ "wraps", SERVER, { VD_GRANT_DMA_PANE, PE_LIOBN, PAGE, 0 - PAGE, SERVER_UNIT } },
		{ "not its device", SERVER, { VD_GRANT_DMA_PANE, PE_LIOBN, 0, PAGE, CLIENT_UNIT } },
		{ "no device", SERVER, { VD_GRANT_DMA_PANE, PE_LIOBN, 0, PAGE, 0x99 } },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (pf_hcall(f, rows[i].who, VD_H_GRANT_LOGICAL, rows[i].arg) != VD_H_PARAMETER)
			fail_msg("%s: %lld", rows[i].what, (long long)f->h.status);
	}
}

/* The client fills it with its own pages, and the server's device gets there. */
static void test_lend(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = grant(f, 0), pane = accept(f, cookie);

	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, (FIRST + 1) * PAGE, pf_tce(7, RW)),
			 0);
	assert_int_equal(pf_page(f, (FIRST + 1) * PAGE, VD_WRITE, NULL), 7);
	assert_true(pf_is_of(f, CLIENT, (FIRST + 1) * PAGE));
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	assert_int_equal(pf_pinned(f, SERVER), 0);

	/* Neither beyond its part, nor the owner inside of it, nor a stranger. */
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, (FIRST - 1) * PAGE, pf_tce(7, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(
		pf_call(f, CLIENT, VD_H_PUT_TCE, pane, (FIRST + LEN) * PAGE, pf_tce(7, RW)),
		VD_H_PARAMETER);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, (FIRST + 1) * PAGE, pf_tce(3, RW)),
		VD_H_RESOURCE);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(3, RW)),
			 VD_H_PARAMETER);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, (FIRST - 1) * PAGE, pf_tce(3, RW)), 0);

	/* The owner may read that there is something, but not what. */
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, (FIRST + 1) * PAGE),
			 VD_H_PARTIAL);
	assert_int_equal(f->h.out[0], VD_TCE_RPN | RW);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, FIRST * PAGE), 0);
	assert_int_equal(f->h.out[0], 0);
}

static void test_return(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = grant(f, 0), pane;

	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), VD_H_PARAMETER);
	pane = accept(f, cookie);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(7, RW)), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), VD_H_RESOURCE);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, 0), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_RETURN_LOGICAL, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(7, RW)),
			 VD_H_PARAMETER);
	/* The cookie is still good, and the owner has its part again. */
	assert_int_equal(accept(f, cookie), pane);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, FIRST * PAGE, pf_tce(3, RW)),
			 0);
	/* With a live entry of the owner's it cannot be lent. */
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_RESOURCE);
}

static void test_cookies_are_private(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = grant(f, 0);

	assert_int_equal(pf_call(f, SERVER, VD_H_ACCEPT_LOGICAL, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie + 1), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, 0), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RESCIND_LOGICAL, 0, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 2ull << 40, cookie),
			 VD_H_PARAMETER);
}

static void test_rescind(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = grant(f, 0), pane = accept(f, cookie), next;
	unsigned int drains;

	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(7, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, cookie), VD_H_RESOURCE);

	/* By force, but only when the device is at rest. */
	f->drain_says = -EIO;
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie),
			 VD_H_PARTIAL);
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	f->drain_says = 0;
	drains = f->ndrains;
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	assert_true(f->ndrains > drains);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(pf_page(f, FIRST * PAGE, VD_READ, NULL), -ENOENT);

	/* Whoever names it is told. */
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(7, RW)),
			 VD_H_RESCINDED);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, pane, FIRST * PAGE), VD_H_RESCINDED);
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, pane, FIRST * PAGE, 0, 1),
			 VD_H_RESCINDED);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE_INDIRECT, pane, FIRST * PAGE, PF_GPA, 1),
			 VD_H_RESCINDED);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_RESCINDED);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, cookie), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, pane, FIRST * PAGE, 0), VD_H_PARAMETER);

	/* A new grant has another cookie and another LIOBN. */
	next = grant(f, 0);
	assert_int_not_equal(next, cookie);
	assert_int_not_equal(accept(f, next), pane);
}

/* What the client has granted on goes as well, from the last to the first. */
static void test_regrant(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = grant(f, 0), pane = accept(f, cookie), on, second;

	assert_int_equal(pf_call(f, CLIENT, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, pane,
				 (FIRST + 8) * PAGE, 8 * PAGE, CLIENT_UNIT),
			 0);
	on = f->h.out[0];
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), VD_H_RESOURCE);
	assert_int_equal(pf_call(f, SERVER, VD_H_ACCEPT_LOGICAL, on), 0);
	second = f->h.out[0];
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_TCE, second, (FIRST + 8) * PAGE, pf_tce(5, RW)), 0);
	assert_true(pf_is_of(f, SERVER, (FIRST + 8) * PAGE));
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, (FIRST + 8) * PAGE, pf_tce(6, RW)),
			 VD_H_RESOURCE);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	assert_int_equal(pf_page(f, (FIRST + 8) * PAGE, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, second, (FIRST + 8) * PAGE),
			 VD_H_RESCINDED);
}

static void test_no_regrant(void **state)
{
	struct pf *f = *state;
	uint64_t pane = accept(f, grant(f, VD_GRANT_NO_REGRANT));

	assert_int_equal(pf_call(f, CLIENT, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, pane,
				 FIRST * PAGE, PAGE, CLIENT_UNIT),
			 VD_H_PERMISSION);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(7, RW)), 0);
}

/* No more grants than there is room for; none of them is lost. */
static void test_too_many(void **state)
{
	struct pf *f = *state;
	uint64_t first = grant(f, 0);

	for (unsigned int i = 1; i < VD_PAPR_MAX_GRANTS; i++)
		grant(f, 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 VD_H_NO_MEM);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, first), 0);
	grant(f, 0);
}

/* What one partition has used up is nobody else's. */
static void test_quota_of_each(void **state)
{
	struct pf *f = *state;
	uint64_t pane = accept(f, grant(f, 0)), cookie = 0;

	for (unsigned int i = 1; i < VD_PAPR_MAX_GRANTS; i++)
		grant(f, 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 PAGE, SERVER_UNIT),
			 VD_H_NO_MEM);
	for (unsigned int i = 0; i < VD_PAPR_MAX_GRANTS; i++) {
		assert_int_equal(pf_call(f, CLIENT, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, pane,
					 FIRST * PAGE, PAGE, CLIENT_UNIT),
				 0);
		cookie = f->h.out[0];
	}
	assert_int_equal(pf_call(f, CLIENT, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, pane,
				 FIRST * PAGE, PAGE, CLIENT_UNIT),
			 VD_H_NO_MEM);
	assert_int_equal(pf_call(f, SERVER, VD_H_ACCEPT_LOGICAL, cookie), 0);
}

/* A PE of another partition on the same adapter. */
static void add_other_pe(struct pf *f, uint32_t max_windows)
{
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[CLIENT]
	};
	struct vd_papr_pe pe = pf_pe(f);

	assert_int_equal(vd_owner_add(f->a, &o), 0);
	pe.partition = CLIENT;
	pe.owner = 2;
	pe.buid++;
	pe.liobn += 0x100;
	pe.max_windows = max_windows;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
}

/* Lends single pages until no register is left for it; how many. */
static unsigned int lend_all(struct pf *f, uint32_t from, uint32_t liobn)
{
	uint32_t to = from == SERVER ? CLIENT : SERVER;

	for (unsigned int i = 0;; i++) {
		assert_int_equal(pf_call(f, from, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, liobn,
					 i * PAGE, PAGE,
					 from == SERVER ? SERVER_UNIT : CLIENT_UNIT),
				 0);
		if (pf_call(f, to, VD_H_ACCEPT_LOGICAL, f->h.out[0]) != 0) {
			assert_int_equal(f->h.status, VD_H_NO_MEM);
			return i;
		}
	}
}

/* Of 64 registers 2 + 8 are the PEs', and half of the others each one's. */
static void test_registers_of_each(void **state)
{
	struct pf *f = *state;
	uint32_t create[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID + 1, 12, 20 };

	add_other_pe(f, 8);
	assert_int_equal(lend_all(f, SERVER, PE_LIOBN), 27);
	assert_int_equal(lend_all(f, CLIENT, PE_LIOBN + 0x100), 27);
	for (int i = 1; i < 8; i++) {
		struct vd_papr_rtas r = { .call = VD_DDW_CREATE, .nin = 5, .nout = 4 };

		memcpy(r.in, create, sizeof(create));
		assert_int_equal(vd_papr_rtas(f->p, CLIENT, &r), 0);
		assert_int_equal(r.out[0], VD_RTAS_SUCCESS);
	}
}

/* Takes a grant, sees by its LIOBN which one it is, and gives it back. */
static uint64_t next(struct pf *f, uint64_t *which)
{
	uint64_t cookie = grant(f, 0);

	*which = accept(f, cookie) - GRANT_LIOBN;
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), 0);
	return cookie;
}

static void rescind(struct pf *f, uint64_t cookie)
{
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, cookie), 0);
}

/* In turn, so that what was rescinded stays known for as long as can be. */
static void test_in_turn(void **state)
{
	struct pf *f = *state;
	uint64_t cookie[VD_PAPR_MAX_GRANTS], was, which;

	for (uint64_t i = 0; i < VD_PAPR_MAX_GRANTS; i++) {
		cookie[i] = next(f, &which);
		assert_int_equal(which, i);
	}
	rescind(f, cookie[5]);
	rescind(f, cookie[3]);
	was = cookie[5];
	cookie[3] = next(f, &which);
	assert_int_equal(which, 3);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, was), VD_H_RESCINDED);
	cookie[5] = next(f, &which);
	assert_int_equal(which, 5);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, was), VD_H_PARAMETER);
	rescind(f, cookie[10]);
	rescind(f, cookie[6]);
	cookie[6] = next(f, &which);
	assert_int_equal(which, 6);
	cookie[10] = next(f, &which);
	assert_int_equal(which, 10);
	rescind(f, cookie[63]);
	rescind(f, cookie[0]);
	cookie[63] = next(f, &which);
	assert_int_equal(which, 63);
	cookie[0] = next(f, &which);
	assert_int_equal(which, 0);
	for (size_t i = 0; i < VD_PAPR_MAX_GRANTS; i++)
		rescind(f, cookie[i]);
}

/* What is free comes before what was rescinded. */
static void test_free_first(void **state)
{
	struct pf *f = *state;
	uint64_t cookie, which;

	cookie = next(f, &which);
	rescind(f, cookie);
	for (uint64_t i = 1; i < VD_PAPR_MAX_GRANTS; i++) {
		next(f, &which);
		assert_int_equal(which, i);
		assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_RESCINDED);
	}
	next(f, &which);
	assert_int_equal(which, 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_PARAMETER);
}

/* Up to the last entry; and of a window that does not begin at 0. */
static void test_edges(void **state)
{
	struct pf *f = *state;
	const uint32_t high[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID, 16, 24 };
	struct vd_window_info w = { .size = sizeof(w) };

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN,
				 (PE_ENTRIES - 1) * PAGE, PAGE, SERVER_UNIT),
			 0);
	accept(f, f->h.out[0]);
	assert_int_equal(vd_window_query(f->a, (uint32_t)f->h.out[0], &w), 0);
	assert_int_equal(w.first, PE_ENTRIES - 1);
	assert_int_equal(w.len, 1);
	assert_int_equal(w.bus.v, (PE_ENTRIES - 1) * PAGE);
	assert_int_equal(pf_ddw(f, VD_DDW_CREATE, high, NULL), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN + 1,
				 HIGH + 0x30000, 0x1000, SERVER_UNIT),
			 VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN + 1,
				 HIGH + 0x30000, 0x20000, SERVER_UNIT),
			 0);
	accept(f, f->h.out[0]);
	assert_int_equal(vd_window_query(f->a, (uint32_t)f->h.out[0], &w), 0);
	assert_int_equal(w.first, 3);
	assert_int_equal(w.len, 2);
	assert_int_equal(w.bus.v, HIGH + 0x30000);
	assert_int_equal(w.page_shift, 16);
}

/* An administrator splits the PE's window at @keep; the front end has the rest too. */
static void split(struct pf *f, uint32_t newid, uint64_t keep)
{
	pf_split(f, PE_LIOBN, keep, newid, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, newid), 0);
}

/* What is lent are the bus addresses that were granted, wherever the window begins. */
static void test_base_moves(void **state)
{
	const struct vd_merge m = { .size = sizeof(m),
				    .keep = SECOND,
				    .clear = PE_LIOBN,
				    .owner = PE_OWNER,
				    .live = VD_LIVE_REFUSE };
	struct pf *f = *state;
	struct vd_window_info w = { .size = sizeof(w) };
	uint64_t cookie, pane;

	split(f, m.keep, 600);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, m.keep,
				 610 * PAGE, 2 * PAGE, SERVER_UNIT),
			 0);
	cookie = f->h.out[0];
	assert_int_equal(vd_window_merge(f->a, &m), 0);
	pane = accept(f, cookie);
	assert_int_equal(vd_window_query(f->a, (uint32_t)pane, &w), 0);
	assert_int_equal(w.bus.v, 610 * PAGE);
	assert_int_equal(w.first, 610);
	assert_int_equal(w.len, 2);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, 611 * PAGE, pf_tce(7, RW)), 0);
	assert_int_equal(pf_page(f, 611 * PAGE, RW, NULL), 7);
}

/* What was granted and has left the window cannot be lent by it any more. */
static void test_range_is_gone(void **state)
{
	struct pf *f = *state;
	const uint64_t cookie = grant(f, 0);
	const struct vd_merge m = { .size = sizeof(m),
				    .keep = PE_LIOBN,
				    .clear = SECOND,
				    .owner = PE_OWNER,
				    .live = VD_LIVE_REFUSE };

	split(f, m.clear, FIRST + LEN - 1);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_PARAMETER);
	assert_int_equal(vd_papr_disown(f->p, m.clear), 0);
	assert_int_equal(vd_window_merge(f->a, &m), 0);
	accept(f, cookie);
}

/* A loan that is gone behind the front end's back can be returned, and rescinded. */
static void test_loan_is_gone(void **state)
{
	struct pf *f = *state;
	uint64_t cookie = grant(f, 0);

	for (int i = 0; i < 2; i++) {
		uint64_t pane = accept(f, cookie);

		assert_int_equal(vd_window_take_back(f->a, (uint32_t)pane, VD_LIVE_REVOKE), 0);
		assert_int_equal(
			pf_call(f, CLIENT, VD_H_PUT_TCE, pane, FIRST * PAGE, pf_tce(7, RW)),
			VD_H_PARAMETER);
		if (i == 0)
			assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), 0);
	}
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
}

/* What is accepted is counted, and what is given back is not. */
static void test_counts(void **state)
{
	struct pf *f = *state;
	struct vd_papr_stats s = { .size = sizeof(s) };
	uint64_t cookie = grant(f, 0);

	vd_papr_stats(f->p, &s);
	assert_int_equal(s.grants, 0);
	assert_int_equal(s.panes, 3);
	accept(f, cookie);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.grants, 1);
	assert_int_equal(s.panes, 4);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.grants, 0);
	assert_int_equal(s.panes, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_refused),	     pf_test(test_lend),
		pf_test(test_return),	     pf_test(test_cookies_are_private),
		pf_test(test_rescind),	     pf_test(test_regrant),
		pf_test(test_no_regrant),    pf_test(test_too_many),
		pf_test(test_quota_of_each), pf_test(test_registers_of_each),
		pf_test(test_no_regrant),    pf_test(test_quota_of_each),
		pf_test(test_no_regrant),    pf_test(test_registers_of_each),
		pf_test(test_in_turn),	     pf_test(test_free_first),
		pf_test(test_edges),	     pf_test(test_counts),
		pf_test(test_loan_is_gone),  pf_test(test_base_moves),
		pf_test(test_range_is_gone),
	};

	return run_all(tests);
}
