/* SPDX-License-Identifier: BSD-2-Clause */
#include "papr_fixture.h"

#define NOW 1000u

/* The server lends entries 0 to 7; the client has an entry there. */
static uint64_t lend(struct pf *f, uint64_t *cookie)
{
	uint64_t pane;

	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN, 0,
				 8 * PAGE, SERVER_UNIT),
			 0);
	*cookie = f->h.out[0];
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, *cookie), 0);
	pane = f->h.out[0];
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, 0, pf_tce(9, RW)), 0);
	return pane;
}

/* The owner dies: the client is told, has two seconds, and then is cut off. */
static void test_owner_dies(void **state)
{
	struct pf *f = *state;
	uint64_t cookie, pane = lend(f, &cookie);

	assert_int_equal(vd_papr_tick(f->p, NOW), UINT64_MAX);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	assert_int_equal(f->ntold, 1);
	assert_int_equal(f->told, CLIENT);
	assert_int_equal(f->told_unit, CLIENT_UNIT);
	assert_int_equal(vd_papr_tick(f->p, NOW + 1999), NOW + 2000);
	assert_int_equal(pf_page(f, 0, RW, NULL), 9);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, PAGE, pf_tce(8, RW)), 0);
	assert_int_equal(vd_papr_tick(f->p, NOW + 2000), UINT64_MAX);
	assert_int_equal(pf_page(f, 0, RW, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, 0, pf_tce(9, RW)), VD_H_RESCINDED);
}

/* A reboot of the owner meanwhile takes nothing of the client's time. */
static void test_owner_reboots_in_grace(void **state)
{
	struct pf *f = *state;
	uint64_t cookie, pane = lend(f, &cookie);

	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 9 * PAGE, pf_tce(1, RW)), 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), -EBUSY);
	assert_int_equal(vd_papr_tick(f->p, NOW + 1999), NOW + 2000);
	assert_int_equal(vd_papr_reset(f->p, SERVER), -EBUSY);
	/* Nothing has changed: neither what was lent nor the rest. */
	assert_int_equal(pf_page(f, 0, RW, NULL), 9);
	assert_int_equal(pf_page(f, 9 * PAGE, RW, NULL), 1);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, PAGE, pf_tce(8, RW)), 0);
	assert_int_equal(vd_papr_reset(f->p, CLIENT), 0); /* as it has not failed */
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0); /* and nobody waits */
	assert_int_equal(pf_page(f, 9 * PAGE, RW, NULL), -ENOENT);
	assert_int_equal(vd_papr_tick(f->p, NOW + 1999), UINT64_MAX);

	lend(f, &cookie);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	assert_int_equal(vd_papr_tick(f->p, UINT64_MAX), UINT64_MAX);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
}

/* Within its time the client can return what it has. */
static void test_returned_in_time(void **state)
{
	struct pf *f = *state;
	uint64_t cookie, pane = lend(f, &cookie);

	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, pane, 0, 0), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_RETURN_LOGICAL, cookie), 0);
	vd_papr_tick(f->p, NOW + 2000);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_RESCINDED);
}

/* What does not come to rest is tried again. */
static void test_not_at_rest(void **state)
{
	struct pf *f = *state;
	uint64_t cookie;

	lend(f, &cookie);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	f->drain_says = -EIO;
	assert_int_equal(vd_papr_tick(f->p, NOW + 3000), NOW + 2000);
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	f->drain_says = 0;
	assert_int_equal(vd_papr_tick(f->p, NOW + 3001), UINT64_MAX);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
}

/* The borrower dies: what it has is returned at once, and nobody is told. */
static void test_borrower_dies(void **state)
{
	struct pf *f = *state;
	uint64_t cookie;

	lend(f, &cookie);
	assert_int_equal(vd_papr_fail(f->p, CLIENT, NOW), 0);
	assert_int_equal(f->ntold, 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, 0, cookie), 0);
}

static void test_reboot(void **state)
{
	struct pf *f = *state;
	uint64_t cookie;
	const uint32_t high[] = { 0x800, (uint32_t)(PE_BUID >> 32), (uint32_t)PE_BUID, 16, 24 };

	lend(f, &cookie);
	assert_int_equal(pf_ddw(f, VD_DDW_CREATE, high, NULL), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 9 * PAGE, pf_tce(1, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, SERVER_LIOBN, 0, pf_tce(2, RW)), 0);
	f->drain_says = -EIO;
	assert_int_equal(vd_papr_reset(f->p, SERVER), -EIO);
	f->drain_says = 0;
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(pf_page(f, HIGH, VD_READ, NULL), -ERANGE);
	assert_int_equal(pf_page(f, 9 * PAGE, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 0, pf_tce(1, RW)), 0);
	assert_int_equal(vd_papr_reset(f->p, STRANGER), -ENOENT);
	assert_int_equal(vd_papr_fail(f->p, STRANGER, 0), -ENOENT);
}

/* The earliest is waited for; who has failed already does so no second time. */
static void test_two_die(void **state)
{
	struct pf *f = *state;
	uint64_t cookie, on, pane = lend(f, &cookie);

	assert_int_equal(pf_call(f, CLIENT, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, pane, PAGE, PAGE,
				 CLIENT_UNIT),
			 0);
	on = f->h.out[0];
	assert_int_equal(pf_call(f, SERVER, VD_H_ACCEPT_LOGICAL, on), 0);
	assert_int_equal(vd_papr_tick(f->p, 0), UINT64_MAX);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	/* What it had borrowed is returned, what it has lent is not yet. */
	assert_int_equal(f->ntold, 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_RETURN_LOGICAL, on), VD_H_PARAMETER);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW + 500), 0);
	assert_int_equal(f->ntold, 1);
	assert_int_equal(vd_papr_tick(f->p, NOW + 1000), NOW + 2000);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN,
				 20 * PAGE, PAGE, SERVER_UNIT),
			 0);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW + 700), 0);
	assert_int_equal(f->ntold, 2);
	assert_int_equal(vd_papr_tick(f->p, NOW + 1999), NOW + 2000);
	assert_int_equal(vd_papr_tick(f->p, NOW + 2000), NOW + 2700);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(vd_papr_tick(f->p, NOW + 2700), UINT64_MAX);
}

/* What was rescinded before its owner died concerns nobody. */
static void test_rescinded_before(void **state)
{
	struct pf *f = *state;
	uint64_t cookie;

	lend(f, &cookie);
	assert_int_equal(pf_call(f, SERVER, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie), 0);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	assert_int_equal(f->ntold, 0);
	assert_int_equal(vd_papr_tick(f->p, NOW), UINT64_MAX);
}

/* A reboot ends connections; of the virtual tables only the partition's own. */
static void test_reboot_disconnects(void **state)
{
	struct pf *f = *state;

	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 0, pf_tce(4, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, SERVER_LIOBN, (VIO_ENTRIES - 1) * PAGE,
				 pf_tce(2, RW)),
			 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, 0, 1),
			 VD_H_R_PARM);
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, 0, 1), 0);
}

static int64_t redirect(struct pf *f, uint64_t to)
{
	assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, 0, pf_tce(4, RW)), 0);
	return pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 0, PE_LIOBN, to * PAGE, 1);
}

/* Whichever end goes and however: there is no connection, for either of them. */
static void test_either_end_disconnects(void **state)
{
	struct pf *f = *state;

	for (uint64_t i = 0; i < 4; i++) {
		uint32_t who = i % 2 ? CLIENT : SERVER;

		assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
		assert_int_equal(redirect(f, i), 0);
		if (i < 2)
			assert_int_equal(vd_papr_reset(f->p, who), 0);
		else
			assert_int_equal(vd_papr_fail(f->p, who, NOW), 0);
		/* What was redirected has gone with it, though that was not allowed. */
		assert_int_equal(pf_is_bucket(f, i * PAGE), i != 0);
		assert_int_equal(redirect(f, 9), VD_H_R_PARM);
		assert_int_equal(f->h.out[0], 0);
	}
}

/* Only their own: the partner's other connections stay. */
static void test_others_stay_connected(void **state)
{
	struct pf *f = *state;

	pf_add_pair(f, SERVER, VIO_ENTRIES);
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PAIR_CLIENT, 0, pf_tce(7, RW)), 0);
	assert_int_equal(vd_papr_reset(f->p, CLIENT), 0);
	assert_int_equal(redirect(f, 9), VD_H_R_PARM);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PAIR_PARTNER, 0, PE_LIOBN, 0, 1), 0);
}

/* Another's PE is not reset, nor what others have lent. */
static void test_reboot_of_the_other(void **state)
{
	struct pf *f = *state;
	uint64_t cookie;

	lend(f, &cookie);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, 9 * PAGE, pf_tce(1, RW)), 0);
	assert_int_equal(vd_papr_reset(f->p, CLIENT), 0);
	assert_int_equal(pf_page(f, 9 * PAGE, RW, NULL), 1);
	assert_int_equal(pf_page(f, 0, VD_READ, NULL), -ENOENT);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), 0);
}

/* Of everything that a partition has and has lent, not only the first. */
static void test_all_of_it(void **state)
{
	struct pf *f = *state;
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 2, .provider = VD_NO_OWNER, .domain = f->d[SERVER]
	};
	struct vd_papr_pe pe = pf_pe(f);
	struct vd_papr_vio vio = pf_vio(SERVER);
	uint64_t cookie[3];

	assert_int_equal(vd_owner_add(f->a, &o), 0);
	pe.buid++;
	pe.owner = 2;
	pe.liobn = 0x90000000;
	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	vio.unit = 0x40;
	vio.liobn = 0x11000000;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), 0);
	for (uint64_t i = 0; i < 2; i++) {
		uint64_t liobn = i ? pe.liobn : PE_LIOBN;

		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, liobn, 0, pf_tce(1 + i, RW)), 0);
		assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, i ? vio.liobn : SERVER_LIOBN, 0,
					 pf_tce(3 + i, RW)),
				 0);
	}
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN,
					 (9 + i) * PAGE, PAGE, SERVER_UNIT),
				 0);
		cookie[i] = f->h.out[0];
		assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie[i]), 0);
		assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, f->h.out[0], (9 + i) * PAGE,
					 pf_tce(i, RW)),
				 0);
	}
	assert_int_equal(pf_pinned(f, SERVER), 4);
	assert_int_equal(pf_pinned(f, CLIENT), 3);
	assert_int_equal(vd_papr_fail(f->p, SERVER, NOW), 0);
	assert_int_equal(f->ntold, 3);
	assert_int_equal(vd_papr_reset(f->p, SERVER), -EBUSY);
	assert_int_equal(vd_papr_fail(f->p, CLIENT, NOW), 0);
	assert_int_equal(pf_pinned(f, CLIENT), 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(vd_papr_tick(f->p, NOW), UINT64_MAX);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie[i]),
				 VD_H_RESCINDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		pf_test(test_owner_dies),
		pf_test(test_owner_reboots_in_grace),
		pf_test(test_returned_in_time),
		pf_test(test_not_at_rest),
		pf_test(test_borrower_dies),
		pf_test(test_reboot),
		pf_test(test_two_die),
		pf_test(test_rescinded_before),
		pf_test(test_reboot_disconnects),
		pf_test(test_either_end_disconnects),
		pf_test(test_others_stay_connected),
		pf_test(test_reboot_of_the_other),
		pf_test(test_all_of_it),
	};

	return run_all(tests);
}
