// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bouncing: a segment that cannot be reached in place is copied through a run
 * of the pool.
 *
 * A run keeps the segment's offset within its page, and the bits that the
 * driver asked for (min_align_mask), and its segment boundary if the original
 * kept it: hardware such as NVMe derives a transfer's layout from them. So runs
 * are whole pages. Every page of a run leads to the run's first (struct
 * hal_origin), since a driver may sync any part of what it mapped.
 *
 * The buffer is filled from the original even if the device only writes: it
 * may write less than it said, and what it leaves out must come back as it was,
 * not as somebody else's bytes.
 */
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/mm.h>

#include "hal.h"

static u32 first_page(const struct hal_pool *p, const struct hal_run *run)
{
	return ((run->chunk - p->chunk) << (p->shift - PAGE_SHIFT)) +
	       run->first;
}

static u32 npages_of(phys_addr_t phys, u32 len)
{
	return PFN_UP(offset_in_page(phys) + (u64)len);
}

static void copy(struct hal_pool *p, const struct hal_origin *o, u32 at,
		 u32 len, bool to_device)
{
	void *there = p->vaddr + ((size_t)o->first << PAGE_SHIFT) +
		      offset_in_page(o->phys) + at;
	void *here = phys_to_virt(o->phys + at);

	if (to_device)
		memcpy(there, here, len);
	else
		memcpy(here, there, len);
}

static void describe(struct hal_dev *hd, phys_addr_t phys, u32 len,
		     struct hal_want *want)
{
	struct device *dev = &hd->pdev->dev;
	u64 boundary = dma_get_seg_boundary(dev);

	want->kind = HAL_BOUNCE;
	want->npages = npages_of(phys, len);
	want->mask = min_not_zero(*dev->dma_mask, dev->bus_dma_limit);
	want->align = dma_get_min_align_mask(dev) >> PAGE_SHIFT;
	want->page = phys >> PAGE_SHIFT;
	want->boundary = boundary;
	if ((phys ^ (phys + len - 1)) & ~boundary || boundary < PAGE_SIZE - 1)
		want->boundary = U64_MAX; /* the original crosses it too */
}

/**
 * hal_bounce_map() - give a segment a place in the pool
 * @hd:    function that will use it
 * @phys:  the segment
 * @len:   its bytes
 * @dir:   direction
 * @attrs: DMA_ATTR_*
 * @bus:   out: the address for the device
 *
 * Return: 0, or as hal_pool_alloc(); nothing has changed then.
 */
int hal_bounce_map(struct hal_dev *hd, phys_addr_t phys, u32 len,
		   enum dma_data_direction dir, unsigned long attrs,
		   dma_addr_t *bus)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_origin *o;
	struct hal_want want;
	struct hal_run run;
	u32 i, first;
	int err;

	describe(hd, phys, len, &want);
	err = hal_pool_alloc(hd, &want, &run);
	if (err)
		return err;

	first = first_page(p, &run);
	o = &p->origin[first];
	o->phys = phys;
	o->len = len;
	for (i = 0; i < want.npages; i++)
		o[i].first = first;
	if (dir != DMA_TO_DEVICE || !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		copy(p, o, 0, len, true);
	atomic_inc(&hd->nbounced);
	atomic_long_inc(&hd->live);
	hal_count(&hd->stats, HAL_N_BOUNCED, 1);
	hal_count(&hd->stats, HAL_N_BOUNCED_BYTES, len);
	*bus = run.chunk->bus + ((u64)run.first << PAGE_SHIFT) +
	       offset_in_page(phys);
	return 0;
}

/* The origin of a bounced address, and where in the segment it is. */
static struct hal_origin *find_origin(struct hal_dev *hd, dma_addr_t bus,
				      struct hal_run *run, u32 *at)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_origin *o;
	struct hal_chunk *c;
	dma_addr_t start;

	/* Most functions bounce nothing at most times. */
	if (!atomic_read(&hd->nbounced))
		return NULL;
	c = hal_pool_find(hd, bus, HAL_BOUNCE);
	if (!c)
		return NULL;
	run->chunk = c;
	run->first = 0;
	o = &p->origin[first_page(p, run) + ((bus - c->bus) >> PAGE_SHIFT)];
	run->first = o->first - first_page(p, run);
	o = &p->origin[o->first];
	start = c->bus + ((u64)run->first << PAGE_SHIFT) +
		offset_in_page(o->phys);
	*at = bus - start;
	return o;
}

bool hal_is_bounced(struct hal_dev *hd, dma_addr_t bus)
{
	return atomic_read(&hd->nbounced) && hal_pool_find(hd, bus, HAL_BOUNCE);
}

void hal_bounce_unmap(struct hal_dev *hd, dma_addr_t bus, u32 len,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct hal_origin *o;
	struct hal_run run;
	u32 at;

	o = find_origin(hd, bus, &run, &at);
	if (!o || at || len != o->len) {
		hal_count(&hd->stats, HAL_N_STRAY, 1);
		return;
	}
	if (dir != DMA_TO_DEVICE && !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		copy(&hd->hal->pool, o, 0, len, false);
	hal_pool_free(hd->hal, &run, npages_of(o->phys, o->len));
	atomic_dec(&hd->nbounced);
	atomic_long_dec(&hd->live);
}

/* Copy a part of a segment; does nothing for one that is not bounced. */
void hal_bounce_sync(struct hal_dev *hd, dma_addr_t bus, size_t len,
		     bool to_device)
{
	struct hal_origin *o;
	struct hal_run run;
	u32 at;

	o = find_origin(hd, bus, &run, &at);
	if (!o || at > o->len || len > o->len - at)
		return;
	copy(&hd->hal->pool, o, at, len, to_device);
}
