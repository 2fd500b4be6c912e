/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * States:
 *	free	-> held		by one compare-and-swap, if nobody waits
 *	held	-> free		by one compare-and-swap
 *	held	-> queued	somebody enters the queue, under the guard
 *	queued	-> queued, held	handed over, under the guard: the first of the
 *				queue has it, others wait or do not
 * A lock that is waited for is never free, so whoever comes meanwhile, the one
 * that has just dropped it too, goes to the end of the queue.
 *
 * A waiter looks for its turn a little while before it sleeps: most holds are
 * shorter than a wake-up takes. Its turn is a word of its own, which is stored
 * (release) after all that the last holder did and is loaded (acquire) before
 * anything that the next one does; a semaphore orders as much. After it was told
 * its stack may be gone; so who wakes it touches nothing of it but by the one
 * sem_post(), and only if it has seen that it sleeps.
 */
#include "lock.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

enum { FREE, HELD, QUEUED };

/* What a waiter's word says. */
enum { WAITS, SLEEPS, HAS_TURN };

#define LOOKS 100 /* before it sleeps */

static bool swap(uint32_t *p, uint32_t was, uint32_t to, int order)
{
	return __atomic_compare_exchange_n(p, &was, to, false, order,
					   __ATOMIC_RELAXED);
}

void lock_init(struct lock *l)
{
	*l = (struct lock){ .state = FREE };
}

void lock_end(struct lock *l)
{
	assert(l->state == FREE);
	(void)l;
}

/* Its turn has come; @w is not ours to look at afterwards. */
static void tell(struct lock_waiter *w)
{
	if (__atomic_exchange_n(&w->turn, HAS_TURN, __ATOMIC_ACQ_REL) == SLEEPS)
		sem_post(&w->wake);
}

static bool has_turn(const struct lock_waiter *w)
{
	return __atomic_load_n(&w->turn, __ATOMIC_ACQUIRE) == HAS_TURN;
}

static void sleep_until_told(struct lock_waiter *w)
{
	int err = sem_init(&w->wake, 0, 0);

	assert(!err); /* it can not: the value is 0 */
	(void)err;
	if (swap(&w->turn, WAITS, SLEEPS, __ATOMIC_ACQ_REL)) {
		while (sem_wait(&w->wake) != 0)
			assert(errno == EINTR);
	}
	assert(has_turn(w));
	sem_destroy(&w->wake);
}

/* Held, or queued, or ours. */
static bool enter_queue(struct lock *l, struct lock_waiter *w) LOCK_UNCHECKED
{
	bool ours;

	spin_take(&l->guard);
	/* Only who has the guard leaves "queued"; the other two change. */
	do {
		ours = swap(&l->state, FREE, HELD, __ATOMIC_ACQUIRE);
	} while (!ours &&
		 __atomic_load_n(&l->state, __ATOMIC_RELAXED) != QUEUED &&
		 !swap(&l->state, HELD, QUEUED, __ATOMIC_RELAXED));
	if (!ours) {
		if (l->first)
			l->last->next = w;
		else
			l->first = w;
		/* Who looks from outside sees a whole waiter. */
		__atomic_store_n(&l->last, w, __ATOMIC_RELEASE);
	}
	spin_drop(&l->guard);
	return ours;
}

/* Apart, so that the quick way needs no stack. */
static __attribute__((noinline)) void take_slowly(struct lock *l)
{
	struct lock_waiter w = { .turn = WAITS };

	if (enter_queue(l, &w))
		return;
	for (int i = 0; i < LOOKS; i++) {
		if (has_turn(&w))
			return;
		spin_relax();
	}
	sleep_until_told(&w);
}

void lock_take(struct lock *l) LOCK_UNCHECKED
{
	if (!swap(&l->state, FREE, HELD, __ATOMIC_ACQUIRE))
		take_slowly(l);
}

static __attribute__((noinline)) void hand_over(struct lock *l) LOCK_UNCHECKED
{
	struct lock_waiter *w;

	spin_take(&l->guard);
	w = l->first;
	l->first = w->next;
	if (!l->first)
		__atomic_store_n(&l->state, HELD, __ATOMIC_RELAXED);
	spin_drop(&l->guard);
	tell(w);
}

void lock_drop(struct lock *l) LOCK_UNCHECKED
{
	if (!swap(&l->state, HELD, FREE, __ATOMIC_RELEASE))
		hand_over(l);
}

void lock_event_init(struct lock_event *e)
{
	e->first = NULL;
}

void lock_event_end(struct lock_event *e)
{
	assert(!e->first);
	(void)e;
}

void lock_wait(struct lock *l, struct lock_event *e)
{
	struct lock_waiter w = { .next = e->first, .turn = WAITS };

	e->first = &w;
	lock_drop(l);
	sleep_until_told(&w);
	lock_take(l);
}

void lock_wake_all(struct lock_event *e)
{
	struct lock_waiter *w = e->first;

	e->first = NULL;
	while (w) {
		struct lock_waiter *next = w->next;

		tell(w);
		w = next;
	}
}
