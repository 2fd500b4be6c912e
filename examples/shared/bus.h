/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock that is had in the order in which it was asked for: a provider that
 * asks for it again and again must not keep out who wants to split its window.
 */
#ifndef SHARED_BUS_H
#define SHARED_BUS_H

#include <pthread.h>
#include <stdint.h>

struct bus {
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t moved;
	uint64_t next, serving;
};

void bus_init(struct bus *b);
void bus_fini(struct bus *b);
void bus_take(struct bus *b);
void bus_drop(struct bus *b);

#endif
