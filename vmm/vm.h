/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The KVM virtual machine: memory slots, interrupts, the two region maps.
 *
 * Guest-physical layout (also in the DSDT and the e820):
 *	0          .. RAM below 3 GiB
 *	3 GiB      .. 0xdfffffff   PCI memory, 32-bit window
 *	0xe0000000 .. 0xe00fffff   ECAM of bus 0
 *	0xfec00000 IOAPIC, 0xfee00000 local APIC
 *	4 GiB      .. the rest of RAM
 *	then, 1 GiB aligned: the pool (VM_POOL), reserved in the e820
 *	512 GiB    .. 1 TiB   PCI memory, 64-bit window (lower when the CPU has
 *	              fewer than 40 physical address bits, higher when there is
 *	              more RAM: see vm_layout.c)
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "region.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VM_RAM_LOW_MAX 0xc0000000ull /* 3 GiB */
#define VM_MMIO32      0xc0000000ull
#define VM_MMIO32_LEN  0x20000000ull
#define VM_ECAM	       0xe0000000ull
#define VM_ECAM_LEN    0x00100000ull
#define VM_SLOTS       64

struct vm {
	int kvm_fd, vm_fd;
	unsigned int nvcpus;
	struct region_map pio, mmio;
	pthread_mutex_t slot_lock; /* guards the next */
	struct vm_slot {
		uint64_t gpa, len; /* len 0: free */
		void *hva;
	} slot[VM_SLOTS];
	uint8_t *ram; /* one mapping of ram_len bytes */
	uint64_t ram_len;
	uint64_t ram_high;	 /* guest address of what is above 3 GiB */
	uint64_t pool, pool_len; /* guest address, 0: none */
	uint64_t mmio64, mmio64_len;
	struct vm_birth *birth; /* interrupt controllers at the start */
};

/*
 * Open KVM and make a VM with irqchip and PIT. -errno; *why says it in words.
 * Destroy closes it; memory in slots stays its owners'.
 */
int vm_create(struct vm *vm, unsigned int nvcpus, const char **why);
void vm_destroy(struct vm *vm);

/* How many bits this CPU's physical addresses have. */
unsigned int vm_address_bits(void);

/*
 * Choose where RAM, the pool and the 64-bit window lie, for a CPU of @bits (36
 * or more). @ram_len and @pool_len are multiples of 4 KiB; @pool_len may be 0.
 * 0, or -E2BIG: more than vm_ram_most().
 */
int vm_layout(struct vm *vm, unsigned int bits, uint64_t ram_len,
	      uint64_t pool_len);

/* How much RAM there can be, besides a pool; what KVM's slots take included. */
uint64_t vm_ram_most(unsigned int bits, uint64_t pool_len);

/* Interrupt controllers and PIT as vm_create() left them. No vCPU runs. */
int vm_reset(struct vm *vm);

/* Map host memory into the guest: slot number, or -EEXIST (overlap), -ENOSPC,
 * or what KVM said. Page aligned. */
int vm_slot_add(struct vm *vm, uint64_t gpa, void *hva, uint64_t len);
void vm_slot_remove(struct vm *vm, int slot); /* -1 is fine */

/* Guest-physical to our address if all of [gpa, gpa+len) is RAM, else NULL. */
void *vm_ram(const struct vm *vm, uint64_t gpa, uint64_t len);

/*
 * Interrupts. 0 or -errno of KVM. An irqfd with @resample at least 0 is level:
 * KVM lowers the line and signals @resample when the guest has acknowledged.
 */
int vm_irq_line(struct vm *vm, unsigned int gsi, bool level);
int vm_irqfd(struct vm *vm, unsigned int gsi, int trigger, int resample);
int vm_irqfd_remove(struct vm *vm, unsigned int gsi, int trigger);
int vm_msi(struct vm *vm, uint64_t addr, uint32_t data);

#endif
