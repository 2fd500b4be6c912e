// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool: memory that is contiguous on the bus from the start.
 *
 * It consists of chunks. A chunk belongs to one function and one purpose
 * (coherent memory or bounce buffers) from its first run to its last; for that
 * time it is mapped with one request, so that runs inside it cost none. The
 * purposes are apart so that the bounce chunks of a function that has gone
 * quiet empty out, are unmapped, and leave pinned only what its coherent
 * allocations need. That happens IDLE_MS after the last run has ended, so that
 * a burst costs one request and not one per transfer.
 *
 * Coherent memory takes at most half of the chunks, because it stays: a
 * greedy driver (an SSD's host memory buffer) must not starve bouncing.
 *
 * A chunk's states: free (no user), on its way (a user, no owner: a request
 * runs without the lock), owned. Only an owned chunk has pages taken.
 *
 * hal_pool_find() reads owner, kind and bus without the lock. It is asked only
 * about addresses in a live run or outside of the pool. A live run keeps its
 * chunk owned, so its fields stand still; and no other chunk can have its
 * address, since a chunk's bus addresses are its own as long as it is mapped.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "hal.h"

#define IDLE_MS	  2000 /* an empty chunk stays mapped this long */
#define NARROW_MS 1000 /* no use to try before this time */
#define MIN_SHIFT 16   /* an eighth of it holds an unaligned page */
#define MAX_SHIFT 30
#define MAX_PAGES BIT(20)

static u32 chunk_len(const struct hal_pool *p)
{
	return 1u << p->shift;
}

static u32 chunk_pages(const struct hal_pool *p)
{
	return 1u << (p->shift - PAGE_SHIFT);
}

static phys_addr_t chunk_phys(const struct hal_pool *p,
			      const struct hal_chunk *c)
{
	return p->phys + ((phys_addr_t)(c - p->chunk) << p->shift);
}

/* --- taking pages in an owned chunk ---------------------------------- */

static bool crosses(u64 bus, u64 len, u64 boundary)
{
	return (bus ^ (bus + len - 1)) & ~boundary;
}

static bool find_run(const struct hal_pool *p, const struct hal_chunk *c,
		     const struct hal_want *w, unsigned long *first)
{
	unsigned long at = 0,
		      off = ((c->bus >> PAGE_SHIFT) - w->page) & w->align;
	u64 bus;

	for (;;) {
		at = bitmap_find_next_zero_area_off(c->map, chunk_pages(p), at,
						    w->npages, w->align, off);
		if (at >= chunk_pages(p))
			return false;
		bus = c->bus + ((u64)at << PAGE_SHIFT);
		if (!crosses(bus, (u64)w->npages << PAGE_SHIFT, w->boundary))
			break;
		at = ((bus | w->boundary) + 1 - c->bus) >> PAGE_SHIFT;
	}
	*first = at;
	return true;
}

static bool take_run(struct hal_pool *p, struct hal_chunk *c,
		     const struct hal_want *w, struct hal_run *run)
{
	unsigned long first;

	lockdep_assert_held(&p->lock);
	if (c->bus + chunk_len(p) - 1 > w->mask || !find_run(p, c, w, &first))
		return false;
	bitmap_set(c->map, first, w->npages);
	c->used += w->npages;
	run->chunk = c;
	run->first = first;
	return true;
}

static bool take_from_own(struct hal_dev *hd, const struct hal_want *w,
			  struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c;

	lockdep_assert_held(&p->lock);
	for (c = p->chunk; c < p->chunk + p->nchunks; c++)
		if (c->owner == hd && c->kind == w->kind &&
		    take_run(p, c, w, run))
			return true;
	return false;
}

/* --- chunks ---------------------------------------------------------- */

static u32 coherent_limit(const struct hal_pool *p)
{
	return max(p->nchunks / 2, 1u);
}

/* Reserve a free chunk from number *at on: it is on its way to @hd. */
static struct hal_chunk *reserve_chunk(struct hal_dev *hd, enum hal_kind kind,
				       u32 *at)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c, *found = NULL;
	u32 ncoherent = 0;

	lockdep_assert_held(&p->lock);
	for (c = p->chunk; c < p->chunk + p->nchunks; c++) {
		if (c->user)
			ncoherent += c->kind == HAL_COHERENT;
		else if (!found && c - p->chunk >= *at)
			found = c;
	}
	if (!found)
		return NULL;
	if (kind == HAL_COHERENT && ncoherent >= coherent_limit(p))
		return NULL;
	found->user = hd;
	found->kind = kind;
	*at = found - p->chunk + 1;
	return found;
}

/* An empty owned chunk, at least @ms idle, of @hd or of anyone (NULL). */
static struct hal_chunk *disown_idle(struct hal_pool *p, struct hal_dev *hd,
				     unsigned int ms, bool *young)
{
	struct hal_chunk *c;

	lockdep_assert_held(&p->lock);
	for (c = p->chunk; c < p->chunk + p->nchunks; c++) {
		if (!c->owner || c->used || (hd && c->owner != hd))
			continue;
		if (time_after_eq(jiffies, c->idle + msecs_to_jiffies(ms))) {
			WRITE_ONCE(c->owner, NULL);
			return c;
		}
		*young = true;
	}
	return NULL;
}

/*
 * Unmap the empty chunks of @hd or of anyone (NULL). Return: how many; *young
 * says whether some are left for later.
 */
static u32 reap(struct hal *hal, struct hal_dev *hd, unsigned int ms,
		bool *young)
{
	struct hal_pool *p = &hal->pool;
	struct hal_chunk *c;
	unsigned long flags;
	u32 n = 0;

	spin_lock_irqsave(&p->lock, flags);
	while ((c = disown_idle(p, hd, ms, young))) {
		spin_unlock_irqrestore(&p->lock, flags);
		hal_unmap_one(c->user, c->bus, chunk_len(p));
		n++;
		spin_lock_irqsave(&p->lock, flags);
		c->user = NULL;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return n;
}

/* Unmap all empty chunks now: others need the room. Return: any? */
bool hal_pool_shrink(struct hal *hal)
{
	bool young;

	return reap(hal, NULL, 0, &young);
}

static void reap_work(struct work_struct *work)
{
	struct hal *hal =
		container_of(to_delayed_work(work), struct hal, pool.reap);
	bool more = hal_devices_bury(hal);

	reap(hal, NULL, IDLE_MS, &more);
	if (more)
		schedule_delayed_work(&hal->pool.reap,
				      msecs_to_jiffies(IDLE_MS));
}

/*
 * Map free chunks until one will do, and take the run there. Chunks lie
 * anywhere in the host's memory: one above the mask, or one that the host could
 * not keep in one piece, says nothing about the next. But if all are above the
 * mask, do not ask again for every transfer.
 */
static int take_from_new(struct hal_dev *hd, const struct hal_want *w,
			 struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 at = 0, status = VD_HAL_S_OK;
	struct hal_chunk *c;
	unsigned long flags;
	bool taken = false;
	dma_addr_t bus = 0;

	spin_lock_irqsave(&p->lock, flags);
	while (!taken && (c = reserve_chunk(hd, w->kind, &at))) {
		spin_unlock_irqrestore(&p->lock, flags);
		status = hal_map_one(hd, chunk_phys(p, c), chunk_len(p),
				     VD_HAL_READ | VD_HAL_WRITE, w->mask, &bus);
		spin_lock_irqsave(&p->lock, flags);
		if (status != VD_HAL_S_OK) {
			c->user = NULL;
			if (status != VD_HAL_S_MASK &&
			    status != VD_HAL_S_DISCONTIG)
				break; /* so will the others be */
			continue;
		}
		c->bus = bus;
		c->idle = jiffies;
		smp_store_release(&c->owner, hd); /* after bus, kind */
		taken = take_run(p, c, w, run);
		if (!taken) /* an odd alignment: leave it to the reaper */
			break;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	if (status == VD_HAL_S_MASK)
		hd->narrow[w->kind] = jiffies + msecs_to_jiffies(NARROW_MS);
	if (taken)
		return 0;
	return status == VD_HAL_S_OK ? -EAGAIN : hal_errno(status);
}

/* --- for the rest of the module -------------------------------------- */

/**
 * hal_pool_alloc() - take consecutive pages of the pool for a function
 * @hd:   function
 * @want: what it needs
 * @run:  out
 *
 * The pages are mapped for @hd, for reading and writing, until
 * hal_pool_free(). Any context.
 *
 * Return: 0, or
 *  -ENOSPC    the pool is full, or has no place that will do
 *  as hal_errno() if the host refuses to map a chunk
 */
int hal_pool_alloc(struct hal_dev *hd, const struct hal_want *want,
		   struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	unsigned long narrow = READ_ONCE(hd->narrow[want->kind]);
	unsigned long flags;
	bool taken;
	int err;

	if (!p->vaddr || want->npages > chunk_pages(p))
		return -ENOSPC;
	spin_lock_irqsave(&p->lock, flags);
	taken = take_from_own(hd, want, run);
	spin_unlock_irqrestore(&p->lock, flags);
	if (taken)
		return 0;
	if (narrow && time_before(jiffies, narrow))
		return hal_errno(VD_HAL_S_MASK);

	err = take_from_new(hd, want, run);
	if (err == -EAGAIN) { /* none free: those that idle will do */
		hal_pool_shrink(hd->hal);
		err = take_from_new(hd, want, run);
	}
	if (err == -EAGAIN) {
		hal_count(&hd->stats, HAL_N_POOL_FULL, 1);
		schedule_delayed_work(&p->reap, msecs_to_jiffies(IDLE_MS));
		err = -ENOSPC;
	}
	return err;
}

void hal_pool_free(struct hal *hal, const struct hal_run *run, u32 npages)
{
	struct hal_pool *p = &hal->pool;
	struct hal_chunk *c = run->chunk;
	unsigned long flags;
	bool empty;

	spin_lock_irqsave(&p->lock, flags);
	bitmap_clear(c->map, run->first, npages);
	c->used -= npages;
	c->idle = jiffies;
	empty = !c->used;
	spin_unlock_irqrestore(&p->lock, flags);
	if (empty)
		schedule_delayed_work(&p->reap, msecs_to_jiffies(IDLE_MS));
}

static bool is_user(struct hal_pool *p, struct hal_dev *hd)
{
	struct hal_chunk *c;

	for (c = p->chunk; c < p->chunk + p->nchunks; c++)
		if (READ_ONCE(c->user) == hd)
			return true;
	return false;
}

static void forget_runs(struct hal_pool *p, struct hal_dev *hd)
{
	struct hal_chunk *c;
	unsigned long flags;

	spin_lock_irqsave(&p->lock, flags);
	for (c = p->chunk; c < p->chunk + p->nchunks; c++) {
		if (c->owner != hd || !c->used)
			continue;
		bitmap_zero(c->map, chunk_pages(p));
		c->used = 0;
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

/*
 * Give back every chunk of a function that is about to end, with whatever it
 * has leaked. Nothing else uses it any more, but a reaper may have a chunk of
 * it in hand: wait. May sleep.
 */
void hal_pool_release(struct hal_dev *hd)
{
	struct hal_pool *p = &hd->hal->pool;
	bool young;

	forget_runs(p, hd);
	reap(hd->hal, hd, 0, &young);
	while (is_user(p, hd))
		schedule_timeout_uninterruptible(1);
}

/* The owned chunk of @hd for @kind that holds a bus address, or NULL. */
struct hal_chunk *hal_pool_find(struct hal_dev *hd, dma_addr_t bus,
				enum hal_kind kind)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c;

	for (c = p->chunk; c < p->chunk + p->nchunks; c++)
		/* Pairs with take_from_new(): kind and bus are the owner's. */
		if (smp_load_acquire(&c->owner) == hd && c->kind == kind &&
		    bus - c->bus < chunk_len(p))
			return c;
	return NULL;
}

void hal_pool_usage(const struct hal_dev *hd, u64 *used, u64 *mapped)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c;
	unsigned long flags;

	*used = 0;
	*mapped = 0;
	if (!p->vaddr)
		return;
	spin_lock_irqsave(&p->lock, flags);
	for (c = p->chunk; c < p->chunk + p->nchunks; c++) {
		if (c->owner != hd)
			continue;
		*used += (u64)c->used << PAGE_SHIFT;
		*mapped += chunk_len(p);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

/* --- set-up ---------------------------------------------------------- */

static int read_shape(struct hal *hal)
{
	struct hal_pool *p = &hal->pool;
	u64 lo = readl(hal->regs + VD_HAL_REG_POOL_LO);
	u64 hi = readl(hal->regs + VD_HAL_REG_POOL_HI);
	u32 npages = readl(hal->regs + VD_HAL_REG_POOL_LEN);

	p->phys = hi << 32 | lo;
	p->shift = readl(hal->regs + VD_HAL_REG_POOL_CHUNK);
	if (p->shift < MIN_SHIFT || p->shift > MAX_SHIFT ||
	    npages > MAX_PAGES || !PAGE_ALIGNED(p->phys))
		return -EINVAL;
	p->nchunks = npages / chunk_pages(p);
	if (!p->nchunks)
		return -EINVAL;
	/* A pool inside of what the kernel hands out would be a disaster. */
	if (region_intersects(p->phys, (size_t)npages << PAGE_SHIFT,
			      IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT)
		return -EBUSY;
	return 0;
}

static int make_chunks(struct hal_pool *p)
{
	size_t npages = (size_t)p->nchunks * chunk_pages(p);
	u32 i;

	p->origin = vzalloc(array_size(npages, sizeof(*p->origin)));
	p->chunk = kvcalloc(p->nchunks, sizeof(*p->chunk), GFP_KERNEL);
	if (!p->origin || !p->chunk)
		return -ENOMEM;
	for (i = 0; i < p->nchunks; i++) {
		p->chunk[i].map = bitmap_zalloc(chunk_pages(p), GFP_KERNEL);
		if (!p->chunk[i].map)
			return -ENOMEM;
	}
	return 0;
}

/* On error hal_pool_fini() cleans up. A HAL without a pool is not an error. */
int hal_pool_init(struct hal *hal)
{
	struct hal_pool *p = &hal->pool;
	size_t len;
	int err;

	spin_lock_init(&p->lock);
	INIT_DELAYED_WORK(&p->reap, reap_work);
	if (!(readl(hal->regs + VD_HAL_REG_WANTED) & VD_HAL_F_POOL))
		return 0;
	err = read_shape(hal);
	if (err) {
		p->nchunks = 0;
		return err;
	}
	err = make_chunks(p);
	if (err)
		return err;
	len = (size_t)p->nchunks << p->shift;
	p->vaddr = memremap(p->phys, len, MEMREMAP_WB);
	return p->vaddr ? 0 : -ENOMEM;
}

void hal_pool_fini(struct hal *hal)
{
	struct hal_pool *p = &hal->pool;
	u32 i;

	if (p->vaddr)
		memunmap(p->vaddr);
	for (i = 0; p->chunk && i < p->nchunks; i++)
		bitmap_free(p->chunk[i].map);
	kvfree(p->chunk);
	vfree(p->origin);
}
