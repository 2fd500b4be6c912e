/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables as a guest finds them: pointers, lengths, checksums, contents. */
#include "acpi.h"
#include "pci.h"
#include "pm.h"
#include "vm.h"
#include "unit.h"
#include <errno.h>

static uint8_t mem[ACPI_LEN];

static uint64_t get(const uint8_t *p, unsigned int n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* A table by its guest address; its sum is right. */
static const uint8_t *table(uint64_t gpa, const char *sig)
{
	const uint8_t *p = mem + (gpa - ACPI_BASE);
	uint64_t len = get(p + 4, 4);

	assert_true(gpa >= ACPI_BASE && gpa + len <= ACPI_BASE + ACPI_LEN);
	assert_memory_equal(p, sig, 4);
	assert_int_equal(acpi_checksum(p, len), 0);
	return p;
}

static const uint8_t *build(unsigned int ncpus)
{
	const struct acpi_cfg cfg = { ncpus, 1ull << 39, 1ull << 39 };

	memset(mem, 0xee, sizeof(mem));
	assert_int_equal(acpi_build(&cfg, mem, sizeof(mem), ACPI_BASE),
			 ACPI_BASE);
	assert_memory_equal(mem, "RSD PTR ", 8);
	assert_int_equal(acpi_checksum(mem, 20), 0);
	assert_int_equal(acpi_checksum(mem, 36), 0);
	return table(get(mem + 24, 8), "XSDT");
}

static void check_fadt(const uint8_t *fadt)
{
	const uint8_t *dsdt = table(get(fadt + 140, 8), "DSDT");

	assert_int_equal(get(fadt + 40, 4), get(fadt + 140, 8));
	assert_memory_equal(mem + get(fadt + 36, 4) - ACPI_BASE, "FACS", 4);
	assert_int_equal(get(fadt + 36, 4) % 64, 0);
	assert_int_equal(get(fadt + 46, 2), PM_SCI);
	assert_int_equal(get(fadt + 56, 4), PM_BASE);
	assert_int_equal(get(fadt + 64, 4), PM_BASE + 4);
	assert_int_equal(get(fadt + 76, 4), PM_BASE + 8);
	assert_int_equal(get(fadt + 120, 8), 0xcf9);
	assert_true(get(fadt + 112, 4) & 1u << 10); /* it has one */
	assert_true(get(dsdt + 4, 4) > 100);
}

static void check_madt(const uint8_t *madt, unsigned int ncpus)
{
	uint64_t len = get(madt + 4, 4);
	unsigned int cpus = 0;

	for (uint64_t at = 44; at < len; at += madt[at + 1]) {
		assert_true(madt[at + 1] >= 2 && at + madt[at + 1] <= len);
		if (madt[at] != 0)
			continue;
		assert_int_equal(madt[at + 2], cpus);
		assert_int_equal(madt[at + 3], cpus);
		assert_int_equal(get(madt + at + 4, 4), 1);
		cpus++;
	}
	assert_int_equal(cpus, ncpus);
}

static void test_tables(void **state)
{
	static const unsigned int counts[] = { 1, 2, 7, 64, 254 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		const uint8_t *xsdt = build(counts[i]);

		assert_int_equal(get(xsdt + 4, 4), 36 + 3 * 8);
		check_fadt(table(get(xsdt + 36, 8), "FACP"));
		check_madt(table(get(xsdt + 44, 8), "APIC"), counts[i]);
		assert_int_equal(get(table(get(xsdt + 52, 8), "MCFG") + 44, 8),
				 VM_ECAM);
	}
}

static void test_no_room(void **state)
{
	const struct acpi_cfg cfg = { 254, 1ull << 39, 1ull << 39 };
	uint8_t *small;
	size_t need = 0;

	(void)state;
	for (size_t len = 0; len < 8192 && !need; len += 61) {
		small = malloc(len + 1); /* so that ASan watches its end */
		if (acpi_build(&cfg, small, len, ACPI_BASE))
			need = len;
		free(small);
	}
	assert_true(need > 2000);
}

static void test_patch(void **state)
{
	uint8_t aml[] = { 0xff, 0x08, 'A', 'B', 'C', 'D', 0x0e, 1,
			  2,	3,    4,   5,	6,   7,	  8,	0xff };

	(void)state;
	assert_int_equal(acpi_patch_qword(aml, sizeof(aml), "ABCE", 0),
			 -ENOENT);
	assert_int_equal(acpi_patch_qword(aml, 14, "ABCD", 0), -ENOENT);
	assert_int_equal(acpi_patch_qword(aml, 15, "ABCD", 0x1122), 0);
	assert_int_equal(get(aml + 7, 8), 0x1122);
	assert_int_equal(aml[15], 0xff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
