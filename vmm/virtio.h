/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device on the guest's PCI bus (virtio 1.2, 4.1), modern interface
 * only: the transport. What the device is for is its owner's, see struct
 * virtio_ops.
 *
 * Each device has a thread. A vCPU that rings a queue only leaves word for it;
 * what is slow happens there, without the lock. So a reset does not wait
 * either: it is asked for, and the status reads as 0 once the thread has let
 * go of the queues, as 4.1.4.3.2 lets a driver expect.
 *
 * A driver that breaks a rule of the queues gets DEVICE_NEEDS_RESET (2.1.2) and
 * is counted. The interrupt is INTx: a balloon or the like has few.
 *
 * Locks: pci_bus.lock -> virtio.lock. Ops run without either.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include "pci.h"
#include "pci_image.h"
#include "virtq.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define VIRTIO_QUEUES_MAX 8
#define VIRTIO_CONFIG_MAX 64

struct virtio;

/* Both are called on the device's thread, without locks. */
struct virtio_ops {
	/* Something may be in queue @queue: virtio_pop() until there is no
	 * more. */
	void (*serve)(struct virtio *v, unsigned int queue);
	/* The queues are empty and the driver's settings are gone. */
	void (*reset)(struct virtio *v);
};

struct virtio_cfg {
	struct vm *vm;
	struct pci_bus *bus;
	unsigned int slot; /* the first PCI device number to try */
	const struct virtio_ops *ops;
	const char *cause; /* of exits */
	uint16_t type;	   /* device id (5): 5 is a balloon */
	uint64_t features; /* offered, VERSION_1 apart */
	unsigned int nqueues;
	unsigned int config_len; /* of the device's configuration */
};

struct virtio {
	struct pci_func func;
	struct virtio_cfg cfg;
	struct pci_bars bars;
	struct pci_image image;
	pthread_t thread;
	pthread_cond_t work;  /* for the thread */
	pthread_cond_t idle;  /* the thread has finished a reset */
	pthread_mutex_t lock; /* guards what follows */
	bool ending, resetting;
	uint8_t status, isr, generation;
	uint32_t device_select, driver_select;
	uint64_t features; /* as the driver accepted them */
	uint16_t queue_select;
	struct virtq queue[VIRTIO_QUEUES_MAX];
	uint32_t rung; /* a bit for each queue */
	/* Little-endian, as the guest sees it; bits of kept it may change. */
	uint8_t config[VIRTIO_CONFIG_MAX], kept[VIRTIO_CONFIG_MAX];
	uint64_t broken; /* rules that the driver broke */
};

/* On the bus and shown. 0 or -errno. */
int virtio_create(struct virtio *v, const struct virtio_cfg *cfg);

/* A guest reset; waits for the thread. No vCPU runs. */
void virtio_reset(struct virtio *v);
void virtio_destroy(struct virtio *v);

/* For serve(): the next chain. False: no more, or the driver let us go. */
bool virtio_pop(struct virtio *v, unsigned int queue, struct virtq_chain *out);

/* Give it back; nothing happens if the driver has reset the device since. */
void virtio_push(struct virtio *v, unsigned int queue, uint16_t head,
		 uint32_t written);

/* For serve(), between parts of a long piece of work: shall it go on? */
bool virtio_is_running(struct virtio *v);

/* Has the driver accepted this feature (a bit number), and is it running? */
bool virtio_has(struct virtio *v, unsigned int feature);

/* How many rules of the queues drivers have broken since the start. */
uint64_t virtio_broken(struct virtio *v);

/*
 * 32 bits of the device's configuration. A put tells the driver by a
 * configuration interrupt if something has changed. @kept: bits that the
 * driver may change from now on.
 */
uint32_t virtio_config_get(struct virtio *v, unsigned int off);
void virtio_config_put(struct virtio *v, unsigned int off, uint32_t value);
void virtio_config_keep(struct virtio *v, unsigned int off, uint32_t kept);

#endif
