/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life of the status register, and who may touch the queues:
 *	0 .. DRIVER_OK	 the driver, through registers
 *	DRIVER_OK	 the thread
 *	reset asked for	 still the thread, until it is done with a chain
 *	0		 the driver again
 */
#include "virtio_parts.h"
#include "vm.h"
#include <errno.h>
#include <linux/virtio_config.h>
#include <signal.h>
#include <string.h>

#define ISR_QUEUE  0x1
#define ISR_CONFIG 0x2

/* Interrupts. */

void virtio_update_line(struct virtio *v)
{
	bool off = pci_image_command(&v->image) & PCI_CMD_INTX_OFF;

	vm_irq_line(v->cfg.vm, pci_intx_gsi(v->func.devfn, 0), v->isr && !off);
}

static void raise_irq(struct virtio *v, uint8_t why)
{
	if (!(v->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	v->isr |= why;
	virtio_update_line(v);
}

uint8_t virtio_take_isr(struct virtio *v)
{
	uint8_t isr = v->isr;

	v->isr = 0;
	virtio_update_line(v);
	return isr;
}

void virtio_break(struct virtio *v)
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
	virtio_take_isr(v);
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

void virtio_ring(struct virtio *v, uint32_t queues)
{
	v->rung |= queues;
	pthread_cond_signal(&v->work);
}

void virtio_set_status(struct virtio *v, uint8_t now)
{
	uint8_t rises = now & ~v->status;

	if (v->resetting)
		return;
	if (now == 0) {
		ask_reset(v);
		return;
	}
	/* 2.2.1, 6.1: nothing that was not offered, and VIRTIO_VERSION_1. */
	if ((rises & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    ((v->features & ~(v->cfg.features | VIRTIO_VERSION_1)) ||
	     !(v->features & VIRTIO_VERSION_1)))
		now &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((v->status | now) & VIRTIO_CONFIG_S_FEATURES_OK))
		now &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	/* Bits are cleared by a reset only (2.1.1), and one is not its to set. */
	v->status |= now & (uint8_t)~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (rises & now & VIRTIO_CONFIG_S_DRIVER_OK)
		virtio_ring(v, (1u << v->cfg.nqueues) - 1);
}

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
		virtio_break(v);
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
	value = virtio_get32(v->config + off);
	pthread_mutex_unlock(&v->lock);
	return value;
}

void virtio_config_put(struct virtio *v, unsigned int off, uint32_t value)
{
	pthread_mutex_lock(&v->lock);
	if (virtio_get32(v->config + off) != value) {
		virtio_put32(v->config + off, value);
		v->generation++;
		raise_irq(v, ISR_CONFIG);
	}
	pthread_mutex_unlock(&v->lock);
}

uint64_t virtio_broken(struct virtio *v)
{
	uint64_t n;

	pthread_mutex_lock(&v->lock);
	n = v->broken;
	pthread_mutex_unlock(&v->lock);
	return n;
}

void virtio_config_keep(struct virtio *v, unsigned int off, uint32_t kept)
{
	pthread_mutex_lock(&v->lock);
	virtio_put32(v->kept + off, kept);
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
	v->func.ops = &virtio_func_ops;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->work, NULL);
	pthread_cond_init(&v->idle, NULL);
	v->bars.bar[0].kind = PCI_BAR_MEM32;
	v->bars.bar[0].len = VIRTIO_BAR_LEN;
	v->bars.bar[0].region.cause = cfg->cause;
	v->bars.bar[0].region.ops = &virtio_reg_ops;
	v->bars.bar[0].region.ctx = v;
	virtio_image_init(v);
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
	virtio_image_init(v);
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
