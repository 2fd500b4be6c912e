/* SPDX-License-Identifier: BSD-2-Clause */
/* Ending a machine from outside: who is asked, how long, what comes of it. */
#include "child.h"
#include "exit.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* What is said to a guest, after how long, and how the run ends. */
struct story {
	const char *cmdline, *grace;
	int signals[4]; /* 0: viaduct ctl powerdown; -1: no more */
	int least_ms, most_ms, status;
	const char *says;
};

static void ctl(const char *verb)
{
	char command[300];

	snprintf(command, sizeof(command), "%s ctl --name %s %s >/dev/null",
		 viaduct, name, verb);
	assert_int_equal(system(command), 0);
}

static void play(const struct story *s)
{
	int64_t begin, ms;
	char text[1000];

	START(&c, GUEST(s->cmdline), "--grace", s->grace);
	assert_true(wait_text(&c, "stringw"));
	begin = now_ms();
	for (int i = 0; i < 4 && s->signals[i] >= 0; i++) {
		nap(200); /* else two signals are one */
		if (s->signals[i])
			kill(c.pid, s->signals[i]);
		else
			ctl("powerdown");
	}
	assert_int_equal(finish(&c), s->status);
	ms = now_ms() - begin;
	take_errors(&c, text, sizeof(text));
	drop(&c);
	if (ms < s->least_ms || ms > s->most_ms || !strstr(text, s->says))
		fail_msg("%s: after %d ms: %s", s->cmdline, (int)ms, text);
}

static const struct story stories[] = {
	{ "wbo",
	  "60",
	  { SIGTERM, -1 },
	  0,
	  5000,
	  CLI_OK,
	  "the guest has powered off, as signal Terminated asked" },
	{ "wbo",
	  "60",
	  { SIGINT, -1 },
	  0,
	  5000,
	  CLI_OK,
	  "as signal Interrupt asked" },
	{ "wbo",
	  "60",
	  { SIGHUP, -1 },
	  0,
	  5000,
	  CLI_OK,
	  "as signal Hangup asked" },
	{ "wbo",
	  "60",
	  { 0, -1 },
	  0,
	  5000,
	  CLI_OK,
	  "as viaduct ctl powerdown asked" },
	/* Pressed twice, it is felt twice. */
	{ "wbbo", "60", { 0, 0, -1 }, 0, 5000, CLI_OK, "ctl powerdown" },
	{ "wbbo",
	  "60",
	  { 0, SIGTERM, -1 },
	  0,
	  5000,
	  CLI_OK,
	  "as viaduct ctl powerdown asked" },
	/* Nobody listens. */
	{ "wh",
	  "1",
	  { SIGTERM, -1 },
	  1000,
	  6000,
	  CLI_OVER,
	  "within 1 s of signal Terminated (it does not listen" },
	{ "wh",
	  "1",
	  { 0, -1 },
	  1000,
	  6000,
	  CLI_OVER,
	  "within 1 s of viaduct ctl powerdown (it does not" },
	/* It listens, and does nothing about it. */
	{ "wbh",
	  "1",
	  { SIGTERM, -1 },
	  1000,
	  6000,
	  CLI_OVER,
	  "within 1 s of signal Terminated; its plug" },
	{ "wh",
	  "60",
	  { SIGTERM, SIGTERM, -1 },
	  0,
	  5000,
	  CLI_QUIT,
	  "ended by signal Terminated, the second" },
	{ "wh",
	  "60",
	  { SIGTERM, SIGINT, -1 },
	  0,
	  5000,
	  CLI_QUIT,
	  "ended by signal Interrupt, the second" },
	/* A session that ends: neither of these is a second one. */
	{ "wh",
	  "2",
	  { SIGHUP, SIGHUP, SIGTERM, SIGHUP },
	  2000,
	  8000,
	  CLI_OVER,
	  "within 2 s of signal Hangup" },
	{ "wh",
	  "60",
	  { SIGHUP, SIGTERM, SIGTERM, -1 },
	  0,
	  5000,
	  CLI_QUIT,
	  "the second" },
	{ "wh",
	  "0",
	  { SIGTERM, -1 },
	  0,
	  5000,
	  CLI_QUIT,
	  "ended by signal Terminated (no grace)" },
	{ "wh",
	  "0",
	  { 0, -1 },
	  0,
	  5000,
	  CLI_QUIT,
	  "ended by viaduct ctl powerdown (no grace)" },
};

static void test_powerdown(void **state)
{
	char text[1000];

	(void)state;
	NEED_KVM();
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		play(&stories[i]);
	/* At once, whatever else is under way. */
	START(&c, GUEST("wh"), "--grace", "60");
	assert_true(wait_text(&c, "stringw"));
	ctl("powerdown");
	ctl("quit");
	assert_int_equal(finish(&c), CLI_QUIT);
	take_errors(&c, text, sizeof(text));
	assert_non_null(strstr(text, "ended by viaduct ctl quit"));
	drop(&c);
}

/*
 * While it reboots the button is felt by nobody, or by a kernel that is gone;
 * while it is stopped, by none.
 */
static void test_powerdown_later(void **state)
{
	int64_t begin;

	(void)state;
	NEED_KVM();
	START(&c, GUEST("wber"), "--grace", "60");
	assert_true(wait_text(&c, "stringw"));
	kill(c.pid, SIGTERM);
	assert_true(wait_text(&c, "b"));
	assert_int_equal(write(c.in, ".", 1), 1); /* now it reboots */
	assert_true(wait_text(&c, ".estringwb")); /* and feels it again */
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_QUIT);
	drop(&c);

	/* Both that timeout(1) sends are one. */
	START(&c, GUEST("wbo"), "--grace", "60");
	assert_true(wait_text(&c, "stringw"));
	kill(c.pid, SIGTERM);
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_OK);
	drop(&c);

	/* Who reads our messages is gone, as tee is after Ctrl-C. */
	START(&c, GUEST("wbo"), "--grace", "60");
	assert_true(wait_text(&c, "stringw"));
	close(c.err);
	c.err = open("/dev/null", O_RDONLY | O_CLOEXEC);
	kill(c.pid, SIGINT);
	assert_int_equal(finish(&c), CLI_OK);
	drop(&c);

	START(&c, GUEST("wh"), "--grace", "2");
	assert_true(wait_text(&c, "stringw"));
	begin = now_ms();
	kill(c.pid, SIGTERM);
	nap(200);
	kill(c.pid, SIGSTOP);
	nap(3000);
	kill(c.pid, SIGCONT);
	assert_int_equal(finish(&c), CLI_OVER);
	assert_true(now_ms() - begin >= 4000);
	drop(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_powerdown),
		cmocka_unit_test(test_powerdown_later),
	};

	if (child_main(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
