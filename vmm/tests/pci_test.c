/* SPDX-License-Identifier: BSD-2-Clause */
/* The bus: both ways in reach the same functions, and only shown ones. */
#include "pci.h"
#include "unit.h"
#include "vm.h"
#include <errno.h>

struct card {
	struct pci_func f;
	uint32_t cfg[1024];
	unsigned int writes, bad;
};

static uint32_t card_read(struct pci_func *f, unsigned int off,
			  unsigned int width)
{
	struct card *c = (struct card *)f;

	c->bad += off + width > 4096 || off % 4 + width > 4;
	return c->cfg[off / 4] >> off % 4 * 8;
}

static void card_write(struct pci_func *f, unsigned int off, unsigned int width,
		       uint32_t value)
{
	struct card *c = (struct card *)f;

	c->bad += off + width > 4096 || off % 4 + width > 4;
	c->bad += width < 4 && value >> width * 8;
	c->writes++;
	memcpy((uint8_t *)c->cfg + off, &value, width);
}

static const struct pci_func_ops card_ops = { card_read, card_write };

struct rig {
	struct vm vm;
	struct pci_bus bus;
	struct card card[3];
	unsigned int resets;
};

static uint64_t reset_read(void *ctx, uint64_t off, unsigned int width)
{
	(void)ctx;
	(void)off;
	(void)width;
	return 0x5a;
}

static void reset_write(void *ctx, uint64_t off, unsigned int width,
			uint64_t value)
{
	unsigned int *n = ctx;

	(void)off;
	(void)width;
	*n += value == 6;
}

static const struct region_ops reset_ops = { reset_read, reset_write };

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	region_map_init(&r->vm.pio);
	region_map_init(&r->vm.mmio);
	assert_int_equal(pci_bus_init(&r->bus, &r->vm), 0);
	for (uint32_t i = 0; i < 3; i++) {
		r->card[i].f.ops = &card_ops;
		r->card[i].cfg[0] = 0x00011234 + (i << 16);
		r->card[i].cfg[1023] = 0xcafe0000 + i;
		assert_int_equal(pci_bus_add(&r->bus, &r->card[i].f, 3), 0);
		assert_int_equal(r->card[i].f.devfn, (3 + i) << 3);
	}
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(r->card[i].bad, 0);
	pci_bus_fini(&r->bus);
	region_map_fini(&r->vm.pio);
	region_map_fini(&r->vm.mmio);
	free(r);
	return 0;
}

static uint64_t by_ports(struct rig *r, unsigned int devfn, unsigned int off,
			 unsigned int width)
{
	region_write(&r->vm.pio, 0xcf8, 4,
		     0x80000000u | devfn << 8 | (off & 0xfc));
	return region_read(&r->vm.pio, 0xcfc + (off & 3), width);
}

static uint64_t by_ecam(struct rig *r, unsigned int devfn, unsigned int off,
			unsigned int width)
{
	return region_read(&r->vm.mmio, VM_ECAM + (devfn << 12) + off, width);
}

static void test_hidden(void **state)
{
	struct rig *r = *state;

	assert_int_equal(by_ecam(r, 0, 0, 4), 0x56481234);
	assert_int_equal(by_ecam(r, 0, 8, 4), 0x06000000);
	assert_int_equal(by_ports(r, 0, 0, 4), 0x56481234);
	assert_int_equal(by_ecam(r, 0x18, 0, 4), UINT32_MAX);
	assert_int_equal(by_ports(r, 0x18, 0, 2), 0xffff);
	region_write(&r->vm.mmio, VM_ECAM + (0x18 << 12), 4, 0);
	assert_int_equal(r->card[0].writes, 0);
	pci_bus_show(&r->bus, &r->card[0].f, true);
	assert_int_equal(by_ecam(r, 0x18, 0, 4), 0x00011234);
	assert_int_equal(by_ports(r, 0x18, 2, 2), 0x0001);
	assert_int_equal(by_ecam(r, 0x18, 4092, 4), 0xcafe0000);
	assert_int_equal(by_ecam(r, 0x19, 0, 4), UINT32_MAX);
	pci_bus_show(&r->bus, &r->card[0].f, false);
	assert_int_equal(by_ecam(r, 0x18, 0, 1), 0xff);
	pci_bus_remove(&r->bus, &r->card[0].f);
	assert_int_equal(pci_bus_add(&r->bus, &r->card[0].f, 0), 0);
	assert_int_equal(r->card[0].f.devfn, 1 << 3);
}

static void test_odd_accesses(void **state)
{
	struct rig *r = *state;

	pci_bus_show(&r->bus, &r->card[0].f, true);
	assert_int_equal(by_ecam(r, 0x18, 2, 4), UINT32_MAX);
	assert_int_equal(by_ecam(r, 0x18, 3, 2), 0xffff);
	assert_int_equal(by_ecam(r, 0x18, 0, 8), UINT64_MAX);
	region_write(&r->vm.mmio, VM_ECAM + (0x18 << 12), 8, 0);
	assert_int_equal(by_ports(r, 0x18, 3, 2), 0xffff);
	/* Another bus; address not enabled. */
	region_write(&r->vm.pio, 0xcf8, 4, 0x80011800);
	assert_int_equal(region_read(&r->vm.pio, 0xcfc, 4), UINT32_MAX);
	region_write(&r->vm.pio, 0xcf8, 4, 0x00001800);
	assert_int_equal(region_read(&r->vm.pio, 0xcfc, 4), UINT32_MAX);
	region_write(&r->vm.pio, 0xcfc, 4, 0);
	assert_int_equal(r->card[0].writes, 0);
	/* The address register answers to whole words only. */
	region_write(&r->vm.pio, 0xcf8, 2, 0xffff);
	assert_int_equal(region_read(&r->vm.pio, 0xcf8, 4), 0x00001800);
	pci_bus_reset(&r->bus);
	assert_int_equal(region_read(&r->vm.pio, 0xcf8, 4), 0);
}

static void test_reset_register(void **state)
{
	struct rig *r = *state;

	region_write(&r->vm.pio, 0xcf9, 1, 6); /* nobody there yet */
	r->bus.reset_ops = &reset_ops;
	r->bus.reset_ctx = &r->resets;
	region_write(&r->vm.pio, 0xcf8, 4, 0x80000600);
	assert_int_equal(r->resets, 0);
	region_write(&r->vm.pio, 0xcf9, 1, 6);
	assert_int_equal(r->resets, 1);
	assert_int_equal(region_read(&r->vm.pio, 0xcf9, 1), 0x5a);
}

static void test_slots_run_out(void **state)
{
	struct rig *r = *state;
	struct card many[32];
	int err = 0, n = 0;

	while (!err) {
		many[n].f = (struct pci_func){ .ops = &card_ops };
		err = pci_bus_add(&r->bus, &many[n].f, 0);
		n += !err;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, 32 - 4); /* the bridge and three cards */
	while (n--)
		pci_bus_remove(&r->bus, &many[n].f);
}

/* Any access at all: the functions see only what their contract says. */
static void test_random(void **state)
{
	struct rig *r = *state;
	uint64_t s = 7;

	for (int i = 0; i < 200000; i++) {
		uint64_t x = next_random(&s);
		unsigned int width = 1u << (x & 3), off = x >> 8 & 0xfffff;

		if (x >> 4 & 1)
			off = (x >> 8 & 0xfff) |
			      (3 + (unsigned int)(x >> 32) % 3) << 15;
		if (x >> 6 & 1)
			pci_bus_show(&r->bus, &r->card[x >> 40 & 1].f,
				     x >> 41 & 1);
		switch (x >> 60) {
		case 0:
		case 1:
		case 2:
		case 3:
			region_read(&r->vm.mmio, VM_ECAM + off, width);
			break;
		case 4:
		case 5:
		case 6:
		case 7:
			region_write(&r->vm.mmio, VM_ECAM + off, width, x);
			break;
		case 8:
		case 9:
		case 10:
		case 11:
			region_write(&r->vm.pio, 0xcf8 + (x >> 20 & 7), width,
				     x >> 7);
			break;
		default:
			region_read(&r->vm.pio, 0xcf8 + (x >> 20 & 7), width);
		}
	}
}

static void test_intx(void **state)
{
	(void)state;
	assert_int_equal(pci_intx_gsi(0, 0), 16);
	assert_int_equal(pci_intx_gsi(1 << 3, 0), 17);
	assert_int_equal(pci_intx_gsi(1 << 3, 3), 20);
	assert_int_equal(pci_intx_gsi(31 << 3, 3), 18);
}

int main(void)
{
#define RIG(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		RIG(test_hidden),	  RIG(test_odd_accesses),
		RIG(test_reset_register), RIG(test_slots_run_out),
		RIG(test_random),	  cmocka_unit_test(test_intx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
