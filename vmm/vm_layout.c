/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where RAM, the pool and the 64-bit PCI window lie.
 *
 * The window is the upper half of a space that is as small as RAM allows, so
 * that addresses are low: 40 bits, the least that any server has, for all usual
 * machines. Only where the CPU addresses no more, it is the upper quarter or
 * eighth. More than 46 bits help no guest that has four levels of page tables.
 */
#include "vm.h"
#include <errno.h>

#define GIB	    (1ull << 30)
#define PAGE	    4096ull
#define BITS_USUAL  40u
#define BITS_MOST   46u
#define LEAST_SHARE 3u /* log2: an eighth */

/* KVM_MEM_MAX_NR_PAGES: what one slot takes. */
#define SLOT_MOST   (((1ull << 31) - 1) * PAGE)

static uint64_t low_of(uint64_t ram_len)
{
	return ram_len < VM_RAM_LOW_MAX ? ram_len : VM_RAM_LOW_MAX;
}

/* Where the pool begins: at the first whole GiB above RAM. */
static uint64_t above_ram(uint64_t ram_len)
{
	uint64_t top = 4 * GIB + ram_len - low_of(ram_len);

	return (top + GIB - 1) / GIB * GIB;
}

static unsigned int at_most(unsigned int bits, unsigned int most)
{
	return bits < most ? bits : most;
}

/* The window of a space of @bits is its last 1/2^@share. */
static bool place(struct vm *vm, unsigned int bits, unsigned int share)
{
	vm->mmio64_len = 1ull << (bits - share);
	vm->mmio64 = (1ull << bits) - vm->mmio64_len;
	return vm->pool + vm->pool_len <= vm->mmio64;
}

uint64_t vm_ram_most(unsigned int bits, uint64_t pool_len)
{
	uint64_t end, len;

	bits = at_most(bits, BITS_MOST);
	end = (1ull << bits) - (1ull << (bits - LEAST_SHARE));
	if (pool_len > end)
		return 0;
	len = (end - pool_len) / GIB * GIB;
	len = len > 4 * GIB ? len - GIB : low_of(len);
	return len < SLOT_MOST ? len : SLOT_MOST / GIB * GIB;
}

int vm_layout(struct vm *vm, unsigned int bits, uint64_t ram_len,
	      uint64_t pool_len)
{
	unsigned int most = at_most(bits, BITS_MOST);

	if (ram_len > vm_ram_most(bits, pool_len))
		return -E2BIG;
	vm->ram_len = ram_len;
	vm->ram_high = 4 * GIB;
	vm->pool = above_ram(ram_len);
	vm->pool_len = pool_len;
	for (bits = at_most(most, BITS_USUAL); bits <= most; bits++)
		if (place(vm, bits, 1))
			return 0;
	return place(vm, most, 2) || place(vm, most, LEAST_SHARE) ? 0 : -E2BIG;
}
