/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration space: identity, capabilities that say where in BAR 0 what is,
 * and a window into it (4.1.4.9).
 */
#include "virtio_parts.h"
#include <linux/virtio_pci.h>
#include <string.h>

#define VENDOR	      0x1af4
#define DEVICE_MODERN 0x1040 /* 4.1.2: plus the device id */
#define CLASS_NONE    0x00ff0000
#define REVISION      1
#define CMD	      0x04
#define CAPS	      0x34
#define PIN	      0x3d

/* Capabilities, one behind the other. */
#define CAP_COMMON    0x40u
#define CAP_ISR	      0x50u
#define CAP_CONFIG    0x60u
#define CAP_NOTIFY    0x70u /* 20 bytes */
#define CAP_ACCESS    0x84u /* 20 bytes: the window */

static struct virtio *of(struct pci_func *f)
{
	return (struct virtio *)((char *)f - offsetof(struct virtio, func));
}

static void put_cap(struct virtio *v, unsigned int at, uint8_t type,
		    unsigned int next)
{
	uint8_t *c = v->image.byte + at;
	bool is_long = type == VIRTIO_PCI_CAP_NOTIFY_CFG ||
		       type == VIRTIO_PCI_CAP_PCI_CFG;

	c[VIRTIO_PCI_CAP_VNDR] = 0x09; /* vendor-specific */
	c[VIRTIO_PCI_CAP_NEXT] = (uint8_t)next;
	c[VIRTIO_PCI_CAP_LEN] = is_long ? 20 : 16;
	c[VIRTIO_PCI_CAP_CFG_TYPE] = type;
}

static void put_structure(struct virtio *v, unsigned int at, uint32_t off,
			  uint32_t len)
{
	virtio_put32(v->image.byte + at + VIRTIO_PCI_CAP_OFFSET, off);
	virtio_put32(v->image.byte + at + VIRTIO_PCI_CAP_LENGTH, len);
}

static void put_caps(struct virtio *v)
{
	uint8_t *kept = v->image.kept + CAP_ACCESS;

	v->image.byte[CAPS] = CAP_COMMON;
	put_cap(v, CAP_COMMON, VIRTIO_PCI_CAP_COMMON_CFG, CAP_ISR);
	put_cap(v, CAP_ISR, VIRTIO_PCI_CAP_ISR_CFG, CAP_CONFIG);
	put_cap(v, CAP_CONFIG, VIRTIO_PCI_CAP_DEVICE_CFG, CAP_NOTIFY);
	put_cap(v, CAP_NOTIFY, VIRTIO_PCI_CAP_NOTIFY_CFG, CAP_ACCESS);
	put_cap(v, CAP_ACCESS, VIRTIO_PCI_CAP_PCI_CFG, 0);
	put_structure(v, CAP_COMMON, VIRTIO_AT_COMMON, VIRTIO_COMMON_LEN);
	put_structure(v, CAP_ISR, VIRTIO_AT_ISR, 1);
	put_structure(v, CAP_CONFIG, VIRTIO_AT_CONFIG, v->cfg.config_len);
	put_structure(v, CAP_NOTIFY, VIRTIO_AT_NOTIFY,
		      v->cfg.nqueues * VIRTIO_NOTIFY_STEP);
	virtio_put32(v->image.byte + CAP_NOTIFY + VIRTIO_PCI_NOTIFY_CAP_MULT,
		     VIRTIO_NOTIFY_STEP);
	/* 4.1.4.9: the driver chooses bar, offset and length. */
	kept[VIRTIO_PCI_CAP_BAR] = 0xff;
	virtio_put32(kept + VIRTIO_PCI_CAP_OFFSET, UINT32_MAX);
	virtio_put32(kept + VIRTIO_PCI_CAP_LENGTH, UINT32_MAX);
}

void virtio_image_init(struct virtio *v)
{
	struct pci_image *c = &v->image;
	uint8_t *b = c->byte;

	memset(c, 0, sizeof(*c));
	pci_image_put16(b, VENDOR);
	pci_image_put16(b + 2, DEVICE_MODERN + v->cfg.type);
	pci_image_put16(c->kept + CMD,
			PCI_CMD_MEMORY | PCI_CMD_MASTER | PCI_CMD_INTX_OFF);
	pci_image_put16(b + 0x06, 0x0010); /* has capabilities */
	virtio_put32(b + 8, CLASS_NONE | REVISION);
	pci_image_put16(b + 0x2c, VENDOR);
	pci_image_put16(b + 0x2e, DEVICE_MODERN + v->cfg.type);
	b[PIN] = 1;
	c->kept[0x3c] = 0xff;
	put_caps(v);
}

/* An access through CAP_ACCESS: where it goes, if it goes anywhere. */
static bool find_access(const struct virtio *v, unsigned int off,
			uint32_t *where, unsigned int *width)
{
	const uint8_t *c = v->image.byte + CAP_ACCESS;
	uint32_t len = virtio_get32(c + VIRTIO_PCI_CAP_LENGTH);

	*where = virtio_get32(c + VIRTIO_PCI_CAP_OFFSET);
	*width = len;
	return off == CAP_ACCESS + sizeof(struct virtio_pci_cap) &&
	       c[VIRTIO_PCI_CAP_BAR] == 0 &&
	       (len == 1 || len == 2 || len == 4) && *where % len == 0 &&
	       *where <= VIRTIO_BAR_LEN - len;
}

static bool is_bar(unsigned int off)
{
	return off >= 0x10 && off < 0x28;
}

static uint32_t cfg_read(struct pci_func *f, unsigned int off,
			 unsigned int width)
{
	struct virtio *v = of(f);
	unsigned int len;
	uint32_t at;

	if (is_bar(off))
		return pci_bars_read(&v->bars, off, width);
	if (find_access(v, off, &at, &len))
		return (uint32_t)virtio_reg_read(v, at, len);
	return pci_image_read(&v->image, off, width, 0);
}

static void write_image(struct virtio *v, unsigned int off, unsigned int width,
			uint32_t value)
{
	pthread_mutex_lock(&v->lock); /* the thread looks at the command */
	pci_image_write(&v->image, off, width, value);
	virtio_update_line(v);
	/* It may master the bus from now on: look at all queues. */
	virtio_ring(v, (1u << v->cfg.nqueues) - 1);
	pthread_mutex_unlock(&v->lock);
	if (off < CMD + 2 && off + width > CMD)
		pci_bars_decode(&v->bars, pci_image_command(&v->image));
}

static void cfg_write(struct pci_func *f, unsigned int off, unsigned int width,
		      uint32_t value)
{
	struct virtio *v = of(f);
	unsigned int len;
	uint32_t at;

	if (is_bar(off))
		pci_bars_write(&v->bars, off, width, value);
	else if (find_access(v, off, &at, &len))
		virtio_reg_write(v, at, len,
				 len < 4 ? value & ((1u << 8 * len) - 1) :
					   value);
	else
		write_image(v, off, width, value);
}

const struct pci_func_ops virtio_func_ops = { cfg_read, cfg_write };
