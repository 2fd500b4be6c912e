/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * T2.7 on a real device model: a change waits for the commands in flight, those
 * of both providers. The device's process is stopped while it has some; then a
 * change is asked for. It has to wait, and nothing may have changed hands, until
 * the device goes on and the commands have ended.
 */
#include "worker.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define LONG_MS	 150 /* that a change is seen to wait */
#define STUCK_MS 100 /* that nothing ends */

static int split(struct rig *g)
{
	struct vd_split s = {
		.size = sizeof(s), .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF
	};

	return vd_window_split(g->a, &s);
}

static int lend(struct rig *g)
{
	struct vd_loan l = { .size = sizeof(l),
			     .id = PART,
			     .newid = LOAN,
			     .owner = CLIENT,
			     .rights = VD_READ | VD_WRITE,
			     .first = HALF - LENT,
			     .len = LENT };

	return vd_window_lend(g->a, &l);
}

static int take_back(struct rig *g)
{
	return vd_window_take_back(g->a, LOAN, VD_LIVE_REVOKE);
}

static int deny(struct rig *g)
{
	return vd_adapter_deny(g->a, TWO);
}

static int merge(struct rig *g)
{
	struct vd_merge m = { .size = sizeof(m),
			      .keep = WINDOW,
			      .clear = PART,
			      .owner = ONE,
			      .live = VD_LIVE_REVOKE };

	return vd_window_merge(g->a, &m);
}

/* A change in a thread of its own. */
struct change {
	struct rig *g;
	int (*make)(struct rig *g);
	int err;
	atomic_bool done;
};

static void *make_change(void *arg)
{
	struct change *c = arg;

	c->err = c->make(c->g);
	c->done = true;
	return NULL;
}

/*
 * Until both providers have commands in flight that do not end. What the device
 * had answered before it stopped ends yet.
 */
static void wait_stuck(struct rig *g)
{
	struct shared_stats s = { .in_flight = 0 };
	uint64_t bursts = 0;
	int quiet = 0;

	for (int i = 0; i < 10000 && quiet < STUCK_MS; i++) {
		poll(NULL, 0, 1);
		shared_stats(g->s, &s);
		quiet = s.in_flight == 2 && s.bursts == bursts ? quiet + 1 : 0;
		bursts = s.bursts;
	}
	assert_int_equal(quiet, STUCK_MS);
}

static void stop_device(struct rig *g)
{
	int status;

	wait_overlap(g, 2);
	assert_int_equal(kill(g->qemu, SIGSTOP), 0);
	assert_int_equal(waitpid(g->qemu, &status, WUNTRACED), g->qemu);
	assert_true(WIFSTOPPED(status));
	wait_stuck(g);
}

/* @window and its owner are what they were as long as the change waits. */
static void change_waits(struct rig *g, int (*make)(struct rig *g), uint32_t window)
{
	struct change c = { .g = g, .make = make };
	struct vd_window_info was = { .size = sizeof(was) }, is = { .size = sizeof(is) };
	struct shared_stats before, now;
	pthread_t thread;

	assert_int_equal(vd_window_query(g->a, window, &was), 0);
	stop_device(g);
	shared_stats(g->s, &before);
	assert_int_equal(pthread_create(&thread, NULL, make_change, &c), 0);
	poll(NULL, 0, LONG_MS);
	assert_false(c.done);
	shared_stats(g->s, &now);
	assert_true(now.in_flight > 0);
	assert_int_equal(now.syncs, before.syncs); /* and has what it had */
	assert_int_equal(vd_window_query(g->a, window, &is), 0);
	assert_int_equal(is.len, was.len);
	assert_int_equal(is.owner, was.owner);
	assert_int_equal(is.lent, was.lent);
	kill(g->qemu, SIGCONT);
	pthread_join(thread, NULL);
	assert_int_equal(c.err, 0);
}

static void t2_7_changes_wait(void **state)
{
	struct rig *g = rig(state);
	struct worker one, two;
	struct shared_stats s;

	assert_int_equal(map(g, ONE, WINDOW, 0, HALF), 0);
	start(&one, g, ONE, 0);
	start(&two, g, TWO, HALF);
	change_waits(g, split, WINDOW);
	assert_int_equal(map(g, TWO, PART, HALF, HALF - LENT), 0);
	wait_more(&two.verified, PAGE);
	change_waits(g, lend, PART);
	assert_int_equal(map(g, CLIENT, LOAN, NPAGES - LENT, LENT), 0);
	wait_more(&two.verified, PAGE);
	change_waits(g, take_back, LOAN);
	wait_more(&two.verified, PAGE);
	change_waits(g, deny, PART);
	wait_more(&two.refused, 1);
	assert_int_equal(vd_adapter_permit(g->a, TWO), 0);
	wait_more(&two.verified, PAGE);
	change_waits(g, merge, PART);
	wait_more(&two.refused, 1);
	finish(&one);
	finish(&two);
	assert_int_equal(one.bad + two.bad, 0);
	assert_int_equal(one.refused, 0);
	shared_stats(g->s, &s);
	assert_int_equal(s.waited, 5);
	assert_true(s.waited_for_all > 0);
	audit(g);
}

/*
 * The control: what takes nothing away does not wait. A look at the windows, and
 * a window for somebody new, while the device is stopped.
 */
static void others_do_not_wait(void **state)
{
	struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = 8 };
	struct vd_window_cfg w = {
		.size = sizeof(w), .id = 99, .owner = TWO, .bus = { 8 * BUS }, .len = 8
	};
	struct rig *g = rig(state);
	struct worker one, two;

	assert_int_equal(map(g, ONE, WINDOW, 0, HALF), 0);
	assert_int_equal(split(g), 0);
	assert_int_equal(map(g, TWO, PART, HALF, HALF - LENT), 0);
	start(&one, g, ONE, 0);
	start(&two, g, TWO, HALF);
	stop_device(g);
	assert_int_equal(vd_table_create(g->a, &t, &w.table), 0);
	assert_int_equal(vd_window_create(g->a, &w), 0);
	kill(g->qemu, SIGCONT);
	wait_more(&one.verified, PAGE);
	wait_more(&two.verified, PAGE);
	finish(&one);
	finish(&two);
	assert_int_equal(one.bad + two.bad + one.refused + two.refused, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rigged(t2_7_changes_wait),
		rigged(others_do_not_wait),
	};

	return run_all(tests);
}
