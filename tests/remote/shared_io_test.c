/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real adapter, shared, by two providers at work and a client, while their
 * windows are split, lent and merged.
 */
#include "worker.h"

#include <stdio.h>
#include <time.h>

#define ROUNDS 16
#define TIMES  4 /* bursts that overlap, in each state */

/* The client's pages are reached by the provider's device, and only while lent. */
static void lend_and_take_back(struct rig *g)
{
	struct vd_loan loan = { .size = sizeof(loan),
				.id = PART,
				.newid = LOAN,
				.owner = CLIENT,
				.rights = VD_READ | VD_WRITE,
				.first = HALF - LENT,
				.len = LENT };
	unsigned int page = NPAGES - LENT;
	struct shared_result r;

	assert_int_equal(vd_window_lend(g->a, &loan), 0);
	assert_false(lands(g, TWO, CLIENT, page, &r)); /* nothing mapped yet */
	assert_int_equal(map(g, TWO, PART, page, 1), -EPERM);
	assert_int_equal(map(g, CLIENT, LOAN, page, LENT), 0);
	audit(g);
	assert_true(lands(g, TWO, CLIENT, page, &r));
	assert_int_equal(r.faults, 0);
	assert_false(lands(g, ONE, CLIENT, page + 1, &r));
	assert_int_equal(vd_window_take_back(g->a, LOAN, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(vd_window_take_back(g->a, LOAN, VD_LIVE_REVOKE), 0);
	assert_false(lands(g, TWO, CLIENT, page, &r));
	assert_int_equal(r.faults, 1);
	audit(g);
	memset(page_of(g, CLIENT, page), CANARY, PAGE);
}

/* T2.9: the client's part, by itself. */
static void t2_9_client(void **state)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct rig *g = rig(state);

	assert_int_equal(vd_window_split(g->a, &split), 0);
	lend_and_take_back(g);
	lend_and_take_back(g);
	assert_true(is_canary(page_of(g, CLIENT, 0), LEN - LENT * PAGE));
}

static void split_lend_merge(struct rig *g, struct worker *one, struct worker *two)
{
	struct vd_split split = {
		.size = sizeof(split), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};
	struct vd_merge merge = { .size = sizeof(merge),
				  .keep = WINDOW,
				  .clear = PART,
				  .owner = ONE,
				  .live = VD_LIVE_REVOKE };
	struct vd_window_info w = { .size = sizeof(w) };

	wait_more(&one->verified, 16 * PAGE);
	wait_more(&two->refused, 2);
	wait_overlap(g, TIMES);
	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(vd_window_query(g->a, WINDOW, &w), 0);
	assert_int_equal(w.len, HALF);
	assert_int_equal(map(g, TWO, PART, HALF, HALF - LENT), 0);
	wait_more(&one->verified, 16 * PAGE);
	wait_more(&two->verified, 16 * PAGE);
	wait_overlap(g, TIMES);
	lend_and_take_back(g);
	wait_more(&two->verified, 16 * PAGE);
	wait_overlap(g, TIMES);
	assert_int_equal(vd_window_merge(g->a, &merge), 0);
	assert_int_equal(vd_window_query(g->a, WINDOW, &w), 0);
	assert_int_equal(w.len, NPAGES);
	assert_int_equal(w.owner, ONE);
	assert_int_equal(vd_window_query(g->a, PART, &w), -ENOENT);
	wait_more(&two->refused, 2);
	wait_overlap(g, TIMES);
	audit(g);
	forget_faults(g);
}

static void report(struct rig *g, const struct worker *one, const struct worker *two, double s)
{
	struct vd_adapter_stats a = { .size = sizeof(a) };
	struct shared_stats h;

	vd_adapter_stats(g->a, &a);
	shared_stats(g->s, &h);
	print_message("# %.1f s: %lu + %lu bytes verified, 0 wrong; %llu splits, %llu loans, "
		      "%llu merges\n",
		      s, one->verified, two->verified, (unsigned long long)a.splits,
		      (unsigned long long)a.loans, (unsigned long long)a.merges);
	print_message("# %llu of %llu bursts while the other's was in flight; of %llu drains "
		      "%llu waited for one, %llu for both\n",
		      (unsigned long long)h.overlapped, (unsigned long long)h.bursts,
		      (unsigned long long)h.drains, (unsigned long long)h.waited,
		      (unsigned long long)h.waited_for_all);
	print_message("# %llu commands, %llu addresses refused, %llu faults (audits' too), "
		      "%llu region updates\n",
		      (unsigned long long)h.commands, (unsigned long long)h.faults,
		      (unsigned long long)a.nfaults, (unsigned long long)h.syncs);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Changes came while commands were in flight, and had to wait for them. */
static void expect_waits(struct rig *g)
{
	struct shared_stats s;

	shared_stats(g->s, &s);
	assert_true(s.drains >= 4 * ROUNDS);
	assert_true(s.waited > 0);
}

/* What neither provider may reach has not changed. */
static void check_canaries(struct rig *g)
{
	assert_true(is_canary(page_of(g, ONE, HALF), HALF * PAGE));
	assert_true(is_canary(page_of(g, TWO, 0), HALF * PAGE));
	assert_true(is_canary(page_of(g, CLIENT, 0), LEN - LENT * PAGE));
}

/*
 * T2.2, T2.9, T2.10 on a real device model: both have commands in flight at the
 * same time all along, before, between and after the changes; the second begins
 * without a window, gets its part, lends a piece of it, loses it again.
 */
static void t2_shared_under_io(void **state)
{
	struct rig *g = rig(state);
	struct worker one, two;
	double begin = now();

	assert_int_equal(map(g, ONE, WINDOW, 0, HALF), 0);
	start(&one, g, ONE, 0);
	start(&two, g, TWO, HALF);
	for (int i = 0; i < ROUNDS; i++)
		split_lend_merge(g, &one, &two);
	finish(&one);
	finish(&two);
	assert_int_equal(one.bad, 0);
	assert_int_equal(two.bad, 0);
	assert_int_equal(one.refused, 0);
	expect_waits(g);
	check_canaries(g);
	report(g, &one, &two, now() - begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rigged(t2_9_client),
		rigged(t2_shared_under_io),
	};

	return run_all(tests);
}
