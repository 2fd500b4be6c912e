/* SPDX-License-Identifier: BSD-2-Clause */
#include "bus.h"

void bus_init(struct bus *b)
{
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->moved, NULL);
	b->next = b->serving = 0;
}

void bus_fini(struct bus *b)
{
	pthread_cond_destroy(&b->moved);
	pthread_mutex_destroy(&b->lock);
}

void bus_take(struct bus *b)
{
	uint64_t mine;

	pthread_mutex_lock(&b->lock);
	mine = b->next++;
	while (b->serving != mine)
		pthread_cond_wait(&b->moved, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

void bus_drop(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->serving++;
	pthread_cond_broadcast(&b->moved);
	pthread_mutex_unlock(&b->lock);
}
