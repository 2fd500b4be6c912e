/* SPDX-License-Identifier: BSD-2-Clause */
/* Who presses, who pulls, and when; with ticks of a few milliseconds. */
#include "powerdown.h"
#include "unit.h"
#include <signal.h>
#include <time.h>

#define TICK_MS 20

struct bench {
	struct loop loop;
	struct powerdown p;
	unsigned int presses, pulls;
	enum powerdown_why why;
	char who[48];
};

static struct bench b;

static void on_press(void *ctx)
{
	((struct bench *)ctx)->presses++;
}

static void on_pull(void *ctx, enum powerdown_why why, const char *who)
{
	struct bench *at = ctx;

	at->pulls++;
	at->why = why;
	snprintf(at->who, sizeof(at->who), "%s", who);
}

static const struct powerdown_ops ops = { on_press, on_pull };

static void nap(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

static void begin(unsigned int grace)
{
	memset(&b, 0, sizeof(b));
	assert_int_equal(loop_init(&b.loop), 0);
	assert_int_equal(
		powerdown_init(&b.p, &b.loop, grace, TICK_MS, &ops, &b), 0);
}

static void end(void)
{
	powerdown_fini(&b.p);
	loop_fini(&b.loop);
}

static uint64_t left(void)
{
	struct powerdown_state s;

	powerdown_state(&b.p, &s);
	return s.left_ms;
}

static void test_over(void **state)
{
	(void)state;
	begin(12);
	assert_int_equal(left(), 0);
	powerdown_ask(&b.p, "A");
	assert_int_equal(left(), 12 * TICK_MS);
	powerdown_ask(&b.p, "B"); /* no more time for it */
	assert_int_equal(b.presses, 2);
	for (int i = 0; i < 11; i++)
		loop_turn(&b.loop);
	assert_int_equal(left(), TICK_MS);
	assert_int_equal(b.presses, 2 + 11 / 5);
	assert_int_equal(b.pulls, 0);
	for (int i = 0; i < 5; i++)
		loop_turn(&b.loop);
	assert_int_equal(b.pulls, 1);
	assert_int_equal(b.why, POWERDOWN_OVER);
	assert_string_equal(b.who, "A");
	assert_int_equal(b.presses, 4);
	powerdown_signal(&b.p, SIGTERM);
	nap(POWERDOWN_ONE_MS + 10);
	powerdown_signal(&b.p, SIGTERM);
	assert_int_equal(b.pulls, 1);
	end();
}

/* What was not seen of the time is the guest's. */
static void test_stopped(void **state)
{
	(void)state;
	begin(3);
	powerdown_ask(&b.p, "A");
	nap(10 * TICK_MS);
	loop_turn(&b.loop);
	assert_int_equal(b.pulls, 0);
	assert_int_equal(left(), 2 * TICK_MS);
	end();
}

static void test_signals(void **state)
{
	static const struct {
		unsigned int grace;
		int signals[4];
		unsigned int presses, pulls;
		enum powerdown_why why;
	} rows[] = {
		{ 9, { SIGTERM }, 1, 0, POWERDOWN_OVER },
		{ 9, { SIGTERM, SIGTERM }, 1, 1, POWERDOWN_SECOND },
		{ 9, { SIGINT, SIGTERM }, 1, 1, POWERDOWN_SECOND },
		{ 9, { SIGTERM, SIGTERM, SIGTERM }, 1, 1, POWERDOWN_SECOND },
		{ 9, { SIGHUP, SIGHUP, SIGHUP, SIGHUP }, 4, 0, POWERDOWN_OVER },
		{ 9, { SIGTERM, SIGHUP }, 2, 0, POWERDOWN_OVER },
		{ 9, { SIGHUP, SIGTERM }, 2, 0, POWERDOWN_OVER },
		{ 9, { SIGHUP, SIGTERM, SIGINT }, 2, 1, POWERDOWN_SECOND },
		{ 0, { SIGTERM }, 0, 1, POWERDOWN_NONE },
		{ 0, { SIGHUP }, 0, 1, POWERDOWN_NONE },
		{ 0, { SIGHUP, SIGTERM }, 0, 1, POWERDOWN_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(rows[i].grace);
		for (int j = 0; j < 4 && rows[i].signals[j]; j++) {
			if (j)
				nap(POWERDOWN_ONE_MS + 10);
			powerdown_signal(&b.p, rows[i].signals[j]);
		}
		assert_int_equal(b.presses, rows[i].presses);
		assert_int_equal(b.pulls, rows[i].pulls);
		if (b.pulls)
			assert_int_equal(b.why, rows[i].why);
		end();
	}
}

/* timeout(1) sends its signal to a process and to its group. */
static void test_burst(void **state)
{
	(void)state;
	begin(9);
	powerdown_signal(&b.p, SIGTERM);
	powerdown_signal(&b.p, SIGTERM);
	powerdown_signal(&b.p, SIGTERM);
	assert_int_equal(b.presses, 1);
	assert_int_equal(b.pulls, 0);
	nap(POWERDOWN_ONE_MS + 10);
	powerdown_signal(&b.p, SIGTERM);
	assert_int_equal(b.pulls, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
