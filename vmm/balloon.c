/* SPDX-License-Identifier: BSD-2-Clause */
#include "balloon.h"
#include "vm.h"
#include <endian.h>
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <stddef.h>
#include <sys/mman.h>
#include <viaduct/domain.h>

#define PAGE ((uint64_t)1 << VIRTIO_BALLOON_PFN_SHIFT)
#define SLOT 1 /* in front of the HAL: its line is shared with few */

/* What a guest needs to live; a larger balloon would only kill it. */
#define LEFT (32ull << 20)

/* 5.5.2. Queues 2 and 3 are of features that are not offered. */
enum { INFLATE, DEFLATE, STATS, FREE_PAGES, REPORTING, QUEUES };

#define FEATURES                                   \
	(1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM | \
	 1ull << VIRTIO_BALLOON_F_REPORTING)

#define NUM_PAGES offsetof(struct virtio_balloon_config, num_pages)
#define ACTUAL	  offsetof(struct virtio_balloon_config, actual)

static struct balloon *of(struct virtio *v)
{
	return (struct balloon *)((char *)v - offsetof(struct balloon, dev));
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* RAM is private anonymous memory. The domain's lock is held. */
static int give(void *opaque, void *hva, uint64_t len)
{
	(void)opaque;
	return madvise(hva, len, MADV_DONTNEED) ? -errno : 0;
}

/* Only RAM: the pool's chunks must stay in one piece. */
static void discard(struct balloon *b, uint64_t gpa, uint64_t len)
{
	struct vd_discard how = { .size = sizeof(how), .give = give };

	if (len % PAGE || !vm_ram(b->vm, gpa, len) ||
	    vd_domain_discard(b->domain, (vd_gpa){ gpa }, len, &how))
		count(&b->refused_other, len - how.given - how.pinned);
	count(&b->discarded, how.given);
	count(&b->refused_pinned, how.pinned);
}

/* Neighbours that a driver gives one by one become one run. */
struct run {
	uint64_t first, npages;
};

static bool extend(struct run *r, uint64_t pfn)
{
	if (r->npages && pfn + 1 == r->first)
		r->first = pfn;
	else if (!r->npages || pfn != r->first + r->npages)
		return false;
	r->npages++;
	return true;
}

static void discard_pfns(struct balloon *b, const uint32_t *pfn, size_t n)
{
	struct run r = { 0 };

	for (size_t i = 0; i < n; i++) {
		uint64_t page = le32toh(pfn[i]);

		if (extend(&r, page))
			continue;
		if (r.npages)
			discard(b, r.first * PAGE, r.npages * PAGE);
		r = (struct run){ page, 1 };
	}
	if (r.npages)
		discard(b, r.first * PAGE, r.npages * PAGE);
}

/* 5.5.6.1: arrays of 32-bit page numbers. Returns how many there were. */
static uint64_t take_pfns(struct balloon *b, struct virtq *q,
			  const struct virtq_chain *c, bool give_up)
{
	uint32_t pfn[256];
	size_t off = 0, len;

	do {
		len = virtq_read(q, c, off, pfn, sizeof(pfn));
		if (give_up)
			discard_pfns(b, pfn, len / sizeof(pfn[0]));
		off += len;
	} while (len == sizeof(pfn) && virtio_is_running(&b->dev));
	return off / sizeof(pfn[0]);
}

/* 5.5.6.7: the reported pages are what the chain has for us to write. */
static void take_report(struct balloon *b, const struct virtq_chain *c)
{
	for (unsigned int i = c->nread; i < c->n && virtio_is_running(&b->dev);
	     i++) {
		count(&b->reported, c->seg[i].len);
		discard(b, c->seg[i].gpa, c->seg[i].len);
	}
}

static void take(struct balloon *b, unsigned int queue,
		 const struct virtq_chain *c)
{
	struct virtq *q = &b->dev.queue[queue];

	if (queue == INFLATE)
		count(&b->inflated, PAGE * take_pfns(b, q, c, true));
	else if (queue == DEFLATE)
		count(&b->deflated, PAGE * take_pfns(b, q, c, false));
	else if (virtio_has(&b->dev, VIRTIO_BALLOON_F_REPORTING))
		/* The fifth queue, but Linux (and others after it) numbers
		 * queues without gaps; nothing else is offered. */
		take_report(b, c);
}

static void serve(struct virtio *v, unsigned int queue)
{
	struct virtq_chain c;

	while (virtio_pop(v, queue, &c)) {
		take(of(v), queue, &c);
		virtio_push(v, queue, c.head, 0);
	}
}

/* A driver that is gone holds nothing any more. */
static void reset(struct virtio *v)
{
	virtio_config_put(v, ACTUAL, 0);
}

static const struct virtio_ops ops = { serve, reset };

int balloon_create(struct balloon *b, struct vm *vm, struct pci_bus *bus,
		   struct vd_domain *domain)
{
	const struct virtio_cfg cfg = {
		.vm = vm,
		.bus = bus,
		.slot = SLOT,
		.ops = &ops,
		.cause = "balloon",
		.type = VIRTIO_ID_BALLOON,
		.features = FEATURES,
		.nqueues = QUEUES,
		.config_len = sizeof(struct virtio_balloon_config),
	};
	int err;

	*b = (struct balloon){ .vm = vm, .domain = domain };
	err = virtio_create(&b->dev, &cfg);
	if (!err)
		virtio_config_keep(&b->dev, ACTUAL, UINT32_MAX);
	return err;
}

void balloon_reset(struct balloon *b)
{
	virtio_reset(&b->dev);
}

void balloon_destroy(struct balloon *b)
{
	virtio_destroy(&b->dev);
}

static uint64_t largest(const struct balloon *b)
{
	return b->vm->ram_len > LEFT ? b->vm->ram_len - LEFT : 0;
}

int balloon_set(struct balloon *b, uint64_t bytes)
{
	if (bytes > largest(b) || bytes / PAGE > UINT32_MAX)
		return -ERANGE;
	virtio_config_put(&b->dev, NUM_PAGES, (uint32_t)(bytes / PAGE));
	return 0;
}

void balloon_stats(struct balloon *b, struct balloon_stats *out)
{
	*out = (struct balloon_stats){
		.driver = virtio_is_running(&b->dev),
		.reporting = virtio_has(&b->dev, VIRTIO_BALLOON_F_REPORTING),
		.target = PAGE * virtio_config_get(&b->dev, NUM_PAGES),
		.actual = PAGE * virtio_config_get(&b->dev, ACTUAL),
		.largest = largest(b),
		.inflated = b->inflated,
		.deflated = b->deflated,
		.reported = b->reported,
		.discarded = b->discarded,
		.refused_pinned = b->refused_pinned,
		.refused_other = b->refused_other,
		.broken = virtio_broken(&b->dev),
	};
}
