/* SPDX-License-Identifier: BSD-2-Clause */
/* viaduct top against a server that a thread answers by a script of numbers. */
#include "control.h"
#include "exit.h"
#include "sample.h"
#include "top.h"
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

/* A machine that answers so. Each status moves it on by 500 ms and 100 maps. */
struct machine {
	const char *name;
	_Atomic int asked;
	struct control *control;
};

static struct {
	char dir[64];
	struct machine m[2];
	char *out;
	size_t len;
} f;

static int run_status(void *ctx, const json_t *args, json_t **result, struct control_error *e)
{
	struct machine *m = ctx;

	(void)args, (void)e;
	m->asked++;
	*result = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:n}", "name", m->name, "uptime_ms",
			    500 * m->asked, "guest_ram_bytes", 1 << 30, "guest_resident_bytes",
			    600 << 20, "swapped_bytes", 5 << 20, "pinned_bytes", 8192,
			    "mapped_bytes", 4096, "budget_bytes");
	return 0;
}

static int run_counters(void *ctx, const json_t *args, json_t **result, struct control_error *e)
{
	struct machine *m = ctx;

	(void)args, (void)e;
	*result = json_pack(
		"{s:{s:i,s:i,s:i,s:i},s:{s:i,s:i},s:[{s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i}]}", "domain",
		"maps", 100 * m->asked, "refused_budget", 1, "refused_denied", 2, "refused_other",
		4, "exits", "hal", 30 * m->asked, "serial", 20 * m->asked, "devices", "host",
		"0000:03:00.0", "state", "permitted", "mappings", 1, "mapped_bytes", 4096, "maps",
		60 * m->asked, "refused", 7, "faults", 0, "interrupts", 45 * m->asked);
	return 0;
}

static const struct control_command commands[] = {
	{ "status", "", run_status },
	{ "counters", "", run_counters },
};

static void start(int i, const char *name)
{
	char path[128], why[256];
	struct control_cfg cfg = {
		.path = path,
		.version = "0",
		.table = { commands, 2, &f.m[i] },
	};

	f.m[i].name = name;
	assert_int_equal(control_path(f.dir, name, path, sizeof(path)), 0);
	assert_int_equal(control_create(&cfg, &f.m[i].control, why, sizeof(why)), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	snprintf(f.dir, sizeof(f.dir), "/tmp/viaduct-top-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		if (f.m[i].control)
			control_destroy(f.m[i].control);
	free(f.out);
	assert_int_equal(rmdir(f.dir), 0);
	return 0;
}

static int top(const char *line)
{
	char text[256], *argv[16] = { "top" }, *save;
	int argc = 1, status;
	FILE *out;

	snprintf(text, sizeof(text), "%s", line);
	for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
		argv[argc++] = p;
	free(f.out);
	f.out = NULL;
	out = open_memstream(&f.out, &f.len);
	status = top_main(argc, argv, f.dir, out);
	fclose(out);
	return status;
}

static void says(const char *part)
{
	if (!strstr(f.out, part))
		fail_msg("\"%s\" does not say \"%s\"", f.out, part);
}

static void test_usage(void **state)
{
	static const char *const bad[] = {
		"now",
		"--frob",
		"--interval",
		"--interval 0",
		"--interval 1x",
		"--interval nan",
		"--name a --socket b",
		"--interval 1e9",
		"--interval inf",
		"--interval 0x1p3",
		"--interval +1",
		"--interval 1e1",
		"--interval 0.09",
		"-once",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(top(bad[i]), CLI_USAGE);
	assert_int_equal(top("--help"), CLI_OK);
	says("Example:\n  viaduct top ");
	assert_int_equal(top("--once"), CLI_UNREACHABLE);
	assert_int_equal(top("--once --name web"), CLI_UNREACHABLE);
	assert_string_equal(f.out, "");
}

static json_t *machine(json_t *sample, const char *name)
{
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(sample, "machines"), i, m)
		if (!strcmp(json_string_value(json_object_get(m, "name")), name))
			return m;
	fail_msg("no machine %s", name);
	return NULL;
}

static void is_real(const json_t *j, const char *key, double want)
{
	double v = json_real_value(json_object_get(j, key));

	if (v < want * 0.999 || v > want * 1.001)
		fail_msg("%s is %f, not %f", key, v, want);
}

static void test_json(void **state)
{
	json_t *j, *m, *d;

	(void)state;
	start(0, "web");
	start(1, "db");
	assert_int_equal(top("--once --json --interval 0.1"), CLI_OK);
	assert_ptr_equal(strchr(f.out, '\n'), f.out + f.len - 1); /* one line */
	j = json_loads(f.out, 0, NULL);
	assert_non_null(j);
	assert_true(json_integer_value(json_object_get(j, "time_ms")) > 1000000000000);
	assert_int_equal(json_array_size(json_object_get(j, "machines")), 2);
	m = machine(j, "web");
	machine(j, "db");
	assert_int_equal(json_integer_value(json_object_get(m, "pinned_bytes")), 8192);
	assert_int_equal(json_integer_value(json_object_get(m, "refused")), 7);
	is_real(m, "maps_per_second", 200); /* 100 in its 500 ms */
	is_real(m, "exits_per_second", 100);
	assert_true(json_is_null(json_object_get(m, "budget_bytes")));
	assert_true(json_is_null(json_object_get(m, "cached_bytes")));
	assert_true(json_is_null(json_object_get(m, "balloon_bytes"))); /* it has none */
	d = json_array_get(json_object_get(m, "devices"), 0);
	assert_string_equal(json_string_value(json_object_get(d, "host")), "0000:03:00.0");
	is_real(d, "maps_per_second", 120);
	is_real(d, "interrupts_per_second", 90);
	json_decref(j);
}

static void test_text(void **state)
{
	(void)state;
	start(0, "web");
	assert_int_equal(top("--once --interval 0.1"), CLI_OK);
	says("VM                   RAM  IN RAM SWAPPED  PINNED  CACHED  MAPPED BALLOON   EXITS/S"
	     "    MAPS/S    IRQS/S  REFUSED\n");
	says("web                 1.0G    600M    5.0M    8.0K       -    4.0K       -       100"
	     "       200                  7\n");
	says("  0000:03:00.0   permitted                                  4.0K                  "
	     "       120        90        7\n");
	assert_int_equal(top("--once --interval 0.1 --name web"), CLI_OK);
	says("web ");
}

/* Read from a terminal until it says @part; false after a while. */
static bool read_until(int fd, const char *part)
{
	static char seen[1 << 16];
	size_t len = 0;
	ssize_t n;

	memset(seen, 0, sizeof(seen));
	while (len < sizeof(seen) - 1) {
		struct pollfd p = { fd, POLLIN, 0 };

		if (poll(&p, 1, 5000) <= 0)
			return false;
		n = read(fd, seen + len, sizeof(seen) - 1 - len);
		if (n <= 0)
			return false;
		len += (size_t)n;
		if (strstr(seen, part))
			return true;
	}
	return false;
}

/* A full disk is told; a reader that has seen enough is no error. */
static void output_ends(const char *path, int want)
{
	char *argv[] = { "top", "--json", "--interval", "0.1", NULL };
	int status, p[2];
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		signal(SIGPIPE, SIG_IGN);
		_exit(top_main(4, argv, f.dir, path ? fopen(path, "w") : fdopen(p[1], "w")));
	}
	close(p[1]);
	if (!path)
		assert_true(read_until(p[0], "\n"));
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), want);
}

static void test_output(void **state)
{
	(void)state;
	start(0, "web");
	output_ends("/dev/full", CLI_FAILED);
	output_ends(NULL, CLI_OK);
}

/* In place on a terminal, ended by a key or a signal, and the terminal is as it was. */
static void live(const char *key, int sig)
{
	struct winsize size = { .ws_row = 24, .ws_col = 40 };
	char *argv[] = { "top", "--interval", "0.1", NULL };
	struct termios before, after;
	int fd, status;
	pid_t pid = forkpty(&fd, NULL, NULL, &size);

	if (pid == 0)
		_exit(top_main(3, argv, f.dir, stdout));
	assert_true(pid > 0);
	assert_int_equal(tcgetattr(fd, &before), 0);
	assert_true(read_until(fd, "web "));
	assert_true(read_until(fd, "\033[H"));		     /* again, from the top */
	assert_true(read_until(fd, "IN RAM SWAPPED\033[K")); /* cut to 40 columns */
	if (key)
		assert_int_equal(write(fd, key, 1), 1);
	else
		kill(pid, sig);
	assert_true(read_until(fd, "\033[?1049l"));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (key)
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == sig);
	assert_int_equal(tcgetattr(fd, &after), 0);
	assert_int_equal(after.c_lflag & (ECHO | ICANON | ISIG), ECHO | ICANON | ISIG);
	close(fd);
}

static void test_live(void **state)
{
	(void)state;
	start(0, "web");
	live("q", 0);
	live("\003", 0);
	live(NULL, SIGTERM);
	live(NULL, SIGHUP);
	live(NULL, SIGINT);
}

/* No rates from nothing, nor across a restart under the same name. */
static void test_first_sample(void **state)
{
	static const char text[] = "{\"status\": {\"name\": \"a\", \"uptime_ms\": %d},"
				   " \"counters\": {\"domain\": {\"maps\": %d}}}";
	char old[256], new[256];
	json_t *before, *now, *j;

	(void)state;
	snprintf(old, sizeof(old), text, 9000, 500);
	snprintf(new, sizeof(new), text, 1000, 5);
	before = json_loads(old, 0, NULL);
	now = json_loads(new, 0, NULL);
	j = sample_machine(now, NULL);
	assert_true(json_is_null(json_object_get(j, "maps_per_second")));
	json_decref(j);
	j = sample_machine(now, before);
	assert_true(json_is_null(json_object_get(j, "maps_per_second")));
	json_decref(j);
	json_decref(before);
	json_decref(now);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_usage),	T(test_json), T(test_text),
		T(test_output), T(test_live), T(test_first_sample),
	};

	return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
