/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest sees of a real configuration space, and what it may change. */
#include "assign_config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void put(uint8_t *p, unsigned int off, uint32_t v)
{
	memcpy(p + off, &v, 4);
}

/* An NVMe disk: MSI-X, then PM, then MSI, then PCI Express, then vendor. */
static void make_real(uint8_t real[PCI_IMAGE_LEN])
{
	memset(real, 0, PCI_IMAGE_LEN);
	put(real, 0x00, 0x00101b36);
	put(real, 0x04, 0x00180507); /* INTx pending, capabilities */
	put(real, 0x08, 0x01080202);
	put(real, 0x0c, 0x00800010); /* multi-function */
	put(real, 0x10, 0xfebd0004);
	put(real, 0x30, 0xfeb00001);
	put(real, 0x34, 0x40);
	put(real, 0x3c, 0x0000020b); /* pin B */
	put(real, 0x40, 0x80035011); /* MSI-X at 40, next 50 */
	put(real, 0x50, 0xfe036001); /* PM, PME from everywhere */
	put(real, 0x54, 0x00008103); /* D3hot, PME enabled */
	put(real, 0x60, 0x00807005); /* MSI at 60, next 70 */
	put(real, 0x70, 0x0002b010); /* Express at 70, endpoint, next b0 */
	put(real, 0x74, 0x10008fc2); /* function-level reset */
	put(real, 0x78, 0x0020a810); /* FLR bit, transactions pending */
	put(real, 0x7c, 0x11111111); /* link */
	put(real, 0xb0, 0x00100009); /* vendor, 16 bytes, the last */
	put(real, 0xb4, 0xcafe1234);
}

static uint32_t get(const struct pci_image *c, unsigned int off)
{
	return pci_image_read(c, off, 4, 0);
}

static void shows_only_what_it_should(void **state)
{
	uint8_t real[PCI_IMAGE_LEN], seen[256] = { 0 };
	struct pci_image c;
	unsigned int n = 0;

	(void)state;
	make_real(real);
	assign_config_init(&c, real);
	for (unsigned int p = get(&c, 0x34) & 0xff; p;
	     p = get(&c, p) >> 8 & 0xff) {
		seen[get(&c, p) & 0xff] = 1;
		assert_true(++n < 10);
	}
	assert_int_equal(n, 3);
	assert_true(seen[0x01] && seen[0x09] && seen[0x10]);
	assert_int_equal(get(&c, 0x40), 0); /* MSI-X */
	assert_int_equal(get(&c, 0x60), 0); /* MSI */
	assert_int_equal(get(&c, 0xb4), 0xcafe1234);
	assert_int_equal(get(&c, 0x10), 0);		 /* the host's BAR */
	assert_int_equal(get(&c, 0x30), 0);		 /* no ROM */
	assert_int_equal(get(&c, 0x0c) >> 16 & 0xff, 0); /* one function */
	assert_int_equal(get(&c, 0x3c) >> 8 & 0xff, 1);	 /* INTA */
	assert_int_equal(get(&c, 0x100), 0);
	assert_int_equal(get(&c, 0xffc), 0);
}

/* A virtio function's window to its BARs goes, its other places stay. */
static void hides_virtio_window(void **state)
{
	uint8_t real[PCI_IMAGE_LEN];
	struct pci_image c;

	(void)state;
	make_real(real);
	put(real, 0x00, 0x10421af4);
	put(real, 0xb0, 0x0110c409); /* common, next c4 */
	put(real, 0xb4, 0);
	put(real, 0xbc, 56);
	put(real, 0xc4, 0x05140009); /* window, the last */
	put(real, 0xd4, 0xdeadbeef);
	assign_config_init(&c, real);
	assert_int_equal(get(&c, 0xb0), 0x01100009);
	assert_int_equal(get(&c, 0xc4), 0);
	assert_int_equal(get(&c, 0xd4), 0);
	put(real, 0x00, 0x00101b36); /* the same bytes mean nothing here */
	assign_config_init(&c, real);
	assert_int_equal(get(&c, 0xd4), 0xdeadbeef);
}

static void hides_reset_and_power(void **state)
{
	uint8_t real[PCI_IMAGE_LEN];
	struct pci_image c;

	(void)state;
	make_real(real);
	assign_config_init(&c, real);
	assert_int_equal(get(&c, 0x50) >> 16, 0x0003); /* no PME, D1, D2 */
	assert_int_equal(get(&c, 0x54), 0x0008);       /* D0, keeps state */
	assert_int_equal(get(&c, 0x70) >> 20 & 0xf, 0x9);
	assert_int_equal(get(&c, 0x74) & 1u << 28, 0);
	assert_int_equal(get(&c, 0x7c), 0);
	pci_image_write(&c, 0x78, 4, 0xffffffff);
	assert_int_equal(get(&c, 0x78), 0x7fff); /* no FLR, no status */
	pci_image_write(&c, 0x54, 4, 0xffffffff);
	assert_int_equal(get(&c, 0x54), 0x000b);
}

static void keeps_only_what_it_may(void **state)
{
	static const struct {
		unsigned int off;
		uint32_t after;
	} rows[] = {
		{ 0x00, 0x00101b36 },
		{ 0x04, 0x00100547 }, /* status is not the guest's */
		{ 0x08, 0x01080202 },
		{ 0x0c, 0x0000ffff },
		{ 0x10, 0 },
		{ 0x2c, 0 },
		{ 0x30, 0 },
		{ 0x3c, 0x000001ff },
		{ 0x40, 0 },
		{ 0xb0, 0x00100009 },
	};
	uint8_t real[PCI_IMAGE_LEN];
	struct pci_image c;

	(void)state;
	make_real(real);
	assign_config_init(&c, real);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pci_image_write(&c, rows[i].off, 4, 0xffffffff);
		assert_int_equal(get(&c, rows[i].off), rows[i].after);
	}
}

static void intx_status_is_live(void **state)
{
	uint8_t real[PCI_IMAGE_LEN];
	struct pci_image c;

	(void)state;
	make_real(real);
	assign_config_init(&c, real);
	assert_int_equal(pci_image_read(&c, 0x04, 4, 0x00080000) >> 16, 0x0018);
	assert_int_equal(pci_image_read(&c, 0x06, 2, 0xffff), 0x0018);
	assert_int_equal(pci_image_read(&c, 0x06, 1, 0), 0x10);
}

static void a_looping_list_ends(void **state)
{
	uint8_t real[PCI_IMAGE_LEN];
	struct pci_image c;

	(void)state;
	make_real(real);
	real[0xb1] = 0x50; /* back to PM */
	assign_config_init(&c, real);
	make_real(real);
	real[0xb2] = 0xff; /* a length past the end */
	assign_config_init(&c, real);
	assert_int_equal(get(&c, 0xb0), 0);
	real[0x51] = 0x50; /* points to itself */
	assign_config_init(&c, real);
}

/* Whatever the device says and the guest writes, fixed bits stay fixed. */
static void random_writes(void **state)
{
	uint8_t real[PCI_IMAGE_LEN];
	struct pci_image c, before;
	uint32_t r = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (unsigned int i = 0; i < PCI_IMAGE_LEN; i++) {
			r = r * 1664525 + 1013904223;
			real[i] = (uint8_t)(r >> 24);
		}
		assign_config_init(&c, real);
		before = c;
		for (int i = 0; i < 64; i++) {
			r = r * 1664525 + 1013904223;
			pci_image_write(&c, r >> 20, 1u << (r >> 8) % 3, r);
		}
		for (unsigned int i = 0; i < PCI_IMAGE_LEN; i++)
			assert_int_equal((c.byte[i] ^ before.byte[i]) &
						 ~c.kept[i] & 0xff,
					 0);
		assert_memory_equal(c.kept, before.kept, PCI_IMAGE_LEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_only_what_it_should),
		cmocka_unit_test(hides_virtio_window),
		cmocka_unit_test(hides_reset_and_power),
		cmocka_unit_test(keeps_only_what_it_may),
		cmocka_unit_test(intx_status_is_live),
		cmocka_unit_test(a_looping_list_ends),
		cmocka_unit_test(random_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
