/* SPDX-License-Identifier: BSD-2-Clause */
/* The compiled tables: one blob per .asl file of this folder. */
#ifndef VMM_ACPI_TABLES_H
#define VMM_ACPI_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct acpi_blob {
	const uint8_t *data;
	size_t len;
};

extern const struct acpi_blob acpi_dsdt, acpi_fadt, acpi_facs, acpi_madt,
	acpi_mcfg;

#endif
