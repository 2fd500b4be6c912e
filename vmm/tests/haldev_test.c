/* SPDX-License-Identifier: BSD-2-Clause */
/* The HAL's function on the bus: identity, registers, its MSI, reset, no slot. */
#include "haldev.h"
#include "unit.h"
#include "vm.h"
#include <errno.h>
#include <viaduct/abi/hal.h>
#include <viaduct/fake.h>

#define NPAGES 16
#define SLOT   2
#define BAR0   0xc0000000u

struct fixture {
	struct vm vm;
	struct pci_bus bus;
	struct vd_host *host;
	struct vd_domain *domain;
	struct haldev h;
	unsigned int came, left;
};

static uint8_t ram[NPAGES * 4096] __attribute__((aligned(4096)));

static void on_charge(void *opaque, bool yes)
{
	struct fixture *f = opaque;

	if (yes)
		f->came++;
	else
		f->left++;
}

static void on_admit(void *opaque, uint32_t guest_id, uint32_t life)
{
	(void)opaque;
	(void)guest_id;
	(void)life;
}

static int create(struct fixture *f)
{
	const struct haldev_cfg cfg = {
		.vm = &f->vm,
		.bus = &f->bus,
		.domain = f->domain,
		.granule_shift = 12,
		.in_charge = on_charge,
		.admit = on_admit,
		.opaque = f,
	};

	return haldev_create(&f->h, &cfg);
}

static void begin(struct fixture *f)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };

	memset(f, 0, sizeof(*f));
	f->vm.nvcpus = 1;
	region_map_init(&f->vm.pio);
	region_map_init(&f->vm.mmio);
	assert_int_equal(pci_bus_init(&f->bus, &f->vm), 0);
	assert_int_equal(vd_host_fake_create(ram, NPAGES, &f->host), 0);
	assert_int_equal(vd_domain_create(f->host, &cfg, &f->domain), 0);
	assert_int_equal(vd_domain_add_memory(f->domain, (vd_gpa){ 0 }, ram,
					      sizeof(ram)),
			 0);
}

static void end(struct fixture *f)
{
	haldev_destroy(&f->h);
	vd_domain_destroy(f->domain);
	vd_host_destroy(f->host);
	pci_bus_fini(&f->bus);
	region_map_fini(&f->vm.pio);
	region_map_fini(&f->vm.mmio);
}

static uint32_t cfg_read(struct fixture *f, unsigned int off)
{
	return (uint32_t)region_read(&f->vm.mmio, VM_ECAM + (SLOT << 15) + off,
				     4);
}

static void cfg_write(struct fixture *f, unsigned int off, uint32_t value)
{
	region_write(&f->vm.mmio, VM_ECAM + (SLOT << 15) + off, 4, value);
}

/* As the guest's module does: its BAR, a slot, HELLO. */
static void hello(struct fixture *f)
{
	cfg_write(f, 0x10, BAR0);
	cfg_write(f, 0x04, 6);
	assert_int_equal(region_read(&f->vm.mmio, BAR0 + VD_HAL_REG_MAGIC, 4),
			 VD_HAL_MAGIC);
	region_write(&f->vm.mmio, BAR0 + VD_HAL_REG_SLOT, 4, 0);
	region_write(&f->vm.mmio, BAR0 + VD_HAL_REG_SLOT_LO, 4, 0);
	region_write(&f->vm.mmio, BAR0 + VD_HAL_REG_SLOT_HI, 4, 0);
	region_write(&f->vm.mmio, BAR0 + VD_HAL_REG_STATUS, 4,
		     VD_HAL_STATUS_HELLO);
}

static void test_charge_and_reset(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(create(&f), 0);
	assert_int_equal(cfg_read(&f, 0),
			 VD_HAL_PCI_VENDOR | VD_HAL_PCI_DEVICE << 16);
	hello(&f);
	assert_int_equal(f.came, 1);
	cfg_write(&f, 0x54, 0xfee00004); /* its MSI: low, high, data, on */
	cfg_write(&f, 0x58, 1);
	cfg_write(&f, 0x5c, 0x41);
	cfg_write(&f, 0x50, 0x00010000);
	assert_true(f.h.msi_on);
	assert_true(f.h.msi_addr == 0x1fee00004ull);
	assert_int_equal(f.h.msi_data, 0x41);
	assert_int_equal(haldev_reset(&f.h), 0);
	assert_int_equal(f.left, 1);
	assert_false(f.h.msi_on);
	assert_int_equal(cfg_read(&f, 0x10), 0);
	assert_int_equal(region_read(&f.vm.mmio, BAR0, 4), UINT32_MAX);
	assert_int_equal(cfg_read(&f, 0),
			 VD_HAL_PCI_VENDOR | VD_HAL_PCI_DEVICE << 16);
	hello(&f);
	assert_int_equal(f.came, 2);
	end(&f);
	assert_int_equal(f.left, 2);
}

/* Each step that can fail: nothing is left, and its end is fine. */
static void test_create_fails(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	for (unsigned int slot = SLOT; slot < 32; slot++)
		f.bus.func[slot << 3] = &f.bus.bridge;
	assert_int_equal(create(&f), -ENOSPC);
	for (unsigned int slot = SLOT; slot < 32; slot++)
		f.bus.func[slot << 3] = NULL;
	end(&f);

	begin(&f);
	f.vm.nvcpus = 0; /* no slot of requests: refused by the front end */
	assert_int_equal(create(&f), -EINVAL);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charge_and_reset),
		cmocka_unit_test(test_create_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
