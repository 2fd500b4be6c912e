/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMM's side of the keeper. The process itself is keeper_main.c. */
#include "keeper.h"
#include "keeper_wire.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int keeper_start(struct keeper *k, const struct sysfs *s)
{
	int sock[2];

	memset(k, 0, sizeof(*k));
	k->sock = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock))
		return -errno;
	k->pid = fork();
	if (k->pid < 0) {
		close(sock[0]);
		close(sock[1]);
		return -errno;
	}
	if (k->pid == 0) {
		close(sock[0]);
		keeper_main(sock[1], getppid(), s);
	}
	close(sock[1]);
	k->sock = sock[0];
	pthread_mutex_init(&k->lock, NULL);
	return 0;
}

static int request(struct keeper *k, const struct keeper_request *rq,
		   struct keeper_reply *rp)
{
	int err = 0;

	memset(rp, 0, sizeof(*rp));
	pthread_mutex_lock(&k->lock);
	if (send(k->sock, rq, sizeof(*rq), MSG_NOSIGNAL) < 0 ||
	    recv(k->sock, rp, sizeof(*rp), 0) != (ssize_t)sizeof(*rp))
		err = -EPIPE;
	pthread_mutex_unlock(&k->lock);
	return err ? err : rp->err;
}

int keeper_take(struct keeper *k, const char *bdf, uint64_t *id, char *why,
		size_t len)
{
	struct keeper_request rq = { .op = KEEPER_TAKE };
	struct keeper_reply rp;
	int err;

	snprintf(rq.bdf, sizeof(rq.bdf), "%s", bdf);
	err = request(k, &rq, &rp);
	if (err == -EPIPE)
		snprintf(rp.why, sizeof(rp.why),
			 "cannot take %s: the keeper process has died", bdf);
	snprintf(why, len, "%s", rp.why);
	if (!err)
		*id = rp.id;
	return err;
}

void keeper_lost(struct keeper *k, const char *bdf)
{
	struct keeper_request rq = { .op = KEEPER_LOST };
	struct keeper_reply rp;

	snprintf(rq.bdf, sizeof(rq.bdf), "%s", bdf);
	request(k, &rq, &rp); /* a keeper that has died is seen by others */
}

int keeper_ring(void *keeper, int fd)
{
	struct keeper_request rq = { .op = KEEPER_RING, .fd = fd };
	struct keeper_reply rp;

	return request(keeper, &rq, &rp);
}

int keeper_tidy(struct keeper *k, const char *path)
{
	struct keeper_request rq = { .op = KEEPER_TIDY };
	struct keeper_reply rp;

	snprintf(rq.path, sizeof(rq.path), "%s", path);
	return request(k, &rq, &rp);
}

int keeper_seal(struct keeper *k, bool pins, char *why, size_t len)
{
	struct keeper_request rq = { .op = KEEPER_SEAL, .pins = pins };
	struct keeper_reply rp;
	int err = request(k, &rq, &rp);

	if (err == -EPIPE)
		snprintf(rp.why, sizeof(rp.why), "the keeper process has died");
	snprintf(why, len, "%s", rp.why);
	return err;
}

static void *watch(void *arg)
{
	struct keeper *k = arg;
	struct pollfd p = { .fd = k->sock, .events = POLLRDHUP };

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	if (k->watching)
		k->on_death(k->opaque);
	return NULL;
}

int keeper_watch(struct keeper *k, void (*on_death)(void *opaque), void *opaque)
{
	int err;

	k->on_death = on_death;
	k->opaque = opaque;
	k->watching = 1;
	err = -pthread_create(&k->watch, NULL, watch, k);
	if (err)
		k->watching = 0;
	return err;
}

int keeper_finish(struct keeper *k)
{
	struct keeper_request rq = { .op = KEEPER_BYE };
	struct keeper_reply rp;
	int watching = k->watching, err;

	if (k->sock < 0)
		return 0;
	__atomic_store_n(&k->watching, 0, __ATOMIC_SEQ_CST);
	err = request(k, &rq, &rp);
	shutdown(k->sock, SHUT_RDWR);
	if (watching)
		pthread_join(k->watch, NULL);
	close(k->sock);
	k->sock = -1;
	if (err != -EIO) /* it ends, or has ended */
		waitpid(k->pid, NULL, 0);
	pthread_mutex_destroy(&k->lock);
	return err;
}
