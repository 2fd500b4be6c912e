/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper process; keeper.h says what it is for.
 *
 * It has one thread, no guest memory, and blocks the signals that a terminal
 * or a service manager sends to a group: it ends by its work being done.
 */
#include "assign_take.h"
#include "confine.h"
#include "control_sock.h"
#include "keeper_wire.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_TAKEN  64
#define MAX_RINGS  1024
#define TIDY_MS	   10000
#define LOST_MS	   100 /* how often a lost function is looked for */
#define LOST_TRIES 100 /* how often at most: then it is only unbound */

struct taken {
	struct assign_claim claim;
	struct assign_host host;
	bool quiet;
	bool lost;  /* to the VMM, and perhaps soon to the host */
	bool given; /* back, or gone: nothing is left to do */
};

struct keep {
	const struct sysfs *sys;
	int sock;
	int vmm; /* pidfd */
	struct taken taken[MAX_TAKEN];
	unsigned int ntaken;
	unsigned int tries; /* left to look for those that are lost */
	int ring[MAX_RINGS];
	unsigned int nrings;
	bool sealed;
	bool safe;		    /* from the OOM killer */
	char path[KEEPER_PATH_LEN]; /* of the control socket; or empty */
};

/* The host must not pick the one who holds the pins when memory is short. */
static void avoid_oom_killer(struct keep *k)
{
	int fd;

	if (k->safe)
		return;
	k->safe = true;
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) < 0)
		fprintf(stderr, "viaduct: the keeper could not protect itself "
				"from the OOM killer\n");
	close(fd);
}

static int take(struct keep *k, const char *bdf, char *why, size_t len)
{
	struct taken *t = &k->taken[k->ntaken];
	int err;

	avoid_oom_killer(k);
	if (k->ntaken == MAX_TAKEN) {
		snprintf(why, len, "more than %d devices", MAX_TAKEN);
		return -ENOSPC;
	}
	err = assign_take(&t->claim, k->sys, bdf, why, len);
	if (err)
		return err;
	err = assign_host_open(&t->host, k->sys, bdf, t->claim.dev.id);
	if (err) {
		snprintf(why, len, "cannot open the config space of %s: %s",
			 bdf, strerror(-err));
		goto err_give;
	}
	if (!assign_host_can_reset(&t->host)) {
		err = -ENOTSUP;
		snprintf(why, len,
			 "%s cannot be reset on its own (no FLR, no "
			 "PM reset, other functions on its bus), so its DMA "
			 "could not be stopped for certain",
			 bdf);
		goto err_close;
	}
	/* It begins clean: nothing that its last driver told it is left. */
	err = assign_host_quiesce(&t->host);
	if (err) {
		snprintf(why, len, "%s did not stop its DMA when reset", bdf);
		goto err_close;
	}
	t->quiet = t->lost = t->given = false;
	k->ntaken++;
	return 0;

err_close:
	assign_host_close(&t->host);
err_give:
	assign_give(&t->claim);
	return err;
}

static int hold_ring(struct keep *k, int fd)
{
	int ours;

	if (k->nrings == MAX_RINGS)
		return -ENOSPC;
	ours = (int)syscall(SYS_pidfd_getfd, k->vmm, fd, 0);
	if (ours < 0)
		return -errno;
	k->ring[k->nrings++] = ours;
	return 0;
}

static void give(struct taken *t)
{
	if (t->given)
		return;
	assign_host_close(&t->host);
	assign_give(&t->claim);
	t->quiet = t->given = true;
}

/* All of them, also when one fails: fewer devices run on. */
static int quiesce_all(struct keep *k)
{
	int err = 0;

	for (unsigned int i = 0; i < k->ntaken; i++) {
		struct taken *t = &k->taken[i];

		if (!t->quiet)
			t->quiet = assign_host_quiesce(&t->host) == 0;
		if (!t->quiet)
			err = -EIO;
	}
	return err;
}

static void let_go(struct keep *k)
{
	while (k->nrings)
		close(k->ring[--k->nrings]);
	while (k->ntaken)
		give(&k->taken[--k->ntaken]);
}

static void note_lost(struct keep *k, const char *bdf)
{
	for (unsigned int i = 0; i < k->ntaken; i++) {
		struct taken *t = &k->taken[i];

		if (!t->given && !strcmp(t->host.dev.bdf, bdf)) {
			t->lost = true;
			k->tries = LOST_TRIES;
		}
	}
}

/* What is not there any more needs no keeper: its slot may be another's soon. */
static void drop_lost(struct keep *k)
{
	for (unsigned int i = 0; i < k->ntaken; i++) {
		struct taken *t = &k->taken[i];

		if (t->lost && !t->given && !hostdev_is_there(&t->host.dev))
			give(t);
	}
}

/*
 * The kernel takes a card away in steps, and the VMM sees the first. Look again
 * for a while, unless there is something to do; idle, we do not wake up.
 */
static void wait_request(struct keep *k)
{
	struct pollfd p = { .fd = k->sock, .events = POLLIN };

	while (k->tries && poll(&p, 1, LOST_MS) == 0) {
		drop_lost(k);
		k->tries--;
	}
}

/* The VMM is gone or going. Does not return before all is quiet. */
static void wait_quiet(struct keep *k)
{
	bool said = false;

	while (quiesce_all(k)) {
		if (!said)
			fprintf(stderr,
				"viaduct: a device does not stop its "
				"DMA; keeping its memory until it does\n");
		said = true;
		sleep(1);
	}
}

static void answer(const struct keep *k, const struct keeper_reply *rp)
{
	/* The VMM may be gone; its death is seen by the next recv. */
	if (send(k->sock, rp, sizeof(*rp), MSG_NOSIGNAL) < 0)
		return;
}

/* Its files are closed before a process has ended, and one of them is the lock
 * of its socket. */
static void tidy(const struct keep *k, bool alive)
{
	struct pollfd p = { .fd = k->vmm, .events = POLLIN };

	if (!k->path[0])
		return;
	if (!alive)
		poll(&p, 1, TIDY_MS);
	control_sock_remove(k->path);
}

static bool serve_one(struct keep *k)
{
	struct keeper_request rq;
	struct keeper_reply rp = { 0 };
	ssize_t n;

	wait_request(k);
	n = recv(k->sock, &rq, sizeof(rq), 0);
	if (n < 0 && errno == EINTR)
		return true;
	if (n != (ssize_t)sizeof(rq)) {
		wait_quiet(k);
		let_go(k);
		tidy(k, false);
		return false;
	}
	if (k->sealed && rq.op != KEEPER_RING && rq.op != KEEPER_LOST &&
	    rq.op != KEEPER_BYE) {
		rp.err = -EPERM; /* a machine that its guest has taken over? */
		snprintf(rp.why, sizeof(rp.why), "the keeper is sealed");
		answer(k, &rp);
		return true;
	}
	switch (rq.op) {
	case KEEPER_TAKE:
		rq.bdf[sizeof(rq.bdf) - 1] = '\0';
		rp.err = take(k, rq.bdf, rp.why, sizeof(rp.why));
		if (!rp.err)
			rp.id = k->taken[k->ntaken - 1].claim.dev.id;
		break;
	case KEEPER_RING:
		rp.err = hold_ring(k, rq.fd);
		break;
	case KEEPER_LOST:
		rq.bdf[sizeof(rq.bdf) - 1] = '\0';
		note_lost(k, rq.bdf);
		break;
	case KEEPER_TIDY:
		memcpy(k->path, rq.path, sizeof(k->path) - 1);
		break;
	case KEEPER_SEAL:
		assign_mend_all(k->sys);
		rp.err = confine_keeper(rq.pins, rp.why, sizeof(rp.why));
		k->sealed = true;
		break;
	case KEEPER_BYE:
		rp.err = quiesce_all(k);
		if (!rp.err)
			let_go(k);
		tidy(k, true);
		answer(k, &rp);
		if (rp.err)
			wait_quiet(k);
		let_go(k);
		return false;
	}
	answer(k, &rp);
	return true;
}

static void close_others(int keep)
{
	if (keep > 3)
		syscall(SYS_close_range, 3, keep - 1, 0);
	syscall(SYS_close_range, keep + 1, ~0u, 0);
}

static void detach(void)
{
	sigset_t all;
	int null = open("/dev/null", O_RDWR);

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "viaduct-keeper");
	/* Not the terminal's and not a pipe's: the VMM's end must be seen. */
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		if (null > 2)
			close(null);
	}
}

noreturn void keeper_main(int sock, pid_t vmm, const struct sysfs *s)
{
	static struct keep k; /* this process's only state */

	detach();
	close_others(sock);
	k.sys = s;
	k.sock = sock;
	k.vmm = (int)syscall(SYS_pidfd_open, vmm, 0);
	if (k.vmm < 0)
		_exit(1);
	while (serve_one(&k))
		;
	_exit(0);
}
