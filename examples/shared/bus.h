/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock that is had in the order in which it was asked for, by several who
 * share it or by one alone. Who does DMA shares it; who changes what the device
 * reaches has it alone, and then nothing is in flight. The order, because
 * providers that ask for it again and again must not keep out who wants to split
 * their window.
 */
#ifndef SHARED_BUS_H
#define SHARED_BUS_H

#include <pthread.h>
#include <stdint.h>

struct bus {
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t moved;
	uint64_t next, serving;
	unsigned int nshared;
};

void bus_init(struct bus *b);
void bus_fini(struct bus *b);

void bus_share(struct bus *b);
void bus_unshare(struct bus *b);

/* Alone. */
void bus_take(struct bus *b);
void bus_drop(struct bus *b);

#endif
