/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal and job control: a machine that is stopped and goes on, that is
 * started in the background, that comes to the front and leaves it.
 *
 * A shell of a few lines is the leader of the terminal's session. It does what
 * the test writes into its pipe, a letter each:
 *	f  give the terminal to the job		s  take it back
 *	c  take it back and make it cooked, as shells do
 *	r  read a line				q  end
 */
#include "child.h"
#include "exit.h"
#include "unit.h"
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct shared {
	_Atomic pid_t job;    /* its process, which is its group */
	_Atomic int done;     /* commands so far */
	_Atomic int status;   /* of wait(); -1: it runs */
	_Atomic bool stopped; /* it has been seen to stop */
	_Atomic bool got;     /* the shell has read its line */
};

static struct shared *s;
static int commands; /* our end of the pipe */
static int sent;

static bool is_raw(int tty)
{
	struct termios t;

	return tcgetattr(tty, &t) == 0 && !(t.c_lflag & (ICANON | ECHO | ISIG));
}

static void set_cooked(int tty)
{
	struct termios t;

	assert_int_equal(tcgetattr(tty, &t), 0);
	t.c_lflag |= ICANON | ECHO | ISIG;
	t.c_iflag |= ICRNL;
	assert_int_equal(tcsetattr(tty, TCSANOW, &t), 0);
}

static bool comes(bool (*is)(int tty), int tty, bool want)
{
	for (int i = 0; i < 500; i++) {
		if (is(tty) == want)
			return true;
		nap(10);
	}
	return false;
}

static void obey(char command)
{
	char line[64];

	if (command == 'f')
		tcsetpgrp(0, s->job);
	if (command == 's' || command == 'c')
		tcsetpgrp(0, getpgrp());
	if (command == 'c')
		set_cooked(0);
	if (command == 'r')
		s->got = read(0, line, sizeof(line)) == 7 &&
			 !memcmp(line, "shell.\n", 7);
	if (command == 'q')
		_exit(0);
	s->done++;
}

static void be_shell(int from, bool front, char **argv)
{
	int status;
	char command;
	pid_t job;

	signal(SIGTTOU, SIG_IGN);
	fcntl(from, F_SETFL, O_NONBLOCK);
	job = fork();
	if (job == 0) {
		setpgid(0, 0);
		signal(SIGTTOU, SIG_DFL);
		while (front && tcgetpgrp(0) != getpgrp())
			nap(1);
		execv(viaduct, argv);
		_exit(127);
	}
	setpgid(job, job);
	if (front)
		tcsetpgrp(0, job);
	s->job = job;
	for (;;) {
		pid_t pid = waitpid(job, &status, WNOHANG | WUNTRACED);

		if (pid == job && WIFSTOPPED(status))
			s->stopped = true;
		else if (pid == job)
			s->status = status;
		if (read(from, &command, 1) == 1)
			obey(command);
		else
			nap(5);
	}
}

/* A shell with a job; our end of its terminal. */
static int start_shell(bool front, const char *cmdline)
{
	const char *const args[] = { "viaduct", GUEST(cmdline), "--grace", "0",
				     NULL };
	char *argv[MAX_ARGS] = { NULL };
	int p[2], tty;

	for (int i = 0; args[i]; i++)
		argv[i] = strdup(args[i]);
	*s = (struct shared){ .status = -1 };
	sent = 0;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	c.pid = forkpty(&tty, NULL, NULL, NULL);
	if (c.pid == 0)
		be_shell(p[0], front, argv);
	close(p[0]);
	for (int i = 0; argv[i]; i++)
		free(argv[i]);
	commands = p[1];
	c.in = c.err = -1;
	c.out = tty;
	c.len = 0;
	c.text[0] = 0;
	while (!s->job)
		nap(1);
	return tty;
}

static void tell(char command)
{
	assert_int_equal(write(commands, &command, 1), 1);
	sent++;
	for (int i = 0; i < 500 && s->done < sent; i++)
		nap(5);
	assert_int_equal(s->done, sent);
}

/* The job's exit status; 1000 + signal. */
static int job_status(void)
{
	for (int i = 0; i < 2000 && s->status == -1; i++) {
		more(&c, 0);
		nap(5);
	}
	return WIFEXITED(s->status) ? WEXITSTATUS(s->status) :
				      1000 + WTERMSIG(s->status);
}

static void end_shell(void)
{
	char q = 'q';

	if (s->status == -1)
		kill(s->job, SIGKILL);
	assert_int_equal(write(commands, &q, 1), 1);
	close(commands);
	waitpid(c.pid, NULL, 0);
	drop(&c);
}

static void stop_job(int signo)
{
	s->stopped = false;
	kill(s->job, signo);
	for (int i = 0; i < 500 && !s->stopped; i++)
		nap(5);
	assert_true(s->stopped);
}

/* Stopped by whatever signal; the shell sets its mode; it goes on in front. */
static void test_stop(void **state)
{
	static const int signals[] = { SIGSTOP, SIGTSTP, SIGSTOP };

	(void)state;
	NEED_KVM();
	for (int i = 0; i < 3; i++) {
		int tty = start_shell(true, "weo");

		assert_true(wait_text(&c, "stringw"));
		assert_true(comes(is_raw, tty, true));
		for (int again = 0; again < 2; again++) {
			stop_job(signals[i]);
			/* One that can be caught leaves all as it was. */
			if (signals[i] == SIGTSTP)
				assert_true(comes(is_raw, tty, false));
			tell(i == 2 ? 's' : 'c'); /* not all shells set it */
			tell('f');
			kill(s->job, SIGCONT);
			assert_true(comes(is_raw, tty, true));
		}
		/* The escape key works without Enter; what was is put back. */
		nap(50);
		assert_int_equal(write(tty, "\1x", 2), 2);
		assert_int_equal(job_status(), CLI_QUIT);
		assert_false(is_raw(tty));
		end_shell();
	}
}

/* Without a shell: whoever stops it by its process id, from anywhere. */
static void test_stop_alone(void **state)
{
	int tty;

	(void)state;
	NEED_KVM();
	tty = start_on_pty((const char *const[]){ GUEST("weo"), NULL });
	assert_true(wait_text(&c, "stringw"));
	kill(c.pid, SIGSTOP);
	set_cooked(tty);
	kill(c.pid, SIGCONT);
	assert_true(comes(is_raw, tty, true));
	assert_int_equal(write(tty, "\1x", 2), 2);
	assert_int_equal(finish(&c), CLI_QUIT);
	assert_false(is_raw(tty));
	drop(&c);
}

/* Ctrl-Z and Ctrl-C are the guest's. */
static void test_keys(void **state)
{
	int tty;

	(void)state;
	NEED_KVM();
	tty = start_shell(true, "weo");
	assert_true(wait_text(&c, "stringw"));
	assert_int_equal(write(tty, "\3\x1a.", 3), 3);
	assert_true(wait_text(&c, "\3\x1a.e"));
	assert_false(s->stopped);
	assert_int_equal(job_status(), CLI_OK);
	end_shell();
}

/* In the background it runs and prints; what is typed there is the shell's. */
static void test_background(void **state)
{
	int tty;

	(void)state;
	NEED_KVM();
	tty = start_shell(false, "weo");
	assert_true(wait_text(&c, "stringw"));
	assert_false(is_raw(tty));
	assert_int_equal(write(tty, "shell.\n", 7), 7);
	nap(1200);
	assert_false(s->stopped);
	assert_int_equal(s->status, -1);
	assert_false(is_raw(tty));
	/* The shell reads its line, then brings the job to the front. */
	tell('r');
	assert_true(s->got);
	tell('f');
	assert_true(comes(is_raw, tty, true));
	assert_true(wait_text(&c, "Ctrl-A x"));
	assert_int_equal(write(tty, "mine", 4), 4);
	assert_true(wait_text(&c, "mine"));
	assert_int_equal(write(tty, "\1x", 2), 2);
	assert_int_equal(job_status(), CLI_QUIT);
	assert_false(is_raw(tty));
	end_shell();
}

/* Stopped in front, it goes on behind, and ends there: hands off. */
static void test_ends_behind(void **state)
{
	static const int signals[] = { SIGTERM, SIGABRT, SIGSEGV };
	struct termios before, after;
	int tty;

	(void)state;
	NEED_KVM();
	for (int i = 0; i < 3; i++) {
		tty = start_shell(true, "weo");
		assert_true(wait_text(&c, "stringw"));
		assert_true(comes(is_raw, tty, true));
		stop_job(SIGSTOP);
		tell('c');
		assert_int_equal(tcgetattr(tty, &before), 0);
		before.c_lflag &= ~(tcflag_t)ECHO; /* it asks for a password */
		assert_int_equal(tcsetattr(tty, TCSANOW, &before), 0);
		kill(s->job, SIGCONT);
		nap(700);
		kill(s->job, signals[i]);
		assert_int_equal(job_status(),
				 i ? 1000 + signals[i] : CLI_QUIT);
		assert_int_equal(tcgetattr(tty, &after), 0);
		assert_int_equal(after.c_lflag, before.c_lflag);
		end_shell();
	}
}

/* A terminal that stops those that print in the background. */
static void test_tostop(void **state)
{
	struct termios t;
	int tty;

	(void)state;
	NEED_KVM();
	tty = start_shell(true, "eweweo");
	assert_true(comes(is_raw, tty, true));
	stop_job(SIGTSTP);
	tell('c');
	assert_int_equal(tcgetattr(tty, &t), 0);
	t.c_lflag |= TOSTOP;
	assert_int_equal(tcsetattr(tty, TCSANOW, &t), 0);
	tell('f');
	assert_int_equal(write(tty, "\n", 1), 1); /* of the shell's line */
	kill(s->job, SIGCONT);
	assert_true(comes(is_raw, tty, true));
	assert_int_equal(write(tty, ".", 1), 1);
	assert_true(wait_text(&c, "stringw"));
	s->stopped = false;
	tell('s');
	nap(300);
	assert_false(s->stopped);
	end_shell();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_stop_alone),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_background),
		cmocka_unit_test(test_ends_behind),
		cmocka_unit_test(test_tostop),
	};

	if (child_main(argc, argv))
		return 2;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
