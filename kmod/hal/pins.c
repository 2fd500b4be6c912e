// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping by the pin table: a page that is pinned is mapped by counting in its
 * word (pinword.h), without the host. What is not there is asked for by the
 * caller, in one request for all of it.
 *
 * An unmap names a bus address only, so there is a way back: page_at, from bus
 * page to guest page, and bus[], the same the other way round, which says what
 * page_at must be told and what it may forget. A page is learned when it is
 * first mapped at that place, so between that and the host's moving it (which
 * it can do while nobody maps it) finding it takes no lock. What page_at says
 * of a bus page that nobody maps may be stale: the word, which has the bus page
 * in it, decides.
 *
 * Nothing here needs an order of its own: learn() and whoever looks there later
 * are tied by the word, whose compare-and-swaps are full barriers. A page that is
 * mapped cannot move; so if another was learned at its bus page before, that was
 * before the swap by which the host let that one go, and the one by which this was
 * mapped came after it.
 *
 * After OFF the words belong to whoever comes next, and when the table was
 * cleared because every function was denied they belong to the next lives of
 * these. So all use of them is in an RCU section that has seen hello set and
 * the function not parted; who changes either waits for these.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>

#include "hal.h"

#define HAL_WORD		      u64
#define HAL_WORD_READ(word)	      READ_ONCE(*(word))
#define HAL_WORD_SWAP(word, old, new) try_cmpxchg64(word, old, new)
#include "pinword.h"

static bool pins = true;
module_param(pins, bool, 0444);
MODULE_PARM_DESC(pins, "map by the pin table if the host has one");

/* In an RCU section: are the words this function's to use? */
static bool has_words(const struct hal_dev *hd)
{
	return READ_ONCE(hd->hal->hello) && !READ_ONCE(hd->parted);
}

/* --- from bus page to guest page -------------------------------------- */

/*
 * Both ways: another page may have been there since, and the way back then leads
 * to that one or to none.
 */
static bool is_known(struct hal_pins *p, u64 page, u64 bus)
{
	return READ_ONCE(p->bus[page]) == (bus >> PAGE_SHIFT) + 1 &&
	       xa_load(&p->page_at, bus >> PAGE_SHIFT) == xa_mk_value(page);
}

/* Forget where @page was, unless another page has been seen there since. */
static void forget(struct hal_pins *p, u64 page)
{
	u64 old = p->bus[page];

	lockdep_assert_held(&p->page_at.xa_lock);
	if (old && xa_load(&p->page_at, old - 1) == xa_mk_value(page))
		__xa_erase(&p->page_at, old - 1);
}

/* @page is at @bus, and cannot move: it is mapped. 0 or -ENOMEM. */
static int learn(struct hal_pins *p, u64 page, u64 bus)
{
	unsigned long flags;
	int err;

	if (likely(is_known(p, page, bus)))
		return 0;
	xa_lock_irqsave(&p->page_at, flags);
	err = xa_err(__xa_store(&p->page_at, bus >> PAGE_SHIFT,
				xa_mk_value(page), GFP_ATOMIC | __GFP_NOWARN));
	if (!err && !is_known(p, page, bus)) {
		forget(p, page);
		WRITE_ONCE(p->bus[page], (bus >> PAGE_SHIFT) + 1);
	}
	xa_unlock_irqrestore(&p->page_at, flags);
	return err;
}

/* --- one segment ------------------------------------------------------ */

static u64 page_of(phys_addr_t phys)
{
	return phys >> PAGE_SHIFT;
}

static u64 count_pages(phys_addr_t phys, u32 len)
{
	return PFN_UP(offset_in_page(phys) + (u64)len);
}

/* Take back the first @n pages of a segment that are mapped. */
static void put_pages(struct hal_pins *p, u64 page, u64 n)
{
	for (; n > 0; n--, page++)
		hal_word_unmap(&p->word[page],
			       hal_word_bus(READ_ONCE(p->word[page])));
}

static u32 learn_seg(struct hal_pins *p, phys_addr_t phys, u32 len, u64 bus)
{
	u64 page = page_of(phys), n = count_pages(phys, len);

	for (; n > 0; n--, page++, bus += PAGE_SIZE)
		if (learn(p, page, bus))
			return VD_HAL_S_NOMEM;
	return VD_HAL_S_OK;
}

/* All pages of a segment, or none; *bus: of its first byte. */
static u32 map_seg(struct hal_pins *p, phys_addr_t phys, u32 len, u64 mask,
		   dma_addr_t *bus)
{
	u64 page = page_of(phys), n = count_pages(phys, len), i;
	unsigned long long first = 0, at;
	u32 status = HAL_S_MISS;

	if (page >= p->nwords || n > p->nwords - page)
		return VD_HAL_S_FAULT;
	for (i = 0; i < n; i++) {
		if (!hal_word_map(&p->word[page + i], &at))
			goto err_put;
		first = i ? first : at;
		status = at == first + (i << PAGE_SHIFT) ? VD_HAL_S_OK :
							   VD_HAL_S_DISCONTIG;
		if (status == VD_HAL_S_OK && learn(p, page + i, at))
			status = VD_HAL_S_NOMEM;
		if (status != VD_HAL_S_OK) {
			i++;
			goto err_put;
		}
		status = HAL_S_MISS; /* if the next fails */
	}
	*bus = first + offset_in_page(phys);
	if (*bus + len - 1 <= mask)
		return VD_HAL_S_OK;
	status = VD_HAL_S_MASK;
err_put:
	put_pages(p, page, i);
	return status;
}

/* The word of what is at a bus page, or NULL. */
static u64 *word_at(struct hal_pins *p, u64 bus)
{
	void *page = xa_load(&p->page_at, bus >> PAGE_SHIFT);

	return page ? &p->word[xa_to_value(page)] : NULL;
}

static void unmap_pages(struct hal_dev *hd, u64 bus, u64 n)
{
	u64 *word;

	for (; n > 0; n--, bus += PAGE_SIZE) {
		word = word_at(&hd->hal->pins, bus);
		if (!word || !hal_word_unmap(word, bus))
			hal_count(&hd->stats, HAL_N_STRAY, 1);
	}
}

/* How often the page at a bus address is mapped, by all; 0 also: don't know. */
u32 hal_pins_count(const struct hal_dev *hd, dma_addr_t bus)
{
	u64 *word, w = 0;

	rcu_read_lock();
	word = has_words(hd) ? word_at(&hd->hal->pins, bus) : NULL;
	if (word)
		w = READ_ONCE(*word);
	rcu_read_unlock();
	if (!(w & VD_HAL_WORD_PINNED) || hal_word_bus(w) != (bus & PAGE_MASK))
		return 0;
	return w & VD_HAL_WORD_COUNT;
}

/* Take a mapping's pages off again, all but the first. */
void hal_pins_put_rest(struct hal_dev *hd, dma_addr_t bus, u32 len)
{
	u64 n = count_pages(bus, len);

	rcu_read_lock();
	/* A list may begin with an empty segment. */
	if (n > 1 && hd->hal->pins.word && has_words(hd))
		unmap_pages(hd, (bus & PAGE_MASK) + PAGE_SIZE, n - 1);
	rcu_read_unlock();
}

static void unmap_seg(struct hal_dev *hd, dma_addr_t bus, u32 len)
{
	unmap_pages(hd, bus & PAGE_MASK, count_pages(bus, len));
	hal_ledger_settle(hd, bus);
}

/* --- lists ------------------------------------------------------------ */

/* As hal_ledger_take_list(), and count them off. */
static u32 unmap_some(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
		      u32 nsegs)
{
	struct scatterlist *sg;
	u32 i;

	n = hal_ledger_take_list(hd, sgl, n, nsegs);
	if (has_words(hd)) /* else the host has ended them all */
		for_each_sg(sgl, sg, n, i)
			unmap_seg(hd, sg_dma_address(sg), sg_dma_len(sg));
	return n;
}

/* Take back the first @n segments of a list that nobody has entered. */
static void put_segs(struct hal_pins *p, struct scatterlist *sgl, u32 n)
{
	struct scatterlist *sg;
	u32 i;

	for_each_sg(sgl, sg, n, i)
		put_pages(p, page_of(sg_phys(sg)),
			  count_pages(sg_phys(sg), sg->length));
}

/* Enter segments that are mapped, or take them all back. */
static u32 enter_all(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
		     u32 nsegs)
{
	u32 done = hal_ledger_enter_list(hd, sgl, n, nsegs);

	if (done == n)
		return VD_HAL_S_OK;
	hal_ledger_take_list(hd, sgl, done, nsegs);
	put_segs(&hd->hal->pins, sgl, n);
	return VD_HAL_S_NOMEM;
}

/**
 * hal_pins_map() - map a list without the host
 * @hd:    function
 * @sgl:   list; DMA addresses and lengths are set on success
 * @nents: its length
 * @mask:  highest bus address that will do
 *
 * All or nothing. Any context.
 *
 * Return: VD_HAL_S_OK, DISCONTIG, MASK, NOMEM, FAULT (has no words),
 * HAL_S_SILENT (off,
 * or parted), or HAL_S_MISS: the host must be asked
 */
u32 hal_pins_map(struct hal_dev *hd, struct scatterlist *sgl, u32 nents,
		 u64 mask)
{
	struct hal_pins *p = &hd->hal->pins;
	u32 i, status = HAL_S_SILENT;
	struct scatterlist *sg;

	rcu_read_lock();
	if (!has_words(hd))
		goto out;
	for_each_sg(sgl, sg, nents, i) {
		status = map_seg(p, sg_phys(sg), sg->length, mask,
				 &sg->dma_address);
		if (status != VD_HAL_S_OK) {
			put_segs(p, sgl, i);
			goto out;
		}
		sg_dma_len(sg) = sg->length;
	}
	status = enter_all(hd, sgl, nents, nents);
out:
	rcu_read_unlock();
	return status;
}

/**
 * hal_pins_accept() - take over what a PIN request has mapped
 * @hd:    function
 * @sgl:   list; its DMA addresses are the host's answer
 * @n:     its length
 * @nsegs: of the list that begins here; 0: it began with an earlier request
 *
 * Return: VD_HAL_S_OK; or VD_HAL_S_NOMEM or HAL_S_SILENT (off, or parted), and
 * nothing of it is mapped
 */
u32 hal_pins_accept(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
		    u32 nsegs)
{
	struct hal_pins *p = &hd->hal->pins;
	u32 i, status = VD_HAL_S_OK;
	struct scatterlist *sg;

	rcu_read_lock();
	for_each_sg(sgl, sg, n, i)
		if (status == VD_HAL_S_OK)
			status = learn_seg(p, sg_phys(sg), sg->length,
					   sg_dma_address(sg) & PAGE_MASK);
	if (!has_words(hd))
		status = HAL_S_SILENT; /* the host has ended them all */
	else if (status != VD_HAL_S_OK)
		put_segs(p, sgl, n);
	else
		status = enter_all(hd, sgl, n, nsegs);
	rcu_read_unlock();
	return status;
}

/**
 * hal_pins_unmap() - end the first @n segments of a list of @nsegs
 *
 * Or of the list as it was mapped, if @n is @nsegs: the driver may be wrong
 * about that. Return: how many have ended
 */
u32 hal_pins_unmap(struct hal_dev *hd, struct scatterlist *sgl, u32 n,
		   u32 nsegs)
{
	u32 done;

	rcu_read_lock();
	done = unmap_some(hd, sgl, n, nsegs);
	rcu_read_unlock();
	return done;
}

/* --- set-up ----------------------------------------------------------- */

/* False: do without. */
bool hal_pins_init(struct hal *hal)
{
	struct hal_pins *p = &hal->pins;
	u32 n = readl(hal->regs + VD_HAL_REG_PINS_LEN);
	size_t len = array_size(n, sizeof(u64));

	if (!pins || !n || pci_resource_len(hal->pdev, 2) < len)
		return false;
	p->bus = vzalloc(len);
	if (!p->bus)
		return false;
	p->word = memremap(pci_resource_start(hal->pdev, 2), len, MEMREMAP_WB);
	if (!p->word)
		return false;
	p->nwords = n;
	return true;
}

void hal_pins_fini(struct hal *hal)
{
	struct hal_pins *p = &hal->pins;

	if (p->word)
		memunmap(p->word);
	vfree(p->bus);
	xa_destroy(&p->page_at);
}
