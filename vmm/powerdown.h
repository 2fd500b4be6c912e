/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ending a machine from outside in good order: press the guest's power button,
 * wait, then pull the plug.
 *
 *	idle --ask--> waiting --grace over--> pulled
 *	  \_____ask with no grace, or a second signal___/
 *
 * A guest may not listen yet (it boots) or anew (it reboots), so the button is
 * pressed again and again while we wait. A guest that is on its way off does
 * not mind.
 *
 * Grace is counted in ticks that were seen, not in time that has passed: while
 * this process is stopped (SIGSTOP) the guest cannot power off, and has as long
 * as before when it goes on.
 */
#ifndef VMM_POWERDOWN_H
#define VMM_POWERDOWN_H

#include "loop.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define POWERDOWN_TICK_MS   1000
#define POWERDOWN_GRACE_MAX 86400u /* seconds */
#define POWERDOWN_ONE_MS    100

enum powerdown_why {
	POWERDOWN_OVER,	  /* the grace is over */
	POWERDOWN_NONE,	  /* there is no grace */
	POWERDOWN_SECOND, /* a second signal */
};

struct powerdown_ops {
	void (*press)(void *ctx); /* on any thread */
	/* Once, on any thread; @who asked, last. */
	void (*pull)(void *ctx, enum powerdown_why why, const char *who);
};

struct powerdown {
	const struct powerdown_ops *ops;
	void *ctx;
	struct loop *loop;
	unsigned int grace; /* ticks */
	unsigned int tick_ms;
	struct loop_watch timer; /* on the loop's thread */
	pthread_mutex_t lock;	 /* guards the next */
	char who[48];		 /* asked first; empty: nobody */
	unsigned int left;	 /* ticks */
	int64_t signal_ms; /* CLOCK_MONOTONIC, when the first came; 0: none */
	bool pulled;
};

struct powerdown_state {
	char who[48];
	uint64_t grace_ms, left_ms; /* left: 0 if nobody has asked */
};

/* @tick_ms: POWERDOWN_TICK_MS but in tests. 0 or -errno. */
int powerdown_init(struct powerdown *p, struct loop *loop, unsigned int grace,
		   unsigned int tick_ms, const struct powerdown_ops *ops,
		   void *ctx);
void powerdown_fini(struct powerdown *p);

/* Any thread. Asked again it presses again; the first grace holds. */
void powerdown_ask(struct powerdown *p, const char *who);

/*
 * A signal has come. It asks; a second one pulls. SIGHUP only ever asks: a
 * session that ends sends it along with others, and more than once. Two within
 * POWERDOWN_ONE_MS are one: timeout(1) sends its signal to the process and to
 * the group that the process is in.
 */
void powerdown_signal(struct powerdown *p, int signo);

/* Any thread. */
void powerdown_state(struct powerdown *p, struct powerdown_state *out);

#endif
