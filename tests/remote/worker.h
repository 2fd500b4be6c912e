/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A provider at work: a thread that does transfers in the provider's part of the
 * window and of the disk, several at once, and looks at what became of them.
 * While the provider has no window everything it does must be refused, and
 * nothing of it land anywhere.
 */
#ifndef REMOTE_WORKER_H
#define REMOTE_WORKER_H

#include "rig.h"

#include <pthread.h>

struct worker {
	struct rig *g;
	uint32_t provider;
	unsigned int page; /* where its part begins */
	atomic_bool stop;
	atomic_ulong verified, refused, bad; /* bytes; bursts; things */
	pthread_t thread;
};

void start(struct worker *w, struct rig *g, uint32_t provider, unsigned int page);
void finish(struct worker *w);
/* Until the counter has moved by @n: the worker goes on meanwhile. */
void wait_more(atomic_ulong *counter, unsigned long n);
/* Until @n bursts more were begun while the other provider's was in flight. */
void wait_overlap(struct rig *g, uint64_t n);

#endif
