/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BARs: base address registers of emulated and assigned functions.
 *
 * A BAR is placed (live) or not. Placing has two steps, either of which may be
 * refused: its region goes into the map, which also keeps live BARs disjoint,
 * direct ones included; then its direct part becomes one memory slot or two,
 * which hide that part of the region from exits. Windows are checked first, so a BAR never
 * lies over RAM, the interrupt controllers or another part of the machine.
 */
#include "pci.h"
#include "vm.h"
#include <errno.h>
#include <stdbool.h>

#define COMMAND_IO  1u
#define COMMAND_MEM 2u
#define IO_FIRST    0x1000ull
#define IO_LAST	    0xffffull
#define PAGE	    4096ull

/* What a wholly direct BAR has behind it: nothing that could trap. */
static uint64_t direct_read(void *ctx, uint64_t off, unsigned int width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return UINT64_MAX;
}

static void direct_write(void *ctx, uint64_t off, unsigned int width,
			 uint64_t value)
{
	(void)ctx;
	(void)off;
	(void)width;
	(void)value;
}

static const struct region_ops direct_ops = {
	.read = direct_read,
	.write = direct_write,
};

static struct region_map *map_of(struct pci_bars *b, const struct pci_bar *bar)
{
	return bar->kind == PCI_BAR_IO ? &b->vm->pio : &b->vm->mmio;
}

static bool is_within(uint64_t addr, uint64_t len, uint64_t base, uint64_t room)
{
	return addr >= base && addr - base < room &&
	       len <= room - (addr - base);
}

static bool fits(const struct pci_bars *b, const struct pci_bar *bar)
{
	if (bar->kind == PCI_BAR_IO)
		return is_within(bar->addr, bar->len, IO_FIRST,
				 IO_LAST + 1 - IO_FIRST);
	return is_within(bar->addr, bar->len, VM_MMIO32, VM_MMIO32_LEN) ||
	       is_within(bar->addr, bar->len, b->vm->mmio64, b->vm->mmio64_len);
}

static void remove_slots(struct pci_bars *b, struct pci_bar *bar)
{
	for (int i = 0; i < 2; i++) {
		vm_slot_remove(b->vm, bar->slot[i]);
		bar->slot[i] = -1;
	}
}

static void unplace(struct pci_bars *b, struct pci_bar *bar)
{
	if (!bar->live)
		return;
	remove_slots(b, bar);
	region_unlink(map_of(b, bar), &bar->region);
	bar->live = false;
}

static bool add_slot(struct pci_bars *b, struct pci_bar *bar, int i,
		     uint64_t first, uint64_t end)
{
	if (first == end)
		return true;
	bar->slot[i] = vm_slot_add(b->vm, bar->addr + first,
				   (uint8_t *)bar->hva + first, end - first);
	if (bar->slot[i] >= 0)
		return true;
	bar->slot[i] = -1;
	return false;
}

static bool add_slots(struct pci_bars *b, struct pci_bar *bar)
{
	uint64_t hole = bar->trap_len ? bar->trap : bar->direct_len;

	return add_slot(b, bar, 0, 0, hole) &&
	       add_slot(b, bar, 1, hole + bar->trap_len, bar->direct_len);
}

static void place(struct pci_bars *b, struct pci_bar *bar)
{
	if (bar->live)
		return;
	bar->region.base = bar->addr;
	if (!fits(b, bar) || region_add(map_of(b, bar), &bar->region)) {
		b->misplaced++;
		return;
	}
	if (!add_slots(b, bar)) {
		remove_slots(b, bar);
		region_unlink(map_of(b, bar), &bar->region);
		b->misplaced++;
		return;
	}
	bar->live = true;
}

static bool is_decoded(const struct pci_bars *b, const struct pci_bar *bar)
{
	if (bar->kind == PCI_BAR_NONE)
		return false;
	return b->command &
	       (bar->kind == PCI_BAR_IO ? COMMAND_IO : COMMAND_MEM);
}

void pci_bars_decode(struct pci_bars *b, uint16_t command)
{
	b->command = command;
	/* First what goes, so that what comes may take its place. */
	for (int i = 0; i < 6; i++) {
		if (!is_decoded(b, &b->bar[i]))
			unplace(b, &b->bar[i]);
	}
	for (int i = 0; i < 6; i++) {
		if (is_decoded(b, &b->bar[i]))
			place(b, &b->bar[i]);
	}
}

static bool is_high_half(const struct pci_bars *b, unsigned int i)
{
	return i > 0 && b->bar[i - 1].kind == PCI_BAR_MEM64;
}

static uint32_t read_reg(const struct pci_bars *b, unsigned int i)
{
	const struct pci_bar *bar = &b->bar[i];
	uint32_t low = (uint32_t)bar->addr;

	if (is_high_half(b, i))
		return (uint32_t)(b->bar[i - 1].addr >> 32);
	switch (bar->kind) {
	case PCI_BAR_NONE:
		return 0;
	case PCI_BAR_IO:
		return low | 1;
	case PCI_BAR_MEM32:
		return low | (bar->prefetch ? 8u : 0);
	case PCI_BAR_MEM64:
		return low | 4u | (bar->prefetch ? 8u : 0);
	}
	return 0;
}

static void write_reg(struct pci_bars *b, unsigned int i, uint32_t value)
{
	struct pci_bar *bar = &b->bar[is_high_half(b, i) ? i - 1 : i];
	uint64_t addr;

	if (bar->kind == PCI_BAR_NONE)
		return;
	if (bar != &b->bar[i])
		addr = (uint64_t)value << 32 | (uint32_t)bar->addr;
	else if (bar->kind == PCI_BAR_MEM64)
		addr = (bar->addr & ~(uint64_t)UINT32_MAX) | value;
	else
		addr = value;
	addr &= ~(bar->len - 1);
	if (addr == bar->addr)
		return;
	unplace(b, bar);
	bar->addr = addr;
	if (is_decoded(b, bar))
		place(b, bar);
}

uint32_t pci_bars_read(const struct pci_bars *b, unsigned int off,
		       unsigned int width)
{
	uint32_t value = read_reg(b, (off - 0x10) / 4) >> off % 4 * 8;

	return width < 4 ? value & ((1u << width * 8) - 1) : value;
}

void pci_bars_write(struct pci_bars *b, unsigned int off, unsigned int width,
		    uint32_t value)
{
	unsigned int i = (off - 0x10) / 4, shift = off % 4 * 8;
	uint32_t mask = width < 4 ? (1u << width * 8) - 1 : UINT32_MAX;

	write_reg(b, i,
		  (read_reg(b, i) & ~(mask << shift)) | (value & mask)
								<< shift);
}

static bool is_valid(const struct pci_bars *b, unsigned int i)
{
	const struct pci_bar *bar = &b->bar[i];
	uint64_t least = bar->kind == PCI_BAR_IO ? 4 : 16;

	if (is_high_half(b, i))
		return bar->kind == PCI_BAR_NONE;
	if (bar->kind == PCI_BAR_NONE)
		return true;
	if (bar->kind == PCI_BAR_MEM64 && i == 5)
		return false;
	if (bar->len < least || (bar->len & (bar->len - 1)) ||
	    (bar->kind != PCI_BAR_MEM64 && bar->len > 1u << 31))
		return false;
	if (bar->direct_len % PAGE || bar->direct_len > bar->len ||
	    !bar->hva != !bar->direct_len)
		return false;
	if (bar->trap % PAGE || bar->trap_len % PAGE ||
	    bar->trap_len > bar->direct_len ||
	    bar->trap > bar->direct_len - bar->trap_len)
		return false;
	return bar->region.ops ||
	       (bar->direct_len == bar->len && !bar->trap_len);
}

int pci_bars_init(struct pci_bars *b, struct vm *vm)
{
	b->vm = vm;
	b->command = 0;
	b->misplaced = 0;
	for (unsigned int i = 0; i < 6; i++) {
		struct pci_bar *bar = &b->bar[i];

		if (!is_valid(b, i))
			return -EINVAL;
		bar->addr = 0;
		bar->live = false;
		bar->slot[0] = bar->slot[1] = -1;
		bar->region.len = bar->len;
		if (!bar->region.ops)
			bar->region.ops = &direct_ops;
		if (!bar->region.cause)
			bar->region.cause = "bar";
	}
	return 0;
}

void pci_bars_reset(struct pci_bars *b)
{
	pci_bars_decode(b, 0);
	for (int i = 0; i < 6; i++)
		b->bar[i].addr = 0;
}

void pci_bars_fini(struct pci_bars *b)
{
	pci_bars_decode(b, 0);
	for (int i = 0; i < 6; i++) {
		if (b->bar[i].kind != PCI_BAR_NONE)
			region_remove(map_of(b, &b->bar[i]), &b->bar[i].region);
	}
}
