// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool: memory that is contiguous on the bus from the start.
 *
 * It consists of chunks. Functions share them: pages of a chunk are given to
 * whoever needs some, and a chunk is mapped for each function that uses it
 * (struct hal_use), with one request from its first run there to its last, so
 * that runs inside it cost none. It is unmapped IDLE_MS after that, so that a
 * burst costs one request and not one per transfer. As long as any function has
 * it mapped it stays where it is, so its bus address is the same for all.
 *
 * Coherent memory and bounce buffers are kept in chunks apart as far as there is
 * room, so that bounce chunks of functions that have gone quiet empty out, and
 * only what coherent memory needs stays pinned. A chunk's kind is that of the
 * run that came first; it is a preference and no more.
 *
 * Coherent memory takes at most half of the pool, because it stays: a greedy
 * driver (an SSD's host memory buffer) must not starve bouncing.
 *
 * A run longer than a chunk takes chunks that nobody uses and that follow each
 * other on the bus as they do in the pool. Whether there are such is up to the
 * host.
 *
 * Each page of a run has a cell that says whose it is and, if it is bounced,
 * what its original is.
 *
 * hal_pool_find() reads without the lock. It is asked only about addresses in a
 * live run of that function or outside of the pool. A live run keeps its chunks
 * mapped, so their addresses stand still; and no other chunk can have such an
 * address as long as it is mapped.
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

enum use_state { UNMAPPED, MOVING, MAPPED };

/* What a function has of a chunk; guarded by pool->lock. */
struct hal_use {
	enum use_state state; /* hal_pool_find() reads it without */
	u32 used;	      /* pages */
	unsigned long idle;   /* jiffies when used fell to 0 */
};

static u32 chunk_len(const struct hal_pool *p)
{
	return 1u << p->shift;
}

static u32 chunk_pages(const struct hal_pool *p)
{
	return 1u << (p->shift - PAGE_SHIFT);
}

static phys_addr_t chunk_phys(const struct hal_pool *p, u32 i)
{
	return p->phys + ((phys_addr_t)i << p->shift);
}

static u32 coherent_limit(const struct hal_pool *p)
{
	return max(p->nchunks / 2, 1u) * chunk_pages(p);
}

/* --- runs ------------------------------------------------------------ */

static bool crosses(u64 bus, u64 len, u64 boundary)
{
	return (bus ^ (bus + len - 1)) & ~boundary;
}

/* In a chunk whose bus address is known. @first: page of the chunk. */
static bool find_run(const struct hal_pool *p, const struct hal_chunk *c,
		     const struct hal_want *w, unsigned long *first)
{
	unsigned long at = 0,
		      off = ((c->bus >> PAGE_SHIFT) - w->page) & w->align;
	u64 bus;

	if (c->bus + chunk_len(p) - 1 > w->mask)
		return false;
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

/* Pages first .. first + n - 1 of chunk @i, which has them, are @hd's. */
static void take_pages(struct hal_dev *hd, u32 i, u32 first, u32 n,
		       enum hal_kind kind)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c = &p->chunk[i];

	lockdep_assert_held(&p->lock);
	if (!c->used)
		c->kind = kind;
	bitmap_set(c->map, first, n);
	c->used += n;
	hd->use[i].used += n;
	if (kind == HAL_COHERENT)
		p->ncoherent += n;
}

static void put_pages(struct hal_dev *hd, u32 i, u32 first, u32 n)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c = &p->chunk[i];

	lockdep_assert_held(&p->lock);
	bitmap_clear(c->map, first, n);
	c->used -= n;
	hd->use[i].used -= n;
	hd->use[i].idle = jiffies;
}

/* A run's pages, which may be in several chunks: to take, or to give back. */
static void for_run(struct hal_dev *hd, u32 first, u32 n, bool take,
		    enum hal_kind kind)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 some, at;

	for (; n; n -= some, first += some) {
		at = first & (chunk_pages(p) - 1);
		some = min(n, chunk_pages(p) - at);
		if (take)
			take_pages(hd, first / chunk_pages(p), at, some, kind);
		else
			put_pages(hd, first / chunk_pages(p), at, some);
	}
}

/* @first: page of the pool; its chunks are mapped for @hd. */
static void take_run(struct hal_dev *hd, u32 first, const struct hal_want *w,
		     struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_cell *cell;
	u32 i;

	for_run(hd, first, w->npages, true, w->kind);
	for (i = 0; i < w->npages; i++) {
		cell = &p->cell[first + i];
		cell->len = 0;
		cell->first = first;
		cell->kind = w->kind;
		WRITE_ONCE(cell->owner, hd);
	}
	run->first = first;
	run->bus = p->chunk[first / chunk_pages(p)].bus +
		   ((u64)(first & (chunk_pages(p) - 1)) << PAGE_SHIFT);
}

static bool take_in(struct hal_dev *hd, u32 i, const struct hal_want *w,
		    struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	unsigned long at;

	if (hd->use[i].state != MAPPED || !find_run(p, &p->chunk[i], w, &at))
		return false;
	take_run(hd, i * chunk_pages(p) + at, w, run);
	return true;
}

/* In which chunks to look. */
enum pass { SAME_KIND, EMPTY, OTHER_KIND, NPASSES };

static bool fits_pass(const struct hal_chunk *c, const struct hal_want *w,
		      enum pass pass)
{
	if (!c->used)
		return pass == EMPTY;
	return pass == (c->kind == w->kind ? SAME_KIND : OTHER_KIND);
}

/*
 * In which order: chunks lie in the order of their addresses, and who can reach
 * all of them begins at the end, so that the low ones are left for who cannot.
 */
static u32 nth_chunk(const struct hal_dev *hd, const struct hal_want *w, u32 n)
{
	u32 bits = hd->hal->bus_bits, most = hd->hal->pool.nchunks - 1;

	return bits && w->mask >= DMA_BIT_MASK(bits) ? most - n : n;
}

/* From chunks that are mapped for @hd. */
static bool take_from_own(struct hal_dev *hd, const struct hal_want *w,
			  enum pass pass, struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 n, i;

	lockdep_assert_held(&p->lock);
	for (n = 0; n < p->nchunks; n++) {
		i = nth_chunk(hd, w, n);
		if (fits_pass(&p->chunk[i], w, pass) && take_in(hd, i, w, run))
			return true;
	}
	return false;
}

/* --- mapping chunks -------------------------------------------------- */

/* Reserve a chunk from the *n-th on that may do: *at is on its way to @hd. */
static bool reserve_chunk(struct hal_dev *hd, const struct hal_want *w,
			  enum pass pass, u32 *n, u32 *at)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c;
	unsigned long first;

	lockdep_assert_held(&p->lock);
	for (; *n < p->nchunks; ++*n) {
		*at = nth_chunk(hd, w, *n);
		c = &p->chunk[*at];
		if (hd->use[*at].state != UNMAPPED || !fits_pass(c, w, pass))
			continue;
		/* Somebody has it mapped, so it is known where it is. */
		if (c->nusers && !find_run(p, c, w, &first))
			continue;
		hd->use[*at].state = MOVING;
		return true;
	}
	return false;
}

/* A request for chunk @i, which is on its way to @hd, was answered. */
static void settle_chunk(struct hal_dev *hd, u32 i, u32 status, dma_addr_t bus)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_chunk *c = &p->chunk[i];

	lockdep_assert_held(&p->lock);
	if (status != VD_HAL_S_OK) {
		hd->use[i].state = UNMAPPED;
		return;
	}
	if (!c->nusers++)
		c->bus = bus; /* else it is that */
	hd->use[i].used = 0;
	hd->use[i].idle = jiffies;
	smp_store_release(&hd->use[i].state, MAPPED); /* after bus */
}

/* Map chunk @i, which is reserved. Drops the lock meanwhile. */
static u32 map_chunk(struct hal_dev *hd, u32 i, u64 mask, unsigned long *flags)
{
	struct hal_pool *p = &hd->hal->pool;
	dma_addr_t bus = 0;
	u32 status;

	spin_unlock_irqrestore(&p->lock, *flags);
	status = hal_map_one(hd, chunk_phys(p, i), chunk_len(p),
			     VD_HAL_READ | VD_HAL_WRITE, mask, &bus);
	spin_lock_irqsave(&p->lock, *flags);
	settle_chunk(hd, i, status, bus);
	return status;
}

/* A refusal that says something about this chunk only. */
static bool is_place(u32 status)
{
	return status == VD_HAL_S_MASK || status == VD_HAL_S_DISCONTIG;
}

/*
 * Map chunks until one will do, and take the run there. Chunks lie anywhere in
 * the host's memory: one above the mask, or one that the host could not keep in
 * one piece, says nothing about the next. But if all are above the mask, do not
 * ask again for every transfer.
 */
static int take_from_new(struct hal_dev *hd, const struct hal_want *w,
			 struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 n, at, status, last = VD_HAL_S_OK;
	unsigned long flags;
	enum pass pass;
	bool taken = false;

	spin_lock_irqsave(&p->lock, flags);
	for (pass = SAME_KIND; !taken && pass < NPASSES; pass++) {
		if (pass == OTHER_KIND)
			taken = take_from_own(hd, w, pass, run);
		for (n = 0; !taken && reserve_chunk(hd, w, pass, &n, &at);
		     n++) {
			status = map_chunk(hd, at, w->mask, &flags);
			if (status == VD_HAL_S_OK)
				taken = take_in(hd, at, w, run);
			else
				last = status;
			if (status != VD_HAL_S_OK && !is_place(status))
				goto out; /* so will the others be */
			if (status == VD_HAL_S_OK && !taken && pass == EMPTY)
				break; /* an odd alignment */
		}
	}
out:
	spin_unlock_irqrestore(&p->lock, flags);
	if (last == VD_HAL_S_MASK && !taken) {
		WRITE_ONCE(hd->narrow[w->kind].mask, w->mask);
		WRITE_ONCE(hd->narrow[w->kind].until,
			   jiffies + msecs_to_jiffies(NARROW_MS));
	}
	if (taken)
		return 0;
	return last == VD_HAL_S_OK ? -EAGAIN : hal_errno(last);
}

/* --- runs longer than a chunk ---------------------------------------- */

static bool are_empty(struct hal_dev *hd, u32 first, u32 n)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 i;

	for (i = first; i < first + n; i++)
		if (p->chunk[i].used || hd->use[i].state == MOVING)
			return false;
	return true;
}

/* All are mapped for @hd: are they one run that will do? */
static bool are_one(struct hal_dev *hd, u32 first, u32 n,
		    const struct hal_want *w)
{
	struct hal_pool *p = &hd->hal->pool;
	u64 bus = p->chunk[first].bus, len = (u64)w->npages << PAGE_SHIFT;
	u32 i;

	for (i = 0; i < n; i++)
		if (hd->use[first + i].state != MAPPED ||
		    p->chunk[first + i].bus != bus + ((u64)i << p->shift))
			return false;
	return bus + len - 1 <= w->mask && !crosses(bus, len, w->boundary) &&
	       !(((bus >> PAGE_SHIFT) - w->page) & w->align);
}

static int take_at(struct hal_dev *hd, u32 first, u32 n,
		   const struct hal_want *w, struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 i, status = VD_HAL_S_OK;
	unsigned long flags;
	int err = -EAGAIN;

	spin_lock_irqsave(&p->lock, flags);
	for (i = first; i < first + n && status == VD_HAL_S_OK; i++) {
		if (!are_empty(hd, first, n)) {
			status = VD_HAL_S_DISCONTIG;
		} else if (hd->use[i].state == UNMAPPED) {
			hd->use[i].state = MOVING;
			status = map_chunk(hd, i, w->mask, &flags);
		}
	}
	if (status != VD_HAL_S_OK) {
		err = is_place(status) ? -EAGAIN : hal_errno(status);
	} else if (are_empty(hd, first, n) && are_one(hd, first, n, w)) {
		take_run(hd, first * chunk_pages(p), w, run);
		err = 0;
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return err;
}

static int take_long(struct hal_dev *hd, const struct hal_want *w,
		     struct hal_run *run)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 i, at, n = DIV_ROUND_UP(w->npages, chunk_pages(p));
	int err = -EAGAIN;

	for (i = 0; err == -EAGAIN && i + n <= p->nchunks; i++) {
		at = nth_chunk(hd, w, i);
		/* From the end it is the last one of them. */
		err = take_at(hd, at == i ? at : at + 1 - n, n, w, run);
	}
	return err;
}

/* --- unmapping chunks ------------------------------------------------- */

/* An empty mapped chunk, at least @ms idle; it is on its way from @hd. */
static bool part_idle(struct hal_dev *hd, unsigned int ms, bool *young, u32 *at)
{
	struct hal_pool *p = &hd->hal->pool;
	struct hal_use *u;

	lockdep_assert_held(&p->lock);
	for (*at = 0; *at < p->nchunks; ++*at) {
		u = &hd->use[*at];
		if (u->state != MAPPED || u->used)
			continue;
		if (time_after_eq(jiffies, u->idle + msecs_to_jiffies(ms))) {
			WRITE_ONCE(u->state, MOVING);
			p->chunk[*at].nusers--;
			return true;
		}
		*young = true;
	}
	return false;
}

/* Of @hd, or of the first user (NULL) that has one. */
static struct hal_dev *next_idle(struct hal_pool *p, struct hal_dev *hd,
				 unsigned int ms, bool *young, u32 *at)
{
	if (hd)
		return part_idle(hd, ms, young, at) ? hd : NULL;
	list_for_each_entry(hd, &p->users, pool_link)
		if (part_idle(hd, ms, young, at))
			return hd;
	return NULL;
}

/*
 * Unmap the empty chunks of @hd or of anyone (NULL). Return: how many; *young
 * says whether some are left for later.
 */
static u32 reap(struct hal *hal, struct hal_dev *of, unsigned int ms,
		bool *young)
{
	struct hal_pool *p = &hal->pool;
	struct hal_dev *hd;
	unsigned long flags;
	dma_addr_t bus;
	u32 at, n = 0;

	if (!p->vaddr)
		return 0;
	spin_lock_irqsave(&p->lock, flags);
	while ((hd = next_idle(p, of, ms, young, &at))) {
		bus = p->chunk[at].bus;
		spin_unlock_irqrestore(&p->lock, flags);
		hal_unmap_one(hd, bus, chunk_len(p));
		n++;
		spin_lock_irqsave(&p->lock, flags);
		hd->use[at].state = UNMAPPED;
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

/* --- for the rest of the module -------------------------------------- */

static bool has_room(struct hal_dev *hd, const struct hal_want *w)
{
	struct hal_pool *p = &hd->hal->pool;

	if (!p->vaddr || w->npages > p->nchunks * chunk_pages(p))
		return false;
	return w->kind != HAL_COHERENT ||
	       READ_ONCE(p->ncoherent) + w->npages <= coherent_limit(p);
}

/* All chunks were above such a mask, a moment ago. */
static bool is_too_narrow(const struct hal_dev *hd, const struct hal_want *w)
{
	unsigned long until = READ_ONCE(hd->narrow[w->kind].until);

	return until && time_before(jiffies, until) &&
	       w->mask <= READ_ONCE(hd->narrow[w->kind].mask);
}

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
	unsigned long flags;
	bool taken = false;
	int err;

	if (!has_room(hd, want))
		return -ENOSPC;
	if (want->npages <= chunk_pages(p)) {
		spin_lock_irqsave(&p->lock, flags);
		taken = take_from_own(hd, want, SAME_KIND, run) ||
			take_from_own(hd, want, EMPTY, run);
		spin_unlock_irqrestore(&p->lock, flags);
	}
	if (taken)
		return 0;
	if (is_too_narrow(hd, want))
		return hal_errno(VD_HAL_S_MASK);

	err = want->npages <= chunk_pages(p) ? take_from_new(hd, want, run) :
					       take_long(hd, want, run);
	/* What has been mapped in vain is to be unmapped as well. */
	schedule_delayed_work(&p->reap, msecs_to_jiffies(IDLE_MS));
	if (err == -EAGAIN) {
		hal_count(&hd->stats, HAL_N_POOL_FULL, 1);
		err = -ENOSPC;
	}
	return err;
}

/* @first: page of the pool with which the run begins. */
void hal_pool_free(struct hal_dev *hd, u32 first, u32 npages)
{
	struct hal_pool *p = &hd->hal->pool;
	unsigned long flags;
	u32 i;

	spin_lock_irqsave(&p->lock, flags);
	if (p->cell[first].kind == HAL_COHERENT)
		p->ncoherent -= npages;
	for (i = first; i < first + npages; i++)
		WRITE_ONCE(p->cell[i].owner, NULL);
	for_run(hd, first, npages, false, HAL_NKINDS);
	spin_unlock_irqrestore(&p->lock, flags);
	if (!READ_ONCE(hd->use[first / chunk_pages(p)].used))
		schedule_delayed_work(&p->reap, msecs_to_jiffies(IDLE_MS));
}

/* A function comes. It cannot be refused. */
void hal_pool_join(struct hal_dev *hd)
{
	struct hal_pool *p = &hd->hal->pool;
	unsigned long flags;

	INIT_LIST_HEAD(&hd->pool_link);
	if (!p->vaddr)
		return;
	hd->use = kvcalloc(p->nchunks, sizeof(*hd->use),
			   GFP_KERNEL | __GFP_NOFAIL);
	spin_lock_irqsave(&p->lock, flags);
	list_add_tail(&hd->pool_link, &p->users);
	spin_unlock_irqrestore(&p->lock, flags);
}

static bool is_moving(struct hal_pool *p, struct hal_dev *hd)
{
	u32 i;

	for (i = 0; i < p->nchunks; i++)
		if (READ_ONCE(hd->use[i].state) == MOVING)
			return true;
	return false;
}

/* What it has leaked. */
static void forget_runs(struct hal_dev *hd)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 i;

	for (i = 0; i < p->nchunks * chunk_pages(p); i++)
		if (READ_ONCE(p->cell[i].owner) == hd)
			hal_pool_free(hd, i, 1);
}

/*
 * A function is about to end: give back what it has of the pool, and what it has
 * leaked. Nothing else uses it any more, but a reaper may have a chunk of it in
 * hand: wait. May sleep.
 */
void hal_pool_leave(struct hal_dev *hd)
{
	struct hal_pool *p = &hd->hal->pool;
	unsigned long flags;
	bool young;

	if (!hd->use)
		return;
	forget_runs(hd);
	spin_lock_irqsave(&p->lock, flags);
	list_del_init(&hd->pool_link);
	spin_unlock_irqrestore(&p->lock, flags);
	reap(hd->hal, hd, 0, &young);
	while (is_moving(p, hd))
		schedule_timeout_uninterruptible(1);
	kvfree(hd->use);
	hd->use = NULL;
}

/* The page of the pool at a bus address, if it is in a run of @hd; or -1. */
long hal_pool_find(struct hal_dev *hd, dma_addr_t bus)
{
	struct hal_pool *p = &hd->hal->pool;
	u32 i, page;

	for (i = 0; hd->use && i < p->nchunks; i++) {
		/* Pairs with settle_chunk(). */
		if (smp_load_acquire(&hd->use[i].state) != MAPPED ||
		    bus - p->chunk[i].bus >= chunk_len(p))
			continue;
		page = i * chunk_pages(p) +
		       ((bus - p->chunk[i].bus) >> PAGE_SHIFT);
		return READ_ONCE(p->cell[page].owner) == hd ? page : -1;
	}
	return -1;
}

/* Bytes of the pool that @hd uses, and that are mapped for it. */
void hal_pool_usage(const struct hal_dev *hd, u64 *used, u64 *mapped)
{
	struct hal_pool *p = &hd->hal->pool;
	unsigned long flags;
	u32 i;

	*used = 0;
	*mapped = 0;
	if (!hd->use)
		return;
	spin_lock_irqsave(&p->lock, flags);
	for (i = 0; i < p->nchunks; i++) {
		*used += (u64)hd->use[i].used << PAGE_SHIFT;
		if (hd->use[i].state == MAPPED)
			*mapped += chunk_len(p);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

/* Bytes that are mapped for any function, each once. */
u64 hal_pool_pinned(struct hal *hal)
{
	struct hal_pool *p = &hal->pool;
	unsigned long flags;
	u64 n = 0;
	u32 i;

	spin_lock_irqsave(&p->lock, flags);
	for (i = 0; i < p->nchunks; i++)
		if (p->chunk[i].nusers)
			n += chunk_len(p);
	spin_unlock_irqrestore(&p->lock, flags);
	return n;
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

	p->cell = vzalloc(array_size(npages, sizeof(*p->cell)));
	p->chunk = kvcalloc(p->nchunks, sizeof(*p->chunk), GFP_KERNEL);
	if (!p->cell || !p->chunk)
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
	INIT_LIST_HEAD(&p->users);
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
	vfree(p->cell);
}
