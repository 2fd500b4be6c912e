/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the virtio transport share: virtio.c (life, interrupts,
 * the thread), virtio_regs.c (BAR 0), virtio_image.c (configuration space).
 *
 * BAR 0 has a page for each of the structures of 4.1.4.
 */
#ifndef VMM_VIRTIO_PARTS_H
#define VMM_VIRTIO_PARTS_H

#include "virtio.h"

#define VIRTIO_BAR_LEN	   0x4000u
#define VIRTIO_AT_COMMON   0x0000u
#define VIRTIO_AT_ISR	   0x1000u
#define VIRTIO_AT_CONFIG   0x2000u
#define VIRTIO_AT_NOTIFY   0x3000u
#define VIRTIO_NOTIFY_STEP 4u  /* bytes from one queue's to the next's */
#define VIRTIO_COMMON_LEN  56u /* of the common configuration */
#define VIRTIO_VERSION_1   (1ull << 32)

static inline void virtio_put32(uint8_t *p, uint32_t v)
{
	pci_image_put16(p, v);
	pci_image_put16(p + 2, v >> 16);
}

static inline uint32_t virtio_get32(const uint8_t *p)
{
	return pci_image_get16(p) | (uint32_t)pci_image_get16(p + 2) << 16;
}

/* virtio.c; all with the lock. */

/* The interrupt line as ISR status and command register want it. */
void virtio_update_line(struct virtio *v);

/* 4.1.4.5: reading it takes it and lowers the line. */
uint8_t virtio_take_isr(struct virtio *v);

/* The driver broke a rule: 2.1.2. */
void virtio_break(struct virtio *v);

/* The driver writes the status register. */
void virtio_set_status(struct virtio *v, uint8_t now);

/* Bits of queues for the thread to look at. */
void virtio_ring(struct virtio *v, uint32_t queues);

/* virtio_regs.c: what a guest does to BAR 0. Both take the lock. */
uint64_t virtio_reg_read(void *virtio, uint64_t off, unsigned int width);
void virtio_reg_write(void *virtio, uint64_t off, unsigned int width,
		      uint64_t value);
extern const struct region_ops virtio_reg_ops;

/* virtio_image.c */
void virtio_image_init(struct virtio *v);
extern const struct pci_func_ops virtio_func_ops;

#endif
