// SPDX-License-Identifier: BSD-2-Clause
/*
 * BAR 0 has a page for each of the structures of 4.1.4:
 *	0x0000 common configuration	0x2000 the device's configuration
 *	0x1000 interrupt status		0x3000 notifications, 4 bytes a queue
 *
 * Life of the status register, and who may touch the queues:
 *	0 .. DRIVER_OK	 the driver, through registers
 *	DRIVER_OK	 the thread
 *	reset asked for	 still the thread, until it is done with a chain
 *	0		 the driver again
 */
#include "virtio.h"
#include "vm.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <signal.h>
#include <string.h>

#define BAR_LEN	      0x4000u
#define COMMON	      0x0000u
#define ISR	      0x1000u
#define CONFIG	      0x2000u
#define NOTIFY	      0x3000u
#define NOTIFY_STEP   4u

#define ISR_QUEUE     0x1
#define ISR_CONFIG    0x2

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
#define CAP_ACCESS    0x84u /* 20 bytes: a window through configuration space */
#define CAP_END	      0x98u

#define VERSION_1     (1ull << VIRTIO_F_VERSION_1)

static struct virtio *of(struct pci_func *f)
{
	return (struct virtio *)((char *)f - offsetof(struct virtio, func));
}

static void put32(uint8_t *p, uint32_t v)
{
	pci_image_put16(p, v);
	pci_image_put16(p + 2, v >> 16);
}

static uint32_t get32(const uint8_t *p)
{
	return pci_image_get16(p) | (uint32_t)pci_image_get16(p + 2) << 16;
}

/* Interrupts. */

static void update_line(struct virtio *v)
{
	bool off = pci_image_command(&v->image) & PCI_CMD_INTX_OFF;

	vm_irq_line(v->cfg.vm, pci_intx_gsi(v->func.devfn, 0), v->isr && !off);
}

static void raise_irq(struct virtio *v, uint8_t why)
{
	if (!(v->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	v->isr |= why;
	update_line(v);
}

/* 4.1.4.5: reading it takes it and lowers the line. */
static uint8_t take_isr(struct virtio *v)
{
	uint8_t isr = v->isr;

	v->isr = 0;
	update_line(v);
	return isr;
}

/* The driver broke a rule: 2.1.2. */
static void break_device(struct virtio *v)
{
	v->broken++;
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	raise_irq(v, ISR_CONFIG);
}

/* Life. */

static void forget_driver(struct virtio *v)
{
	v->status = 0;
	v->features = 0;
	v->device_select = v->driver_select = 0;
	v->queue_select = 0;
	v->rung = 0;
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		virtq_init(&v->queue[i], v->cfg.vm);
	take_isr(v);
	v->resetting = false;
}

static bool is_running(const struct virtio *v)
{
	return (v->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	       !(v->status & VIRTIO_CONFIG_S_NEEDS_RESET) && !v->resetting &&
	       !v->ending && (pci_image_command(&v->image) & PCI_CMD_MASTER);
}

static void ask_reset(struct virtio *v)
{
	if (!v->status) {
		forget_driver(v); /* the thread has nothing of it */
		return;
	}
	v->resetting = true;
	pthread_cond_signal(&v->work);
}

static void ring(struct virtio *v, uint32_t queues)
{
	v->rung |= queues;
	pthread_cond_signal(&v->work);
}

static void set_status(struct virtio *v, uint8_t now)
{
	uint8_t rises = now & ~v->status;

	if (v->resetting)
		return;
	if (now == 0) {
		ask_reset(v);
		return;
	}
	/* 2.2.1, 6.1: nothing that was not offered, and VERSION_1. */
	if ((rises & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    ((v->features & ~(v->cfg.features | VERSION_1)) ||
	     !(v->features & VERSION_1)))
		now &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((v->status | now) & VIRTIO_CONFIG_S_FEATURES_OK))
		now &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	/* Bits are cleared by a reset only (2.1.1), and one is not its to set. */
	v->status |= now & (uint8_t)~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (rises & now & VIRTIO_CONFIG_S_DRIVER_OK)
		ring(v, (1u << v->cfg.nqueues) - 1);
}

/* The common configuration: 4.1.4.3. */

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
		return half(v->cfg.features | VERSION_1, v->device_select);
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
			break_device(v);
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
		set_status(v, (uint8_t)value);
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
	return off >= CONFIG && off + width <= CONFIG + v->cfg.config_len;
}

static uint64_t bar_read(struct virtio *v, uint64_t off, unsigned int width)
{
	uint64_t value = 0;

	if (is_field(off, width))
		return common_read(v, off);
	if (off == ISR && width == 1)
		return take_isr(v);
	if (is_config(v, off, width))
		memcpy(&value, v->config + (off - CONFIG), width);
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
		config_write(v, off - CONFIG, width, value);
	else if (off >= NOTIFY && value < v->cfg.nqueues)
		ring(v, 1u << value);
}

static uint64_t reg_read(void *ctx, uint64_t off, unsigned int width)
{
	struct virtio *v = ctx;
	uint64_t value;

	pthread_mutex_lock(&v->lock);
	value = bar_read(v, off, width);
	pthread_mutex_unlock(&v->lock);
	return value;
}

static void reg_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct virtio *v = ctx;

	pthread_mutex_lock(&v->lock);
	bar_write(v, off, width, value);
	pthread_mutex_unlock(&v->lock);
}

static const struct region_ops reg_ops = { reg_read, reg_write };

/* Configuration space. */

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
	put32(v->image.byte + at + VIRTIO_PCI_CAP_OFFSET, off);
	put32(v->image.byte + at + VIRTIO_PCI_CAP_LENGTH, len);
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
	put_structure(v, CAP_COMMON, COMMON, sizeof(width_at) + 3);
	put_structure(v, CAP_ISR, ISR, 1);
	put_structure(v, CAP_CONFIG, CONFIG, v->cfg.config_len);
	put_structure(v, CAP_NOTIFY, NOTIFY, v->cfg.nqueues * NOTIFY_STEP);
	put32(v->image.byte + CAP_NOTIFY + VIRTIO_PCI_NOTIFY_CAP_MULT,
	      NOTIFY_STEP);
	/* 4.1.4.9: the driver chooses bar, offset and length. */
	kept[VIRTIO_PCI_CAP_BAR] = 0xff;
	put32(kept + VIRTIO_PCI_CAP_OFFSET, UINT32_MAX);
	put32(kept + VIRTIO_PCI_CAP_LENGTH, UINT32_MAX);
}

static void image_init(struct virtio *v)
{
	struct pci_image *c = &v->image;
	uint8_t *b = c->byte;

	memset(c, 0, sizeof(*c));
	pci_image_put16(b, VENDOR);
	pci_image_put16(b + 2, DEVICE_MODERN + v->cfg.type);
	pci_image_put16(c->kept + CMD,
			PCI_CMD_MEMORY | PCI_CMD_MASTER | PCI_CMD_INTX_OFF);
	pci_image_put16(b + 0x06, 0x0010); /* has capabilities */
	put32(b + 8, CLASS_NONE | REVISION);
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
	uint32_t len = get32(c + VIRTIO_PCI_CAP_LENGTH);

	*where = get32(c + VIRTIO_PCI_CAP_OFFSET);
	*width = len;
	return off == CAP_ACCESS + sizeof(struct virtio_pci_cap) &&
	       c[VIRTIO_PCI_CAP_BAR] == 0 &&
	       (len == 1 || len == 2 || len == 4) && *where % len == 0 &&
	       *where <= BAR_LEN - len;
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
		return (uint32_t)reg_read(v, at, len);
	return pci_image_read(&v->image, off, width, 0);
}

static void write_image(struct virtio *v, unsigned int off, unsigned int width,
			uint32_t value)
{
	pthread_mutex_lock(&v->lock); /* the thread looks at the command */
	pci_image_write(&v->image, off, width, value);
	update_line(v);
	if (is_running(v))
		ring(v, v->rung);
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
		reg_write(v, at, len,
			  len < 4 ? value & ((1u << 8 * len) - 1) : value);
	else
		write_image(v, off, width, value);
}

static const struct pci_func_ops func_ops = { cfg_read, cfg_write };

/* The thread. */

static void finish_reset(struct virtio *v)
{
	pthread_mutex_unlock(&v->lock);
	v->cfg.ops->reset(v);
	pthread_mutex_lock(&v->lock);
	forget_driver(v); /* from here on the driver may begin anew */
	pthread_cond_broadcast(&v->idle);
}

/* A queue that was rung, or -1. */
static int take_rung(struct virtio *v)
{
	int queue;

	if (!v->rung || !is_running(v))
		return -1;
	queue = __builtin_ctz(v->rung);
	v->rung &= v->rung - 1;
	return queue;
}

static void *serve(void *arg)
{
	struct virtio *v = arg;
	int queue;

	pthread_mutex_lock(&v->lock);
	while (!v->ending) {
		queue = take_rung(v);
		if (v->resetting) {
			finish_reset(v);
		} else if (queue < 0) {
			pthread_cond_wait(&v->work, &v->lock);
		} else {
			pthread_mutex_unlock(&v->lock);
			v->cfg.ops->serve(v, (unsigned int)queue);
			pthread_mutex_lock(&v->lock);
		}
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

bool virtio_pop(struct virtio *v, unsigned int queue, struct virtq_chain *out)
{
	int got = 0;

	pthread_mutex_lock(&v->lock);
	if (is_running(v))
		got = virtq_pop(&v->queue[queue], out);
	if (got < 0)
		break_device(v);
	pthread_mutex_unlock(&v->lock);
	return got > 0;
}

void virtio_push(struct virtio *v, unsigned int queue, uint16_t head,
		 uint32_t written)
{
	struct virtq *q = &v->queue[queue];

	pthread_mutex_lock(&v->lock);
	if (is_running(v)) {
		virtq_push(q, head, written);
		if (virtq_wants_interrupt(q))
			raise_irq(v, ISR_QUEUE);
	}
	pthread_mutex_unlock(&v->lock);
}

bool virtio_is_running(struct virtio *v)
{
	bool yes;

	pthread_mutex_lock(&v->lock);
	yes = is_running(v);
	pthread_mutex_unlock(&v->lock);
	return yes;
}

bool virtio_has(struct virtio *v, unsigned int feature)
{
	bool yes;

	pthread_mutex_lock(&v->lock);
	yes = is_running(v) && (v->features >> feature & 1);
	pthread_mutex_unlock(&v->lock);
	return yes;
}

uint32_t virtio_config_get(struct virtio *v, unsigned int off)
{
	uint32_t value;

	pthread_mutex_lock(&v->lock);
	value = get32(v->config + off);
	pthread_mutex_unlock(&v->lock);
	return value;
}

void virtio_config_put(struct virtio *v, unsigned int off, uint32_t value)
{
	pthread_mutex_lock(&v->lock);
	if (get32(v->config + off) != value) {
		put32(v->config + off, value);
		v->generation++;
		raise_irq(v, ISR_CONFIG);
	}
	pthread_mutex_unlock(&v->lock);
}

void virtio_config_keep(struct virtio *v, unsigned int off, uint32_t kept)
{
	pthread_mutex_lock(&v->lock);
	put32(v->kept + off, kept);
	pthread_mutex_unlock(&v->lock);
}

/* Create, reset, destroy. */

/* Signals are for the main thread and kick vCPUs. */
static int start_thread(struct virtio *v)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&v->thread, NULL, serve, v);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void stop_thread(struct virtio *v)
{
	pthread_mutex_lock(&v->lock);
	v->ending = true;
	pthread_cond_signal(&v->work);
	pthread_mutex_unlock(&v->lock);
	pthread_join(v->thread, NULL);
}

static void free_locks(struct virtio *v)
{
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->work);
	pthread_cond_destroy(&v->idle);
}

static void init(struct virtio *v, const struct virtio_cfg *cfg)
{
	memset(v, 0, sizeof(*v));
	v->cfg = *cfg;
	v->func.ops = &func_ops;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->work, NULL);
	pthread_cond_init(&v->idle, NULL);
	v->bars.bar[0].kind = PCI_BAR_MEM32;
	v->bars.bar[0].len = BAR_LEN;
	v->bars.bar[0].region.cause = cfg->cause;
	v->bars.bar[0].region.ops = &reg_ops;
	v->bars.bar[0].region.ctx = v;
	image_init(v);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		virtq_init(&v->queue[i], cfg->vm);
}

int virtio_create(struct virtio *v, const struct virtio_cfg *cfg)
{
	int err;

	init(v, cfg);
	err = pci_bars_init(&v->bars, cfg->vm);
	if (err)
		goto err_locks;
	err = start_thread(v);
	if (err)
		goto err_locks;
	err = pci_bus_add(cfg->bus, &v->func, cfg->slot);
	if (err)
		goto err_thread;
	pci_bus_show(cfg->bus, &v->func, true);
	return 0;

err_thread:
	stop_thread(v);
err_locks:
	free_locks(v);
	return err;
}

void virtio_reset(struct virtio *v)
{
	pthread_mutex_lock(&v->lock);
	ask_reset(v);
	while (v->resetting)
		pthread_cond_wait(&v->idle, &v->lock);
	image_init(v);
	pthread_mutex_unlock(&v->lock);
	pci_bars_reset(&v->bars);
}

void virtio_destroy(struct virtio *v)
{
	pci_bus_remove(v->cfg.bus, &v->func);
	pci_bars_fini(&v->bars);
	stop_thread(v);
	free_locks(v);
}
