/* SPDX-License-Identifier: BSD-2-Clause */
#include "confine.h"
#include "confine_filter.h"
#include "why.h"
#include "rundir.h"
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY	    65534
#define EMPTY	    RUNDIR_ROOT "/empty"
#define STATUS_LEN  4096
#define THREADS_MAX 2048

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

bool confine_is_built(void)
{
#ifdef SANITIZED
	return false;
#else
	return true;
#endif
}

/* Looking. */

void confine_look(int status, struct confine_state *out)
{
	char text[STATUS_LEN];
	ssize_t n = status < 0 ? -1 : pread(status, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	confine_parse(text, out);
}

int confine_open_status(pid_t pid)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Each thread's status, opened while files still are. */
struct threads {
	int fd[THREADS_MAX];
	size_t n;
};

static int open_threads(struct threads *t)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	char path[320];
	int err = 0;

	t->n = 0;
	if (!dir)
		return -errno;
	while (!err && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/status",
			 e->d_name);
		t->fd[t->n] = t->n == THREADS_MAX - 1 ?
				      -E2BIG :
				      open(path, O_RDONLY | O_CLOEXEC);
		if (t->fd[t->n] >= 0)
			t->n++;
		else if (errno != ENOENT) /* it has ended */
			err = -errno;
	}
	closedir(dir);
	return err;
}

static bool is_confined(int status)
{
	struct confine_state s;

	confine_look(status, &s);
	return s.known && s.uid && !s.capabilities && s.no_new_privs &&
	       s.seccomp;
}

static bool close_threads(struct threads *t)
{
	bool all = true;

	for (size_t i = 0; i < t->n; i++) {
		all = all && is_confined(t->fd[i]);
		close(t->fd[i]);
	}
	return all;
}

/* Capabilities. */

/* All but @keep, which may be -1: none. Of the calling thread. */
static int drop_capabilities(cap_value_t keep)
{
	cap_t few = cap_init();
	int err = 0;

	if (!few)
		return -ENOMEM;
	if (keep >= 0 && (cap_set_flag(few, CAP_PERMITTED, 1, &keep, CAP_SET) ||
			  cap_set_flag(few, CAP_EFFECTIVE, 1, &keep, CAP_SET)))
		err = -errno;
	if (!err && cap_set_proc(few))
		err = -errno;
	cap_free(few);
	return err;
}

/* Only a user with CAP_SETPCAP can, and only to him does it matter. */
static void drop_bounds(void)
{
	for (cap_value_t c = 0; c < cap_max_bits(); c++)
		if (cap_drop_bound(c) && errno == EPERM)
			return;
}

/* Pins count against a limit that root's rights would have lifted. */
static void raise_limit(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &all);
}

int confine_begin(char *why, size_t len)
{
	int err = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return why_say(why, len, -errno,
			       "this kernel does not let a process give up "
			       "privileges: %s",
			       strerror(errno));
	cap_reset_ambient();
	if (geteuid()) {
		err = drop_capabilities(-1);
	} else {
		drop_bounds();
		raise_limit();
	}
	return err ? why_say(why, len, err, "cannot drop capabilities: %s",
			     strerror(-err)) :
		     0;
}

/* Another user. */

static void find_user(uid_t *uid, gid_t *gid)
{
	const struct passwd *p = getpwnam(CONFINE_USER);

	*uid = p && p->pw_uid ? p->pw_uid : NOBODY;
	*gid = p && p->pw_gid ? p->pw_gid : NOBODY;
}

/*
 * No call that opens files is on the list. But a ring has ways that no filter
 * sees (confine_vmm.c), so there is nothing to be opened either. Threads have
 * their root folder in common.
 */
static int leave_files(void)
{
	mkdir(RUNDIR_ROOT, 0755);
	mkdir(EMPTY, 0555);
	return chroot(EMPTY) || chdir("/") ? -errno : 0;
}

/* The C library does each step for all threads, or ends the process. */
static int leave_root(char *why, size_t len)
{
	uid_t uid;
	gid_t gid;
	int err;

	if (geteuid())
		return 0;
	find_user(&uid, &gid);
	err = leave_files();
	if (err)
		return why_say(why, len, err,
			       "cannot change the root folder to " EMPTY ": %s",
			       strerror(-err));
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) ||
	    setresuid(uid, uid, uid))
		return why_say(
			why, len, -errno,
			"cannot become user %u instead of root: %s; in a "
			"container start it as an ordinary user",
			uid, strerror(errno));
	return 0;
}

int confine_enter(bool pins, char *why, size_t len)
{
	struct threads *t;
	int err;

	if (!confine_is_built())
		return 0;
	t = malloc(sizeof(*t));
	err = t ? open_threads(t) : -ENOMEM;
	if (err) {
		free(t);
		return why_say(why, len, err, "cannot look at the threads: %s",
			       strerror(-err));
	}
	err = leave_root(why, len);
	if (!err) {
		err = confine_filter_vmm(pins);
		if (err)
			why_say(why, len, err,
				"the kernel does not take the list of system "
				"calls (seccomp): %s",
				strerror(-err));
	}
	if (!close_threads(t) && !err)
		err = why_say(why, len, -EPERM,
			      "a thread is not confined; this is a bug");
	free(t);
	return err;
}

/* A forbidden call says what it was, though nothing else may interrupt. */
static void unblock_sigsys(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int confine_keeper(bool pins, char *why, size_t len)
{
	bool root = geteuid() == 0;
	int err;

	if (!confine_is_built())
		return 0;
	err = drop_capabilities(root && pins ? CAP_SYS_PTRACE : -1);
	if (!err)
		err = confine_filter_keeper();
	if (err)
		return why_say(why, len, err,
			       "the keeper process cannot be confined: %s",
			       strerror(-err));
	unblock_sigsys();
	return 0;
}
