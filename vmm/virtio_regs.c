/* SPDX-License-Identifier: BSD-2-Clause */
/* BAR 0: the common configuration (4.1.4.3), ISR, configuration, notifications. */
#include "virtio_parts.h"
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

/* How wide the field that begins here is; a driver accesses it as a whole. */
static const uint8_t width_at[] = {
	[VIRTIO_PCI_COMMON_DFSELECT] = 4,
	[VIRTIO_PCI_COMMON_DF] = 4,
	[VIRTIO_PCI_COMMON_GFSELECT] = 4,
	[VIRTIO_PCI_COMMON_GF] = 4,
	[VIRTIO_PCI_COMMON_MSIX] = 2,
	[VIRTIO_PCI_COMMON_NUMQ] = 2,
	[VIRTIO_PCI_COMMON_STATUS] = 1,
	[VIRTIO_PCI_COMMON_CFGGENERATION] = 1,
	[VIRTIO_PCI_COMMON_Q_SELECT] = 2,
	[VIRTIO_PCI_COMMON_Q_SIZE] = 2,
	[VIRTIO_PCI_COMMON_Q_MSIX] = 2,
	[VIRTIO_PCI_COMMON_Q_ENABLE] = 2,
	[VIRTIO_PCI_COMMON_Q_NOFF] = 2,
	[VIRTIO_PCI_COMMON_Q_DESCLO] = 4,
	[VIRTIO_PCI_COMMON_Q_DESCHI] = 4,
	[VIRTIO_PCI_COMMON_Q_AVAILLO] = 4,
	[VIRTIO_PCI_COMMON_Q_AVAILHI] = 4,
	[VIRTIO_PCI_COMMON_Q_USEDLO] = 4,
	[VIRTIO_PCI_COMMON_Q_USEDHI] = 4,
};

static uint32_t half(uint64_t value, uint32_t select)
{
	return select > 1 ? 0 : (uint32_t)(value >> 32 * select);
}

static void set_half(uint64_t *value, uint32_t select, uint32_t to)
{
	if (select > 1)
		return;
	*value &= ~((uint64_t)UINT32_MAX << 32 * select);
	*value |= (uint64_t)to << 32 * select;
}

static uint64_t *address_at(struct virtq *q, uint64_t off)
{
	if (off < VIRTIO_PCI_COMMON_Q_AVAILLO)
		return &q->desc;
	return off < VIRTIO_PCI_COMMON_Q_USEDLO ? &q->avail : &q->used;
}

static uint32_t queue_read(struct virtio *v, uint64_t off)
{
	struct virtq *q = &v->queue[v->queue_select % VIRTIO_QUEUES_MAX];

	if (off == VIRTIO_PCI_COMMON_Q_MSIX)
		return VIRTIO_MSI_NO_VECTOR;
	if (v->queue_select >= v->cfg.nqueues)
		return 0; /* size 0: there is no such queue */
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return q->size;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return q->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return v->queue_select;
	default:
		return half(*address_at(q, off), off / 4 % 2);
	}
}

static uint32_t common_read(struct virtio *v, uint64_t off)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return v->device_select;
	case VIRTIO_PCI_COMMON_DF:
		return half(v->cfg.features | VIRTIO_VERSION_1,
			    v->device_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return v->driver_select;
	case VIRTIO_PCI_COMMON_GF:
		return half(v->features, v->driver_select);
	case VIRTIO_PCI_COMMON_MSIX:
		return VIRTIO_MSI_NO_VECTOR;
	case VIRTIO_PCI_COMMON_NUMQ:
		return v->cfg.nqueues;
	case VIRTIO_PCI_COMMON_STATUS:
		return v->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return v->generation;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return v->queue_select;
	default:
		return queue_read(v, off);
	}
}

static void queue_write(struct virtio *v, uint64_t off, uint32_t value)
{
	struct virtq *q = &v->queue[v->queue_select % VIRTIO_QUEUES_MAX];

	/* An enabled queue stays as it is until the reset. */
	if (v->queue_select >= v->cfg.nqueues || q->enabled || v->resetting)
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		q->size = (uint16_t)value;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1 && virtq_enable(q))
			virtio_break(v);
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
	case VIRTIO_PCI_COMMON_Q_NOFF:
		break;
	default:
		set_half(address_at(q, off), off / 4 % 2, value);
	}
}

static void common_write(struct virtio *v, uint64_t off, uint32_t value)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		v->device_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		v->driver_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		if (!(v->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&v->features, v->driver_select, value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_set_status(v, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		v->queue_select = (uint16_t)value;
		break;
	default:
		if (off >= VIRTIO_PCI_COMMON_Q_SIZE)
			queue_write(v, off, value);
	}
}

/* BAR 0. */

static bool is_field(uint64_t off, unsigned int width)
{
	return off < sizeof(width_at) && width_at[off] == width;
}

static bool is_config(const struct virtio *v, uint64_t off, unsigned int width)
{
	return off >= VIRTIO_AT_CONFIG &&
	       off + width <= VIRTIO_AT_CONFIG + v->cfg.config_len;
}

static uint64_t bar_read(struct virtio *v, uint64_t off, unsigned int width)
{
	uint64_t value = 0;

	if (is_field(off, width))
		return common_read(v, off);
	if (off == VIRTIO_AT_ISR && width == 1)
		return virtio_take_isr(v);
	if (is_config(v, off, width))
		memcpy(&value, v->config + (off - VIRTIO_AT_CONFIG), width);
	return value;
}

static void config_write(struct virtio *v, uint64_t off, unsigned int width,
			 uint64_t value)
{
	for (unsigned int i = 0; i < width; i++) {
		uint8_t kept = v->kept[off + i];
		uint8_t *byte = &v->config[off + i];

		*byte = (uint8_t)((*byte & ~kept) | (value >> 8 * i & kept));
	}
}

static void bar_write(struct virtio *v, uint64_t off, unsigned int width,
		      uint64_t value)
{
	if (is_field(off, width))
		common_write(v, off, (uint32_t)value);
	else if (is_config(v, off, width))
		config_write(v, off - VIRTIO_AT_CONFIG, width, value);
	else if (off >= VIRTIO_AT_NOTIFY && value < v->cfg.nqueues)
		virtio_ring(v, 1u << value);
}

uint64_t virtio_reg_read(void *ctx, uint64_t off, unsigned int width)
{
	struct virtio *v = ctx;
	uint64_t value;

	pthread_mutex_lock(&v->lock);
	value = bar_read(v, off, width);
	pthread_mutex_unlock(&v->lock);
	return value;
}

void virtio_reg_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct virtio *v = ctx;

	pthread_mutex_lock(&v->lock);
	bar_write(v, off, width, value);
	pthread_mutex_unlock(&v->lock);
}

const struct region_ops virtio_reg_ops = { virtio_reg_read, virtio_reg_write };
