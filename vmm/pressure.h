/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory pressure: when the kernel says that somebody waits for memory.
 *
 * Sources, each used if the host has it:
 *	psi		/proc/pressure/memory: tasks stalled for 150 ms of 2 s
 *	cgroup-psi	the same of our control group (version 2)
 *	cgroup-events	its memory.events: over "high" or at "max"
 *
 * A thread waits for them and asks its owner to make room; when nothing has
 * come for a while it says so, once. The kernel
 * speaks up once in a window at most.
 */
#ifndef VMM_PRESSURE_H
#define VMM_PRESSURE_H

#include "sysfs.h"
#include <pthread.h>
#include <stdatomic.h>

struct pressure_ops {
	/*
	 * Make room. @level counts the requests since the last calm: 1, 2, ..
	 * Both are called on the thread, without locks.
	 */
	void (*relieve)(void *opaque, unsigned int level);
	/* No pressure for PRESSURE_CALM_MS. */
	void (*calm)(void *opaque);
};

#define PRESSURE_CALM_MS 10000

enum pressure_kind {
	PRESSURE_PSI,
	PRESSURE_CGROUP_PSI,
	PRESSURE_CGROUP_EVENTS,
	PRESSURE_KINDS,
};

struct pressure_source {
	enum pressure_kind kind;
	atomic_int fd; /* -1: it has died */
	uint64_t seen; /* cgroup-events: what was counted so far */
};

struct pressure {
	const struct pressure_ops *ops;
	void *opaque;
	struct pressure_source source[PRESSURE_KINDS];
	unsigned int nsources;
	int calm_ms;
	int stop; /* eventfd */
	pthread_t thread;
	_Atomic uint64_t events[PRESSURE_KINDS];
	_Atomic uint64_t requests; /* calls of relieve */
};

/*
 * Open what this host has: there may be no source. 0 or -errno. Then start the
 * thread, which calls @ops. Stop ends it and closes everything; also without a
 * start.
 */
int pressure_open(struct pressure *p, const struct sysfs *s,
		  const struct pressure_ops *ops, void *opaque);
int pressure_start(struct pressure *p);
void pressure_stop(struct pressure *p);

/* A stable lower-case word. */
const char *pressure_kind_name(enum pressure_kind k);

#endif
