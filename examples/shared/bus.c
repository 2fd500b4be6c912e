/* SPDX-License-Identifier: BSD-2-Clause */
#include "bus.h"

void bus_init(struct bus *b)
{
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->moved, NULL);
	b->next = b->serving = 0;
	b->nshared = 0;
}

void bus_fini(struct bus *b)
{
	pthread_cond_destroy(&b->moved);
	pthread_mutex_destroy(&b->lock);
}

static void wait_in_line(struct bus *b)
{
	uint64_t mine = b->next++;

	while (b->serving != mine)
		pthread_cond_wait(&b->moved, &b->lock);
}

static void serve_next(struct bus *b)
{
	b->serving++;
	pthread_cond_broadcast(&b->moved);
}

void bus_share(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	wait_in_line(b);
	b->nshared++;
	serve_next(b);
	pthread_mutex_unlock(&b->lock);
}

void bus_unshare(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->nshared--;
	pthread_cond_broadcast(&b->moved);
	pthread_mutex_unlock(&b->lock);
}

/* Who is next waits for those who share it; nobody behind gets past. */
void bus_take(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	wait_in_line(b);
	while (b->nshared)
		pthread_cond_wait(&b->moved, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

void bus_drop(struct bus *b)
{
	pthread_mutex_lock(&b->lock);
	serve_next(b);
	pthread_mutex_unlock(&b->lock);
}
