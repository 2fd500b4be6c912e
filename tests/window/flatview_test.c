/* SPDX-License-Identifier: BSD-2-Clause */
#include "test.h"
#include <engine.h>
#include <stdio.h>

#define NREGS 6u

struct vx {
	struct owner p, c;
	struct vd_table t;
	uint64_t top[1000];
	struct window w[NREGS];
	struct flatview v;
};

static int setup(void **state)
{
	struct vx *x = calloc(1, sizeof(*x));

	assert_non_null(x);
	x->p.id = 1;
	x->c.id = 2;
	x->t = (struct vd_table){ .shift = 12, .nentries = 1000, .top = x->top };
	x->w[0] = (struct window){
		.id = 1, .owner = &x->p, .table = &x->t, .bus = 0x100000, .first = 100, .len = 100
	};
	assert_int_equal(flatview_init(&x->v, NREGS), 0);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct vx *x = *state;

	flatview_end(&x->v);
	free(x);
	return 0;
}

static void lend(struct vx *x, size_t i, struct window *from, uint64_t first, uint64_t len)
{
	x->w[i] = *from;
	x->w[i].id = (uint32_t)i + 1;
	x->w[i].lender = from;
	x->w[i].owner = &x->c;
	x->w[i].bus = from->bus + (first - from->first) * 4096;
	x->w[i].first = first;
	x->w[i].len = len;
	x->w[i].nhidden = 0;
}

/* What is seen, as "first+len:owner" for each run. */
static void sees(struct vx *x, const char *want)
{
	struct flatview_runs *r = flatview_other(&x->v);
	char got[256] = "";
	uint64_t last = 0;

	r->n = 0;
	flatview_add(r, x->w, NREGS, &x->w[0]);
	flatview_show(&x->v, r);
	assert_ptr_equal(flatview_shown(&x->v), r);
	assert_int_equal(r->run[r->n].n, 0); /* the one that matches nothing */
	for (uint64_t i = 0; i < r->n; i++) {
		const struct flatview_run *run = &r->run[i];
		uint64_t first = (uint64_t)(run->top - x->top);

		assert_int_equal(run->bus, 0x100000 + (first - 100) * 4096);
		assert_true(run->bus >= last);
		last = run->bus + run->n * 4096;
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d+%d:%d ", (int)first,
			 (int)run->n, (int)run->owner);
	}
	assert_string_equal(got, want);
}

static void loans_cut_holes(void **state)
{
	struct vx *x = *state;

	sees(x, "100+100:1 ");
	lend(x, 3, &x->w[0], 150, 10);
	sees(x, "100+50:1 150+10:2 160+40:1 ");
	lend(x, 1, &x->w[0], 100, 20); /* at the edge, in a lower register */
	sees(x, "100+20:2 120+30:1 150+10:2 160+40:1 ");
	lend(x, 2, &x->w[0], 160, 40);
	sees(x, "100+20:2 120+30:1 150+10:2 160+40:2 ");
	x->w[3].table = NULL; /* taken back */
	sees(x, "100+20:2 120+40:1 160+40:2 ");
}

static void loans_of_loans(void **state)
{
	struct vx *x = *state;

	lend(x, 1, &x->w[0], 120, 50);
	lend(x, 2, &x->w[1], 130, 10);
	x->w[2].owner = &x->p;
	sees(x, "100+20:1 120+10:2 130+10:1 140+30:2 170+30:1 ");
}

static void hidden_is_not_seen(void **state)
{
	struct vx *x = *state;

	x->w[0].hidden = 120;
	x->w[0].nhidden = 30;
	sees(x, "100+20:1 150+50:1 ");
	lend(x, 1, &x->w[0], 160, 5);
	sees(x, "100+20:1 150+10:1 160+5:2 165+35:1 ");
	x->w[1].hidden = 160;
	x->w[1].nhidden = 5;
	sees(x, "100+20:1 150+10:1 165+35:1 ");
	x->w[0].hidden = 100;
	x->w[0].nhidden = 100;
	sees(x, "");
}

/* As many runs as the registers can make fit. */
static void worst_case_fits(void **state)
{
	struct vx *x = *state;

	for (size_t i = 1; i < NREGS; i++)
		lend(x, i, &x->w[0], 100 + i * 10, 1);
	x->w[0].hidden = 190;
	x->w[0].nhidden = 2;
	sees(x, "100+10:1 110+1:2 111+9:1 120+1:2 121+9:1 130+1:2 131+9:1 140+1:2 141+9:1 "
		"150+1:2 151+39:1 192+8:1 ");
}

#define vx_test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		vx_test(loans_cut_holes),
		vx_test(loans_of_loans),
		vx_test(hidden_is_not_seen),
		vx_test(worst_case_fits),
	};

	return run_all(tests);
}
