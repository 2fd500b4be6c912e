/* SPDX-License-Identifier: BSD-2-Clause */
/* X4: the order in which entries leave an owner, seen from inside. */
#include "engine_fixture.h"
#include <engine.h>

static struct handover tail(struct ex *x)
{
	struct window *w = window_find(x->a, EX_W);

	return (struct handover){ w, 512, 512, owner_find(x->a, EX_P2) };
}

static void closed_is_out_of_reach(void **state)
{
	struct ex *x = *state;
	struct handover p = tail(x);
	unsigned char *hva;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 600, 1), 0);
	assert_int_equal(handover_close(x->a, &p, VD_LIVE_REVOKE), 0);
	assert_int_equal(x->ndrains, 1);
	assert_int_equal(x->drained.owner, EX_P1);
	assert_int_equal(x->drained.device, VD_EVERY_DEVICE);
	assert_int_equal(x->drained.bus.v, ex_bus(512).v);
	assert_int_equal(x->drained.last.v, ex_bus(1024).v - 1);
	assert_int_equal(ex_access(x->r1, ex_bus(600).v, VD_READ, &hva), -ERANGE);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 600, 1), -EBUSY);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 511, 2), 0);
	assert_int_equal(ex_pinned(&x->p1), 2);
	handover_open(x->a, &p);
	assert_int_equal(ex_access(x->r1, ex_bus(600).v, VD_READ, &hva), 0);
}

static void refused_before_anything(void **state)
{
	struct ex *x = *state;
	struct handover p = tail(x);

	assert_int_equal(ex_map(x, EX_P1, EX_W, 600, 1), 0);
	assert_int_equal(handover_close(x->a, &p, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(handover_close(x->a, &p, VD_LIVE_TRANSFER), -EXDEV);
	assert_int_equal(handover_close(x->a, &p, (enum vd_live)7), -EINVAL);
	assert_int_equal(x->ndrains, 0);
}

static void undone_if_not_drained(void **state)
{
	struct ex *x = *state;
	struct handover p = tail(x);

	x->drain_says = -1;
	assert_int_equal(handover_close(x->a, &p, VD_LIVE_REFUSE), -EIO);
	assert_int_equal(ex_map(x, EX_P1, EX_W, 600, 1), 0);
	assert_int_equal(handover_all(NULL, NULL).len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(closed_is_out_of_reach),
		ex_test(refused_before_anything),
		ex_test(undone_if_not_drained),
	};

	return run_all(tests);
}
