/* SPDX-License-Identifier: BSD-2-Clause */
/* The control server against clients of every kind. */
#include "control.h"
#include "control_sock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

#define ECHO	"{\"execute\":\"echo\",\"id\":1}\n"
#define ECHOED	"{\"return\":{},\"id\":1}\n"
#define BIG_LEN (1 << 20)

static struct {
	char dir[64], path[96];
	struct control *c;
	_Atomic int calls, ticks;
} f;

static int echo(void *ctx, const json_t *args, json_t **result, struct control_error *e)
{
	(void)ctx, (void)args, (void)e;
	atomic_fetch_add(&f.calls, 1);
	*result = json_object();
	return 0;
}

/* An answer that no socket buffer holds. */
static int big(void *ctx, const json_t *args, json_t **result, struct control_error *e)
{
	char *text = malloc(BIG_LEN + 1);

	(void)ctx, (void)args, (void)e;
	memset(text, 'x', BIG_LEN);
	text[BIG_LEN] = '\0';
	*result = json_string(text);
	free(text);
	return 0;
}

static void tick(void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&f.ticks, 1);
}

static const struct control_command commands[] = {
	{ "echo", "", echo },
	{ "big", "", big },
};

static int begin(struct control **c, char *why, size_t len)
{
	struct control_cfg cfg = {
		.path = f.path,
		.version = "0",
		.table = { commands, 2, NULL },
		.tick = tick,
		.tick_ms = 10,
	};

	return control_create(&cfg, c, why, len);
}

static int setup(void **state)
{
	char why[256];

	(void)state;
	snprintf(f.dir, sizeof(f.dir), "/tmp/viaduct-control-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(f.path, sizeof(f.path), "%s/run/vm.sock", f.dir);
	f.calls = f.ticks = 0;
	assert_int_equal(begin(&f.c, why, sizeof(why)), 0);
	return 0;
}

static int teardown(void **state)
{
	char dir[80];

	(void)state;
	control_destroy(f.c);
	assert_int_equal(access(f.path, F_OK), -1);
	snprintf(dir, sizeof(dir), "%s/run", f.dir);
	/* Empty: neither socket nor lock is left. */
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(rmdir(f.dir), 0);
	return 0;
}

static int dial(void)
{
	int fd = control_connect(f.path);

	assert_true(fd >= 0);
	return fd;
}

static void put(int fd, const char *text, size_t len)
{
	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

/* One line, or "" at the end of the stream. */
static const char *get(int fd, char *line, size_t len)
{
	size_t n = 0;

	while (n + 1 < len) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		assert_int_equal(poll(&p, 1, 10000), 1);
		if (recv(fd, line + n, 1, 0) != 1)
			break;
		if (line[n++] == '\n')
			break;
	}
	line[n] = '\0';
	return line;
}

static void expect(int fd, const char *want)
{
	char line[512];

	get(fd, line, sizeof(line));
	if (strncmp(line, want, strlen(want)) || (!*want && *line))
		fail_msg("got %s instead of %s", line, want);
}

static int greeted(void)
{
	int fd = dial();

	expect(fd, "{\"viaduct\":{\"version\":\"0\",\"protocol\":1}}\n");
	return fd;
}

static void still_serves(void)
{
	int fd = greeted();

	put(fd, ECHO, strlen(ECHO));
	expect(fd, ECHOED);
	close(fd);
}

static void test_serves(void **state)
{
	struct stat st;
	int a, b;

	(void)state;
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	a = greeted();
	b = greeted();
	put(a, ECHO ECHO, 2 * strlen(ECHO));
	put(b, ECHO, strlen(ECHO));
	expect(b, ECHOED);
	expect(a, ECHOED);
	expect(a, ECHOED);
	/* As socat does: everything, then end of file. */
	put(a, ECHO, strlen(ECHO));
	shutdown(a, SHUT_WR);
	expect(a, ECHOED);
	expect(a, "");
	close(a);
	close(b);
	while (!atomic_load(&f.ticks))
		poll(NULL, 0, 1);
}

static void test_partial(void **state)
{
	int slow = greeted();

	(void)state;
	for (const char *p = ECHO; *p; p++) {
		put(slow, p, 1);
		if (*p == ':')
			still_serves();
	}
	expect(slow, ECHOED);
	put(slow, "{\"exec", 6);
	close(slow); /* in the middle of a line */
	still_serves();
}

/* However a request comes and its client goes, it is carried out. */
static void test_ends(void **state)
{
	static const struct {
		const char *text;
		int calls;
		const char *answers[4];
	} rows[] = {
		{ "{\"execute\":\"echo\",\"id\":1}", 1, { ECHOED } },
		{ ECHO "{\"execute\":\"echo\",\"id\":1}", 2, { ECHOED, ECHOED } },
		{ ECHO ECHO ECHO, 3, { ECHOED, ECHOED, ECHOED } },
		{ ECHO " \t\r", 1, { ECHOED } },
		{ "", 0, { NULL } },
		{ "{\"exec", 0, { "{\"error\":{\"class\":\"BadRequest\"" } },
		{ ECHO "x", 1, { ECHOED, "{\"error\":{\"class\":\"BadRequest\"" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = greeted();

		f.calls = 0;
		put(fd, rows[i].text, strlen(rows[i].text));
		shutdown(fd, SHUT_WR);
		for (int j = 0; j < 4 && rows[i].answers[j]; j++)
			expect(fd, rows[i].answers[j]);
		expect(fd, "");
		assert_int_equal(f.calls, rows[i].calls);
		close(fd);

		/* The same, and nobody waits; not even the greeting is read. */
		f.calls = 0;
		fd = dial();
		put(fd, rows[i].text, strlen(rows[i].text));
		close(fd);
		for (int t = 0; t < 2000 && f.calls < rows[i].calls; t++)
			poll(NULL, 0, 1);
		still_serves();
		assert_int_equal(f.calls, rows[i].calls + 1);
	}
}

/* Half closed, with answers that do not fit into the socket. */
static void test_end_of_many(void **state)
{
	static const char ask[] = "{\"execute\":\"big\"}\n";
	static char text[BIG_LEN];
	int fd = greeted(), lines = 0;
	size_t total = 0;
	ssize_t n;

	(void)state;
	put(fd, ask, strlen(ask));
	put(fd, ask, strlen(ask));
	put(fd, ask, strlen(ask) - 1);
	shutdown(fd, SHUT_WR);
	poll(NULL, 0, 20);
	while ((n = recv(fd, text, sizeof(text), 0)) > 0) {
		total += (size_t)n;
		lines += text[n - 1] == '\n';
	}
	assert_int_equal(n, 0);
	assert_int_equal(total, 3 * (BIG_LEN + strlen("{\"return\":\"\"}\n")));
	assert_true(lines >= 1);
	close(fd);
}

/* A client that left thousands of requests behind holds up nobody. */
static void test_gone(void **state)
{
	int fd = greeted(), sent = 0;

	(void)state;
	while (send(fd, ECHO, strlen(ECHO), MSG_NOSIGNAL | MSG_DONTWAIT) > 0 && sent < 2000)
		sent++;
	close(fd);
	for (int t = 0; t < 5000 && f.calls < sent; t++) {
		if (t % 100 == 0)
			fd = greeted();
		poll(NULL, 0, 1);
		if (t % 100 == 99)
			close(fd);
	}
	assert_int_equal(f.calls, sent);
}

static void test_garbage(void **state)
{
	static char noise[4096];
	int fd = greeted();

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char)rand();
	noise[sizeof(noise) - 1] = '\n';
	put(fd, noise, sizeof(noise));
	put(fd, "\n\r\n", 3);
	expect(fd, "{\"error\":{\"class\":\"BadRequest\"");
	expect(fd, "{\"error\":{\"class\":\"BadRequest\"");
	close(fd);
	still_serves();
}

static void test_huge_line(void **state)
{
	static char text[2 * CONTROL_LINE_MAX];
	char line[256];
	int fd = greeted();
	ssize_t n;

	(void)state;
	/* The longest that is allowed ... */
	memset(text, ' ', sizeof(text));
	memcpy(text, ECHO, strlen(ECHO) - 1);
	text[CONTROL_LINE_MAX - 1] = '\n';
	put(fd, text, CONTROL_LINE_MAX);
	expect(fd, ECHOED);
	/* ... and one that never ends. */
	text[CONTROL_LINE_MAX - 1] = ' ';
	do {
		n = send(fd, text, sizeof(text), MSG_NOSIGNAL);
	} while (n > 0);
	assert_true(errno == EPIPE || errno == ECONNRESET);
	get(fd, line, sizeof(line));
	assert_non_null(strstr(line, "longer than 65536"));
	close(fd);
	assert_int_equal(f.calls, 1);
	still_serves();
}

static void test_many(void **state)
{
	int fd[CONTROL_CLIENTS], more;

	(void)state;
	for (int i = 0; i < CONTROL_CLIENTS; i++)
		fd[i] = greeted();
	more = dial();
	expect(more, "{\"error\":{\"class\":\"TooManyClients\"");
	expect(more, "");
	close(more);
	for (int i = 0; i < CONTROL_CLIENTS; i++) {
		put(fd[i], ECHO, strlen(ECHO));
		expect(fd[i], ECHOED);
		close(fd[i]);
	}
	/* Places are free again as soon as the server has seen it. */
	for (int i = 0; i < 500 && f.calls <= CONTROL_CLIENTS; i++) {
		char line[128];

		more = dial();
		get(more, line, sizeof(line));
		if (strncmp(line, "{\"viaduct", 9) == 0) {
			put(more, ECHO, strlen(ECHO));
			expect(more, ECHOED);
		}
		close(more);
	}
	assert_int_equal(f.calls, CONTROL_CLIENTS + 1);
}

static void test_churn(void **state)
{
	(void)state;
	for (int i = 0; i < 500; i++) {
		int fd = dial();

		if (i % 3)
			send(fd, ECHO, strlen(ECHO) - (i % 2), MSG_NOSIGNAL);
		close(fd);
	}
	poll(NULL, 0, 20);
	still_serves();
}

/* A client that asks and never reads holds up nobody, nor much memory. */
static void test_deaf(void **state)
{
	static const char ask[] = "{\"execute\":\"big\"}\n";
	static char text[BIG_LEN + 64];
	int fd = greeted(), sent = 0;

	(void)state;
	while (sent < 100000 && send(fd, ask, strlen(ask), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		sent++;
	assert_true(sent > 10);
	assert_true(sent < 100000); /* it was not read from for ever */
	still_serves();
	get(fd, text, sizeof(text));
	assert_int_equal(strlen(text), BIG_LEN + strlen("{\"return\":\"\"}\n"));
	get(fd, text, sizeof(text));
	assert_int_equal(strlen(text), BIG_LEN + strlen("{\"return\":\"\"}\n"));
	close(fd);
	still_serves();
}

static void test_taken(void **state)
{
	struct control *other = NULL;
	char why[256];

	(void)state;
	assert_int_equal(begin(&other, why, sizeof(why)), -EADDRINUSE);
	assert_non_null(strstr(why, "choose another --name"));
	assert_null(other);
	still_serves();
}

/* What kill -9 leaves behind is replaced; what is no socket is not. */
static void test_stale(void **state)
{
	struct control *c;
	char why[256];
	int status;
	pid_t pid;

	(void)state;
	control_destroy(f.c);
	f.c = NULL;
	pid = fork();
	if (pid == 0) {
		if (begin(&c, why, sizeof(why)))
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(access(f.path, F_OK), 0);
	assert_int_equal(control_connect(f.path), -ECONNREFUSED);
	assert_int_equal(begin(&f.c, why, sizeof(why)), 0);
	still_serves();
	control_destroy(f.c);
	f.c = NULL;

	close(open(f.path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(begin(&f.c, why, sizeof(why)), -EEXIST);
	assert_non_null(strstr(why, "is no socket"));
	assert_int_equal(unlink(f.path), 0);
}

static void test_refused_paths(void **state)
{
	struct rlimit files, few;
	struct control_sock s;
	char path[256], why[512];

	(void)state;
	/* Another place would have no more files than this one. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	few = (struct rlimit){ 0, files.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(control_sock_open(&s, f.path, why, sizeof(why)), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	assert_non_null(strstr(why, "Too many open files; raise ulimit -n"));
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[200] = '\0';
	assert_int_equal(control_sock_open(&s, path, why, sizeof(why)), -ENAMETOOLONG);
	assert_int_equal(control_connect(path), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/no/such/x.sock", f.dir);
	assert_int_equal(control_sock_open(&s, path, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, path));
	assert_non_null(strstr(why, "login session"));
	assert_non_null(strstr(why, "--control"));
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = {
		{ "vm-1.x_Y", 0 },
		{ "", -EINVAL },
		{ ".x", -EINVAL },
		{ "a/b", -EINVAL },
		{ "a b", -EINVAL },
		{ "\xc3\xa4", -EINVAL },
		{ "1234567890123456789012345678901234567890123456789012345678901234", 0 },
		{ "12345678901234567890123456789012345678901234567890123456789012345", -EINVAL },
	};
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(control_path("/d", rows[i].name, path, sizeof(path)), rows[i].err);
	assert_int_equal(control_path("/d", "vm", path, sizeof(path)), 0);
	assert_string_equal(path, "/d/vm.sock");
	assert_int_equal(control_path("/d", "vm", path, 10), -ENAMETOOLONG);
}

/* Ends with clients of all kinds connected: teardown finds nothing left. */
static void test_stop_in_use(void **state)
{
	static const char ask[] = "{\"execute\":\"big\"}\n";
	int idle = greeted(), half = greeted(), deaf = greeted();

	(void)state;
	put(half, "{", 1);
	put(deaf, ask, strlen(ask));
	control_destroy(f.c);
	f.c = NULL;
	expect(idle, "");
	expect(half, "");
	close(idle);
	close(half);
	close(deaf);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ends),	       T(test_end_of_many), T(test_gone),	 T(test_serves),
		T(test_partial),       T(test_garbage),	    T(test_huge_line),	 T(test_many),
		T(test_churn),	       T(test_deaf),	    T(test_taken),	 T(test_stale),
		T(test_refused_paths), T(test_names),	    T(test_stop_in_use),
	};

	return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
