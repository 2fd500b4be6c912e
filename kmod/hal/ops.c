// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA operations of an assigned function.
 *
 * What an unmap ends is what was mapped, whatever length or count the driver
 * names (ledger.c).
 *
 * With a pin table (pins.c) a map of pages that are pinned already is no
 * request, and an unmap never is. Otherwise a map is a request to the host,
 * which pins the memory and says at what address the device finds it; without
 * the table an unmap is a request that ends that. A scatterlist is one request,
 * or one per VD_HAL_NSEGS segments.
 *
 * What is one run in the guest need not be one on the bus: only within a
 * granule it is for sure. So a transaction (one call) is mapped directly, or,
 * if the host answers that a segment is no run (DISCONTIG) or lies above what
 * the device can address (MASK), bounced as a whole. Both answers depend on
 * luck: where the host found its pages. Trying costs a request, and on a host
 * where memory is fragmented it is lost every time. So each function keeps two
 * records of luck (struct hal_luck), one for transactions that cross a granule
 * and one for masks: after LUCK_LOSSES refusals in a row only every
 * LUCK_EVERY-th is tried, and one success opens it again.
 *
 * Memory is coherent on the platforms that we run on, so sync does something
 * for bounced segments only.
 *
 * Members of dma_map_ops left out, and what the DMA core makes of it:
 *   map_resource      DMA_MAPPING_ERROR: no device-to-device DMA; newer kernels
 *                     ask map_phys, with DMA_ATTR_MMIO
 *   get_sgtable       -ENXIO: the pool has no struct page
 *   alloc_noncontiguous   uses alloc_pages_op
 *   opt_mapping_size  as max_mapping_size: more per call is never worse
 *   get_merge_boundary    0: segments are not merged
 */
#include <linux/dma-map-ops.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>

#include "compat.h"
#include "hal.h"

#define LUCK_LOSSES 8
#define LUCK_EVERY  64

static bool luck = true;
module_param(luck, bool, 0644);
MODULE_PARM_DESC(luck, "try to map what crosses a granule in place");

static u32 prot_of(enum dma_data_direction dir)
{
	switch (dir) {
	case DMA_TO_DEVICE:
		return VD_HAL_READ;
	case DMA_FROM_DEVICE:
		return VD_HAL_WRITE;
	default:
		return VD_HAL_READ | VD_HAL_WRITE;
	}
}

static u64 streaming_mask(struct device *dev)
{
	return min_not_zero(*dev->dma_mask, dev->bus_dma_limit);
}

static u64 coherent_mask(struct device *dev)
{
	return min_not_zero(dev->coherent_dma_mask, dev->bus_dma_limit);
}

/* --- luck ------------------------------------------------------------ */

static bool luck_holds(struct hal_luck *l)
{
	u32 skipped;

	if (READ_ONCE(l->losses) < LUCK_LOSSES)
		return true;
	skipped = READ_ONCE(l->skipped) + 1;
	WRITE_ONCE(l->skipped, skipped);
	return skipped % LUCK_EVERY == 0;
}

static void luck_learn(struct hal_luck *l, bool won)
{
	u32 losses = READ_ONCE(l->losses);

	if (won && losses)
		WRITE_ONCE(l->losses, 0);
	else if (!won && losses < LUCK_LOSSES)
		WRITE_ONCE(l->losses, losses + 1);
}

static bool crosses_granule(struct hal_dev *hd, struct scatterlist *sgl,
			    int nents)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		if ((sg_phys(sg) ^ (sg_phys(sg) + sg->length - 1)) >>
		    hd->hal->granule)
			return true;
	return false;
}

/* --- direct ---------------------------------------------------------- */

static struct scatterlist *skip(struct scatterlist *sg, u32 n)
{
	while (n--)
		sg = sg_next(sg);
	return sg;
}

/* Return: how many of the @n are dealt with, at least 1. */
static u32 unmap_batch(struct hal_dev *hd, struct scatterlist *first, u32 n)
{
	struct scatterlist *sg;
	struct hal_call c;
	u32 i, done, status;

	if (!hal_call_open(&c, hd->hal, hd, VD_HAL_OP_UNMAP, 0))
		return n; /* off: the host has ended them all */
	for_each_sg(first, sg, n, i)
		hal_call_add(&c, sg_dma_address(sg), sg_dma_len(sg), 0);
	status = hal_call_ring(&c, &done);
	hal_call_close(&c);
	if (status == VD_HAL_S_OK)
		return n;
	if (status == VD_HAL_S_DENIED) /* that life has ended, with its maps */
		return n;
	hal_count(&hd->stats, HAL_N_STRAY, 1);
	/* A missing one is passed over; else there is no use in going on. */
	return status == VD_HAL_S_NOENT ? min(done + 1, n) : n;
}

/* End mappings of which the host has records, each by its length there. */
static void unmap_named(struct hal_dev *hd, struct scatterlist *sgl, u32 n)
{
	u32 done;

	for (; n; n -= done, sgl = skip(sgl, done))
		done = unmap_batch(hd, sgl, min_t(u32, n, VD_HAL_NSEGS));
}

/* Enter what the host has mapped strictly, or end all of it. */
static u32 accept_strict(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
			 u32 nsegs)
{
	u32 done = hal_ledger_enter_list(hd, sgl, n, nsegs);

	if (done == n)
		return VD_HAL_S_OK;
	hal_ledger_take_list(hd, sgl, done, nsegs);
	unmap_named(hd, sgl, n);
	return VD_HAL_S_NOMEM;
}

/* @nsegs: of the list that begins here; 0: it began earlier. */
static u32 map_batch(struct hal_dev *hd, struct scatterlist *first, u32 n,
		     u32 nsegs, u32 prot, u64 mask)
{
	bool pins = hd->hal->pins.word;
	struct scatterlist *sg;
	struct hal_call c;
	u32 i, status;

	if (!hal_call_open(&c, hd->hal, hd,
			   pins ? VD_HAL_OP_PIN : VD_HAL_OP_MAP, mask))
		return HAL_S_SILENT;
	for_each_sg(first, sg, n, i)
		hal_call_add(&c, sg_phys(sg), sg->length, prot);
	status = hal_call_ring(&c, NULL);
	if (status == VD_HAL_S_OK)
		for_each_sg(first, sg, n, i) {
			sg_dma_address(sg) =
				le64_to_cpu(c.slot->page->seg[i].addr);
			sg_dma_len(sg) = sg->length;
		}
	hal_call_close(&c);
	if (status != VD_HAL_S_OK)
		return status;
	return pins ? hal_pins_accept(hd, first, n, nsegs) :
		      accept_strict(hd, first, n, nsegs);
}

/*
 * The first @n of a list of @nsegs; if @n is that, as many as the list had when
 * it was mapped.
 */
static void unmap_direct(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
			 u32 nsegs)
{
	if (hd->hal->pins.word) {
		n = hal_pins_unmap(hd, sgl, n, nsegs);
	} else {
		n = hal_ledger_take_list(hd, sgl, n, nsegs);
		unmap_named(hd, sgl, n);
	}
	atomic_long_sub(n, &hd->live);
}

static u64 count_pages(struct scatterlist *sgl, u32 nents)
{
	struct scatterlist *sg;
	u64 n = 0;
	u32 i;

	for_each_sg(sgl, sg, nents, i)
		n += PFN_UP(offset_in_page(sg_phys(sg)) + (u64)sg->length);
	return n;
}

/* All or nothing. Return: VD_HAL_S_* or HAL_S_SILENT. */
static u32 map_by_request(struct hal_dev *hd, struct scatterlist *sgl,
			  u32 nents, u32 prot, u64 mask)
{
	struct scatterlist *sg = sgl;
	u32 n, done = 0, status;

	for (; done < nents; done += n, sg = skip(sg, n)) {
		n = min_t(u32, nents - done, VD_HAL_NSEGS);
		status = map_batch(hd, sg, n, done ? 0 : nents, prot, mask);
		if (status != VD_HAL_S_OK)
			goto err_unmap;
		atomic_long_add(n, &hd->live);
	}
	return VD_HAL_S_OK;

err_unmap:
	if (done)
		unmap_direct(hd, sgl, done, nents);
	return status;
}

/* The same, without the host if all of it is pinned. */
static u32 map_direct(struct hal_dev *hd, struct scatterlist *sgl, u32 nents,
		      u32 prot, u64 mask)
{
	u32 status = HAL_S_MISS;

	if (hd->hal->pins.word)
		status = hal_pins_map(hd, sgl, nents, mask);
	if (status == VD_HAL_S_OK) {
		atomic_long_add(nents, &hd->live);
		hal_count(&hd->stats, HAL_N_HITS, nents);
	} else if (status == HAL_S_MISS) {
		status = map_by_request(hd, sgl, nents, prot, mask);
	}
	if (status == VD_HAL_S_OK) {
		hal_count(&hd->stats, HAL_N_SEGS, nents);
		hal_count(&hd->stats, HAL_N_PAGES, count_pages(sgl, nents));
	}
	return status;
}

/* As map_direct(), if it is worth trying; else the refusal to expect. */
static u32 try_direct(struct hal_dev *hd, struct scatterlist *sgl, u32 nents,
		      u32 prot, u64 mask)
{
	bool across = crosses_granule(hd, sgl, nents);
	u32 status;

	if (across && !(READ_ONCE(luck) && luck_holds(&hd->across)))
		return VD_HAL_S_DISCONTIG;
	if (!luck_holds(&hd->reach))
		return VD_HAL_S_MASK;
	status = map_direct(hd, sgl, nents, prot, mask);
	if (status == VD_HAL_S_OK || status == VD_HAL_S_MASK)
		luck_learn(&hd->reach, status == VD_HAL_S_OK);
	if (across && (status == VD_HAL_S_OK || status == VD_HAL_S_DISCONTIG))
		luck_learn(&hd->across, status == VD_HAL_S_OK);
	if (across && status == VD_HAL_S_OK)
		hal_count(&hd->stats, HAL_N_LUCKY, 1);
	return status;
}

/* --- bounced --------------------------------------------------------- */

/* Bounced addresses are nobody else's, so what the list had is known. */
static void unmap_bounced(struct hal_dev *hd, struct scatterlist *sgl,
			  u32 nents, enum dma_data_direction dir,
			  unsigned long attrs)
{
	struct scatterlist *sg = sgl;
	u32 i, n = hal_bounce_count(hd, sg_dma_address(sgl));

	if (n != nents)
		hal_count(&hd->stats, HAL_N_MISFIT, 1);
	for (i = 0; sg && i < n; i++, sg = sg_next(sg))
		hal_bounce_unmap(hd, sg_dma_address(sg), sg_dma_len(sg), dir,
				 attrs);
}

static int map_bounced(struct hal_dev *hd, struct scatterlist *sgl, u32 nents,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int err;
	u32 i;

	for_each_sg(sgl, sg, nents, i) {
		err = hal_bounce_map(hd, sg, dir, attrs);
		if (err)
			goto err_unmap;
		sg_dma_len(sg) = sg->length;
	}
	hal_bounce_number(hd, sg_dma_address(sgl), nents);
	return 0;

err_unmap:
	if (!i)
		return err;
	hal_bounce_number(hd, sg_dma_address(sgl), i);
	unmap_bounced(hd, sgl, i, dir, attrs | DMA_ATTR_SKIP_CPU_SYNC);
	return err;
}

/* --- streaming ------------------------------------------------------- */

static int map_once(struct device *dev, struct scatterlist *sgl, int nents,
		    enum dma_data_direction dir, unsigned long attrs)
{
	struct hal_dev *hd = hal_dev_of(dev);
	u32 status;

	status = try_direct(hd, sgl, nents, prot_of(dir), streaming_mask(dev));
	if (status == VD_HAL_S_OK)
		return 0;
	if (attrs & DMA_ATTR_REQUIRE_COHERENT) /* so no copy will do */
		return hal_errno(status);
	if (status == VD_HAL_S_DISCONTIG || status == VD_HAL_S_MASK)
		return map_bounced(hd, sgl, nents, dir, attrs);
	if (status == VD_HAL_S_BUDGET && hd->hal->spills &&
	    !map_bounced(hd, sgl, nents, dir, attrs)) {
		hal_count(&hd->stats, HAL_N_SPILLED, 1);
		return 0;
	}
	return hal_errno(status);
}

/*
 * Where room is short, idle chunks give theirs. If then nothing is in flight
 * whose end could make room, the driver must not try again for ever.
 */
static int map_list(struct device *dev, struct scatterlist *sgl, int nents,
		    enum dma_data_direction dir, unsigned long attrs)
{
	struct hal_dev *hd = hal_dev_of(dev);
	struct hal *hal = hd->hal;
	int err;

	err = map_once(dev, sgl, nents, dir, attrs);
	if (err == -ENOSPC && hal_pool_shrink(hal))
		err = map_once(dev, sgl, nents, dir, attrs);
	if (err == -ENOSPC)
		err = atomic_long_read(&hal->in_flight) ? -ENOMEM : -EREMOTEIO;
	if (!err)
		atomic_long_inc(&hal->in_flight);
	hal_count(&hd->stats, err ? HAL_N_FAILED : HAL_N_MAPS, 1);
	return err;
}

static void unmap_list(struct device *dev, struct scatterlist *sgl, int nents,
		       enum dma_data_direction dir, unsigned long attrs)
{
	struct hal_dev *hd = hal_dev_of(dev);

	hal_count(&hd->stats, HAL_N_UNMAPS, 1);
	atomic_long_dec(&hd->hal->in_flight);
	if (hal_is_bounced(hd, sg_dma_address(sgl)))
		unmap_bounced(hd, sgl, nents, dir, attrs);
	else
		unmap_direct(hd, sgl, nents, nents);
}

static int hal_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		      enum dma_data_direction dir, unsigned long attrs)
{
	int err;

	if (nents <= 0)
		return -EINVAL;
	err = map_list(dev, sgl, nents, dir, attrs);
	return err ? err : nents;
}

static void hal_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir, unsigned long attrs)
{
	if (nents > 0)
		unmap_list(dev, sgl, nents, dir, attrs);
}

/* A list of one. */
static dma_addr_t hal_map_phys(struct device *dev, phys_addr_t phys,
			       size_t size, enum dma_data_direction dir,
			       unsigned long attrs)
{
	struct scatterlist sg;

	/* As without map_resource: no device-to-device DMA. */
	if (!size || size > SZ_1G || (attrs & DMA_ATTR_MMIO))
		return DMA_MAPPING_ERROR;
	sg_init_table(&sg, 1);
	sg_set_page(&sg, pfn_to_page(PHYS_PFN(phys)), size,
		    offset_in_page(phys));
	if (map_list(dev, &sg, 1, dir, attrs))
		return DMA_MAPPING_ERROR;
	return sg_dma_address(&sg);
}

static void hal_unmap_phys(struct device *dev, dma_addr_t bus, size_t size,
			   enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist sg;

	sg_init_table(&sg, 1);
	sg_dma_address(&sg) = bus;
	sg_dma_len(&sg) = size;
	unmap_list(dev, &sg, 1, dir, attrs);
}

static void hal_sync_single_for_cpu(struct device *dev, dma_addr_t bus,
				    size_t size, enum dma_data_direction dir)
{
	if (dir != DMA_TO_DEVICE)
		hal_bounce_sync(hal_dev_of(dev), bus, size, false);
}

static void hal_sync_single_for_device(struct device *dev, dma_addr_t bus,
				       size_t size, enum dma_data_direction dir)
{
	if (dir != DMA_FROM_DEVICE)
		hal_bounce_sync(hal_dev_of(dev), bus, size, true);
}

static void hal_sync_sg_for_cpu(struct device *dev, struct scatterlist *sgl,
				int nents, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		hal_sync_single_for_cpu(dev, sg_dma_address(sg), sg_dma_len(sg),
					dir);
}

static void hal_sync_sg_for_device(struct device *dev, struct scatterlist *sgl,
				   int nents, enum dma_data_direction dir)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		hal_sync_single_for_device(dev, sg_dma_address(sg),
					   sg_dma_len(sg), dir);
}

/* --- coherent -------------------------------------------------------- */

static bool is_in_pool(const struct hal_pool *p, const void *vaddr)
{
	return p->vaddr && vaddr >= p->vaddr &&
	       vaddr < p->vaddr + ((size_t)p->nchunks << p->shift);
}

static void *alloc_in_pool(struct hal_dev *hd, u32 npages, u64 mask,
			   dma_addr_t *bus)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_want want = {
		.kind = HAL_COHERENT,
		.npages = npages,
		.mask = mask,
		.align = roundup_pow_of_two(npages) - 1,
		.boundary = U64_MAX,
	};
	struct hal_run run;

	if (hal_pool_alloc(hd, &want, &run))
		return NULL;
	*bus = run.bus;
	return memset(p->vaddr + ((size_t)run.first << PAGE_SHIFT), 0,
		      (size_t)npages << PAGE_SHIFT);
}

static void free_in_pool(struct hal_dev *hd, void *vaddr, u32 npages)
{
	hal_pool_free(hd, (vaddr - hd->hal->pool.vaddr) >> PAGE_SHIFT, npages);
}

/* A driver may count on it that what it gets is aligned to its size. */
static bool is_aligned_run(dma_addr_t bus, u32 npages)
{
	return !(PHYS_PFN(bus) & (roundup_pow_of_two(npages) - 1));
}

/* Ordinary pages: within a granule, or by luck. */
static struct page *alloc_outside(struct device *dev, u32 npages, u64 mask,
				  dma_addr_t *bus, gfp_t gfp)
{
	struct hal_dev *hd = hal_dev_of(dev);
	size_t len = (size_t)npages << PAGE_SHIFT;
	struct page *page;

	page = alloc_pages_node(dev_to_node(dev),
				gfp | __GFP_ZERO | __GFP_NOWARN,
				get_order(len));
	if (!page)
		return NULL;
	if (hal_map_one(hd, page_to_phys(page), len, VD_HAL_READ | VD_HAL_WRITE,
			mask, bus) != VD_HAL_S_OK)
		goto err_free;
	if (is_aligned_run(*bus, npages))
		return page;
	hal_unmap_one(hd, *bus, len);
err_free:
	__free_pages(page, get_order(len));
	return NULL;
}

static void *hal_alloc(struct device *dev, size_t size, dma_addr_t *bus,
		       gfp_t gfp, unsigned long attrs)
{
	struct hal_dev *hd = hal_dev_of(dev);
	u64 mask = coherent_mask(dev);
	struct page *page;
	void *vaddr;

	if (!size || size > SZ_1G)
		return NULL;
	vaddr = alloc_in_pool(hd, PFN_UP(size), mask, bus);
	if (!vaddr) {
		page = alloc_outside(dev, PFN_UP(size), mask, bus, gfp);
		vaddr = page ? page_address(page) : NULL;
	}
	hal_count(&hd->stats, vaddr ? HAL_N_COHERENT : HAL_N_FAILED, 1);
	if (vaddr)
		atomic_long_inc(&hd->live);
	return vaddr;
}

static void hal_free(struct device *dev, size_t size, void *vaddr,
		     dma_addr_t bus, unsigned long attrs)
{
	struct hal_dev *hd = hal_dev_of(dev);
	size_t len = PAGE_ALIGN(size);

	if (is_in_pool(&hd->hal->pool, vaddr)) {
		free_in_pool(hd, vaddr, len >> PAGE_SHIFT);
	} else {
		hal_unmap_one(hd, bus, len);
		__free_pages(virt_to_page(vaddr), get_order(len));
	}
	atomic_long_dec(&hd->live);
}

/* Not coherent: the driver syncs, so a bounced mapping will do. */
static struct page *hal_alloc_pages(struct device *dev, size_t size,
				    dma_addr_t *bus,
				    enum dma_data_direction dir, gfp_t gfp)
{
	struct page *page;

	page = alloc_pages_node(dev_to_node(dev), gfp | __GFP_ZERO,
				get_order(size));
	if (!page)
		return NULL;
	*bus = hal_map_phys(dev, page_to_phys(page), size, dir,
			    DMA_ATTR_SKIP_CPU_SYNC);
	if (*bus == DMA_MAPPING_ERROR) {
		__free_pages(page, get_order(size));
		return NULL;
	}
	return page;
}

static void hal_free_pages(struct device *dev, size_t size, struct page *page,
			   dma_addr_t bus, enum dma_data_direction dir)
{
	hal_unmap_phys(dev, bus, size, dir, DMA_ATTR_SKIP_CPU_SYNC);
	__free_pages(page, get_order(size));
}

static int hal_mmap(struct device *dev, struct vm_area_struct *vma, void *vaddr,
		    dma_addr_t bus, size_t size, unsigned long attrs)
{
	struct hal_pool *p = &hal_dev_of(dev)->hal->pool;
	unsigned long npages = PFN_UP(size);
	unsigned long at = vma->vm_pgoff;
	phys_addr_t phys;

	if (at >= npages || vma_pages(vma) > npages - at)
		return -ENXIO;
	if (is_in_pool(p, vaddr))
		phys = p->phys + (vaddr - p->vaddr);
	else
		phys = virt_to_phys(vaddr);
	return remap_pfn_range(vma, vma->vm_start, PHYS_PFN(phys) + at,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

/* --- questions ------------------------------------------------------- */

/*
 * A mask that all of the host's memory is within needs nothing. Else what lies
 * above it is bounced, and coherent memory comes from the pool, which needs
 * chunks below it. A host that does not say where those are is asked at each
 * map.
 */
static int hal_dma_supported(struct device *dev, u64 mask)
{
	struct hal *hal = hal_dev_of(dev)->hal;

	if (!hal->bus_bits)
		return mask >= DMA_BIT_MASK(24);
	if (mask >= DMA_BIT_MASK(hal->bus_bits))
		return 1;
	return hal->pool.below[ilog2(mask + 1)] > 0;
}

/* The host's memory may lie anywhere, unless it says where it ends. */
static u64 hal_get_required_mask(struct device *dev)
{
	u32 bits = hal_dev_of(dev)->hal->bus_bits;

	return DMA_BIT_MASK(bits ? bits : 64);
}

/* What can be bounced, with room for others in the same chunk. */
static size_t hal_max_mapping_size(struct device *dev)
{
	struct hal *hal = hal_dev_of(dev)->hal;

	if (!hal->pool.vaddr)
		return (size_t)1 << hal->granule;
	return (size_t)1 << (hal->pool.shift - 3);
}

/* Copied for each function; see hal_dev_of(). */
const struct dma_map_ops hal_ops = {
	.alloc = hal_alloc,
	.free = hal_free,
	.alloc_pages_op = hal_alloc_pages,
	.free_pages = hal_free_pages,
	.mmap = hal_mmap,
	.map_phys = HAL_MAP_PHYS,
	.unmap_phys = hal_unmap_phys,
	.map_sg = hal_map_sg,
	.unmap_sg = hal_unmap_sg,
	.sync_single_for_cpu = hal_sync_single_for_cpu,
	.sync_single_for_device = hal_sync_single_for_device,
	.sync_sg_for_cpu = hal_sync_sg_for_cpu,
	.sync_sg_for_device = hal_sync_sg_for_device,
	.dma_supported = hal_dma_supported,
	.get_required_mask = hal_get_required_mask,
	.max_mapping_size = hal_max_mapping_size,
};
