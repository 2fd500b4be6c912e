/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_intx.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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

/* false: the function has left uio: pulled, or unbound by somebody. */
static bool take_interrupt(struct assign_intx *x)
{
	uint32_t n;
	ssize_t got = read(x->uio, &n, sizeof(n));

	if (got != (ssize_t)sizeof(n))
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (!x->muted) {
		x->count++;
		signal_fd(x->trigger);
	}
	return true;
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
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			break;
		if (p[1].revents & POLLIN) {
			drain_fd(x->resample);
			/* Once it has left uio its INTx is not ours. */
			if (!x->muted && p[2].fd >= 0)
				assign_host_unmask_intx(x->host);
		}
		if (!p[2].revents)
			continue;
		if (!take_interrupt(x)) {
			p[2].fd = -1;
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
		.trigger = eventfd(0, EFD_CLOEXEC),
		.resample = eventfd(0, EFD_CLOEXEC),
		.stop = eventfd(0, EFD_CLOEXEC),
	};
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
	assign_host_unmask_intx(host);
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
	bool was = atomic_exchange(&x->muted, muted);

	if (was && !muted)
		assign_host_unmask_intx(x->host);
}

void assign_intx_rearm(struct assign_intx *x)
{
	x->muted = false;
	assign_host_unmask_intx(x->host);
}
