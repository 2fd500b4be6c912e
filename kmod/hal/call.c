// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the host.
 *
 * A request is built in a slot's page and run by one write to the doorbell;
 * the answer stands in the same page when the write returns. There is a slot
 * per CPU as far as the device has them, and a CPU uses its own with interrupts
 * off; the lock is for CPUs that have to share one, and for hal_calls_stop().
 * A map may be asked for in any context, so nothing here sleeps.
 *
 * hal_call_open() fails once the HAL is off: from then on no register is
 * touched, whoever still calls.
 */
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/slab.h>

#include "hal.h"

#define NO_ANSWER U32_MAX

static void announce(struct hal *hal, u32 i)
{
	u64 addr = virt_to_phys(hal->slot[i].page);

	writel(i, hal->regs + VD_HAL_REG_SLOT);
	writel(lower_32_bits(addr), hal->regs + VD_HAL_REG_SLOT_LO);
	writel(upper_32_bits(addr), hal->regs + VD_HAL_REG_SLOT_HI);
}

/* Give the device its slots. On error hal_calls_stop() cleans up. */
int hal_calls_start(struct hal *hal)
{
	u32 i, n = readl(hal->regs + VD_HAL_REG_NSLOTS);

	static_assert(sizeof(struct vd_hal_slot) == VD_HAL_SLOT_LEN);
	static_assert(VD_HAL_SLOT_LEN <= PAGE_SIZE);

	n = min(n, num_possible_cpus());
	if (!n)
		return -ENODEV;
	hal->slot = kcalloc(n, sizeof(*hal->slot), GFP_KERNEL);
	if (!hal->slot)
		return -ENOMEM;
	hal->nslots = n;
	for (i = 0; i < n; i++)
		raw_spin_lock_init(&hal->slot[i].lock);
	for (i = 0; i < n; i++) {
		hal->slot[i].page = (void *)get_zeroed_page(GFP_KERNEL);
		if (!hal->slot[i].page)
			return -ENOMEM;
		announce(hal, i);
	}
	return 0;
}

/*
 * Wait for requests under way and let none begin. The device must not use the
 * pages any more: it is off.
 */
void hal_calls_stop(struct hal *hal)
{
	unsigned long flags;
	void *page;
	u32 i;

	for (i = 0; i < hal->nslots; i++) {
		raw_spin_lock_irqsave(&hal->slot[i].lock, flags);
		page = hal->slot[i].page;
		hal->slot[i].page = NULL;
		raw_spin_unlock_irqrestore(&hal->slot[i].lock, flags);
		free_page((unsigned long)page);
	}
}

/**
 * hal_call_open() - begin a request
 * @c:    the caller's
 * @hal:  HAL
 * @hd:   function that it is about, or NULL
 * @op:   VD_HAL_OP_*
 * @mask: highest bus address that will do, for MAP; otherwise 0
 *
 * Interrupts are off and the slot is held until hal_call_close().
 *
 * Return: false if the HAL is off; nothing is held then.
 */
bool hal_call_open(struct hal_call *c, struct hal *hal, struct hal_dev *hd,
		   u32 op, u64 mask)
{
	struct vd_hal_head *head;
	unsigned long flags;

	local_irq_save(flags);
	c->hal = hal;
	c->stats = hd ? &hd->stats : &hal->stats;
	c->slot = &hal->slot[smp_processor_id() % hal->nslots];
	c->flags = flags;
	c->count = 0;
	/* The right CPU's, and still ours: interrupts are off. */
	raw_spin_lock(&c->slot->lock);
	if (!c->slot->page) {
		raw_spin_unlock_irqrestore(&c->slot->lock, flags);
		return false;
	}
	head = &c->slot->page->head;
	head->op = cpu_to_le32(op);
	head->device = cpu_to_le32(hd ? hd->rid : 0);
	head->mask = cpu_to_le64(mask);
	head->life = cpu_to_le32(hd && hal->lives ? hd->life : 0);
	__release(&c->slot->lock); /* sparse: held on one way out only */
	return true;
}

void hal_call_close(struct hal_call *c)
{
	__acquire(&c->slot->lock);
	raw_spin_unlock_irqrestore(&c->slot->lock, c->flags);
}

/* At most VD_HAL_NSEGS of these; the caller counts. */
void hal_call_add(struct hal_call *c, u64 addr, u32 len, u32 prot)
{
	struct vd_hal_seg *seg = &c->slot->page->seg[c->count++];

	seg->addr = cpu_to_le64(addr);
	seg->len = cpu_to_le32(len);
	seg->prot = cpu_to_le32(prot);
}

/**
 * hal_call_ring() - have the request run
 * @c:    an open request; its answer can be read until hal_call_close()
 * @done: out: the answer's done, at most the count; may be NULL
 *
 * Return: VD_HAL_S_*, or HAL_S_SILENT for no answer or none that we know.
 */
u32 hal_call_ring(struct hal_call *c, u32 *done)
{
	struct vd_hal_head *head = &c->slot->page->head;
	u32 status;

	head->count = cpu_to_le32(c->count);
	head->status = cpu_to_le32(NO_ANSWER);
	head->done = 0;
	/* writel() orders the page before the doorbell; it returns answered. */
	writel(c->slot - c->hal->slot, c->hal->regs + VD_HAL_REG_DOORBELL);
	mb(); /* the answer is read after the doorbell */
	status = le32_to_cpu(READ_ONCE(head->status));
	if (status > VD_HAL_S_BUSY)
		status = HAL_S_SILENT;
	if (done)
		*done = min(le32_to_cpu(READ_ONCE(head->done)), c->count);

	hal_count(c->stats, HAL_N_REQUESTS, 1);
	if (status != VD_HAL_S_OK)
		hal_count(c->stats, HAL_N_REFUSED_UNSUPP + status - 1, 1);
	return status;
}

/**
 * hal_errno() - what a refusal means for who wanted a map
 * @status: VD_HAL_S_* but OK, or HAL_S_SILENT
 *
 * Return:
 *  -ENOSPC    there is no room now; what is mapped takes it
 *  -ENOMEM    it may work later, or the function is about to vanish
 *  -EREMOTEIO it will not work; the DMA core's word for that
 */
int hal_errno(u32 status)
{
	switch (status) {
	case VD_HAL_S_BUDGET:
	case VD_HAL_S_FULL:
		return -ENOSPC;
	case VD_HAL_S_NOMEM:
	case VD_HAL_S_BUSY:
	case VD_HAL_S_DENIED:
		return -ENOMEM;
	default:
		return -EREMOTEIO;
	}
}

/* Map one segment. Return: VD_HAL_S_* or HAL_S_SILENT. */
u32 hal_map_one(struct hal_dev *hd, phys_addr_t phys, u32 len, u32 prot,
		u64 mask, dma_addr_t *bus)
{
	struct hal_call c;
	u32 status;

	if (!hal_call_open(&c, hd->hal, hd, VD_HAL_OP_MAP, mask))
		return HAL_S_SILENT;
	hal_call_add(&c, phys, len, prot);
	status = hal_call_ring(&c, NULL);
	if (status == VD_HAL_S_OK)
		*bus = le64_to_cpu(c.slot->page->seg[0].addr);
	hal_call_close(&c);
	return status;
}

/* End one mapping. There is nothing to do about a failure but count it. */
void hal_unmap_one(struct hal_dev *hd, dma_addr_t bus, u32 len)
{
	struct hal_call c;
	u32 status;

	if (!hal_call_open(&c, hd->hal, hd, VD_HAL_OP_UNMAP, 0))
		return;
	hal_call_add(&c, bus, len, 0);
	status = hal_call_ring(&c, NULL);
	/* Denied: the host has ended all of that life. */
	if (status != VD_HAL_S_OK && status != VD_HAL_S_DENIED)
		hal_count(&hd->stats, HAL_N_STRAY, 1);
	hal_call_close(&c);
}
