/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The balloon: a virtio memory balloon (virtio 1.2, 5.5) that the guest's stock
 * driver fills with pages it can do without, and that takes reports of free
 * pages.
 *
 * What the guest gives is discarded, except for what is pinned: there DMA may
 * be under way, so it stays and is counted as refused. Pages come back by being
 * touched; the guest need not tell first. Reported pages are still the guest's:
 * it takes them back without a word.
 *
 * A report is no promise of ours. A guest that lies loses the contents of its
 * own pages and nothing else.
 */
#ifndef VMM_BALLOON_H
#define VMM_BALLOON_H

#include "virtio.h"
#include <stdatomic.h>

struct vd_domain;

struct balloon_stats {
	bool driver;	  /* the guest drives it */
	bool reporting;	  /* and reports free pages */
	uint64_t target;  /* bytes asked for */
	uint64_t actual;  /* bytes the driver says it gave */
	uint64_t largest; /* bytes that may be asked for */
	/* Since the start, in bytes: */
	uint64_t inflated, deflated; /* as told by the guest */
	uint64_t reported;
	uint64_t discarded;	 /* given back to the host */
	uint64_t refused_pinned; /* not, because of a pin */
	uint64_t refused_other; /* not guest RAM, or the host did not take it */
	uint64_t broken;	/* rules of the queues that the driver broke */
};

struct balloon {
	struct virtio dev;
	struct vm *vm;
	struct vd_domain *domain;
	_Atomic uint64_t inflated, deflated, reported;
	_Atomic uint64_t discarded, refused_pinned, refused_other;
};

/* On the bus. The domain holds the guest's RAM. 0 or -errno. */
int balloon_create(struct balloon *b, struct vm *vm, struct pci_bus *bus,
		   struct vd_domain *domain);
void balloon_reset(struct balloon *b);
void balloon_destroy(struct balloon *b);

/*
 * How much the guest is asked to give, in bytes, rounded down to pages. 0, or
 * -ERANGE: more than balloon_stats.largest. Any thread; does not wait.
 */
int balloon_set(struct balloon *b, uint64_t bytes);

void balloon_stats(struct balloon *b, struct balloon_stats *out);

#endif
