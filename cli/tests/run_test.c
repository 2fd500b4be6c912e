/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct run as an operator meets it: exit statuses, messages, the terminal,
 * pipes, signals. The guest is vmm/tests/tiny.S, which any KVM can run.
 *
 * usage: test-run VIADUCT TINY
 */
#include "exit.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static const char *viaduct, *tiny;
static char name[32]; /* of all machines here, and of nobody else's */

#define MAX_ARGS 24

struct child {
	pid_t pid;
	int in, out, err; /* our ends; -1: none */
	char text[65536]; /* of its standard output, so far */
	size_t len;
};

static void nap(unsigned int ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000,
				      .tv_nsec = ms % 1000 * 1000000L },
		  NULL);
}

/* Make argv: viaduct run, then what @args has up to NULL. */
static void fill_argv(char **argv, const char *const *args)
{
	int n = 0;

	argv[n++] = strdup("viaduct");
	for (; *args; args++) {
		assert_true(n < MAX_ARGS - 1);
		argv[n++] = strdup(*args);
	}
	argv[n] = NULL;
}

static void free_argv(char **argv)
{
	for (; *argv; argv++)
		free(*argv);
}

static void start(struct child *c, const char *const *args)
{
	int in[2], out[2], err[2];
	char *argv[MAX_ARGS];

	fill_argv(argv, args);
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) |
				 pipe2(err, O_CLOEXEC),
			 0);
	c->pid = fork();
	if (c->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execv(viaduct, argv);
		_exit(127);
	}
	free_argv(argv);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	c->in = in[1];
	c->out = out[0];
	c->err = err[0];
	c->len = 0;
	c->text[0] = 0;
}

#define START(c, ...) start(c, (const char *const[]){ __VA_ARGS__, NULL })
#define GUEST(cmdline)                                              \
	"run", "--name", name, "--kernel", tiny, "--memory", "64M", \
		"--cmdline", cmdline

/* Read more of its output; false: end of file or nothing for @ms. */
static bool more(struct child *c, int ms)
{
	struct pollfd p = { .fd = c->out, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	n = read(c->out, c->text + c->len, sizeof(c->text) - 1 - c->len);
	if (n <= 0)
		return false;
	c->len += (size_t)n;
	c->text[c->len] = 0;
	return true;
}

static bool wait_text(struct child *c, const char *text)
{
	while (!strstr(c->text, text)) {
		if (!more(c, 10000))
			return false;
	}
	return true;
}

/* Its exit status; 1000 + signal if one killed it. Kills it after 10 s. */
static int finish(struct child *c)
{
	int status, tries = 0;

	while (waitpid(c->pid, &status, WNOHANG) == 0) {
		if (c->out >= 0 && more(c, 0))
			continue;
		nap(2);
		if (++tries == 5000)
			kill(c->pid, SIGKILL);
	}
	while (c->out >= 0 && more(c, 0))
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   1000 + WTERMSIG(status);
}

static void take_errors(struct child *c, char *text, size_t room)
{
	ssize_t n = read(c->err, text, room - 1);

	text[n > 0 ? n : 0] = 0;
}

static void drop(struct child *c)
{
	int *fd[] = { &c->in, &c->out, &c->err };

	for (int i = 0; i < 3; i++) {
		if (*fd[i] >= 0)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

static int run_guest(struct child *c, const char *cmdline)
{
	int status;

	START(c, GUEST(cmdline), "--no-reboot");
	status = finish(c);
	drop(c);
	return status;
}

static struct child c;

/* A KVM that is missing or too small is a reason to skip; nothing else is. */
static bool has_kvm(void)
{
	char text[300];
	int status;

	START(&c, GUEST("o"));
	status = finish(&c);
	take_errors(&c, text, sizeof(text));
	drop(&c);
	if (status == CLI_FAILED &&
	    (strstr(text, "/dev/kvm") || strstr(text, "this KVM lacks"))) {
		print_message("skipped: %s", text);
		return false;
	}
	assert_int_equal(status, CLI_OK);
	return true;
}

#define NEED_KVM()              \
	do {                    \
		if (!has_kvm()) \
			skip(); \
	} while (0)

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
	START(&c, GUEST("wr"), "--cpus", "2");
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

		START(&c, GUEST(guests[i / 3]), "--cpus", "2");
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
	START(&c, GUEST("wr"), "--cpus", "2");
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
	START(&c, GUEST("wh"));
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

static void test_resident(void **state)
{
	long kb;

	(void)state;
	NEED_KVM();
	START(&c, GUEST("wh"), "--memory", "4G", "--cpus", "4");
	assert_true(wait_text(&c, "stringw"));
	kb = rss_kb(c.pid);
	kill(c.pid, SIGTERM);
	assert_int_equal(finish(&c), CLI_QUIT);
	drop(&c);
	print_message("resident with a 4 GiB guest of 4 vCPUs: %ld KiB\n", kb);
	assert_true(kb > 0 && kb < 16 * 1024);
}

/* The terminal. */

static int start_on_pty(const char *const *args)
{
	struct winsize ws = { .ws_row = 24, .ws_col = 80 };
	char *argv[MAX_ARGS];
	int master;

	fill_argv(argv, args);
	c.pid = forkpty(&master, NULL, NULL, &ws);
	if (c.pid == 0) {
		execv(viaduct, argv);
		_exit(127);
	}
	free_argv(argv);
	c.in = c.err = -1;
	c.out = master;
	c.len = 0;
	c.text[0] = 0;
	return master;
}

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
		int tty = start_on_pty(
			(const char *const[]){ GUEST("weo"), NULL });

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

/* The command line. */

static void test_messages(void **state)
{
	static const struct {
		const char *args[8];
		int status;
		const char *says;
	} rows[] = {
		{ { NULL }, CLI_USAGE, "usage: viaduct" },
		{ { "rum" }, CLI_USAGE, "no such verb: rum" },
		{ { "run" }, CLI_USAGE, "--kernel is missing" },
		{ { "run", "--foo" }, CLI_USAGE, "no such option: --foo" },
		{ { "run", "-x" }, CLI_USAGE, "no such option" },
		{ { "run", "--kernel" }, CLI_USAGE, "wants a value: --kernel" },
		{ { "run", "--kernel", "a", "b" },
		  CLI_USAGE,
		  "unexpected argument: b" },
		{ { "run", "--no-reboot=1" }, CLI_USAGE, "--no-reboot=1" },
		{ { "run", "--memory", "1X" }, CLI_USAGE, "--memory '1X'" },
		{ { "run", "-kernel", "a" },
		  CLI_USAGE,
		  "no such option: -kernel (did you mean --kernel?)" },
		{ { "run", "--kernel", "a", "-m" },
		  CLI_USAGE,
		  "no such option: -m;" },
		{ { "run", "--kernel", "a", "-memory=1G" },
		  CLI_USAGE,
		  "no such option: -memory=1G (did you mean --memory?)" },
		{ { "run", "--name=web", "-enable-kvm" },
		  CLI_USAGE,
		  "no such option: -enable-kvm" },
		{ { "run", "--kernel", "/nowhere" },
		  CLI_FAILED,
		  "kernel cannot be opened: /nowhere" },
	};
	char text[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		start(&c, rows[i].args);
		assert_int_equal(finish(&c), rows[i].status);
		take_errors(&c, text, sizeof(text));
		assert_non_null(strstr(text, rows[i].says));
		if (i > 0) /* one line */
			assert_ptr_equal(strchr(text, '\n') + 1,
					 text + strlen(text));
		drop(&c);
	}
}

/*
 * Values that are nothing, tiny, huge, no number, or followed by something: for
 * each option, those that it takes and those that it does not. The kernel is
 * not there, so that what is taken ends with that sentence.
 */
static void test_values(void **state)
{
	static const struct {
		const char *option, *good[6], *bad[18];
	} rows[] = {
		{ "--kernel", { "/nowhere" }, { "" } },
		{ "--initrd", { "/nowhere" }, { "" } },
		{ "--cmdline", { "", "a" }, { NULL } },
		{ "--append", { "", "a" }, { NULL } },
		{ "--memory",
		  { "64M", "1g", "67108864" },
		  { "", "0", "0K", "-1", "+1G", " 1G", "1G ", "1GB", "1.5G",
		    "0x40000000", "1e9", "none", "16777216T", "8388608T",
		    "99999999999999999999" } },
		{ "--cpus",
		  { "1", "01", "4096" },
		  { "", "0", "-1", "+1", " 1", "1 ", "1K", "1.0", "0x1", "4097",
		    "4294967297", "99999999999999999999", "all" } },
		{ "--granule",
		  { "4K", "4096", "2M" },
		  { "", "0", "8K", "4k " } },
		{ "--budget",
		  { "none", "4K", "5000", "1G" },
		  { "", "0", "0G", "1000", "4095", "-1", "None", "unlimited",
		    "16777216T", "1M1" } },
		{ "--host-budget",
		  { "4K", "1G" },
		  { "", "0", "1000", "none", "-4K", "9223372036854775808" } },
		{ "--pin",
		  { "io_uring", "all", "mlock" },
		  { "", "glue", "ALL" } },
		{ "--pool",
		  { "1", "8M" },
		  { "", "0", "none", "-1", "8388608T" } },
		{ "--name",
		  { "a", "a.b_c-d" },
		  { "", ".", ".a", "a/b", "a b", "../a", "\xc3\xa4", "-\n" } },
		{ "--control", { "/tmp/a" }, { "" } },
		{ "--console", { "stdio", "none" }, { "", "gui", "0" } },
		{ "--assign", { NULL }, { "" } },
	};
	char text[4096], want[100];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int j = 0; j < 6 && rows[i].good[j]; j++) {
			START(&c, "run", "--kernel", "/nowhere", rows[i].option,
			      rows[i].good[j]);
			assert_int_equal(finish(&c), CLI_FAILED);
			take_errors(&c, text, sizeof(text));
			if (!strstr(text, "kernel cannot be opened"))
				fail_msg("%s %s: %s", rows[i].option,
					 rows[i].good[j], text);
			drop(&c);
		}
		for (int j = 0; j < 18 && rows[i].bad[j]; j++) {
			START(&c, "run", "--kernel", "/nowhere", rows[i].option,
			      rows[i].bad[j]);
			assert_int_equal(finish(&c), CLI_USAGE);
			take_errors(&c, text, sizeof(text));
			snprintf(want, sizeof(want), "%s ", rows[i].option);
			if (!strstr(text, want) ||
			    !strstr(text, rows[i].bad[j]))
				fail_msg("%s '%s': %s", rows[i].option,
					 rows[i].bad[j], text);
			drop(&c);
		}
	}
	/* The last counts; a granule decides what is less than one. */
	START(&c, "run", "--kernel", "/nowhere", "--budget", "4K", "--granule",
	      "2M");
	assert_int_equal(finish(&c), CLI_USAGE);
	take_errors(&c, text, sizeof(text));
	assert_non_null(strstr(text, "less than one granule of 2097152"));
	drop(&c);
	START(&c, "run", "--kernel", "/nowhere", "--budget", "4K", "--granule",
	      "2M", "--granule=4K", "--budget=none");
	assert_int_equal(finish(&c), CLI_FAILED);
	drop(&c);
}

static void test_help(void **state)
{
	(void)state;
	START(&c, "run", "--help");
	assert_int_equal(finish(&c), CLI_OK);
	assert_non_null(strstr(c.text, "Example:"));
	assert_non_null(strstr(c.text, "--assign"));
	drop(&c);
	START(&c, "--help");
	assert_int_equal(finish(&c), CLI_OK);
	assert_non_null(strstr(c.text, "  run"));
	drop(&c);
	START(&c, "--version");
	assert_int_equal(finish(&c), CLI_OK);
	assert_memory_equal(c.text, "viaduct ", 8);
	drop(&c);
}

static void test_refusals(void **state)
{
	static char pipe[64], long_text[300];
	static const struct {
		const char *args[8];
		const char *says;
	} rows[] = {
		{ { "--memory", "63M" }, "memory is too small" },
		{ { "--memory", "65537K", "--granule", "2M" },
		  "not a multiple of the granule" },
		{ { "--memory", "4000T" }, "memory is too large" },
		{ { "--cpus", "4096" }, "too many vCPUs" },
		{ { "--memory", "1000" }, "memory is too small: 1000 bytes" },
		{ { "--kernel", "/etc/passwd" }, "not a bzImage: /etc/passwd" },
		{ { "--kernel", "/" }, "not a regular file: /" },
		{ { "--kernel", pipe }, "not a regular file: /tmp/viaduct-" },
		{ { "--initrd", "/nowhere" },
		  "initrd cannot be opened: /nowhere: No such file" },
		{ { "--initrd", "/" }, "initrd is not a regular file: /" },
		{ { "--initrd", pipe }, "not a regular file: /tmp/viaduct-" },
		/* Says that it has 4096 bytes, and has fewer. */
		{ { "--initrd", "/sys/kernel/uevent_seqnum" },
		  "initrd cannot be read: Input/output error: /sys/kernel/" },
		{ { "--append", long_text },
		  "command line is too long: 313 bytes with what --append" },
	};
	char dir[] = "/tmp/viaduct-run-XXXXXX", text[4096];
	const char *args[16];

	(void)state;
	NEED_KVM();
	memset(long_text, 'a', sizeof(long_text) - 1);
	assert_non_null(mkdtemp(dir));
	snprintf(pipe, sizeof(pipe), "%s/pipe", dir);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = 0;

		args[n++] = "run";
		args[n++] = "--name";
		args[n++] = name;
		args[n++] = "--kernel";
		args[n++] = tiny;
		for (int j = 0; j < 8 && rows[i].args[j]; j++)
			args[n++] = rows[i].args[j];
		args[n] = NULL;
		start(&c, args);
		assert_int_equal(finish(&c), CLI_FAILED);
		take_errors(&c, text, sizeof(text));
		if (!strstr(text, rows[i].says))
			fail_msg("not '%s': %s", rows[i].says, text);
		drop(&c);
	}
	unlink(pipe);
	rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_reboots),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_no_reader),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_resident),
		cmocka_unit_test(test_terminal),
	};

	if (argc != 3)
		return 2;
	viaduct = argv[1];
	tiny = argv[2];
	snprintf(name, sizeof(name), "run-test-%d", (int)getpid());
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
