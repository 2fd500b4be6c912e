/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How each BAR of a host's function reaches the guest. viaduct doctor prints
 * this plan and viaduct run carries it out (assign_bars.c).
 *
 * A BAR of the guest is a power of two and aligned to itself; a host's need not
 * be (enhanced allocation, quirks). It is rounded up for the guest, and what
 * lies behind the host's end is nothing: reads of ones. What the host calls 64
 * bits wide is so in the guest if there is a register for the upper half; it
 * is the guest's address that has to fit, not the host's.
 */
#include "pciscan.h"

#define PAGE	 4096u
#define MAX_IO	 (1ull << 15) /* of the guest's ports 0x1000..0xffff */
#define MAX_MEM	 (1ull << 28) /* of the 512 MiB below 4 GiB: half */
#define MAX_HIGH (1ull << 38) /* of the 512 GiB above: half */

const char *pci_how_name(enum pci_how how)
{
	static const char *const name[PCI_HOWS] = {
		[PCI_HOW_NONE] = "none",
		[PCI_HOW_DIRECT] = "direct",
		[PCI_HOW_SPLIT] = "split",
		[PCI_HOW_TRAPPED] = "trapped",
		[PCI_HOW_UNASSIGNED] = "unassigned",
		[PCI_HOW_HIDDEN] = "hidden",
		[PCI_HOW_UNUSABLE] = "unusable",
	};

	return (unsigned int)how < PCI_HOWS ? name[how] : "unknown";
}

static uint64_t round_up(uint64_t len, uint64_t least)
{
	uint64_t v = least;

	while (v && v < len)
		v <<= 1;
	return v; /* 0: above 2^63 */
}

static bool has_upper(const struct pci_host_bar *bar, unsigned int n)
{
	return n + 1 < PCI_HOST_BARS && !bar[n + 1].len;
}

/* Kind and length in the guest; false: it cannot be there. */
static bool fit(struct pci_host_bar *bar, unsigned int n)
{
	struct pci_host_bar *b = &bar[n];

	if (b->flags & PCI_BAR_F_IO) {
		b->guest_len = round_up(b->len, 4);
		return b->guest_len && b->guest_len <= MAX_IO;
	}
	b->guest_len = round_up(b->len, 16);
	b->guest_64 = has_upper(bar, n) &&
		      (b->flags & PCI_BAR_F_64 || b->guest_len > MAX_MEM);
	return b->guest_len &&
	       b->guest_len <= (b->guest_64 ? MAX_HIGH : MAX_MEM);
}

/* Whole pages from the start, but for those that are to trap. */
static void map_pages(struct pci_host_bar *b)
{
	uint64_t room;

	if (!(b->flags & PCI_BAR_F_IO) && b->start % PAGE == 0)
		b->direct_len = b->len - b->len % PAGE;
	room = b->trap < b->direct_len ? b->direct_len - b->trap : 0;
	if (b->trap_len > room)
		b->trap_len = room;
	if (b->trap_len == b->direct_len)
		b->direct_len = b->trap_len = 0;
	if (!b->trap_len)
		b->trap = 0;
}

static void plan_bar(struct pci_host_bar *bar, unsigned int n)
{
	struct pci_host_bar *b = &bar[n];

	if (!b->len)
		b->how = PCI_HOW_NONE;
	else if ((b->flags & PCI_BAR_F_UNSET) || !b->start)
		b->how = PCI_HOW_UNASSIGNED;
	else if (!fit(bar, n))
		b->how = PCI_HOW_UNUSABLE;
	else
		b->how = PCI_HOW_TRAPPED;
	if (b->how != PCI_HOW_TRAPPED)
		return;
	map_pages(b);
	if (b->direct_len)
		b->how = b->direct_len == b->guest_len && !b->trap_len ?
				 PCI_HOW_DIRECT :
				 PCI_HOW_SPLIT;
}

/* The pages of all common configurations that lie in BAR @n: one run. */
static void find_trap(const struct virtio_caps *v, struct pci_host_bar *bar,
		      unsigned int n)
{
	uint64_t first = UINT64_MAX, end = 0;

	for (unsigned int i = 0; i < v->ncommons; i++) {
		const struct virtio_place *p = &v->common[i];

		if (p->bar != n)
			continue;
		if (p->off < first)
			first = p->off;
		if ((uint64_t)p->off + p->len > end)
			end = (uint64_t)p->off + p->len;
	}
	if (!end)
		return;
	bar[n].trap = first & ~(uint64_t)(PAGE - 1);
	bar[n].trap_len =
		((end + PAGE - 1) & ~(uint64_t)(PAGE - 1)) - bar[n].trap;
}

void pci_plan_bars(const struct virtio_caps *v, struct pci_host_bar *bar)
{
	for (unsigned int n = 0; n < PCI_HOST_BARS; n++) {
		struct pci_host_bar *b = &bar[n];

		b->direct_len = b->guest_len = b->trap = b->trap_len = 0;
		b->guest_64 = false;
		find_trap(v, bar, n);
		plan_bar(bar, n);
	}
	/* The legacy interface: addresses by page number, and no bit 33. */
	if (v->is_transitional && !(v->bars & 1) &&
	    bar[0].how != PCI_HOW_NONE) {
		bar[0].how = PCI_HOW_HIDDEN;
		bar[0].direct_len = 0;
	}
}
