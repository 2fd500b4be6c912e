/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin table of a machine: its memory, which is BAR 2 of the HAL function,
 * and the thread that ages it.
 */
#ifndef VMM_PINCACHE_H
#define VMM_PINCACHE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct vd_domain;

/*
 * Half of an ageing period: a page that nobody maps goes at the second. Long
 * enough that a driver comes back to its buffers; when memory is short nobody
 * waits for it.
 */
#define PINCACHE_TICK_MS 2000

/* All zeros: there is none. */
struct pincache {
	struct vd_domain *domain;
	uint64_t *word;
	uint64_t nwords; /* one per page of guest RAM, and of holes in it */
	uint64_t len;	 /* of the BAR: a power of two */
	pthread_t ager;
	pthread_mutex_t lock; /* guards stop */
	pthread_cond_t wake;
	bool stop;
};

/*
 * Make the table for @vm's RAM and share it with @domain. Destroy, before the
 * domain goes, ends the thread; free, after it, the memory, which the domain
 * writes to as it ends. Both also after a create that failed.
 */
int pincache_create(struct pincache *c, const struct vm *vm,
		    struct vd_domain *domain);
void pincache_destroy(struct pincache *c);
void pincache_free(struct pincache *c);

#endif
