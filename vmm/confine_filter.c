/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters, and what happens to who meets one.
 *
 * The kernel traps a call that is not on the list: it does nothing of it and
 * sends SIGSYS. Our handler says which call it was and lets the signal have its
 * usual effect. A thread that blocks the signal is ended by the kernel at once,
 * without the sentence; and the list allows nobody to change the handler. So a
 * trap ends the process as surely as SECCOMP_RET_KILL_PROCESS does.
 *
 * Numbers of system calls mean something else in the i386 and x32 tables: calls
 * by these end the process whatever their number is.
 */
#include "confine_filter.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * pthread_create(3) first tries clone3(2), whose flags no filter can see; told
 * that there is none it uses clone(2), which makes threads and nothing else.
 */
#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

static const struct confine_row common[] = {
	/* Memory that nothing is executed in. */
	ALLOW(brk),
	ALLOW(munmap),
	ALLOW(mremap),
	ALLOW(madvise),
	ALLOW_IF(mmap, ARG_BITS(2, PROT_EXEC, 0)),
	ALLOW_IF(mprotect, ARG_BITS(2, PROT_EXEC, 0)),

	/* Threads. */
	ALLOW(futex),
	ALLOW(set_robust_list),
	ALLOW(rseq),
	ALLOW(membarrier),
	ALLOW(sched_yield),
	ALLOW(sched_getaffinity),
	ALLOW(gettid),
	ALLOW_IF(clone, ARG_BITS(0, THREAD, THREAD)),
	REFUSE(clone3, ENOSYS),

	/* Signals, but for the handler of this filter's own. */
	ALLOW(rt_sigprocmask),
	ALLOW(rt_sigreturn),
	ALLOW_IF(rt_sigaction, ARG_IS_NOT(0, SIGSYS)),
	ALLOW(sigaltstack),
	ALLOW_OWN(tgkill),
	ALLOW(restart_syscall),

	/* Time, where the vDSO does not know it. */
	ALLOW(clock_gettime),
	ALLOW(clock_nanosleep),
	ALLOW(nanosleep),
	ALLOW(gettimeofday),
	ALLOW(time),

	/* Files that are open. */
	ALLOW(read),
	ALLOW(write),
	ALLOW(readv),
	ALLOW(writev),
	ALLOW(pread64),
	ALLOW(pwrite64),
	ALLOW(lseek),
	ALLOW(close),
	ALLOW(fstat),
	ALLOW_IF(newfstatat, ARG_BITS(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
	ALLOW(poll),
	ALLOW(ppoll),

	/* Who am I, which tells nothing, and the library's randomness. */
	ALLOW(getpid),
	ALLOW(getuid),
	ALLOW(geteuid),
	ALLOW(getgid),
	ALLOW(getegid),
	ALLOW(getrandom),

	/* The end. */
	ALLOW(exit),
	ALLOW(exit_group),
	ALLOW(wait4),
};

const struct confine_list confine_common = {
	common, sizeof(common) / sizeof(common[0])
};

/* What had the signal before: it may have a terminal to put in order. */
static void (*before)(int sig);

static size_t put_number(char *to, unsigned int n)
{
	char digit[10];
	size_t len = 0, at = 0;

	do
		digit[len++] = (char)('0' + n % 10);
	while (n /= 10);
	while (len)
		to[at++] = digit[--len];
	return at;
}

/* Whatever was interrupted: nothing of the C library is called. */
static void on_forbidden(int sig, siginfo_t *si, void *context)
{
	static const char head[] = "viaduct: system call ";
	static const char tail[] =
		" is not on the list of what this process may do: it ends. "
		"(scmp_sys_resolver tells the name.) This is a bug or an "
		"attack\n";
	char text[sizeof(head) + 10 + sizeof(tail)];
	size_t len = sizeof(head) - 1;

	(void)context;
	memcpy(text, head, len);
	len += put_number(text + len, (unsigned int)si->si_syscall);
	memcpy(text + len, tail, sizeof(tail) - 1);
	if (write(STDERR_FILENO, text, len + sizeof(tail) - 1) < 0)
		len = 0; /* nobody to tell */
	if (before)
		before(sig);
	raise(sig);
}

static int take_signal(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_forbidden,
		.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND | SA_NODEFER),
	};
	struct sigaction was;

	if (sigaction(SIGSYS, NULL, &was))
		return -errno;
	if (was.sa_handler != SIG_DFL && was.sa_handler != SIG_IGN &&
	    !(was.sa_flags & SA_SIGINFO))
		before = was.sa_handler;
	return sigaction(SIGSYS, &sa, NULL) ? -errno : 0;
}

static int add_row(scmp_filter_ctx f, const struct confine_row *r)
{
	const struct scmp_arg_cmp self = ARG_IS(0, getpid());

	return seccomp_rule_add_array(f, r->action ? r->action : SCMP_ACT_ALLOW,
				      r->call, r->own ? 1 : r->nargs,
				      r->own ? &self : r->arg);
}

static int add_list(scmp_filter_ctx f, const struct confine_list *l)
{
	int err = 0;

	for (size_t i = 0; i < l->nrows && !err; i++)
		err = add_row(f, &l->row[i]);
	return err;
}

static int load(scmp_filter_ctx f)
{
	int err;

	err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH,
			       SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	/* As a tree: rows are many, and the way to each is short. */
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return err ? err : seccomp_load(f);
}

int confine_filter(const struct confine_list *list, size_t nlists)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_TRAP);
	int err = f ? take_signal() : -ENOMEM;

	for (size_t i = 0; i < nlists && !err; i++)
		err = add_list(f, &list[i]);
	if (!err)
		err = load(f);
	seccomp_release(f);
	return err;
}
