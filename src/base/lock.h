/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock that the compiler can reason about: clang checks at compile time that
 * a function marked MUST_HOLD(x) is called with x taken. gcc ignores it.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <pthread.h>

#ifdef __clang__
#define LOCK_ATTR(x) __attribute__((x))
#else
#define LOCK_ATTR(x)
#endif
#define MUST_HOLD(l)	 LOCK_ATTR(requires_capability(l))
#define MUST_NOT_HOLD(l) LOCK_ATTR(locks_excluded(l))
#define TAKES(l)	 LOCK_ATTR(acquire_capability(l))
#define DROPS(l)	 LOCK_ATTR(release_capability(l))
#define LOCK_UNCHECKED	 LOCK_ATTR(no_thread_safety_analysis)

struct LOCK_ATTR(capability("mutex")) lock {
	pthread_mutex_t mutex;
};

void lock_init(struct lock *l);
void lock_end(struct lock *l);
void lock_take(struct lock *l) TAKES(*l);
void lock_drop(struct lock *l) DROPS(*l);

/* Something under a lock that others wait for. */
struct lock_event {
	pthread_cond_t cond;
};

void lock_event_init(struct lock_event *e);
void lock_event_end(struct lock_event *e);

/* Drops the lock while it waits; may return for no reason. */
void lock_wait(struct lock *l, struct lock_event *e) MUST_HOLD(*l);
void lock_wake_all(struct lock_event *e);

#endif
