/* SPDX-License-Identifier: BSD-2-Clause */
#include "child.h"
#include "exit.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

const char *viaduct, *tiny;
char name[32];

void nap(unsigned int ms)
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

void start(struct child *at, const char *const *args)
{
	int in[2], out[2], err[2];
	char *argv[MAX_ARGS];

	fill_argv(argv, args);
	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) |
				 pipe2(err, O_CLOEXEC),
			 0);
	at->pid = fork();
	if (at->pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		signal(SIGPIPE, SIG_DFL); /* as a shell starts it */
		execv(viaduct, argv);
		_exit(127);
	}
	free_argv(argv);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	at->in = in[1];
	at->out = out[0];
	at->err = err[0];
	at->len = 0;
	at->text[0] = 0;
}

/* Read more of its output; false: end of file or nothing for @ms. */
bool more(struct child *at, int ms)
{
	struct pollfd p = { .fd = at->out, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) <= 0)
		return false;
	n = read(at->out, at->text + at->len, sizeof(at->text) - 1 - at->len);
	if (n <= 0)
		return false;
	at->len += (size_t)n;
	at->text[at->len] = 0;
	return true;
}

bool wait_text(struct child *at, const char *text)
{
	while (!strstr(at->text, text)) {
		if (!more(at, 10000))
			return false;
	}
	return true;
}

/* Its exit status; 1000 + signal if one killed it. Kills it after 10 s. */
int finish(struct child *at)
{
	int status, tries = 0;

	while (waitpid(at->pid, &status, WNOHANG) == 0) {
		if (at->out >= 0 && more(at, 0))
			continue;
		nap(2);
		if (++tries == 5000)
			kill(at->pid, SIGKILL);
	}
	while (at->out >= 0 && more(at, 0))
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   1000 + WTERMSIG(status);
}

void take_errors(struct child *at, char *text, size_t room)
{
	ssize_t n = read(at->err, text, room - 1);

	text[n > 0 ? n : 0] = 0;
}

void drop(struct child *at)
{
	int *fd[] = { &at->in, &at->out, &at->err };

	for (int i = 0; i < 3; i++) {
		if (*fd[i] >= 0)
			close(*fd[i]);
		*fd[i] = -1;
	}
}

struct child c;

/* A KVM that is missing or too small is a reason to skip; nothing else is. */
bool has_kvm(void)
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

int start_on_pty(const char *const *args)
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

int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int child_main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	viaduct = argv[1];
	tiny = argv[2];
	snprintf(name, sizeof(name), "run-test-%d", (int)getpid());
	signal(SIGPIPE, SIG_IGN);
	/* With it calloc() touches all that it gives: what is resident would be
	 * another machine's. */
	unsetenv("MALLOC_PERTURB_");
	return 0;
}
