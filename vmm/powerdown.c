/* SPDX-License-Identifier: BSD-2-Clause */
#include "powerdown.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PRESS_TICKS 5 /* between one press and the next */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + 1;
}

/* With the lock held: is it ours to pull? */
static bool takes_plug(struct powerdown *p)
{
	bool first = !p->pulled;

	p->pulled = true;
	return first;
}

static void pull(struct powerdown *p, enum powerdown_why why, const char *who)
{
	bool first;

	pthread_mutex_lock(&p->lock);
	first = takes_plug(p);
	pthread_mutex_unlock(&p->lock);
	if (first)
		p->ops->pull(p->ctx, why, who);
}

/* However many ticks have passed unseen, they count as one. */
static void on_tick(void *ctx)
{
	struct powerdown *p = ctx;
	bool waits, over = false, press = false;
	uint64_t n;

	if (read(p->timer.fd, &n, sizeof(n)) != sizeof(n))
		return;
	pthread_mutex_lock(&p->lock);
	waits = p->left > 0;
	if (waits) {
		p->left--;
		over = p->left == 0 && takes_plug(p);
		press = p->left && (p->grace - p->left) % PRESS_TICKS == 0;
	}
	pthread_mutex_unlock(&p->lock);
	if (over)
		p->ops->pull(p->ctx, POWERDOWN_OVER, p->who);
	else if (press)
		p->ops->press(p->ctx);
}

/* From now on; an idle machine has no ticks. */
static void start_ticks(struct powerdown *p)
{
	const struct timespec tick = { .tv_sec = p->tick_ms / 1000,
				       .tv_nsec =
					       p->tick_ms % 1000 * 1000000L };
	const struct itimerspec t = { tick, tick };

	/* It can fail only for wrong arguments. */
	timerfd_settime(p->timer.fd, 0, &t, NULL);
}

int powerdown_init(struct powerdown *p, struct loop *loop, unsigned int grace,
		   unsigned int tick_ms, const struct powerdown_ops *ops,
		   void *ctx)
{
	int err;

	memset(p, 0, sizeof(*p));
	p->ops = ops;
	p->ctx = ctx;
	p->loop = loop;
	p->grace = grace;
	p->tick_ms = tick_ms;
	p->timer.ready = on_tick;
	p->timer.ctx = p;
	p->timer.fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (p->timer.fd < 0)
		return -errno;
	err = loop_add(loop, &p->timer);
	if (err) {
		close(p->timer.fd);
		return err;
	}
	pthread_mutex_init(&p->lock, NULL);
	return 0;
}

void powerdown_fini(struct powerdown *p)
{
	loop_remove(p->loop, &p->timer);
	close(p->timer.fd);
	pthread_mutex_destroy(&p->lock);
}

void powerdown_ask(struct powerdown *p, const char *who)
{
	bool first;

	pthread_mutex_lock(&p->lock);
	first = !p->who[0];
	if (first) {
		snprintf(p->who, sizeof(p->who), "%s", who);
		p->left = p->grace;
	}
	pthread_mutex_unlock(&p->lock);
	if (!p->grace) {
		pull(p, POWERDOWN_NONE, who);
		return;
	}
	p->ops->press(p->ctx);
	if (first)
		start_ticks(p);
}

void powerdown_signal(struct powerdown *p, int signo)
{
	enum { FIRST, SAME, SECOND } turn = FIRST;
	char who[sizeof(p->who)];

	snprintf(who, sizeof(who), "signal %s", strsignal(signo));
	if (signo != SIGHUP) {
		pthread_mutex_lock(&p->lock);
		if (!p->signal_ms)
			p->signal_ms = now_ms();
		else
			turn = now_ms() - p->signal_ms < POWERDOWN_ONE_MS ?
				       SAME :
				       SECOND;
		pthread_mutex_unlock(&p->lock);
	}
	if (turn == SECOND)
		pull(p, POWERDOWN_SECOND, who);
	else if (turn == FIRST)
		powerdown_ask(p, who);
}

void powerdown_state(struct powerdown *p, struct powerdown_state *out)
{
	pthread_mutex_lock(&p->lock);
	memcpy(out->who, p->who, sizeof(out->who));
	out->grace_ms = (uint64_t)p->grace * p->tick_ms;
	out->left_ms = (uint64_t)p->left * p->tick_ms;
	pthread_mutex_unlock(&p->lock);
}
