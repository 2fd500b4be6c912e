/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_guard.h"
#include "assign.h"

static uint64_t on_read(void *opaque, unsigned int bar, uint64_t off,
			unsigned int width)
{
	struct assign *a = opaque;

	return assign_bar_read(&a->bars.host[bar], off, width);
}

static bool on_write(void *opaque, unsigned int bar, uint64_t off,
		     unsigned int width, uint64_t value)
{
	struct assign *a = opaque;

	return assign_bar_put(&a->bars.host[bar], off, width, value);
}

static void on_gone(void *opaque)
{
	struct assign *a = opaque;

	a->bars.gone(a->bars.opaque);
}

static void on_stop(void *opaque, const char *why)
{
	struct assign *a = opaque;

	pthread_mutex_lock(&a->lock);
	a->why = why;
	pthread_mutex_unlock(&a->lock);
	assign_deny(a);
}

static const struct virtio_guard_ops guard_ops = { on_read, on_write, on_gone,
						   on_stop };

void assign_guard_open(struct assign *a, const struct virtio_caps *caps)
{
	if (!caps->is_virtio)
		return;
	virtio_guard_init(&a->guard, caps, &guard_ops, a);
	a->guarded = true;
	for (unsigned int n = 0; n < 6; n++)
		if (virtio_guard_watches(&a->guard, n))
			assign_bars_watch(&a->bars, n, &virtio_guard_region,
					  &a->guard.bar[n]);
}

void assign_guard_close(struct assign *a)
{
	if (a->guarded)
		virtio_guard_fini(&a->guard);
	a->guarded = false;
}
