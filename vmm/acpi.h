/* SPDX-License-Identifier: BSD-2-Clause */
/* ACPI tables: the ones of acpi/, put where the guest looks for them. */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stddef.h>
#include <stdint.h>

/* Where they go: the firmware area, reserved in the e820. */
#define ACPI_BASE 0xe0000ull
#define ACPI_LEN  0x20000ull

struct acpi_cfg {
	unsigned int ncpus;
	uint64_t mmio64, mmio64_len;
};

/*
 * Build all tables into @mem, which is guest memory at @gpa. Returns the guest
 * address of the RSDP, which is @gpa, or 0 if @len is too short.
 */
uint64_t acpi_build(const struct acpi_cfg *cfg, uint8_t *mem, size_t len,
		    uint64_t gpa);

/* What added to the sum of these bytes makes 0 (modulo 256). */
uint8_t acpi_checksum(const uint8_t *p, size_t len);

/*
 * Replace the value of "Name (@name, 64-bit constant)" in a compiled table:
 * 0, or -ENOENT. The checksum is not mended.
 */
int acpi_patch_qword(uint8_t *aml, size_t len, const char *name,
		     uint64_t value);

#endif
