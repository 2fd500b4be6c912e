/* SPDX-License-Identifier: BSD-2-Clause */
#include "lock.h"

#include <assert.h>

/* With default attributes none of these can fail, but for our own bugs. */
void lock_init(struct lock *l)
{
	int err = pthread_mutex_init(&l->mutex, NULL);

	assert(!err);
	(void)err;
}

void lock_end(struct lock *l)
{
	int err = pthread_mutex_destroy(&l->mutex);

	assert(!err);
	(void)err;
}

void lock_take(struct lock *l) LOCK_UNCHECKED
{
	int err = pthread_mutex_lock(&l->mutex);

	assert(!err);
	(void)err;
}

void lock_drop(struct lock *l) LOCK_UNCHECKED
{
	int err = pthread_mutex_unlock(&l->mutex);

	assert(!err);
	(void)err;
}

void lock_event_init(struct lock_event *e)
{
	int err = pthread_cond_init(&e->cond, NULL);

	assert(!err);
	(void)err;
}

void lock_event_end(struct lock_event *e)
{
	int err = pthread_cond_destroy(&e->cond);

	assert(!err);
	(void)err;
}

void lock_wait(struct lock *l, struct lock_event *e)
{
	int err = pthread_cond_wait(&e->cond, &l->mutex);

	assert(!err);
	(void)err;
}

void lock_wake_all(struct lock_event *e)
{
	int err = pthread_cond_broadcast(&e->cond);

	assert(!err);
	(void)err;
}
