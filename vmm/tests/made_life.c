/* SPDX-License-Identifier: BSD-2-Clause */
#include "made_life.h"
#include "unit.h"
#include <fcntl.h>
#include <unistd.h>
#include <viaduct/fake.h>

#define RAM_PAGES 16

static uint8_t ram[RAM_PAGES * 4096] __attribute__((aligned(4096)));

static void on_changed(void *opaque)
{
	struct life *l = opaque;

	l->changes++;
}

int life_create(struct life *l)
{
	const struct assign_cfg cfg = {
		.sys = &l->h.t.s,
		.vm = &l->vm,
		.bus = &l->bus,
		.domain = l->domain,
		.keeper = &l->keeper,
		.bdf = MADE_BDF,
		.changed = on_changed,
		.opaque = l,
	};

	return assign_create(&cfg, &l->a, l->why, sizeof(l->why));
}

void life_begin(struct life *l)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };

	memset(l, 0, sizeof(*l));
	made_host_make(&l->h, "nvme");
	region_map_init(&l->vm.pio);
	region_map_init(&l->vm.mmio);
	assert_int_equal(pci_bus_init(&l->bus, &l->vm), 0);
	assert_int_equal(keeper_start(&l->keeper, &l->h.t.s), 0);
	assert_int_equal(vd_host_fake_create(ram, RAM_PAGES, &l->host), 0);
	assert_int_equal(vd_domain_create(l->host, &cfg, &l->domain), 0);
	assert_int_equal(vd_domain_add_memory(l->domain, (vd_gpa){ 0 }, ram,
					      sizeof(ram)),
			 0);
}

void life_finish(struct life *l, int stopped)
{
	if (l->a)
		assert_int_equal(assign_stop(l->a), stopped);
	vd_domain_destroy(l->domain);
	if (l->a)
		assign_free(l->a);
	vd_host_destroy(l->host);
	pci_bus_fini(&l->bus);
	region_map_fini(&l->vm.pio);
	region_map_fini(&l->vm.mmio);
}

void life_end(struct life *l)
{
	life_finish(l, 0);
	assert_int_equal(keeper_finish(&l->keeper), 0);
	assert_int_equal(made_host_claims(&l->h), 0);
	made_host_remove(&l->h);
}

static uint64_t ecam(struct life *l, unsigned int off)
{
	return VM_ECAM + ((uint64_t)assign_guest_id(l->a) << 12) + off;
}

uint32_t life_read(struct life *l, unsigned int off)
{
	return (uint32_t)region_read(&l->vm.mmio, ecam(l, off), 4);
}

void life_write(struct life *l, unsigned int off, uint32_t value)
{
	region_write(&l->vm.mmio, ecam(l, off), 4, value);
}

/* What a guest's driver does first. */
void life_drive(struct life *l)
{
	life_write(l, 0x10, BAR0);
	life_write(l, 0x14, BAR1);
	life_write(l, 0x18, BAR2);
	life_write(l, COMMAND, 7);
}

unsigned int life_slots(const struct life *l)
{
	unsigned int n = 0;

	for (int i = 0; i < VM_SLOTS; i++)
		n += l->vm.slot[i].len != 0;
	return n;
}

void life_uio_says(struct life *l, size_t len)
{
	char full[SYSFS_PATH_LEN];
	const uint32_t n = 1;
	int fd;

	sysfs_path(&l->h.t.s, "/dev/uio0", full, sizeof(full));
	fd = open(full, O_RDWR);
	assert_int_equal(write(fd, &n, len), len);
	close(fd);
}

void life_uio_fires(struct life *l)
{
	made_host_set_command(&l->h, made_host_command(&l->h) | INTX_OFF);
	life_uio_says(l, 4);
}

bool life_until(bool (*is)(struct life *l), struct life *l)
{
	for (int i = 0; i < 2000 && !is(l); i++)
		usleep(1000);
	return is(l);
}
