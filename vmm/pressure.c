/* SPDX-License-Identifier: BSD-2-Clause */
#include "pressure.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Microseconds: stalled for so long in a window of so long. Without
 * CAP_SYS_RESOURCE the window must be a multiple of 2 s (Linux 6.5).
 */
#define TRIGGER "some 150000 2000000"

const char *pressure_kind_name(enum pressure_kind k)
{
	static const char *const name[] = { "psi", "cgroup-psi",
					    "cgroup-events" };

	return k < PRESSURE_KINDS ? name[k] : "?";
}

/* Finding our control group. */

struct finder {
	char mount[256], group[512];
};

/* "35 28 0:31 / /sys/fs/cgroup rw,... - cgroup2 cgroup2 rw" */
static int mount_line(void *ctx, char *line)
{
	struct finder *f = ctx;
	const char *type = strstr(line, " - cgroup2 ");

	return type && sscanf(line, "%*s %*s %*s %*s %255s", f->mount) == 1;
}

/* "0::/machine.slice/web.scope" is of version 2. */
static int group_line(void *ctx, char *line)
{
	struct finder *f = ctx;

	if (strncmp(line, "0::/", 4))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	return snprintf(f->group, sizeof(f->group), "%s", line + 3) <
	       (int)sizeof(f->group);
}

/* A file of our control group; false if we are in none or in the root. */
static bool group_file(const struct sysfs *s, const char *name, char *path,
		       size_t len)
{
	struct finder f = { "", "" };

	if (sysfs_lines(s, "/proc/self/mountinfo", mount_line, &f) != 1 ||
	    sysfs_lines(s, "/proc/self/cgroup", group_line, &f) != 1 ||
	    !strcmp(f.group, "/"))
		return false;
	return snprintf(path, len, "%s%s/%s", f.mount, f.group, name) <
	       (int)len;
}

/* Opening. */

static int open_file(const struct sysfs *s, const char *path, int flags)
{
	char real[SYSFS_PATH_LEN];
	int err = sysfs_path(s, path, real, sizeof(real));

	return err ? err : open(real, flags | O_CLOEXEC | O_NONBLOCK);
}

static void add_source(struct pressure *p, enum pressure_kind kind, int fd)
{
	p->source[p->nsources++] = (struct pressure_source){ kind, fd, 0 };
}

static void open_psi(struct pressure *p, const struct sysfs *s,
		     enum pressure_kind kind, const char *path)
{
	int fd = open_file(s, path, O_RDWR);

	if (fd < 0)
		return;
	/* The kernel wants the 0 at its end, too. */
	if (write(fd, TRIGGER, sizeof(TRIGGER)) == sizeof(TRIGGER))
		add_source(p, kind, fd);
	else
		close(fd);
}

/* How often this group was held back for want of memory; 0 if unreadable. */
static uint64_t read_events(int fd)
{
	static const char *const counted[] = { "high ", "max ", "oom " };
	char text[512] = "";
	uint64_t sum = 0;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	for (char *line = text, *next; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		for (int i = 0; i < 3; i++)
			if (!strncmp(line, counted[i], strlen(counted[i])))
				sum += strtoull(line + strlen(counted[i]), NULL,
						10);
	}
	return sum;
}

static void open_group(struct pressure *p, const struct sysfs *s)
{
	char path[SYSFS_PATH_LEN];
	int fd;

	if (group_file(s, "memory.pressure", path, sizeof(path)))
		open_psi(p, s, PRESSURE_CGROUP_PSI, path);
	if (!group_file(s, "memory.events", path, sizeof(path)))
		return;
	fd = open_file(s, path, O_RDONLY);
	if (fd < 0)
		return;
	add_source(p, PRESSURE_CGROUP_EVENTS, fd);
	p->source[p->nsources - 1].seen = read_events(fd);
}

int pressure_open(struct pressure *p, const struct sysfs *s,
		  const struct pressure_ops *ops, void *opaque)
{
	memset(p, 0, sizeof(*p));
	p->ops = ops;
	p->opaque = opaque;
	p->calm_ms = PRESSURE_CALM_MS;
	p->stop = eventfd(0, EFD_CLOEXEC);
	if (p->stop < 0)
		return -errno;
	open_psi(p, s, PRESSURE_PSI, "/proc/pressure/memory");
	open_group(p, s);
	return 0;
}

/* The thread. */

/* Has it really something to say? The other events of a group (low) do not
 * matter here. */
static bool has_news(struct pressure_source *src)
{
	uint64_t before = src->seen;

	if (src->kind != PRESSURE_CGROUP_EVENTS)
		return true;
	src->seen = read_events(src->fd);
	return src->seen > before;
}

static bool take_events(struct pressure *p, const struct pollfd *at)
{
	bool any = false;

	for (unsigned int i = 0; i < p->nsources; i++) {
		if (!(at[i].revents & POLLPRI) || !has_news(&p->source[i]))
			continue;
		atomic_fetch_add(&p->events[p->source[i].kind], 1);
		any = true;
	}
	return any;
}

/* A source that is gone (its group was removed) would be ready for ever. */
static void drop_dead(struct pressure *p, const struct pollfd *at)
{
	for (unsigned int i = 0; i < p->nsources; i++) {
		bool dead = at[i].revents & (POLLERR | POLLNVAL | POLLHUP);

		/* memory.events says POLLERR with each event, too. */
		if (dead && !(at[i].revents & POLLPRI)) {
			close(p->source[i].fd);
			p->source[i].fd = -1;
		}
	}
}

/* Wait @ms at most. False: stop. */
static bool wait_for_events(struct pressure *p, int ms, bool *any)
{
	struct pollfd at[PRESSURE_KINDS + 1];
	unsigned int n = p->nsources;

	for (unsigned int i = 0; i < n; i++)
		at[i] = (struct pollfd){ p->source[i].fd, POLLPRI, 0 };
	at[n] = (struct pollfd){ p->stop, POLLIN, 0 };
	*any = false;
	if (poll(at, n + 1, ms) <= 0)
		return true;
	*any = take_events(p, at);
	drop_dead(p, at);
	return !at[n].revents;
}

static void *watch(void *arg)
{
	struct pressure *p = arg;
	unsigned int level = 0;
	bool any;

	while (wait_for_events(p, level ? p->calm_ms : -1, &any)) {
		if (any) {
			atomic_fetch_add(&p->requests, 1);
			p->ops->relieve(p->opaque, ++level);
		} else if (level) {
			level = 0;
			p->ops->calm(p->opaque);
		}
	}
	return NULL;
}

int pressure_start(struct pressure *p)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&p->thread, NULL, watch, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		p->thread = 0;
	return -err;
}

void pressure_stop(struct pressure *p)
{
	const uint64_t one = 1;

	if (p->thread && write(p->stop, &one, sizeof(one)) == sizeof(one))
		pthread_join(p->thread, NULL);
	for (unsigned int i = 0; i < p->nsources; i++)
		if (p->source[i].fd >= 0)
			close(p->source[i].fd);
	close(p->stop);
	memset(p->source, 0, sizeof(p->source));
	p->nsources = 0;
	p->thread = 0;
}
