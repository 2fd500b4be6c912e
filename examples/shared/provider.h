/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A provider at work: a thread that writes pages to its part of the disk, reads
 * them back elsewhere and compares. It begins at @page, and moves to what it is
 * told that it owns; as long as it owns nothing its commands are refused. Page n of
 * the window leads to page n of its memory.
 */
#ifndef SHARED_PROVIDER_H
#define SHARED_PROVIDER_H

#include "shared.h"
#include <pthread.h>
#include <stdatomic.h>

struct provider {
	struct shared *shared;
	uint32_t id;
	uint32_t page, span; /* where it writes from, and how many pages */
	pthread_t thread;
	atomic_bool stop, paused;
	atomic_ulong verified, wrong, refused;
	/* What it was told and has not yet acted on. */
	pthread_mutex_t lock;
	struct vd_window_info told;
	bool news;
};

void provider_start(struct provider *p, struct shared *s, uint32_t id,
		    uint32_t page);
void provider_stop(struct provider *p);

/* From any thread; only notes it: the provider maps in its own. */
void provider_told(struct provider *p, const struct vd_window_info *w);

#endif
