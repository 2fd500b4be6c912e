/* SPDX-License-Identifier: BSD-2-Clause */
/* The main thread's event loop. */
#include "loop.h"
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void drain(void *ctx)
{
	struct loop *l = ctx;
	uint64_t n;

	while (read(l->waker.fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

int loop_init(struct loop *l)
{
	memset(l, 0, sizeof(*l));
	l->waker.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->waker.fd < 0)
		return -errno;
	l->waker.ready = drain;
	l->waker.ctx = l;
	return loop_add(l, &l->waker);
}

void loop_fini(struct loop *l)
{
	close(l->waker.fd);
	l->n = 0;
}

int loop_add(struct loop *l, struct loop_watch *w)
{
	if (l->n == LOOP_WATCHES)
		return -ENOSPC;
	l->watch[l->n++] = w;
	return 0;
}

void loop_remove(struct loop *l, struct loop_watch *w)
{
	for (unsigned int i = 0; i < l->n; i++) {
		if (l->watch[i] != w)
			continue;
		l->watch[i] = l->watch[--l->n];
		return;
	}
}

void loop_wake(struct loop *l)
{
	const uint64_t one = 1;

	/* It fails only when the counter is full: then a wake is pending. */
	if (write(l->waker.fd, &one, sizeof(one)) < 0)
		return;
}

static bool is_watched(const struct loop *l, const struct loop_watch *w)
{
	for (unsigned int i = 0; i < l->n; i++) {
		if (l->watch[i] == w)
			return true;
	}
	return false;
}

void loop_turn(struct loop *l)
{
	struct loop_watch *w[LOOP_WATCHES];
	struct pollfd p[LOOP_WATCHES];
	unsigned int n = l->n;

	for (unsigned int i = 0; i < n; i++) {
		w[i] = l->watch[i];
		/* poll() leaves out negative descriptors */
		p[i].fd = w[i]->paused ? -1 : w[i]->fd;
		p[i].events = POLLIN;
		p[i].revents = 0;
	}
	if (poll(p, n, -1) <= 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (p[i].revents && is_watched(l, w[i]))
			w[i]->ready(w[i]->ctx);
	}
}
