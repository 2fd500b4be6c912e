/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Put a Linux kernel into guest memory so that a vCPU can start at it.
 *
 * Low memory, all of it below 640 KiB and described as usable but for the
 * firmware area:
 *	0x500    GDT
 *	0x7000   zero page (struct boot_params)
 *	0x9000   page tables: identity for the first 4 GiB
 *	0x20000  command line
 *	0xe0000  ACPI tables (reserved)
 * The kernel goes where it prefers, the initrd as high below 3 GiB (and below
 * the kernel's own limit) as it can.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include "vm.h"
#include <stddef.h>
#include <stdint.h>

#define BOOT_GDT       0x500ull
#define BOOT_ZERO_PAGE 0x7000ull
#define BOOT_TABLES    0x9000ull
#define BOOT_CMDLINE   0x20000ull

/* Selectors in the GDT, as the 64-bit boot protocol wants them. */
#define BOOT_CS	       0x10
#define BOOT_DS	       0x18

struct boot_images {
	int kernel;			       /* borrowed, seekable */
	int initrd;			       /* or -1 */
	const char *kernel_name, *initrd_name; /* for sentences */
	const char *cmdline;
};

/* What a vCPU begins with, besides the selectors. */
struct boot_entry {
	uint64_t rip, rsi, cr3;
	uint64_t gdt;
	uint16_t gdt_limit;
};

/*
 * Load everything. May be called again for a reset: the same images from the
 * start. 0, or -errno and a sentence in @why, which holds @why_len bytes and
 * names the file that is at fault:
 *  -ENOEXEC, -EINVAL  the kernel file is not what it should be
 *  -E2BIG             something does not fit in memory, or the command line
 *                     is too long for this kernel
 *  other              reading failed
 */
int boot_load(struct vm *vm, const struct boot_images *img,
	      struct boot_entry *out, char *why, size_t why_len);

struct e820_range {
	uint64_t addr, len;
	uint32_t type; /* 1 RAM, 2 reserved */
};

#define E820_RANGES 10

/* The memory map of @vm: how many ranges were written to @out. */
unsigned int boot_e820(const struct vm *vm, struct e820_range *out);

#endif
