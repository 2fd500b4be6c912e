/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Place the compiled tables and finish them.
 *
 * What only the running machine knows goes in here: how many processors, where
 * the 64-bit PCI window is, where the other tables are. Lengths and checksums
 * come last. Offsets in tables are the ACPI specification's (6.3, chapter 5).
 */
#include "acpi.h"
#include "acpi/tables.h"
#include <errno.h>
#include <string.h>

#define ALIGN	     64

/* Offsets in every table's header. */
#define HDR_LEN	     4
#define HDR_CHECKSUM 9
#define HDR_BYTES    36

#define FADT_FACS    36
#define FADT_DSDT    40
#define FADT_X_FACS  132
#define FADT_X_DSDT  140

/* The MADT ends in the local APIC of CPU 0: type, length, uid, id, flags. */
#define LAPIC_BYTES  8
#define LAPIC_UID    2
#define LAPIC_ID     3

/* Memory that is being filled; @mem is NULL once something did not fit. */
struct area {
	uint8_t *mem;
	size_t used, len;
	uint64_t gpa;
};

static void put32(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> i * 8);
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, v);
	put32(p + 4, v >> 32);
}

uint8_t acpi_checksum(const uint8_t *p, size_t len)
{
	unsigned int sum = 0;

	while (len--)
		sum += *p++;
	return (uint8_t)(0 - sum);
}

static void mend(uint8_t *table, size_t len)
{
	put32(table + HDR_LEN, len);
	table[HDR_CHECKSUM] = 0;
	table[HDR_CHECKSUM] = acpi_checksum(table, len);
}

int acpi_patch_qword(uint8_t *aml, size_t len, const char *name, uint64_t value)
{
	/* NameOp, the name, QWordPrefix, then the constant. */
	uint8_t head[6] = { 0x08, 0, 0, 0, 0, 0x0e };

	memcpy(head + 1, name, 4);
	for (size_t i = 0; i + sizeof(head) + 8 <= len; i++) {
		if (memcmp(aml + i, head, sizeof(head)))
			continue;
		put64(aml + i + sizeof(head), value);
		return 0;
	}
	return -ENOENT;
}

static uint8_t *take(struct area *a, size_t len, uint64_t *gpa)
{
	uint8_t *p;

	*gpa = 0;
	if (!a->mem || a->len - a->used < len) {
		a->mem = NULL;
		return NULL;
	}
	p = a->mem + a->used;
	*gpa = a->gpa + a->used;
	a->used += (len + ALIGN - 1) / ALIGN * ALIGN;
	if (a->used > a->len)
		a->used = a->len;
	memset(p, 0, len);
	return p;
}

/* A copy of @b with room for @more bytes behind it. */
static uint8_t *place(struct area *a, const struct acpi_blob *b, size_t more,
		      uint64_t *gpa)
{
	uint8_t *p = take(a, b->len + more, gpa);

	if (p)
		memcpy(p, b->data, b->len);
	return p;
}

static uint64_t place_dsdt(struct area *a, const struct acpi_cfg *cfg)
{
	uint64_t gpa;
	uint8_t *p = place(a, &acpi_dsdt, 0, &gpa);

	if (!p || acpi_patch_qword(p, acpi_dsdt.len, "M64B", cfg->mmio64) ||
	    acpi_patch_qword(p, acpi_dsdt.len, "M64L", cfg->mmio64_len))
		return 0;
	mend(p, acpi_dsdt.len);
	return gpa;
}

static uint64_t place_fadt(struct area *a, const struct acpi_cfg *cfg)
{
	uint64_t facs, dsdt = place_dsdt(a, cfg), gpa;
	uint8_t *p;

	place(a, &acpi_facs, 0, &facs); /* it has no checksum */
	p = place(a, &acpi_fadt, 0, &gpa);
	if (!p || !dsdt)
		return 0;
	put32(p + FADT_FACS, facs);
	put32(p + FADT_DSDT, dsdt);
	put64(p + FADT_X_FACS, 0); /* one of the two, not both */
	put64(p + FADT_X_DSDT, dsdt);
	mend(p, acpi_fadt.len);
	return gpa;
}

static uint64_t place_madt(struct area *a, const struct acpi_cfg *cfg)
{
	size_t more = (cfg->ncpus - 1) * (size_t)LAPIC_BYTES;
	const uint8_t *first;
	uint64_t gpa;
	uint8_t *p = place(a, &acpi_madt, more, &gpa), *cpu;

	if (!p)
		return 0;
	first = p + acpi_madt.len - LAPIC_BYTES;
	cpu = p + acpi_madt.len;
	for (unsigned int i = 1; i < cfg->ncpus; i++, cpu += LAPIC_BYTES) {
		memcpy(cpu, first, LAPIC_BYTES);
		cpu[LAPIC_UID] = (uint8_t)i;
		cpu[LAPIC_ID] = (uint8_t)i;
	}
	mend(p, acpi_madt.len + more);
	return gpa;
}

static uint64_t place_mcfg(struct area *a)
{
	uint64_t gpa;
	uint8_t *p = place(a, &acpi_mcfg, 0, &gpa);

	if (p)
		mend(p, acpi_mcfg.len);
	return gpa;
}

static uint64_t place_xsdt(struct area *a, const uint64_t *tables, size_t n)
{
	size_t len = HDR_BYTES + n * 8;
	uint64_t gpa;
	uint8_t *p = take(a, len, &gpa);

	if (!p)
		return 0;
	memcpy(p, acpi_mcfg.data, HDR_BYTES); /* for the OEM's names */
	memcpy(p, "XSDT", 4);
	p[8] = 1;
	for (size_t i = 0; i < n; i++)
		put64(p + HDR_BYTES + i * 8, tables[i]);
	mend(p, len);
	return gpa;
}

static void fill_rsdp(uint8_t *p, uint64_t xsdt)
{
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, acpi_mcfg.data + 10, 6); /* OEM */
	p[15] = 2;
	put32(p + 20, 36);
	put64(p + 24, xsdt);
	p[8] = acpi_checksum(p, 20);
	p[32] = acpi_checksum(p, 36);
}

uint64_t acpi_build(const struct acpi_cfg *cfg, uint8_t *mem, size_t len,
		    uint64_t gpa)
{
	struct area a = { mem, 0, len, gpa };
	uint64_t rsdp, xsdt, tables[3];
	uint8_t *p = take(&a, 36, &rsdp);

	tables[0] = place_fadt(&a, cfg);
	tables[1] = place_madt(&a, cfg);
	tables[2] = place_mcfg(&a);
	xsdt = place_xsdt(&a, tables, 3);
	if (!a.mem || !xsdt || !tables[0])
		return 0;
	fill_rsdp(p, xsdt);
	return rsdp;
}
