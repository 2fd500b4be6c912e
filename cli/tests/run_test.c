/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct run as an operator meets it: exit statuses, the terminal, pipes,
 * signals.
 */
#include "child.h"
#include "exit.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <termios.h>
#include <unistd.h>

static int run_guest(struct child *at, const char *cmdline)
{
	int status;

	START(at, GUEST(cmdline), "--no-reboot");
	status = finish(at);
	drop(at);
	return status;
}

static void test_ends(void **state)
{
	static const struct {
		const char *cmdline, *output;
		int status;
	} rows[] = {
		{ "o", "", CLI_OK },	 { "wo", "stringw", CLI_OK },
		{ "pno", "pn", CLI_OK }, { "wr", "stringw", CLI_RESET },
		{ "k", "", CLI_RESET },	 { "wt", "stringw", CLI_DIED },
	};

	(void)state;
	NEED_KVM();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(run_guest(&c, rows[i].cmdline),
				 rows[i].status);
		assert_string_equal(c.text, rows[i].output);
	}
	START(&c, GUEST("o"), "--cpus", "5");
	assert_int_equal(finish(&c), CLI_OK);
	drop(&c);
	START(&c, GUEST("wo"), "--console", "none");
	assert_int_equal(finish(&c), CLI_OK);
	assert_string_equal(c.text, "");
	drop(&c);
}

static void test_reboots(void **state)
{
	const char *at;
	int n = 0;

	(void)state;
	NEED_KVM();
	START(&c, GUEST("wr"), "--cpus", "2", "--grace", "0");
	while (c.len < 7 * 50 && more(&c, 10000))
		;
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_QUIT);
	for (at = c.text; (at = strstr(at, "stringw")); at += 7)
		n++;
	assert_true(n >= 50);
	drop(&c);
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	static const char *const guests[] = { "ws", "wh", "we" };

	(void)state;
	NEED_KVM();
	for (int i = 0; i < 9; i++) {
		char text[200];

		START(&c, GUEST(guests[i / 3]), "--cpus", "2", "--grace", "0");
		assert_true(wait_text(&c, "stringw"));
		kill(c.pid, signals[i % 3]);
		assert_int_equal(finish(&c), CLI_QUIT);
		take_errors(&c, text, sizeof(text));
		assert_non_null(strstr(text, "ended by signal"));
		drop(&c);
	}
}

static void test_input(void **state)
{
	char big[20001];

	(void)state;
	NEED_KVM();
	START(&c, GUEST("eo"));
	assert_int_equal(write(c.in, "hello.", 6), 6);
	assert_int_equal(finish(&c), CLI_OK);
	assert_string_equal(c.text, "hello.e");
	drop(&c);

	/* Far more than the port's queue: nothing is lost. */
	memset(big, 'a', sizeof(big));
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)('a' + i % 26);
	big[sizeof(big) - 1] = '.';
	START(&c, GUEST("eo"));
	assert_int_equal(write(c.in, big, sizeof(big)), sizeof(big));
	close(c.in);
	c.in = -1;
	assert_int_equal(finish(&c), CLI_OK);
	assert_int_equal(c.len, sizeof(big) + 1);
	assert_memory_equal(c.text, big, sizeof(big));
	drop(&c);

	/* The escape key works from a pipe as well. */
	START(&c, GUEST("e"));
	assert_int_equal(write(c.in, "hi\1\1\1x", 6), 6);
	assert_int_equal(finish(&c), CLI_QUIT);
	drop(&c);
}

/* Standard descriptors of odd kinds, by a shell's redirections. */
static void test_descriptors(void **state)
{
	static const struct {
		const char *redirect;
		int status;
	} rows[] = {
		{ "<&-", CLI_OK },	    { "</dev/null", CLI_OK },
		{ "<&- >&- 2>&-", CLI_OK }, { "</etc/passwd", CLI_OK },
		{ ">/dev/full", CLI_OK },   { "</", CLI_OK },
	};
	char command[500];

	(void)state;
	NEED_KVM();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(command, sizeof(command),
			 "%s run --name %s --kernel %s --memory 64M --cmdline "
			 "wo %s >%s",
			 viaduct, name, tiny, rows[i].redirect,
			 strchr(rows[i].redirect, '>') ? "&1" : "/dev/null");
		assert_int_equal(WEXITSTATUS(system(command)), rows[i].status);
	}
}

static void test_no_reader(void **state)
{
	(void)state;
	NEED_KVM();
	START(&c, GUEST("wwwwo"));
	close(c.out);
	c.out = -1;
	assert_int_equal(finish(&c), CLI_OK);
	drop(&c);

	/* A full pipe stops the guest, not the operator. */
	START(&c, GUEST("wr"), "--cpus", "2", "--grace", "0");
	nap(500);
	kill(c.pid, SIGTERM);
	close(c.in);
	c.in = -1;
	{
		int saved = c.out;

		c.out = -1; /* do not read while it ends */
		assert_int_equal(finish(&c), CLI_QUIT);
		c.out = saved;
	}
	drop(&c);
}

/* End of file on input and a halted guest: no time is burnt. */
static void test_idle(void **state)
{
	struct rusage before, after;
	int64_t us;

	(void)state;
	NEED_KVM();
	getrusage(RUSAGE_CHILDREN, &before);
	START(&c, GUEST("wh"), "--grace", "0");
	close(c.in);
	c.in = -1;
	assert_true(wait_text(&c, "stringw"));
	nap(1000);
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_QUIT);
	drop(&c);
	getrusage(RUSAGE_CHILDREN, &after);
	us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
	     after.ru_utime.tv_usec - before.ru_utime.tv_usec +
	     (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
	     after.ru_stime.tv_usec - before.ru_stime.tv_usec;
	print_message("CPU time of an idle second: %lld us\n", (long long)us);
	assert_true(us < 500000);
}

static long rss_kb(pid_t pid)
{
	char path[64], line[200];
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmRSS: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

/* A sanitizer's own memory is not ours: its shadow of the program counts. */
#ifdef __SANITIZE_ADDRESS__
#define RESIDENT_KB (32 * 1024)
#else
#define RESIDENT_KB (16 * 1024)
#endif

static void test_resident(void **state)
{
	long kb;

	(void)state;
	NEED_KVM();
	START(&c, GUEST("wh"), "--memory", "4G", "--cpus", "4", "--grace", "0");
	assert_true(wait_text(&c, "stringw"));
	kb = rss_kb(c.pid);
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_QUIT);
	drop(&c);
	print_message("resident with a 4 GiB guest of 4 vCPUs: %ld KiB\n", kb);
	assert_true(kb > 0 && kb < RESIDENT_KB);
}

/*
 * Far more than this host has: nothing is touched that the guest does not. A CPU
 * that addresses less says how much it does.
 */
static void test_big(void **state)
{
	bool said = false;
	char text[500];
	long kb;

	(void)state;
	NEED_KVM();
	START(&c, GUEST("wph"), "--memory", "600G", "--grace", "0");
	/* KVM's own tables for so much take their time on a busy host. */
	for (int i = 0; i < 6 && !said; i++)
		said = wait_text(&c, "stringwp");
	if (!said) {
		assert_int_equal(finish(&c), CLI_FAILED);
		take_errors(&c, text, sizeof(text));
		drop(&c);
		assert_non_null(strstr(text, " bits, which is enough"));
		return;
	}
	kb = rss_kb(c.pid);
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_QUIT);
	drop(&c);
	print_message("resident with 600 GiB: %ld KiB\n", kb);
	assert_true(kb > 0 && kb < 64 * 1024);
}

/* The terminal. */

static bool is_raw(int tty)
{
	struct termios t;

	return tcgetattr(tty, &t) == 0 && !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static void test_terminal(void **state)
{
	static const struct {
		const char *keys;
		int sig, status;
	} rows[] = {
		{ "\1x", 0, CLI_QUIT },
		{ ".", 0, CLI_OK },
		{ "", SIGTERM, CLI_QUIT },
		{ "", SIGHUP, CLI_QUIT },
		{ "", SIGABRT, 1000 + SIGABRT },
		{ "", SIGSEGV, 1000 + SIGSEGV },
		{ "", SIGQUIT, 1000 + SIGQUIT },
	};
	static const char ctrl_c[] = "\3\1h\1\1";

	(void)state;
	NEED_KVM();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int tty = start_on_pty((const char *const[]){
			GUEST("weo"), "--grace", "0", NULL });

		assert_true(wait_text(&c, "stringw"));
		assert_non_null(strstr(c.text, "Ctrl-A x"));
		assert_true(is_raw(tty));
		/* Ctrl-C is the guest's; help; a Ctrl-A for the guest. */
		assert_int_equal(write(tty, ctrl_c, 5), 5);
		assert_true(wait_text(&c, "\1"));
		assert_non_null(strchr(c.text, '\3'));
		assert_true(write(tty, rows[i].keys, strlen(rows[i].keys)) >=
			    0);
		if (rows[i].sig)
			kill(c.pid, rows[i].sig);
		assert_int_equal(finish(&c), rows[i].status);
		assert_false(is_raw(tty));
		drop(&c);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_reboots),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_no_reader),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_resident),
		cmocka_unit_test(test_big),
		cmocka_unit_test(test_terminal),
	};

	if (child_main(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
