/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * viaduct run without root: a machine without devices needs the right to open
 * /dev/kvm and nothing more. Started by root the tests become nobody, in the
 * group of /dev/kvm; started by a user they stay that user.
 *
 * usage: test-user VIADUCT TINY
 */
#include "exit.h"
#include "unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOBODY 65534

/* By descriptor: where they lie need not be open to everybody. */
static int viaduct, tiny;
static char kernel[32], dir[] = "/tmp/viaduct-user-XXXXXX";

struct result {
	int status;
	char text[8192]; /* standard output and error */
};

static int become_user(void)
{
	struct stat st;

	if (geteuid())
		return 0;
	if (stat("/dev/kvm", &st))
		st.st_gid = NOBODY;
	return setgroups(1, &st.st_gid) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

static pid_t start(const char *const *args, int out)
{
	char *argv[24] = { NULL };
	pid_t pid = fork();

	if (pid)
		return pid;
	for (int n = 0; args[n]; n++)
		argv[n] = strdup(args[n]);
	dup2(out, 1);
	dup2(out, 2);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	if (!become_user())
		fexecve(viaduct, argv, environ);
	_exit(127);
}

static void finish(pid_t pid, int from, struct result *r)
{
	size_t len = 0;
	ssize_t n;
	int status;

	while ((n = read(from, r->text + len, sizeof(r->text) - 1 - len)) > 0)
		len += (size_t)n;
	r->text[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) :
					1000 + WTERMSIG(status);
}

static void run(struct result *r, const char *const *args)
{
	int out[2];
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(args, out[1]);
	close(out[1]);
	finish(pid, out[0], r);
	close(out[0]);
}

#define ARGS(...) ((const char *const[]){ "viaduct", __VA_ARGS__, NULL })
#define GUEST(cmdline) \
	"run", "--kernel", kernel, "--memory", "64M", "--cmdline", cmdline

static void need_kvm(void)
{
	struct result r;

	run(&r, ARGS(GUEST("o")));
	if (r.status == CLI_FAILED &&
	    (strstr(r.text, "/dev/kvm") || strstr(r.text, "this KVM lacks"))) {
		print_message("skipped: %s", r.text);
		skip();
	}
	if (r.status != CLI_OK)
		print_message("%s", r.text);
	assert_int_equal(r.status, CLI_OK);
}

static int files_left(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	if (!d)
		return 0;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void wait_socket(const char *name)
{
	char path[100];
	int tries = 0;

	snprintf(path, sizeof(path), "%s/viaduct/%s.sock", dir, name);
	while (access(path, F_OK)) {
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
		assert_true(++tries < 1000);
	}
}

static void test_guests(void **state)
{
	static const struct {
		const char *cmdline, *output;
		int status;
	} rows[] = {
		{ "o", "", CLI_OK },	 { "wo", "stringw", CLI_OK },
		{ "pno", "pn", CLI_OK }, { "r", "", CLI_RESET },
		{ "t", "", CLI_DIED },
	};

	(void)state;
	need_kvm();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct result r;

		run(&r, ARGS(GUEST(rows[i].cmdline), "--no-reboot",
			     "--host-budget", "32M", "--granule", "2M"));
		assert_int_equal(r.status, rows[i].status);
		assert_non_null(strstr(r.text, rows[i].output));
	}
}

/* The same user's ctl finds it; when it has ended nothing is left of it. */
static void test_control(void **state)
{
	static const struct {
		const char *verb[3];
		const char *text;
	} rows[] = {
		{ { "ctl", "status" }, "" },
		{ { "ctl", "balloon" }, "" },
		{ { "ctl", "metrics" }, "viaduct" },
		{ { "top", "--once" }, "user" },
	};
	struct result r;
	char path[100];
	int out[2];
	pid_t pid;

	(void)state;
	need_kvm();
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(ARGS(GUEST("s"), "--name", "user", "--cpus", "2"), out[1]);
	close(out[1]);
	wait_socket("user");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(&r,
		    ARGS(rows[i].verb[0], rows[i].verb[1], rows[i].verb[2]));
		if (r.status)
			print_message("%s", r.text);
		assert_int_equal(r.status, CLI_OK);
		assert_non_null(strstr(r.text, rows[i].text));
	}
	run(&r, ARGS("ctl", "quit"));
	assert_int_equal(r.status, CLI_OK);
	finish(pid, out[0], &r);
	close(out[0]);
	assert_int_equal(r.status, CLI_QUIT);
	snprintf(path, sizeof(path), "%s/viaduct", dir);
	assert_int_equal(files_left(path), 1); /* the budget of test_guests */
}

/* Nowhere to put the socket: said, with what to do. */
static void test_no_folder(void **state)
{
	char was[sizeof(dir)];
	struct result r;

	(void)state;
	need_kvm();
	memcpy(was, dir, sizeof(dir));
	dir[5] = '_';
	run(&r, ARGS(GUEST("o")));
	memcpy(dir, was, sizeof(dir));
	assert_int_equal(r.status, CLI_FAILED);
	assert_non_null(strstr(r.text, "--control"));
}

static void test_root_only(void **state)
{
	struct result r;

	(void)state;
	run(&r, ARGS(GUEST("o"), "--assign", "0000:00:00.0"));
	assert_int_equal(r.status, CLI_FAILED);
	assert_non_null(strstr(r.text, "--assign needs root"));
	need_kvm();
	run(&r, ARGS(GUEST("o"), "--pin", "all"));
	assert_int_equal(r.status, CLI_FAILED);
	assert_non_null(strstr(r.text, "run as root"));
}

static int make_dir(void **state)
{
	(void)state;
	return !mkdtemp(dir) || (!geteuid() && chown(dir, NOBODY, NOBODY));
}

static int remove_dir(void **state)
{
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/viaduct/host-budget", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/viaduct", dir);
	return rmdir(path) | rmdir(dir);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guests),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_root_only),
	};

	if (argc != 3)
		return 2;
	/* Not closed by exec: what runs opens its kernel by it. */
	viaduct = open(argv[1], O_RDONLY | O_CLOEXEC);
	tiny = open(argv[2], O_RDONLY);
	if (viaduct < 0 || tiny < 0)
		return 2;
	snprintf(kernel, sizeof(kernel), "/proc/self/fd/%d", tiny);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
