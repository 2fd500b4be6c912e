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

static bool as_root; /* start() stays who we are */

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
	if (as_root || !become_user())
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

/* Each line of these is in each thread's status, with this value. */
static void check_status(const char *path, bool keeper)
{
	static const char *const lines[] = {
		"\nNoNewPrivs:\t1\n",
		"\nSeccomp:\t2\n",
		"\nCapPrm:\t0000000000000000\n",
		"\nCapEff:\t0000000000000000\n",
		"\nCapAmb:\t0000000000000000\n",
	};
	char text[8192];
	size_t n;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (!strstr(text, lines[i]))
			print_message("%s: not %s", path, lines[i] + 1);
		assert_non_null(strstr(text, lines[i]));
	}
	/* A keeper is still root's; a machine never. */
	assert_true(keeper || !strstr(text, "\nUid:\t0\t"));
}

static unsigned int check_threads(pid_t pid, bool keeper)
{
	char path[400];
	unsigned int n = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status",
			 (int)pid, e->d_name);
		check_status(path, keeper);
		n++;
	}
	closedir(d);
	return n;
}

/* The process whose parent it is; nobody else's file says so. */
static pid_t keeper_of(pid_t pid)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	pid_t keeper = 0;

	assert_non_null(d);
	while (!keeper && (e = readdir(d))) {
		char path[300];
		int parent = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		f = atoi(e->d_name) > 0 ? fopen(path, "r") : NULL;
		if (!f)
			continue;
		if (fscanf(f, "%*d (%*[^)]) %*c %d", &parent) == 1 &&
		    parent == pid)
			keeper = atoi(e->d_name);
		fclose(f);
	}
	closedir(d);
	assert_true(keeper > 0);
	return keeper;
}

/* While its guest runs, with two vCPUs and all the threads that there are. */
static void check_machine(void)
{
	struct result r;
	int out[2], n;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start(ARGS(GUEST("ws"), "--name", "threads", "--cpus", "2",
			 "--host-budget", "32M"),
		    out[1]);
	close(out[1]);
	/* What the guest writes comes after confinement. */
	memset(&r, 0, sizeof(r));
	for (n = 0; !strstr(r.text, "stringw"); n++)
		assert_int_equal(read(out[0], r.text + n, 1), 1);
	assert_true(check_threads(pid, false) >= 4);
	assert_int_equal(check_threads(keeper_of(pid), true), 1);
	run(&r, ARGS("ctl", "--name", "threads", "quit"));
	assert_int_equal(r.status, CLI_OK);
	finish(pid, out[0], &r);
	close(out[0]);
	assert_int_equal(r.status, CLI_QUIT);
}

static void test_threads(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	skip(); /* such a build is not confined */
#endif
	need_kvm();
	check_machine();
	if (geteuid())
		return;
	as_root = true;
	check_machine();
	as_root = false;
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
		cmocka_unit_test(test_threads),
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
