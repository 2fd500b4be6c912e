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
