/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The main thread's event loop: descriptors and who reads them.
 *
 * Built on poll(), which unlike epoll takes files and /dev/null too. Watches
 * are added and removed before the loop runs or on its thread; loop_wake() and
 * a watch's @paused may be used from any thread.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>

#define LOOP_WATCHES 16

/* Embedded in its owner. */
struct loop_watch {
	int fd;
	void (*ready)(void *ctx); /* readable, or at its end, or broken */
	void *ctx;
	_Atomic bool paused; /* not looked at now */
};

struct loop {
	struct loop_watch *watch[LOOP_WATCHES];
	unsigned int n;
	struct loop_watch waker; /* eventfd */
};

int loop_init(struct loop *l); /* 0 or -errno */
void loop_fini(struct loop *l);

int loop_add(struct loop *l, struct loop_watch *w); /* 0 or -ENOSPC */
void loop_remove(struct loop *l, struct loop_watch *w);

/* Make the loop look at everything again. Safe in signal handlers. */
void loop_wake(struct loop *l);

/* Wait, and call who is ready, once each. */
void loop_turn(struct loop *l);

#endif
