/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host without an IOMMU: the bus address of a page is its physical address.
 * A way of pinning (ring.h, locked.h) plus a way of asking where (pagemap.h).
 */
#include "locked.h"
#include "pagemap.h"
#include "ring.h"

#include <checked.h>
#include <container.h>
#include <lock.h>
#include <mem.h>
#include <sized.h>
#include <errno.h>

struct noiommu {
	struct vd_host host;
	enum vd_pin_method method;
	struct lock lock; /* guards what follows */
	struct pagemap pagemap;
	struct rings rings;   /* VD_PIN_IO_URING */
	struct locked locked; /* VD_PIN_MLOCK */
};

static struct noiommu *noiommu(struct vd_host *h)
{
	return container_of(h, struct noiommu, host);
}

static int check_pins(const struct vd_pin *pin, size_t npins)
{
	for (size_t i = 0; i < npins; i++) {
		if (pin[i].npages == 0 || pin[i].npages > VD_PIN_MAX_PAGES ||
		    !is_aligned((uintptr_t)pin[i].hva, VD_PAGE_SHIFT))
			return -EFAULT;
	}
	return 0;
}

static int pin_pages(struct noiommu *h, struct vd_pin *pin, size_t npins)
	MUST_HOLD(h->lock)
{
	return h->method == VD_PIN_IO_URING ?
		       rings_pin(&h->rings, pin, npins) :
		       locked_pin(&h->locked, pin, npins);
}

static void unpin_pages(struct noiommu *h, const struct vd_pin *pin,
			size_t npins) MUST_HOLD(h->lock)
{
	if (h->method == VD_PIN_IO_URING)
		rings_unpin(&h->rings, pin, npins);
	else
		locked_unpin(&h->locked, pin, npins);
}

static int noiommu_pin(struct vd_host *host, struct vd_pin *pin, size_t npins)
{
	struct noiommu *h = noiommu(host);
	int err = check_pins(pin, npins);

	if (err)
		return err;
	lock_take(&h->lock);
	err = pin_pages(h, pin, npins);
	if (!err) {
		err = pagemap_fill(&h->pagemap, pin, npins);
		if (err)
			unpin_pages(h, pin, npins);
	}
	lock_drop(&h->lock);
	return err;
}

static void noiommu_unpin(struct vd_host *host, const struct vd_pin *pin,
			  size_t npins)
{
	struct noiommu *h = noiommu(host);

	lock_take(&h->lock);
	unpin_pages(h, pin, npins);
	lock_drop(&h->lock);
}

static void noiommu_destroy(struct vd_host *host)
{
	struct noiommu *h = noiommu(host);

	if (h->method == VD_PIN_IO_URING)
		rings_end(&h->rings);
	else
		locked_end(&h->locked);
	pagemap_close(&h->pagemap);
	lock_end(&h->lock);
	mem_free(h);
}

static int init_method(struct noiommu *h, const struct vd_noiommu_cfg *cfg)
{
	h->method = cfg->method;
	if (cfg->method == VD_PIN_IO_URING)
		return rings_init(&h->rings, cfg);
	locked_init(&h->locked, cfg->max_pins, "/proc/sys/vm/max_map_count");
	return 0;
}

int vd_host_noiommu_create(const struct vd_noiommu_cfg *cfg,
			   struct vd_host **out)
{
	static const struct vd_host_ops ops = {
		.size = sizeof(ops),
		.name = "noiommu",
		.pin = noiommu_pin,
		.unpin = noiommu_unpin,
		.destroy = noiommu_destroy,
	};
	struct vd_noiommu_cfg own = { .size = sizeof(own) };
	struct noiommu *h;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	if (cfg->method != VD_PIN_IO_URING && cfg->method != VD_PIN_MLOCK)
		return -EINVAL;
	h = mem_zalloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	err = pagemap_open(&h->pagemap);
	if (err)
		goto err_free;
	err = init_method(h, cfg);
	if (err)
		goto err_pagemap;

	/* Nothing below can fail. */
	h->host.ops = &ops;
	lock_init(&h->lock);
	*out = &h->host;
	return 0;

err_pagemap:
	pagemap_close(&h->pagemap);
err_free:
	mem_free(h);
	return err;
}
