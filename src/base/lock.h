/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock that is handed over: who drops it while others wait gives it to the
 * one that has waited longest, so nobody's turn comes twice before another's
 * comes once. How long a thread waits is then bounded by how many are before it
 * and by how long each holds it, whatever they do in between.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "capability.h"
#include "spin.h"
#include <semaphore.h>
#include <stdint.h>

/* A thread that waits, on its own stack. */
struct lock_waiter {
	struct lock_waiter *next;
	uint32_t turn; /* 1: its turn has come, whether it sleeps or not */
	sem_t wake;
};

struct LOCK_ATTR(capability("mutex")) lock {
	uint32_t state;	   /* free, held, or held and waited for */
	struct spin guard; /* of what follows, and of leaving "waited for" */
	struct lock_waiter *first, *last;
};

void lock_init(struct lock *l);
void lock_end(struct lock *l); /* is free */
void lock_take(struct lock *l) TAKES(*l);
void lock_drop(struct lock *l) DROPS(*l);

/* Something under a lock that others wait for. The lock guards it. */
struct lock_event {
	struct lock_waiter *first;
};

void lock_event_init(struct lock_event *e);
void lock_event_end(struct lock_event *e);

/* Drops the lock while it waits; may return for no reason. */
void lock_wait(struct lock *l, struct lock_event *e) MUST_HOLD(*l);

/* The event's lock is held. */
void lock_wake_all(struct lock_event *e);

#endif
