// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ledger: what was mapped, for drivers that unmap something else.
 *
 * Some drivers unmap another length than they mapped (what a packet had, not
 * what its buffer has), or a list with another count. Where nothing is
 * remembered at a map that does no harm; here pages would be held for ever, or
 * somebody else's would be let go. So an entry is made for each mapping whose
 * extent an unmap could get wrong, and what the entry says is what ends.
 *
 * With the pin table that are segments of more than one page, and the first of
 * a list of several. All others are one page each: they have no entry and end
 * as one page, whatever length the driver says. Without the table the host has
 * a record of each mapping, which must be named exactly, so each has an entry.
 *
 * An entry is found by function and bus address, and by length and count among
 * several. What is left open: a driver unmaps one page at a place where an
 * entry begins, and other mappings of that page have none. If the page is
 * mapped more often than entries begin there, then it is taken for one of
 * those. If that was wrong, sooner or later the page is mapped less often than
 * entries begin there: hal_ledger_settle() sees that and ends the rest of one.
 *
 * An entry is made after its pages are counted and taken out before they are
 * counted off, so a page is never mapped less often than entries begin there
 * for any other reason.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "hal.h"

#define BITS 10

struct hal_shelf {
	spinlock_t lock;
	struct hlist_head entries;
};

struct entry {
	struct hlist_node link;
	struct hal_dev *hd;
	dma_addr_t bus;
	u32 len;
	u32 nsegs; /* of the list that it begins; 0: it begins none */
};

static struct hal_shelf *shelf_of(struct hal *hal, dma_addr_t bus)
{
	return &hal->shelf[hash_64(bus >> PAGE_SHIFT, BITS)];
}

static u32 pages_of(dma_addr_t bus, u32 len)
{
	return PFN_UP(offset_in_page(bus) + (u64)len);
}

static bool is_strict(const struct hal *hal)
{
	return !hal->pins.word;
}

/* Is this entry's extent the one that the driver names? */
static bool is_extent(const struct hal_dev *hd, const struct entry *e, u32 len)
{
	return e->len == len ||
	       (!is_strict(hd->hal) &&
		pages_of(e->bus, e->len) == pages_of(e->bus, len));
}

static int likeness(const struct hal_dev *hd, const struct entry *e,
		    dma_addr_t bus, const struct hal_extent *x)
{
	if (e->hd != hd || e->bus != bus)
		return 0;
	return 1 + 2 * is_extent(hd, e, x->len) + 4 * (e->nsegs == x->nsegs);
}

static struct entry *find_likest(const struct hal_dev *hd,
				 struct hal_shelf *shelf, dma_addr_t bus,
				 const struct hal_extent *x, int *likest)
{
	struct entry *e, *found = NULL;
	int like;

	*likest = 0;
	hlist_for_each_entry(e, &shelf->entries, link)
	{
		like = likeness(hd, e, bus, x);
		if (like > *likest) {
			*likest = like;
			found = e;
		}
	}
	return found;
}

static u32 count_begun(const struct hal_shelf *shelf, dma_addr_t bus)
{
	struct entry *e;
	u32 n = 0;

	hlist_for_each_entry(e, &shelf->entries, link) n +=
		e->bus >> PAGE_SHIFT == bus >> PAGE_SHIFT;
	return n;
}

/* May the driver mean a mapping that has no entry? */
static bool is_open(const struct hal_dev *hd, struct hal_shelf *shelf,
		    dma_addr_t bus, const struct hal_extent *x)
{
	return !is_strict(hd->hal) && x->nsegs <= 1 &&
	       pages_of(bus, x->len) == 1 &&
	       hal_pins_count(hd, bus) > count_begun(shelf, bus);
}

/* Must a mapping have an entry? */
static bool is_entered(const struct hal_dev *hd, dma_addr_t bus,
		       const struct hal_extent *x)
{
	return is_strict(hd->hal) || x->nsegs > 1 || pages_of(bus, x->len) > 1;
}

/**
 * hal_ledger_enter() - remember a mapping that has been made
 * @hd:  function
 * @bus: its bus address
 * @x:   its length, and how many segments the list has that begins with it; 0:
 *       it begins none
 *
 * Return: false if there is no memory; the mapping must end then.
 */
bool hal_ledger_enter(struct hal_dev *hd, dma_addr_t bus,
		      const struct hal_extent *x)
{
	struct hal_shelf *shelf = shelf_of(hd->hal, bus);
	unsigned long flags;
	struct entry *e;

	if (!is_entered(hd, bus, x))
		return true;
	e = kmalloc(sizeof(*e), GFP_ATOMIC | __GFP_NOWARN);
	if (!e)
		return false;
	e->hd = hd;
	e->bus = bus;
	e->len = x->len;
	e->nsegs = x->nsegs;
	spin_lock_irqsave(&shelf->lock, flags);
	hlist_add_head(&e->link, &shelf->entries);
	spin_unlock_irqrestore(&shelf->lock, flags);
	return true;
}

/* The mapping has no entry, so it is one page; or, strict, there is none. */
static bool take_plain(struct hal_dev *hd, dma_addr_t bus, struct hal_extent *x)
{
	if (is_strict(hd->hal))
		return false;
	if (is_entered(hd, bus, x)) {
		if (!READ_ONCE(hd->parted)) /* else it was closed */
			hal_count(&hd->stats, HAL_N_MISFIT, 1);
		x->len = PAGE_SIZE - offset_in_page(bus);
		x->nsegs = 1;
	}
	return true;
}

/**
 * hal_ledger_take() - what does this unmap end?
 * @hd:  function
 * @bus: bus address that the driver names
 * @x:   in: length and count that it names; out: what ends
 *
 * The entry, if there is one, is gone afterwards. Any context.
 *
 * Return: false if nothing is mapped there for all that is known.
 */
bool hal_ledger_take(struct hal_dev *hd, dma_addr_t bus, struct hal_extent *x)
{
	struct hal_shelf *shelf = shelf_of(hd->hal, bus);
	struct entry *e = NULL;
	unsigned long flags;
	int like;

	/* An entry of ours was made before the driver had the address. */
	if (hlist_empty(&shelf->entries))
		return take_plain(hd, bus, x);
	spin_lock_irqsave(&shelf->lock, flags);
	e = find_likest(hd, shelf, bus, x, &like);
	if (e && like < 7 && is_open(hd, shelf, bus, x))
		e = NULL;
	if (e)
		hlist_del(&e->link);
	spin_unlock_irqrestore(&shelf->lock, flags);
	if (!e)
		return take_plain(hd, bus, x);
	/* A list that is unmapped one by one is odd but exact. */
	if (!is_extent(hd, e, x->len) || (x->nsegs > 1 && like < 7))
		hal_count(&hd->stats, HAL_N_MISFIT, 1);
	x->len = e->len;
	if (x->nsegs)
		x->nsegs = max(e->nsegs, 1u);
	kfree(e);
	return true;
}

/* Enter the first @n of a list of @nsegs. Return: how many it could. */
u32 hal_ledger_enter_list(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
			  u32 nsegs)
{
	struct hal_extent x = { .nsegs = nsegs };
	struct scatterlist *sg;
	u32 i;

	for_each_sg(sgl, sg, n, i) {
		x.len = sg_dma_len(sg);
		if (!hal_ledger_enter(hd, sg_dma_address(sg), &x))
			break;
		x.nsegs = 0;
	}
	return i;
}

/*
 * Take the first @n of a list of @nsegs, or, if @n is that, as many as it had.
 * Their DMA lengths are then what was mapped. Return: how many
 */
u32 hal_ledger_take_list(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
			 u32 nsegs)
{
	struct scatterlist *sg = sgl;
	struct hal_extent x;
	u32 i;

	for (i = 0; sg && i < n; i++, sg = sg_next(sg)) {
		x.len = sg_dma_len(sg);
		x.nsegs = i ? 0 : nsegs;
		hal_ledger_take(hd, sg_dma_address(sg), &x);
		sg_dma_len(sg) = x.len;
		if (!i && n == nsegs)
			n = x.nsegs;
	}
	return i;
}

/**
 * hal_ledger_settle() - after an unmap: does an entry say more than is mapped?
 * @hd:  function that has unmapped; its words (pins.c) are its to use
 * @bus: of the first page that it has unmapped
 */
void hal_ledger_settle(struct hal_dev *hd, dma_addr_t bus)
{
	struct hal_shelf *shelf = shelf_of(hd->hal, bus);
	struct entry *e, *over = NULL;
	unsigned long flags;

	if (hlist_empty(&shelf->entries))
		return;
	spin_lock_irqsave(&shelf->lock, flags);
	if (hal_pins_count(hd, bus) < count_begun(shelf, bus)) {
		hlist_for_each_entry(e, &shelf->entries,
				     link) if (e->bus >> PAGE_SHIFT ==
					       bus >> PAGE_SHIFT) over = e;
		hlist_del(&over->link);
		hal_count(&over->hd->stats, HAL_N_MISFIT, 1);
		hal_pins_put_rest(over->hd, over->bus, over->len);
	}
	spin_unlock_irqrestore(&shelf->lock, flags);
	kfree(over);
}

/*
 * A function ends, or is parted from the words. What it still has here it never
 * ended, or ended as something else; as far as words are its own, what follows
 * the first page of each is counted off.
 */
void hal_ledger_close(struct hal_dev *hd)
{
	struct hal_shelf *shelf = hd->hal->shelf;
	struct hlist_node *next;
	unsigned long flags;
	struct entry *e;

	for (; shelf < hd->hal->shelf + BIT(BITS); shelf++) {
		spin_lock_irqsave(&shelf->lock, flags);
		hlist_for_each_entry_safe(e, next, &shelf->entries, link)
		{
			if (e->hd != hd)
				continue;
			hlist_del(&e->link);
			hal_pins_put_rest(hd, e->bus, e->len);
			kfree(e);
		}
		spin_unlock_irqrestore(&shelf->lock, flags);
	}
}

int hal_ledger_init(struct hal *hal)
{
	u32 i;

	hal->shelf = kvcalloc(BIT(BITS), sizeof(*hal->shelf), GFP_KERNEL);
	if (!hal->shelf)
		return -ENOMEM;
	for (i = 0; i < BIT(BITS); i++)
		spin_lock_init(&hal->shelf[i].lock);
	return 0;
}

/* Every function has been closed. */
void hal_ledger_fini(struct hal *hal)
{
	kvfree(hal->shelf);
}
