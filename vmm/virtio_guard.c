/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio_guard.h"
#include <stddef.h>
#include <string.h>

#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u

static const char no_bit[] =
	"its driver does not accept VIRTIO_F_ACCESS_PLATFORM, so it would use "
	"guest addresses for DMA";
static const char no_features[] =
	"its driver starts it without agreeing on features";
static const char early_queue[] =
	"its driver enables a queue before it has agreed on features";

/* The registers of the common configuration (virtio 1.3, 4.1.4.3). */
static const struct {
	uint8_t reg, width;
} registers[] = {
	{ 0, 4 },
	{ 4, 4 },
	{ 8, 4 },
	{ 12, 4 },
	{ 16, 2 },
	{ 18, 2 },
	{ 20, 1 },
	{ 21, 1 },
	{ 22, 2 },
	{ 24, 2 },
	{ 26, 2 },
	{ 28, 2 },
	{ 30, 2 },
	{ 32, 4 },
	{ 36, 4 },
	{ 40, 4 },
	{ 44, 4 },
	{ 48, 4 },
	{ 52, 4 },
	{ 56, 2 },
	{ 58, 2 },
	{ 60, 2 },
	{ 62, 2 },
	/* Halves of a queue's addresses, which drivers write in one. */
	{ 32, 8 },
	{ 40, 8 },
	{ 48, 8 },
};

static bool is_register(uint64_t reg, unsigned int width)
{
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		if (registers[i].reg == reg && registers[i].width == width)
			return true;
	return false;
}

void virtio_guard_init(struct virtio_guard *g, const struct virtio_caps *caps,
		       const struct virtio_guard_ops *ops, void *opaque)
{
	memset(g, 0, sizeof(*g));
	g->caps = *caps;
	g->ops = ops;
	g->opaque = opaque;
	pthread_mutex_init(&g->lock, NULL);
	for (unsigned int n = 0; n < 6; n++)
		g->bar[n] = (struct virtio_guard_bar){ g, n };
}

void virtio_guard_fini(struct virtio_guard *g)
{
	pthread_mutex_destroy(&g->lock);
}

static void forget(struct virtio_guard *g)
{
	g->select = 0;
	g->accepted = false;
	g->agreed = false;
}

void virtio_guard_reset(struct virtio_guard *g)
{
	pthread_mutex_lock(&g->lock);
	forget(g);
	g->stopped = false;
	pthread_mutex_unlock(&g->lock);
}

bool virtio_guard_watches(const struct virtio_guard *g, unsigned int n)
{
	for (unsigned int i = 0; i < g->caps.ncommons; i++)
		if (g->caps.common[i].bar == n)
			return true;
	return false;
}

/* The common configuration that the access touches. */
static const struct virtio_place *touched(const struct virtio_guard *g,
					  unsigned int n, uint64_t off,
					  unsigned int width)
{
	for (unsigned int i = 0; i < g->caps.ncommons; i++) {
		const struct virtio_place *p = &g->caps.common[i];

		if (p->bar == n && off < (uint64_t)p->off + p->len &&
		    off + width > p->off)
			return p;
	}
	return NULL;
}

/* Why the driver must not write @value, or NULL. Called with the lock. */
static const char *judge(const struct virtio_guard *g, uint64_t reg,
			 uint64_t value)
{
	if (reg == VIRTIO_R_QUEUE_ENABLE)
		return value && !g->agreed ? early_queue : NULL;
	if (reg != VIRTIO_R_STATUS)
		return NULL;
	if (value & (STATUS_FEATURES_OK | STATUS_DRIVER_OK) && !g->accepted)
		return no_bit;
	if (value & STATUS_DRIVER_OK && !(value & STATUS_FEATURES_OK))
		return no_features;
	return NULL;
}

/* What the device will know after it; false: it is not to know it. */
static bool follow(struct virtio_guard *g, uint64_t reg, uint64_t value)
{
	switch (reg) {
	case VIRTIO_R_DRIVER_SELECT:
		g->select = (uint32_t)value;
		break;
	case VIRTIO_R_DRIVER_FEAT:
		if (g->agreed)
			return false;
		if (g->select == VIRTIO_PLATFORM_WORD)
			g->accepted = value & VIRTIO_PLATFORM_BIT;
		break;
	case VIRTIO_R_STATUS:
		if (value == 0)
			forget(g);
		else if (value & STATUS_FEATURES_OK)
			g->agreed = true;
		break;
	}
	return true;
}

/* false: nothing is there. */
static bool pass_on(struct virtio_guard *g, const struct virtio_place *p,
		    uint64_t reg, unsigned int width, uint64_t value)
{
	/* A device that keeps its select through a reset is no way round. */
	if (reg == VIRTIO_R_DRIVER_FEAT &&
	    !g->ops->write(g->opaque, p->bar,
			   (uint64_t)p->off + VIRTIO_R_DRIVER_SELECT, 4,
			   g->select))
		return false;
	return g->ops->write(g->opaque, p->bar, p->off + reg, width, value);
}

/* What came of a write: passed on unless @why, @dropped or @gone. */
struct verdict {
	const char *why; /* it is to be stopped */
	bool dropped, gone;
};

static struct verdict write_common(struct virtio_guard *g,
				   const struct virtio_place *p, uint64_t off,
				   unsigned int width, uint64_t value)
{
	uint64_t reg = off - p->off; /* wraps when the access begins before */
	struct verdict v = { .dropped = true };

	pthread_mutex_lock(&g->lock);
	if (!g->stopped && is_register(reg, width)) {
		v.why = judge(g, reg, value);
		g->stopped = v.why;
		if (!v.why && follow(g, reg, value)) {
			v.dropped = false;
			v.gone = !pass_on(g, p, reg, width, value);
		}
	}
	pthread_mutex_unlock(&g->lock);
	return v;
}

static bool is_stopped(struct virtio_guard *g)
{
	bool stopped;

	pthread_mutex_lock(&g->lock);
	stopped = g->stopped;
	pthread_mutex_unlock(&g->lock);
	return stopped;
}

/* Beside the registers, in the same page. */
static struct verdict write_rest(struct virtio_guard *g, unsigned int n,
				 uint64_t off, unsigned int width,
				 uint64_t value)
{
	struct verdict v = { .dropped = is_stopped(g) };

	if (!v.dropped)
		v.gone = !g->ops->write(g->opaque, n, off, width, value);
	return v;
}

static void on_write(void *ctx, uint64_t off, unsigned int width,
		     uint64_t value)
{
	struct virtio_guard_bar *b = ctx;
	struct virtio_guard *g = b->all;
	const struct virtio_place *p = touched(g, b->n, off, width);
	struct verdict v;

	if (width < 8)
		value &= (1ull << width * 8) - 1;
	v = p ? write_common(g, p, off, width, value) :
		write_rest(g, b->n, off, width, value);
	if (v.dropped)
		g->bad++;
	if (v.gone)
		g->ops->gone(g->opaque);
	if (!v.why)
		return;
	g->stops++;
	g->ops->stop(g->opaque, v.why);
}

static uint64_t on_read(void *ctx, uint64_t off, unsigned int width)
{
	struct virtio_guard_bar *b = ctx;
	struct virtio_guard *g = b->all;

	if (is_stopped(g))
		return ~0ull;
	return g->ops->read(g->opaque, b->n, off, width);
}

const struct region_ops virtio_guard_region = { on_read, on_write };
