/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_intx.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* /dev/uioN of the first entry of the function's folder "uio". */
static int open_uio(const struct hostdev *d)
{
	char name[HOSTDEV_NAME_LEN], path[80], full[SYSFS_PATH_LEN];
	int fd, err = hostdev_first(d, "uio", name);

	if (err)
		return err;
	snprintf(path, sizeof(path), "/dev/%s", name);
	err = sysfs_path(d->sys, path, full, sizeof(full));
	if (err)
		return err;
	fd = open(full, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	/* An eventfd refuses only when its counter is full: still readable. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void drain_fd(int fd)
{
	uint64_t n;

	if (read(fd, &n, sizeof(n)) < 0)
		return;
}

static bool is_muted(struct assign_intx *x)
{
	bool muted;

	pthread_mutex_lock(&x->lock);
	muted = x->muted;
	pthread_mutex_unlock(&x->lock);
	return muted;
}

/* false: the function has left uio: pulled, or unbound by somebody. */
static bool take_interrupt(struct assign_intx *x)
{
	uint32_t n;
	ssize_t got = read(x->uio, &n, sizeof(n));

	if (got != (ssize_t)sizeof(n))
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (!is_muted(x)) {
		x->count++;
		signal_fd(x->trigger);
	}
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The brake: how long the next interrupt waits. */
static uint64_t pause_ns(unsigned int unserved)
{
	unsigned int over;

	if (unserved < ASSIGN_INTX_FREE)
		return 0;
	over = unserved - ASSIGN_INTX_FREE;
	return over < 7 ? ASSIGN_INTX_PAUSE_NS >> (7 - over) :
			  ASSIGN_INTX_PAUSE_NS;
}

static void let_through(struct assign_intx *x)
{
	x->due_ns = 0;
	pthread_mutex_lock(&x->lock);
	if (!x->muted)
		assign_host_intx(x->host, true);
	pthread_mutex_unlock(&x->lock);
}

/* The guest has ended an interrupt. */
static void ended(struct assign_intx *x)
{
	uint64_t pause;

	if (!assign_host_wants_intx(x->host))
		x->unserved = 0;
	else if (x->unserved < UINT_MAX)
		x->unserved++;
	pause = pause_ns(x->unserved);
	if (pause)
		x->due_ns = now_ns() + pause;
	else
		let_through(x);
}

/* Until something comes, or it is time to let the next interrupt through. */
static int wait_for(struct assign_intx *x, struct pollfd *p, nfds_t n)
{
	struct timespec left = { 0 };
	uint64_t now;

	if (!x->due_ns)
		return ppoll(p, n, NULL, NULL);
	now = now_ns();
	if (now < x->due_ns)
		left.tv_nsec = (long)(x->due_ns - now);
	return ppoll(p, n, &left, NULL);
}

static void *run(void *arg)
{
	struct assign_intx *x = arg;
	struct pollfd p[3] = {
		{ .fd = x->stop, .events = POLLIN },
		{ .fd = x->resample, .events = POLLIN },
		/* Without a pin uio has nothing to wait for. */
		{ .fd = x->host->has_intx ? x->uio : -1, .events = POLLIN },
	};

	for (;;) {
		if (wait_for(x, p, 3) < 0) {
			if (errno != EINTR)
				break;
			continue; /* revents says nothing */
		}
		if (p[0].revents)
			break;
		if (p[1].revents & POLLIN) {
			drain_fd(x->resample);
			ended(x);
		}
		if (x->due_ns && now_ns() >= x->due_ns)
			let_through(x);
		if (p[2].revents && !take_interrupt(x)) {
			p[2].fd = -1; /* its INTx is not ours any more */
			x->gone(x->opaque);
		}
	}
	return NULL;
}

int assign_intx_start(struct assign_intx *x, struct vm *vm,
		      struct assign_host *host, unsigned int gsi,
		      void (*gone)(void *opaque), void *opaque)
{
	int err;

	*x = (struct assign_intx){
		.vm = vm,
		.host = host,
		.gsi = gsi,
		.gone = gone,
		.opaque = opaque,
		.muted = true,
		.trigger = eventfd(0, EFD_CLOEXEC),
		.resample = eventfd(0, EFD_CLOEXEC),
		.stop = eventfd(0, EFD_CLOEXEC),
	};
	pthread_mutex_init(&x->lock, NULL);
	x->uio = open_uio(&host->dev);
	if (x->uio < 0)
		return x->uio;
	if (x->trigger < 0 || x->resample < 0 || x->stop < 0)
		return -EMFILE;
	err = vm_irqfd(vm, gsi, x->trigger, x->resample);
	if (err)
		return err;
	err = -pthread_create(&x->thread, NULL, run, x);
	if (err) {
		vm_irqfd_remove(vm, gsi, x->trigger);
		return err;
	}
	x->running = true;
	assign_host_intx(host, false);
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void assign_intx_stop(struct assign_intx *x)
{
	if (x->running) {
		signal_fd(x->stop);
		pthread_join(x->thread, NULL);
		vm_irqfd_remove(x->vm, x->gsi, x->trigger);
	}
	x->running = false;
	close_fd(x->uio);
	close_fd(x->trigger);
	close_fd(x->resample);
	close_fd(x->stop);
	x->uio = x->trigger = x->resample = x->stop = -1;
}

void assign_intx_mute(struct assign_intx *x, bool muted)
{
	pthread_mutex_lock(&x->lock);
	if (x->muted != muted)
		assign_host_intx(x->host, !muted);
	x->muted = muted;
	pthread_mutex_unlock(&x->lock);
}

void assign_intx_leave(struct assign_intx *x)
{
	pthread_mutex_lock(&x->lock);
	x->muted = true;
	pthread_mutex_unlock(&x->lock);
}
