// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bouncing: a segment that cannot be reached in place is copied through a run
 * of the pool.
 *
 * A run keeps the segment's offset within its page, and the bits that the
 * driver asked for (min_align_mask), and its segment boundary if the original
 * kept it: hardware such as NVMe derives a transfer's layout from them. So runs
 * are whole pages. Every page of a run leads to the run's first (struct
 * hal_cell), since a driver may sync any part of what it mapped.
 *
 * The buffer is filled from the original even if the device only writes: it
 * may write less than it said, and what it leaves out must come back as it was,
 * not as somebody else's bytes.
 */
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/mm.h>

#include "hal.h"

static u32 npages_of(phys_addr_t phys, u32 len)
{
	return PFN_UP(offset_in_page(phys) + (u64)len);
}

static void copy(struct hal_pool *p, const struct hal_cell *o, u32 at, u32 len,
		 bool to_device)
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
 * @sg:    the segment; its DMA address is set
 * @dir:   direction
 * @attrs: DMA_ATTR_*
 *
 * Return: 0, or as hal_pool_alloc(); nothing has changed then.
 */
int hal_bounce_map(struct hal_dev *hd, struct scatterlist *sg,
		   enum dma_data_direction dir, unsigned long attrs)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_want want;
	struct hal_cell *o;
	struct hal_run run;
	int err;

	describe(hd, sg_phys(sg), sg->length, &want);
	err = hal_pool_alloc(hd, &want, &run);
	if (err)
		return err;

	o = &p->cell[run.first];
	o->phys = sg_phys(sg);
	o->len = sg->length;
	o->nsegs = 0;
	if (dir != DMA_TO_DEVICE || !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		copy(p, o, 0, o->len, true);
	atomic_inc(&hd->nbounced);
	atomic_long_inc(&hd->live);
	hal_count(&hd->stats, HAL_N_BOUNCED, 1);
	hal_count(&hd->stats, HAL_N_BOUNCED_BYTES, o->len);
	sg_dma_address(sg) = run.bus + offset_in_page(o->phys);
	return 0;
}

/* The first cell of a bounced address's run; *at: where in the segment it is. */
static struct hal_cell *find_origin(struct hal_dev *hd, dma_addr_t bus, u32 *at)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_cell *o;
	long page;

	/* Most functions bounce nothing at most times. */
	if (!atomic_read(&hd->nbounced))
		return NULL;
	page = hal_pool_find(hd, bus);
	if (page < 0)
		return NULL;
	o = &p->cell[p->cell[page].first];
	if (o->kind != HAL_BOUNCE)
		return NULL;
	*at = ((u32)(page - (o - p->cell)) << PAGE_SHIFT) +
	      offset_in_page(bus) - offset_in_page(o->phys);
	return o;
}

bool hal_is_bounced(struct hal_dev *hd, dma_addr_t bus)
{
	u32 at;

	return find_origin(hd, bus, &at);
}

/* The bounced segment at @bus begins a list of @nsegs. */
void hal_bounce_number(struct hal_dev *hd, dma_addr_t bus, u32 nsegs)
{
	u32 at;

	find_origin(hd, bus, &at)->nsegs = nsegs;
}

/* Of how many segments is the list that begins there? At least 1. */
u32 hal_bounce_count(struct hal_dev *hd, dma_addr_t bus)
{
	struct hal_cell *o;
	u32 at;

	o = find_origin(hd, bus, &at);
	return o && o->nsegs ? o->nsegs : 1;
}

/*
 * Whatever @len the driver names, it is the segment that ends: all of it, since
 * the device may have written all of it.
 */
void hal_bounce_unmap(struct hal_dev *hd, dma_addr_t bus, u32 len,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct hal_cell *o;
	u32 at;

	o = find_origin(hd, bus, &at);
	if (!o || at) {
		hal_count(&hd->stats, HAL_N_STRAY, 1);
		return;
	}
	if (len != o->len)
		hal_count(&hd->stats, HAL_N_MISFIT, 1);
	if (dir != DMA_TO_DEVICE && !(attrs & DMA_ATTR_SKIP_CPU_SYNC))
		copy(&hd->hal->pool, o, 0, o->len, false);
	hal_pool_free(hd, o->first, npages_of(o->phys, o->len));
	atomic_dec(&hd->nbounced);
	atomic_long_dec(&hd->live);
}

/* Copy a part of a segment; does nothing for one that is not bounced. */
void hal_bounce_sync(struct hal_dev *hd, dma_addr_t bus, size_t len,
		     bool to_device)
{
	struct hal_cell *o;
	u32 at;

	o = find_origin(hd, bus, &at);
	if (!o || at > o->len || len > o->len - at)
		return;
	copy(&hd->hal->pool, o, at, len, to_device);
}
