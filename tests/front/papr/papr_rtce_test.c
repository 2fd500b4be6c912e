/* SPDX-License-Identifier: BSD-2-Clause */
/* Redirected RDMA: a client's pages in the server's adapter's table. */
#include "mem_nth.h"
#include "papr_fixture.h"

#include <errno.h>

#define AT 100u /* entry of the server's table */

/* The client's entries 0 to 7 name its pages 20 to 27; both are connected. */
static int setup(void **state)
{
	struct pf *f;

	pf_setup(state);
	f = *state;
	assert_int_equal(vd_papr_connect(f->p, CLIENT_UNIT), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, i * PAGE,
					 pf_tce(20 + i, RW)),
				 0);
	return 0;
}

static int64_t redirect(struct pf *f, uint64_t from, uint64_t to, uint64_t n)
{
	return pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, from * PAGE, PE_LIOBN, to * PAGE,
		       n);
}

static int64_t undo(struct pf *f, uint64_t from, uint64_t to, uint64_t n)
{
	return pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, from * PAGE, PE_LIOBN, to * PAGE,
		       n, 0);
}

static int64_t allow(struct pf *f)
{
	return pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET);
}

static void test_redirect(void **state)
{
	struct pf *f = *state;
	struct vd_papr_stats s = { .size = sizeof(s) };

	assert_int_equal(redirect(f, 2, AT, 3), 0);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(pf_page(f, (AT + i) * PAGE, VD_WRITE, NULL), 22 + i);
		assert_true(pf_is_of(f, CLIENT, (AT + i) * PAGE));
	}
	assert_int_equal(pf_page(f, (AT + 3) * PAGE, VD_WRITE, NULL), -ENOENT);
	/* Nobody's count of mapped bytes has changed. */
	assert_int_equal(pf_pinned(f, CLIENT), 8);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	vd_papr_stats(f->p, &s);
	assert_int_equal(s.redirected, 3);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, AT * PAGE), VD_H_PARTIAL);
	assert_int_equal(undo(f, 2, AT, 3), 0);
	assert_int_equal(pf_page(f, AT * PAGE, VD_WRITE, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, CLIENT), 8);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, AT * PAGE, pf_tce(1, RW)), 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *what;
		uint32_t who;
		uint64_t arg[9];
		int64_t status, at;
	} rows[] = {
		{ "not a second pane", SERVER, { CLIENT_LIOBN, 0, PE_LIOBN, 0, 1 }, -4, -1 },
		{ "not its second pane", CLIENT, { PARTNER_LIOBN, 0, CLIENT_LIOBN, 0, 1 }, -4, -1 },
		{ "no second pane", SERVER, { 0, 0, PE_LIOBN, 0, 1 }, -4, -1 },
		{ "not its table", SERVER, { PARTNER_LIOBN, 0, CLIENT_LIOBN, 0, 1 }, -4, -1 },
		{ "a virtual table", SERVER, { PARTNER_LIOBN, 0, SERVER_LIOBN, 0, 1 }, -4, -1 },
		{ "past the client's",
		  SERVER,
		  { PARTNER_LIOBN, (VIO_ENTRIES - 1) * PAGE, PE_LIOBN, 0, 2 },
		  -4,
		  -1 },
		{ "past the server's",
		  SERVER,
		  { PARTNER_LIOBN, 0, PE_LIOBN, (PE_ENTRIES - 1) * PAGE, 2 },
		  -4,
		  -1 },
		{ "all there is", SERVER, { PARTNER_LIOBN, 0, PE_LIOBN, 0, UINT64_MAX }, -4, -1 },
		{ "an invalid entry", SERVER, { PARTNER_LIOBN, 6 * PAGE, PE_LIOBN, 0, 4 }, -15, 2 },
	};
	struct pf *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t status = pf_hcall(f, rows[i].who, VD_H_PUT_RTCE, rows[i].arg);

		if (status != rows[i].status)
			fail_msg("%s: %lld", rows[i].what, (long long)status);
		assert_int_equal(f->h.nout, rows[i].at >= 0);
		if (rows[i].at >= 0)
			assert_int_equal(f->h.out[0], rows[i].at);
		assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
	}
}

/* One copy of each entry; and the same again is said to be the same. */
static void test_once(void **state)
{
	struct pf *f = *state;

	assert_int_equal(redirect(f, 2, AT, 2), 0);
	assert_int_equal(redirect(f, 1, AT + 10, 3), VD_H_RESOURCE);
	assert_int_equal(f->h.out[0], 1);
	assert_int_equal(redirect(f, 2, AT, 2), VD_H_IN_USE);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(redirect(f, 1, AT - 1, 2), VD_H_IN_USE);
	assert_int_equal(f->h.out[0], 1);
	assert_int_equal(pf_page(f, (AT - 1) * PAGE, VD_READ, NULL), -ENOENT);
	assert_int_equal(undo(f, 2, AT, 2), 0);
	assert_int_equal(redirect(f, 1, AT + 10, 3), 0);
}

static void test_not_connected(void **state)
{
	struct pf *f = *state;

	assert_int_equal(vd_papr_disconnect(f->p, SERVER_UNIT), 0);
	assert_int_equal(redirect(f, 0, AT, 1), VD_H_R_PARM);
	assert_int_equal(f->h.out[0], 0);
}

static void test_list(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { 5 * PAGE, 1 * PAGE, 3 * PAGE }, twice[] = { 7 * PAGE, 7 * PAGE };
	const uint64_t far[] = { 6 * PAGE, VIO_ENTRIES * PAGE };

	pf_list(f, SERVER, list, 3);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA, PARTNER_LIOBN, PE_LIOBN,
				 AT * PAGE, 3),
			 0);
	assert_int_equal(pf_page(f, AT * PAGE, RW, NULL), 25);
	assert_int_equal(pf_page(f, (AT + 1) * PAGE, RW, NULL), 21);
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, RW, NULL), 23);
	pf_list(f, SERVER, twice, 2);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA, PARTNER_LIOBN, PE_LIOBN, 0, 2),
		VD_H_RESOURCE);
	assert_int_equal(f->h.out[0], 1);
	pf_list(f, SERVER, far, 2);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA, PARTNER_LIOBN, PE_LIOBN, 0, 2),
		VD_H_R_PARM);
	assert_int_equal(f->h.out[0], 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA + 8, PARTNER_LIOBN,
				 PE_LIOBN, 0, 1),
			 VD_H_PARAMETER);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA, PARTNER_LIOBN, PE_LIOBN, 0, 513),
		VD_H_PARAMETER);
	assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
}

/* Held off, as long as the server's table does not allow more. */
static void test_client_is_held_off(void **state)
{
	struct pf *f = *state;

	assert_int_equal(redirect(f, 2, AT, 2), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 3 * PAGE, pf_tce(40, RW)),
			 VD_H_RESOURCE);
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, 0, 8), VD_H_RESOURCE);
	assert_int_equal(pf_page(f, (AT + 1) * PAGE, RW, NULL), 23);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, CLIENT_LIOBN, 0), 0);
	assert_int_equal(f->h.out[0], pf_tce(20, RW));
	/* What is not redirected is its own business. */
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 4 * PAGE, 0), 0);
	assert_int_equal(vd_papr_disconnect(f->p, CLIENT_UNIT), -EBUSY);
	assert_int_equal(undo(f, 2, AT, 2), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, 0, 8), 0);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
}

/* Allowed: the copy leads to the bucket, not to the old page nor the new. */
static void test_bit_bucket(void **state)
{
	struct pf *f = *state;

	assert_int_equal(redirect(f, 2, AT, 3), 0);
	assert_int_equal(allow(f), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 3 * PAGE, pf_tce(40, RW)),
			 0);
	assert_int_equal(f->h.out[0], 0); /* one page less, one more */
	assert_true(pf_is_bucket(f, (AT + 1) * PAGE));
	assert_int_equal(vd_fake_pins(f->host[CLIENT], 23), 0);
	assert_int_equal(pf_page(f, AT * PAGE, RW, NULL), 22);
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, RW, NULL), 24);
	/* The new one may be redirected, elsewhere. */
	assert_int_equal(redirect(f, 3, AT + 20, 1), 0);
	assert_int_equal(pf_page(f, (AT + 20) * PAGE, RW, NULL), 40);
	assert_int_equal(vd_papr_disconnect(f->p, CLIENT_UNIT), 0);
	for (uint64_t i = 0; i < 32; i++)
		assert_int_equal(pf_is_bucket(f, (AT + i) * PAGE), i < 3 || i == 20);
	assert_int_equal(pf_pinned(f, CLIENT), 8);
}

/* A put that fails ends no copy. */
static void test_failed_put_ends_nothing(void **state)
{
	struct pf *f = *state;

	assert_int_equal(redirect(f, 2, AT, 1), 0);
	assert_int_equal(allow(f), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 2 * PAGE, RW),
			 VD_H_PARAMETER);
	assert_int_equal(pf_page(f, AT * PAGE, RW, NULL), 22);
}

static void test_attributes(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, 0), 0);
	assert_int_equal(f->h.out[0], 0);
	/* Bits that are not implemented are ignored, and read as 0. */
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, UINT64_MAX), 0);
	assert_int_equal(f->h.out[0], VD_LIOBN_BIT_BUCKET);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 1, 1), 0);
	assert_int_equal(f->h.out[0], VD_LIOBN_BIT_BUCKET);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 2, 4), 0);
	assert_int_equal(f->h.out[0], VD_LIOBN_BIT_BUCKET);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 1, 0), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, 1), VD_H_PARAMETER);
	assert_int_equal(f->h.nout, 0);
}

/* Remove also invalidates what the server itself has put there. */
static void test_remove(void **state)
{
	struct pf *f = *state;

	assert_int_equal(redirect(f, 2, AT, 2), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, (AT + 2) * PAGE, pf_tce(1, RW)),
			 0);
	assert_int_equal(undo(f, 3, AT + 1, 2), 0);
	assert_int_equal(pf_page(f, AT * PAGE, RW, NULL), 22);
	assert_int_equal(pf_page(f, (AT + 1) * PAGE, RW, NULL), -ENOENT);
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, RW, NULL), -ENOENT);
	assert_int_equal(pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, 0, CLIENT_LIOBN, 0, 1),
			 VD_H_PARAMETER);
}

/* The server's window goes: the copies in it end, the client's entries do not. */
static void test_window_is_reset(void **state)
{
	struct pf *f = *state;
	const uint32_t pe[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID };

	assert_int_equal(redirect(f, 2, AT, 2), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_REMOVE, (uint32_t[]){ PE_LIOBN }, NULL),
			 VD_RTAS_PARAMETER);
	assert_int_equal(pf_ddw(f, VD_DDW_RESET, pe, NULL), 0);
	assert_int_equal(pf_page(f, AT * PAGE, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, CLIENT), 8);
	assert_int_equal(redirect(f, 2, AT, 2), 0);
}

/* Names that are nobody's second pane, in each of the calls. */
static void test_no_such_pane(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { 0 };

	pf_list(f, SERVER, list, 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA, CLIENT_LIOBN, PE_LIOBN,
				 AT * PAGE, 1),
			 VD_H_PARAMETER);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_REMOVE_RTCE, CLIENT_LIOBN, 0, PE_LIOBN, AT * PAGE, 1, 0),
		VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN + 1, 0, PE_LIOBN,
				 AT * PAGE, 1, 0),
			 VD_H_PARAMETER);
}

/* A device without a second pane has none, also by the number 0. */
static void test_zero_is_no_pane(void **state)
{
	struct pf *f = *state;
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[CLIENT]
	};

	assert_int_equal(vd_owner_add(f->a, &o), 0);
	pf_split(f, PE_LIOBN, 600, SECOND, 2);
	assert_int_equal(vd_papr_adopt(f->p, CLIENT, f->a, SECOND), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_RTCE, 0, 0, SECOND, 600 * PAGE, 1),
			 VD_H_PARAMETER);
}

/* A part that is lent is no place for copies, under either name. */
static void test_lent(void **state)
{
	struct pf *f = *state;
	uint64_t cookie, pane;

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN,
				 AT * PAGE, PAGE, SERVER_UNIT),
			 0);
	cookie = f->h.out[0];
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), 0);
	pane = f->h.out[0];
	assert_int_equal(redirect(f, 0, AT - 1, 2), VD_H_RESOURCE);
	assert_int_equal(f->h.nout, 1);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(undo(f, 0, AT, 1), VD_H_RESOURCE);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, pane, AT * PAGE, 1),
			 VD_H_PARAMETER);
	assert_int_equal(redirect(f, 0, AT + 1, 1), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_LIOBN_ATTRIBUTES, pane, 0, 0), VD_H_PARAMETER);
}

/* The longest list there is, and none of it at the end of a table. */
static void test_edges(void **state)
{
	struct pf *f = *state;
	uint64_t list[VD_TCE_LIST_MAX] = { 0 };

	pf_list(f, SERVER, list, VD_TCE_LIST_MAX);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE_INDIRECT, PF_GPA, PARTNER_LIOBN, PE_LIOBN,
				 0, VD_TCE_LIST_MAX),
			 VD_H_RESOURCE);
	assert_int_equal(f->h.out[0], 1);
	assert_int_equal(redirect(f, VIO_ENTRIES - 1, 0, 0), 0);
	assert_int_equal(redirect(f, VIO_ENTRIES, 0, 0), VD_H_PARAMETER);
	assert_int_equal(redirect(f, VIO_ENTRIES, 0, 1), VD_H_PARAMETER);
	assert_int_equal(undo(f, VIO_ENTRIES, 0, 0), VD_H_PARAMETER);
	assert_int_equal(undo(f, VIO_ENTRIES - 1, 0, 0), 0);
	assert_int_equal(redirect(f, 0, PE_ENTRIES, 0), VD_H_PARAMETER);
}

/* A server that cannot be let at the client's memory gets no copies. */
static void test_out_of_reach(void **state)
{
	struct pf *f = *state;
	unsigned int n = 0;
	int64_t status;

	do {
		assert_int_equal(pf_page(f, AT * PAGE, VD_READ, NULL), -ENOENT);
		vd_fake_fail(f->host[CLIENT], 1, -ENOMEM);
		mem_fail(++n);
		status = redirect(f, 0, AT, 2);
		mem_fail(0);
		assert_true(status == 0 || status == VD_H_HARDWARE);
		assert_int_equal(f->h.nout, 0);
	} while (status);
	assert_int_equal(pf_page(f, (AT + 1) * PAGE, RW, NULL), 21);
	assert_int_equal(pf_pinned(f, CLIENT), 8);
}

#define NEWCOMER 9u /* a partition whose memory comes in two parts */

static struct vd_domain *add_newcomer(struct pf *f, struct vd_host *host, unsigned char *mem)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };
	struct vd_papr_partition part = { .size = sizeof(part), .id = NEWCOMER };

	assert_int_equal(vd_domain_create(host, &cfg, &part.domain), 0);
	assert_int_equal(vd_domain_add_memory(part.domain, (vd_gpa){ PF_GPA }, mem, 8 * PAGE), 0);
	assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	pf_add_pair(f, NEWCOMER, VIO_ENTRIES);
	return part.domain;
}

/* Memory that a client gets when its server has redirected some already. */
static void test_memory_comes_later(void **state)
{
	unsigned char *mem = aligned_alloc(PAGE, 16 * PAGE);
	struct vd_host *host;
	struct vd_domain *d;
	struct pf f;

	(void)state;
	pf_make(&f, NULL);
	pf_furnish(&f);
	assert_non_null(mem);
	assert_int_equal(vd_host_fake_create(mem, 16, &host), 0);
	d = add_newcomer(&f, host, mem);
	for (uint64_t i = 0; i < 2; i++) { /* the first page of each part */
		assert_int_equal(pf_call(&f, NEWCOMER, VD_H_PUT_TCE, PAIR_CLIENT, i * PAGE,
					 pf_tce(8 * i, RW)),
				 0);
		assert_int_equal(pf_call(&f, SERVER, VD_H_PUT_RTCE, PAIR_PARTNER, i * PAGE,
					 PE_LIOBN, (AT + i) * PAGE, 1),
				 0);
		assert_int_equal(pf_page(&f, (AT + i) * PAGE, RW, NULL), 8 * i);
		if (i == 1)
			break;
		assert_int_equal(vd_domain_add_memory(d, (vd_gpa){ PF_GPA + 8 * PAGE },
						      mem + 8 * PAGE, 8 * PAGE),
				 0);
	}
	pf_unmake(&f);
	vd_domain_destroy(d);
	vd_host_destroy(host);
	free(mem);
}

#define rtce_test(t) cmocka_unit_test_setup_teardown(t, setup, pf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rtce_test(test_redirect),
		rtce_test(test_refused),
		rtce_test(test_once),
		rtce_test(test_not_connected),
		rtce_test(test_list),
		rtce_test(test_client_is_held_off),
		rtce_test(test_bit_bucket),
		rtce_test(test_failed_put_ends_nothing),
		rtce_test(test_attributes),
		rtce_test(test_remove),
		rtce_test(test_window_is_reset),
		rtce_test(test_no_such_pane),
		rtce_test(test_zero_is_no_pane),
		rtce_test(test_lent),
		rtce_test(test_edges),
		rtce_test(test_out_of_reach),
		cmocka_unit_test(test_memory_comes_later),
	};

	return run_all(tests);
}
