/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Confinement: in children, because nothing of it can be undone. What a
 * confined process needs still works in each of its threads; what it must not
 * do ends it by SIGSYS, or is refused where confine_vmm.c says so.
 */
#include "confine.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY	  65534
#define IS_SIGSYS (1000 + SIGSYS)

enum who { VMM, PINNING, KEEPER, KINDS };

/* A call: 0, or the errno that it ended with. */
struct attempt {
	const char *name;
	int (*run)(void);
	int want[KINDS]; /* IS_SIGSYS: the end */
};

static int result(long n)
{
	return n < 0 ? errno : 0;
}

static int try_exec(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	return result(execve("/bin/true", argv, NULL));
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int try_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_inet(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_unix(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int try_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int try_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? 0 : result(mprotect(p, 4096, PROT_EXEC));
}

static int try_open(void)
{
	return result(open("/etc/passwd", O_RDONLY));
}

static int try_create(void)
{
	return result(open("/tmp/confine-test", O_WRONLY | O_CREAT, 0600));
}

static int try_look(void)
{
	char text[20];

	int err = result(faccessat(AT_FDCWD, "/etc/passwd", F_OK, 0));

	if (err)
		return err;
	return result(readlinkat(AT_FDCWD, "/proc/self", text, sizeof(text)));
}

/* A folder below an open one: nothing is open here. */
static int try_look_below(void)
{
	char text[20];

	if (faccessat(999, "x", F_OK, 0) == 0 || errno != EBADF)
		return 1;
	return readlinkat(999, "x", text, sizeof(text)) == 0 || errno != EBADF;
}

static int try_unlink(void)
{
	return result(unlink("/tmp/confine-test"));
}

static int try_rename(void)
{
	return result(rename("/tmp/confine-test", "/tmp/confine-test2"));
}

static int try_chmod(void)
{
	return result(chmod("/tmp/confine-test", 0777));
}

static int try_kill(void)
{
	return result(kill(getppid(), 0));
}

static int try_tgkill(void)
{
	return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int try_root(void)
{
	return result(setuid(0));
}

static int try_namespace(void)
{
	return result(unshare(CLONE_NEWUSER));
}

static int try_peek(void)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { &byte, 1 };

	return result(process_vm_readv(getppid(), &to, 1, &from, 1, 0));
}

static int try_type(void)
{
	return result(ioctl(0, TIOCSTI, "x"));
}

static int try_prctl(void)
{
	return result(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int try_handler(void)
{
	return signal(SIGSYS, SIG_IGN) == SIG_ERR ? errno : 0;
}

/* 32-bit numbers: 11 is execve(2) there. */
static int try_int80(void)
{
	long n = 0;
#ifdef __x86_64__
	__asm__ volatile("int $0x80" : "=a"(n) : "a"(20) : "memory");
#else
	raise(SIGSYS);
#endif
	return (int)n;
}

static int try_ring(void)
{
	struct io_uring_params p = { 0 };

	return result(syscall(SYS_io_uring_setup, 1, &p));
}

static int try_enter(void)
{
	return result(syscall(SYS_io_uring_enter, -1, 1, 0, 0, NULL, 0));
}

static int try_getfd(void)
{
	return result(syscall(SYS_pidfd_getfd, -1, 0, 0)) == EBADF ? 0 : 1;
}

static int try_bpf(void)
{
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static int try_clone3(void)
{
	return result(syscall(SYS_clone3, NULL, 0)) == ENOSYS ? 0 : 1;
}

static void *alloc(void *arg)
{
	(void)arg;
	free(malloc(100));
	return malloc(300000);
}

/* More than the eight arenas after which malloc counts the CPUs. */
static int try_threads(void)
{
	pthread_t t[24];

	for (int i = 0; i < 24; i++)
		if (pthread_create(&t[i], NULL, alloc, NULL))
			return EAGAIN;
	for (int i = 0; i < 24; i++) {
		void *p;

		pthread_join(t[i], &p);
		if (!p)
			return ENOMEM;
		free(p);
	}
	return 0;
}

static int try_library(void)
{
	char text[200];

	snprintf(text, sizeof(text), "%s %s %.3f", strerror(EBADF),
		 strsignal(SIGSEGV), 1.5);
	fprintf(stdout, "# %s\n", text);
	fflush(stdout);
	return 0;
}

static int try_ioctl(void)
{
	int n;

	return result(ioctl(0, FIONREAD, &n));
}

static const struct attempt attempts[] = {
#define END IS_SIGSYS
#define NO  EACCES
	{ "execve", try_exec, { END, END, END } },
	{ "fork", try_fork, { END, END, END } },
	{ "ptrace", try_ptrace, { END, END, END } },
	{ "socket(AF_INET)", try_inet, { END, END, END } },
	{ "socket(AF_UNIX)", try_unix, { END, END, END } },
	{ "mmap(PROT_EXEC)", try_executable, { END, END, END } },
	{ "mprotect(PROT_EXEC)", try_make_executable, { END, END, END } },
	{ "open", try_open, { NO, NO, 0 } },
	{ "open(O_CREAT)", try_create, { NO, NO, 0 } },
	{ "faccessat, readlinkat", try_look, { NO, NO, 0 } },
	{ "the same below a folder", try_look_below, { 0, 0, 0 } },
	{ "unlink", try_unlink, { NO, NO, 0 } },
	{ "rename", try_rename, { END, END, END } },
	{ "chmod", try_chmod, { END, END, END } },
	{ "kill", try_kill, { END, END, END } },
	{ "tgkill of another", try_tgkill, { END, END, END } },
	{ "setuid(0)", try_root, { END, END, END } },
	{ "unshare", try_namespace, { END, END, END } },
	{ "process_vm_readv", try_peek, { END, END, END } },
	{ "ioctl(TIOCSTI)", try_type, { END, END, END } },
	{ "ioctl(FIONREAD)", try_ioctl, { END, END, END } },
	{ "prctl", try_prctl, { END, END, END } },
	{ "signal(SIGSYS)", try_handler, { END, END, END } },
	{ "int 0x80", try_int80, { END, END, END } },
	{ "io_uring_setup", try_ring, { END, 0, END } },
	{ "io_uring_enter", try_enter, { END, END, END } },
	{ "pidfd_getfd", try_getfd, { END, END, 0 } },
	{ "bpf", try_bpf, { END, END, END } },
	{ "clone3", try_clone3, { 0, 0, 0 } },
	{ "threads that allocate", try_threads, { 0, 0, 0 } },
	{ "the C library", try_library, { 0, 0, 0 } },
#undef END
#undef NO
};

#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

/* A thread from before; it acts when it is told to. */
struct other {
	pthread_t thread;
	int wake[2], answer[2];
	const struct attempt *what;
};

static void *other_thread(void *arg)
{
	struct other *o = arg;
	char byte;
	int err;

	if (read(o->wake[0], &byte, 1) != 1)
		return NULL;
	err = o->what->run();
	if (write(o->answer[1], &err, sizeof(err)) < 0)
		return NULL;
	return NULL;
}

static int confine(enum who who)
{
	char why[200];
	int err;

	if (confine_begin(why, sizeof(why)))
		return -1;
	err = who == KEEPER ? confine_keeper(true, why, sizeof(why)) :
			      confine_enter(who == PINNING, why, sizeof(why));
	if (err)
		fprintf(stderr, "%s\n", why);
	return err;
}

/* In the main thread, or in one that was there before. */
static int in_child(enum who who, const struct attempt *a, bool elsewhere)
{
	struct other o = { .what = a };
	int err = 0;

	signal(SIGSYS, SIG_DFL); /* cmocka has it */
	if (pipe(o.wake) || pipe(o.answer))
		return 250;
	if (elsewhere && pthread_create(&o.thread, NULL, other_thread, &o))
		return 251;
	if (confine(who))
		return 252;
	if (!elsewhere)
		return a->run();
	if (write(o.wake[1], "", 1) != 1 ||
	    read(o.answer[0], &err, sizeof(err)) != sizeof(err))
		return 253;
	return err;
}

static int run(enum who who, const struct attempt *a, bool elsewhere,
	       bool as_user)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDERR_FILENO);
		if (as_user && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(254);
		_exit(in_child(who, a, elsewhere));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static void check(enum who who, bool elsewhere, bool as_user)
{
	if (!confine_is_built()) {
		print_message("skipped: a sanitizer makes calls of its own\n");
		skip();
	}
	for (size_t i = 0; i < ATTEMPTS; i++) {
		int got = run(who, &attempts[i], elsewhere, as_user);

		if (got != attempts[i].want[who])
			print_message("%s: %d\n", attempts[i].name, got);
		assert_int_equal(got, attempts[i].want[who]);
	}
}

static void test_vmm(void **state)
{
	(void)state;
	check(VMM, false, false);
}

static void test_other_thread(void **state)
{
	(void)state;
	check(VMM, true, false);
}

static void test_pinning(void **state)
{
	(void)state;
	check(PINNING, true, false);
}

static void test_keeper(void **state)
{
	(void)state;
	check(KEEPER, false, false);
}

static void test_user(void **state)
{
	(void)state;
	if (geteuid())
		skip(); /* the other tests are that */
	check(VMM, true, true);
}

/* The sentence, on standard error. */
static void test_sentence(void **state)
{
	char text[300];
	int out[2];
	ssize_t n;
	pid_t pid;

	(void)state;
	if (!confine_is_built())
		skip();
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		_exit(in_child(VMM, &attempts[0], false));
	}
	close(out[1]);
	n = read(out[0], text, sizeof(text) - 1);
	close(out[0]);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(strstr(text, "system call 59 is not on the list"));
	waitpid(pid, NULL, 0);
}

static int look(void)
{
	struct confine_state s;
	int fd = confine_open_status(getpid());

	confine_look(fd, &s);
	if (!s.known || s.seccomp || fd < 0)
		return 1;
	if (confine(VMM))
		return 2;
	confine_look(fd, &s);
	if (!s.known || !s.uid || s.capabilities)
		return 3;
	return s.no_new_privs && s.seccomp ? 0 : 4;
}

static void test_state(void **state)
{
	(void)state;
	if (confine_is_built()) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(look());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void test_parse(void **state)
{
	static const char text[] = "Name:\tx\nUid:\t1\t2\t3\t4\n"
				   "CapPrm:\t0000000000200000\n"
				   "CapEff:\t0000000000000001\n"
				   "NoNewPrivs:\t1\nSeccomp:\t2\n"
				   "Seccomp_filters:\t1\n";
	struct confine_state s;

	(void)state;
	confine_parse(text, &s);
	assert_true(s.known && s.no_new_privs && s.seccomp);
	assert_int_equal(s.uid, 2);
	assert_int_equal(s.capabilities, 0x200001);
	confine_parse("Name:\tx\nSeccomp:\t1\n", &s);
	assert_false(s.known || s.seccomp || s.no_new_privs);
	confine_look(-1, &s);
	assert_false(s.known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_vmm),
		cmocka_unit_test(test_other_thread),
		cmocka_unit_test(test_pinning),
		cmocka_unit_test(test_keeper),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
