/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio_driver.h"
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BAR_AT VM_MMIO32
#define PAGE   4096u

void driver_make(struct driver *d)
{
	memset(d, 0, sizeof(*d));
	d->vm.kvm_fd = d->vm.vm_fd = -1;
	d->vm.ram_len = DRIVER_RAM;
	d->vm.ram_high = 4ull << 30;
	d->vm.mmio64 = d->vm.mmio64_len = 1ull << 39;
	d->vm.ram = mmap(NULL, DRIVER_RAM, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region_map_init(&d->vm.pio);
	region_map_init(&d->vm.mmio);
	if (d->vm.ram == MAP_FAILED || pci_bus_init(&d->bus, &d->vm))
		abort();
}

void driver_unmake(struct driver *d)
{
	pci_bus_fini(&d->bus);
	region_map_fini(&d->vm.pio);
	region_map_fini(&d->vm.mmio);
	munmap(d->vm.ram, DRIVER_RAM);
}

uint64_t driver_read(struct driver *d, uint64_t gpa, unsigned int width)
{
	return region_read(&d->vm.mmio, gpa, width);
}

void driver_write(struct driver *d, uint64_t gpa, unsigned int width,
		  uint64_t value)
{
	region_write(&d->vm.mmio, gpa, width, value);
}

uint32_t driver_cfg_read(struct driver *d, unsigned int off, unsigned int width)
{
	return (uint32_t)driver_read(d, VM_ECAM + (d->devfn << 12) + off,
				     width);
}

void driver_cfg_write(struct driver *d, unsigned int off, unsigned int width,
		      uint32_t value)
{
	driver_write(d, VM_ECAM + (d->devfn << 12) + off, width, value);
}

static void take_cap(struct driver *d, unsigned int cap)
{
	uint64_t at =
		BAR_AT + driver_cfg_read(d, cap + VIRTIO_PCI_CAP_OFFSET, 4);

	switch (driver_cfg_read(d, cap + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		d->common = at;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		d->notify = at;
		d->notify_step =
			driver_cfg_read(d, cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		d->isr = at;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		d->config = at;
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		d->access = cap;
		break;
	}
}

bool driver_find(struct driver *d, unsigned int devfn)
{
	d->devfn = devfn;
	if (driver_cfg_read(d, 0, 2) != 0x1af4)
		return false;
	driver_cfg_write(d, 0x10, 4, (uint32_t)BAR_AT);
	driver_cfg_write(d, 0x04, 2, 6); /* memory, master */
	for (unsigned int cap = driver_cfg_read(d, 0x34, 1); cap;
	     cap = driver_cfg_read(d, cap + 1, 1))
		if (driver_cfg_read(d, cap, 1) == 9)
			take_cap(d, cap);
	return d->common && d->isr && d->config && d->notify && d->access;
}

uint8_t driver_status(struct driver *d)
{
	return (uint8_t)driver_read(d, d->common + VIRTIO_PCI_COMMON_STATUS, 1);
}

static void set_status(struct driver *d, unsigned int bits)
{
	driver_write(d, d->common + VIRTIO_PCI_COMMON_STATUS, 1,
		     driver_status(d) | bits);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

void driver_reset(struct driver *d)
{
	driver_write(d, d->common + VIRTIO_PCI_COMMON_STATUS, 1, 0);
	while (driver_status(d))
		nap();
	memset(d->seen, 0, sizeof(d->seen));
}

uint64_t driver_offered(struct driver *d)
{
	uint64_t f = 0;

	for (uint32_t i = 0; i < 2; i++) {
		driver_write(d, d->common + VIRTIO_PCI_COMMON_DFSELECT, 4, i);
		f |= driver_read(d, d->common + VIRTIO_PCI_COMMON_DF, 4)
		     << 32 * i;
	}
	return f;
}

uint8_t driver_negotiate(struct driver *d, uint64_t features)
{
	set_status(d, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	set_status(d, VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		driver_write(d, d->common + VIRTIO_PCI_COMMON_GFSELECT, 4, i);
		driver_write(d, d->common + VIRTIO_PCI_COMMON_GF, 4,
			     features >> 32 * i);
	}
	set_status(d, VIRTIO_CONFIG_S_FEATURES_OK);
	return driver_status(d);
}

static void put_address(struct driver *d, unsigned int reg, const void *at)
{
	uint64_t gpa = (uint64_t)((const uint8_t *)at - d->vm.ram);

	driver_write(d, d->common + reg, 4, (uint32_t)gpa);
	driver_write(d, d->common + reg + 4, 4, gpa >> 32);
}

void driver_queue(struct driver *d, unsigned int q, uint64_t page)
{
	struct vring *r = &d->ring[q];

	memset(d->vm.ram + page * PAGE, 0, PAGE);
	vring_init(r, DRIVER_SIZE, d->vm.ram + page * PAGE, 64);
	driver_write(d, d->common + VIRTIO_PCI_COMMON_Q_SELECT, 2, q);
	driver_write(d, d->common + VIRTIO_PCI_COMMON_Q_SIZE, 2, DRIVER_SIZE);
	put_address(d, VIRTIO_PCI_COMMON_Q_DESCLO, r->desc);
	put_address(d, VIRTIO_PCI_COMMON_Q_AVAILLO, r->avail);
	put_address(d, VIRTIO_PCI_COMMON_Q_USEDLO, r->used);
	driver_write(d, d->common + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

void driver_start(struct driver *d, uint64_t features)
{
	driver_reset(d);
	driver_negotiate(d, features | 1ull << VIRTIO_F_VERSION_1);
	for (unsigned int q = 0; q < DRIVER_QUEUES; q++)
		driver_queue(d, q, 1 + q);
	set_status(d, VIRTIO_CONFIG_S_DRIVER_OK);
}

void driver_send(struct driver *d, unsigned int q, uint64_t gpa, uint32_t len,
		 uint16_t flags)
{
	struct vring *r = &d->ring[q];
	uint16_t i = r->avail->idx % DRIVER_SIZE;

	r->desc[i] = (struct vring_desc){ gpa, len, flags, 0 };
	r->avail->ring[i] = i;
	__atomic_store_n(&r->avail->idx, (uint16_t)(r->avail->idx + 1),
			 __ATOMIC_RELEASE);
	driver_write(d, d->notify + q * d->notify_step, 2, q);
}

bool driver_wait(struct driver *d, unsigned int q)
{
	for (int i = 0; i < 20000; i++) {
		if (__atomic_load_n(&d->ring[q].used->idx, __ATOMIC_ACQUIRE) !=
		    d->seen[q]) {
			d->seen[q]++;
			return true;
		}
		nap();
	}
	return false;
}
