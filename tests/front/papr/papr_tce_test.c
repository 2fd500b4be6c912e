/* SPDX-License-Identifier: BSD-2-Clause */
#include "papr_fixture.h"

/* Each refusal by name; nothing changes. */
static void test_refusals(void **state)
{
	static const struct {
		const char *what;
		uint32_t who;
		uint64_t token, arg[9];
		int64_t status;
	} rows[] = {
		{ "another's LIOBN", CLIENT, VD_H_PUT_TCE, { PE_LIOBN, 0, PF_GPA | RW }, -4 },
		{ "no LIOBN", SERVER, VD_H_PUT_TCE, { 7, 0, PF_GPA | RW }, -4 },
		{ "high bits of the LIOBN",
		  SERVER,
		  VD_H_PUT_TCE,
		  { PE_LIOBN | 1ull << 32, 0, PF_GPA | RW },
		  -4 },
		{ "the partner's name",
		  SERVER,
		  VD_H_PUT_TCE,
		  { PARTNER_LIOBN, 0, PF_GPA | RW },
		  -4 },
		{ "first page past the end",
		  SERVER,
		  VD_H_PUT_TCE,
		  { PE_LIOBN, PE_ENTRIES * PAGE, PF_GPA | RW },
		  -4 },
		{ "last page of all",
		  SERVER,
		  VD_H_PUT_TCE,
		  { PE_LIOBN, UINT64_MAX, PF_GPA | RW },
		  -4 },
		{ "past memory",
		  SERVER,
		  VD_H_PUT_TCE,
		  { PE_LIOBN, 0, (PF_GPA + PF_PAGES * PAGE) | RW },
		  -4 },
		{ "before memory",
		  SERVER,
		  VD_H_PUT_TCE,
		  { PE_LIOBN, 0, (PF_GPA - PAGE) | RW },
		  -4 },
		{ "top of memory", SERVER, VD_H_PUT_TCE, { PE_LIOBN, 0, UINT64_MAX }, -4 },
		{ "513 times", SERVER, VD_H_STUFF_TCE, { PE_LIOBN, 0, 0, 513 }, -57 },
		{ "as often as can be",
		  SERVER,
		  VD_H_STUFF_TCE,
		  { PE_LIOBN, 0, 0, UINT64_MAX },
		  -57 },
		{ "over the end",
		  SERVER,
		  VD_H_STUFF_TCE,
		  { PE_LIOBN, (PE_ENTRIES - 1) * PAGE, 0, 2 },
		  -4 },
		{ "stuff past memory", SERVER, VD_H_STUFF_TCE, { PE_LIOBN, 0, 3, 2 }, -4 },
		{ "LIOBN goes before count", SERVER, VD_H_STUFF_TCE, { 7, 0, 0, 513 }, -4 },
		{ "count goes before range",
		  SERVER,
		  VD_H_STUFF_TCE,
		  { PE_LIOBN, PE_ENTRIES * PAGE - PAGE, 0, 513 },
		  -57 },
		{ "read past the end", SERVER, VD_H_GET_TCE, { PE_LIOBN, PE_ENTRIES * PAGE }, -4 },
		{ "read another's", CLIENT, VD_H_GET_TCE, { PE_LIOBN, 0 }, -4 },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t status = pf_hcall(f, rows[i].who, rows[i].token, rows[i].arg);

		if (status != rows[i].status)
			fail_msg("%s: %lld", rows[i].what, (long long)status);
		assert_int_equal(f->h.nout, 0);
		assert_int_equal(pf_pinned(f, SERVER), 0);
		assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
	}
}

/* The device reaches what was put, in the direction that was allowed. */
static void test_put(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 3 * PAGE, pf_tce(9, 1)), 0);
	assert_int_equal(pf_page(f, 3 * PAGE + 17, VD_READ, NULL), 9);
	assert_int_equal(pf_page(f, 3 * PAGE, VD_WRITE, NULL), -EACCES);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 3 * PAGE, pf_tce(10, 2)), 0);
	assert_int_equal(pf_page(f, 3 * PAGE, VD_WRITE, NULL), 10);
	assert_int_equal(pf_page(f, 3 * PAGE, VD_READ, NULL), -EACCES);
	assert_int_equal(vd_fake_pins(f->host[SERVER], 9), 0);
	assert_int_equal(vd_fake_pins(f->host[SERVER], 10), 1);
	assert_int_equal(pf_page(f, 2 * PAGE, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_page(f, 4 * PAGE, VD_READ, NULL), -ENOENT);
}

/* Only the page of an I/O address counts; a TCE's bits 2 to 11 do not. */
static void test_bits(void **state)
{
	struct pf *f = *state;

	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 3 * PAGE + 0xfff, pf_tce(9, 3) | 0xffc),
		0);
	assert_int_equal(pf_page(f, 3 * PAGE, RW, NULL), 9);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 3 * PAGE + 0x123), 0);
	assert_int_equal(f->h.nout, 1);
	assert_int_equal(f->h.out[0], pf_tce(9, 3));
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 4 * PAGE), 0);
	assert_int_equal(f->h.out[0], 0);
}

/* R4: a page counts once, however often it is mapped. */
static void test_change_of_mapped_bytes(void **state)
{
	static const struct {
		uint64_t ioba, page, prot;
		int64_t change;
	} rows[] = {
		{ 0, 1, 3, PAGE },
		{ PAGE, 1, 1, 0 },
		{ 2 * PAGE, 2, 3, PAGE },
		{ 0, 2, 3, 0 },
		{ PAGE, 0, 0, -(int64_t)PAGE },
		{ 0, 0, 0, 0 },
		{ 2 * PAGE, 3, 3, 0 },
		{ 2 * PAGE, 0, 0, -(int64_t)PAGE },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t tce = rows[i].prot ? pf_tce(rows[i].page, rows[i].prot) : 0;

		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, rows[i].ioba, tce), 0);
		assert_int_equal(f->h.nout, 1);
		assert_int_equal((int64_t)f->h.out[0], rows[i].change);
	}
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 0, pf_tce(1, 3), 512), 0);
	assert_int_equal(f->h.out[0], PAGE);
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 0, 0, 512), 0);
	assert_int_equal((int64_t)f->h.out[0], -(int64_t)PAGE);
}

/* Over the entitlement: its own status, and nothing changes. */
static void test_entitlement(void **state)
{
	struct pf *f = *state;

	vd_domain_set_budget(f->d[SERVER], PAGE);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, 3)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, PAGE, pf_tce(2, 3)),
			 VD_H_NOT_ENOUGH);
	assert_int_equal(pf_page(f, PAGE, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_page(f, 0, VD_READ, NULL), 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, PAGE, pf_tce(1, 3)), 0);
	assert_int_equal(f->h.out[0], 0);
}

/* The host fails: H_Hardware, and the old entry stays. */
static void test_host_fails(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, 3)), 0);
	vd_fake_fail(f->host[SERVER], 1, -ENOMEM);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(2, 3)),
			 VD_H_HARDWARE);
	assert_int_equal(pf_page(f, 0, RW, NULL), 1);
}

static void test_nothing_stuffed(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, 0, pf_tce(1, 3), 0), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), -ENOENT);
}

/* Without rights it is no entry, whatever page it names. */
static void test_no_rights(void **state)
{
	struct pf *f = *state;
	const uint64_t none[] = { PF_GPA, 0x1000, UINT64_MAX & ~(uint64_t)RW, 0xffc };

	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, none[i]), 0);
		assert_int_equal(f->h.out[0], 0 - (uint64_t)PAGE);
		assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 0), 0);
		assert_int_equal(f->h.out[0], 0);
		assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
	}
}

static uint64_t lend(struct pf *f, uint32_t from, uint64_t liobn, uint64_t page)
{
	assert_int_equal(pf_call(f, from, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, liobn, page * PAGE,
				 PAGE, from == SERVER ? SERVER_UNIT : CLIENT_UNIT),
			 0);
	assert_int_equal(
		pf_call(f, from == SERVER ? CLIENT : SERVER, VD_H_ACCEPT_LOGICAL, f->h.out[0]), 0);
	return f->h.out[0];
}

/* What a borrower has put is seen as somebody's, with its rights. */
static void test_get_lent(void **state)
{
	struct pf *f = *state;
	uint64_t first = lend(f, SERVER, PE_LIOBN, 3), second = lend(f, SERVER, PE_LIOBN, 5);

	for (uint64_t prot = 1; prot <= RW; prot++) {
		assert_int_equal(
			pf_call(f, CLIENT, VD_H_PUT_TCE, second, 5 * PAGE, pf_tce(7, prot)), 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 5 * PAGE),
				 VD_H_PARTIAL);
		assert_int_equal(f->h.out[0], VD_TCE_RPN | prot);
		assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 3 * PAGE), 0);
		assert_int_equal(f->h.nout, 1);
		assert_int_equal(f->h.out[0], 0);
	}
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, second, 5 * PAGE), 0);
	assert_int_equal(f->h.out[0], pf_tce(7, RW));
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, second, 6 * PAGE), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, second, 4 * PAGE), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, first, 5 * PAGE), VD_H_PARAMETER);
}

/* Two providers, each of which has lent the same bus address. */
static void test_get_lent_by_another(void **state)
{
	struct pf *f = *state;
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[CLIENT]
	};
	struct vd_papr_pe pe = pf_pe(f);
	uint64_t of_client, of_server;

	pe.partition = CLIENT;
	pe.buid++;
	pe.owner = 2;
	pe.liobn = 0x90000000;
	assert_int_equal(vd_owner_add(f->a, &o), 0);
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	of_client = lend(f, CLIENT, pe.liobn, 0);
	of_server = lend(f, SERVER, PE_LIOBN, 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, of_client, 0, pf_tce(1, 1)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 0), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, pe.liobn, 0), VD_H_PARTIAL);
	assert_int_equal(f->h.out[0], VD_TCE_RPN | 1);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, of_server, 0, pf_tce(1, 2)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 0), VD_H_PARTIAL);
	assert_int_equal(f->h.out[0], VD_TCE_RPN | 2);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, pe.liobn, 0), VD_H_PARTIAL);
	assert_int_equal(f->h.out[0], VD_TCE_RPN | 1);
}

/* Behind the end, also if a part of the table lies there that is another's. */
static void test_get_behind_a_split(void **state)
{
	struct pf *f = *state;

	pf_split(f, PE_LIOBN, 600, SECOND, PE_OWNER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 599 * PAGE), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, 600 * PAGE), VD_H_PARAMETER);
	assert_int_equal(f->h.nout, 0);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REFUSE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_refusals),
		pf_test(test_put),
		pf_test(test_bits),
		pf_test(test_change_of_mapped_bytes),
		pf_test(test_entitlement),
		pf_test(test_host_fails),
		pf_test(test_nothing_stuffed),
		pf_test(test_no_rights),
		pf_test(test_get_lent),
		pf_test(test_get_lent_by_another),
		pf_test(test_get_behind_a_split),
	};

	return run_all(tests);
}
