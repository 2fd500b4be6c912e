/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small virtio driver for tests, as a guest would have it: it finds the
 * device by configuration accesses and its structures by their capabilities,
 * and lays its queues out with the kernel's own vring_init().
 */
#ifndef VMM_TESTS_VIRTIO_DRIVER_H
#define VMM_TESTS_VIRTIO_DRIVER_H

#include "pci.h"
#include "vm.h"
#include <linux/virtio_ring.h>

#define DRIVER_RAM    (64ull << 20)
#define DRIVER_SIZE   8 /* of a queue */
#define DRIVER_QUEUES 5

struct driver {
	struct vm vm;
	struct pci_bus bus;
	unsigned int devfn;
	uint64_t common, isr, config,
		notify; /* guest addresses; 0: not found */
	uint32_t notify_step;
	unsigned int access; /* offset of the access capability */
	struct vring ring[DRIVER_QUEUES];
	uint16_t seen[DRIVER_QUEUES]; /* used entries */
};

/* RAM and a bus; the test adds its device, then driver_find()s it. */
void driver_make(struct driver *d);
void driver_unmake(struct driver *d);
bool driver_find(struct driver *d, unsigned int devfn);

uint64_t driver_read(struct driver *d, uint64_t gpa, unsigned int width);
void driver_write(struct driver *d, uint64_t gpa, unsigned int width,
		  uint64_t value);
uint32_t driver_cfg_read(struct driver *d, unsigned int off,
			 unsigned int width);
void driver_cfg_write(struct driver *d, unsigned int off, unsigned int width,
		      uint32_t value);

uint8_t driver_status(struct driver *d);
/* Reset and wait for it as 4.1.4.3.2 says. */
void driver_reset(struct driver *d);
/* Up to FEATURES_OK; what the device made of the status. */
uint8_t driver_negotiate(struct driver *d, uint64_t features);
uint64_t driver_offered(struct driver *d);
/* Queue @q at page @page of RAM, enabled. */
void driver_queue(struct driver *d, unsigned int q, uint64_t page);
/* All that: reset, features, all queues from page 1 on, DRIVER_OK. */
void driver_start(struct driver *d, uint64_t features);

/* One descriptor of @flags for @gpa, made available as a chain and rung. */
void driver_send(struct driver *d, unsigned int q, uint64_t gpa, uint32_t len,
		 uint16_t flags);
/* Wait until one more chain came back; false after two seconds. */
bool driver_wait(struct driver *d, unsigned int q);

#endif
