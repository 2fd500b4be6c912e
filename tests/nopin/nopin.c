/* SPDX-License-Identifier: BSD-2-Clause */
#include "nopin.h"

#include "pagemap.h"
#include <container.h>
#include <errno.h>
#include <lock.h>
#include <mem.h>

struct nopin {
	struct vd_host host;
	struct lock lock;
	struct pagemap pagemap;
};

static int nopin_pin(struct vd_host *host, struct vd_pin *pin, size_t npins)
{
	struct nopin *h = container_of(host, struct nopin, host);
	int err;

	for (size_t i = 0; i < npins; i++) {
		char *page = pin[i].hva;

		/* Never the zero page: a device would write to it. */
		for (size_t j = 0; j < pin[i].npages; j++)
			page_touch(page + j * VD_PAGE_SIZE);
		pin[i].handle = 0;
	}
	lock_take(&h->lock);
	err = pagemap_fill(&h->pagemap, pin, npins);
	lock_drop(&h->lock);
	return err;
}

static void nopin_unpin(struct vd_host *host, const struct vd_pin *pin, size_t npins)
{
	(void)host;
	(void)pin;
	(void)npins;
}

static void nopin_destroy(struct vd_host *host)
{
	struct nopin *h = container_of(host, struct nopin, host);

	pagemap_close(&h->pagemap);
	lock_end(&h->lock);
	mem_free(h);
}

int vd_host_nopin_create(struct vd_host **out)
{
	static const struct vd_host_ops ops = {
		.size = sizeof(ops),
		.name = "nopin",
		.pin = nopin_pin,
		.unpin = nopin_unpin,
		.destroy = nopin_destroy,
	};
	struct nopin *h = mem_zalloc(1, sizeof(*h));
	int err;

	if (!h)
		return -ENOMEM;
	err = pagemap_open(&h->pagemap);
	if (err) {
		mem_free(h);
		return err;
	}
	h->host.ops = &ops;
	lock_init(&h->lock);
	*out = &h->host;
	return 0;
}
