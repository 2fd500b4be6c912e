/* SPDX-License-Identifier: BSD-2-Clause */
#include "relief.h"
#include <string.h>
#include <viaduct/pins.h>

/* A part of guest RAM for each level: 1/32, 1/16, 1/8, then 1/4. */
static uint64_t amount(const struct relief *r, unsigned int level)
{
	return r->pageout.len >> (level < 4 ? 6 - level : 2);
}

static void on_pressure(void *opaque, unsigned int level)
{
	struct relief *r = opaque;
	uint64_t bytes = amount(r, level);

	/* First what is pinned for no one: else it could not be paged out. */
	atomic_fetch_add(&r->unpinned, vd_domain_reclaim(r->domain, bytes));
	atomic_fetch_add(&r->paged_out, pageout_some(&r->pageout, bytes));
	atomic_store(&r->hot, pageout_hot(&r->pageout));
}

static void on_calm(void *opaque)
{
	struct relief *r = opaque;

	atomic_store(&r->hot, pageout_hot(&r->pageout));
}

static const struct pressure_ops ops = { on_pressure, on_calm };

int relief_create(struct relief *r, struct vd_domain *domain, void *ram,
		  uint64_t len)
{
	static const struct sysfs host = { .root = "/sys" };
	int err;

	memset(r, 0, sizeof(*r));
	r->domain = domain;
	err = pageout_create(&r->pageout, ram, len, &pageout_real, NULL);
	if (err)
		return err;
	err = pressure_open(&r->pressure, &host, &ops, r);
	if (err)
		goto err_pageout;
	err = pressure_start(&r->pressure);
	if (err)
		goto err_pressure;
	r->on = true;
	return 0;

err_pressure:
	pressure_stop(&r->pressure);
err_pageout:
	pageout_destroy(&r->pageout);
	return err;
}

void relief_destroy(struct relief *r)
{
	if (!r->on)
		return;
	pressure_stop(&r->pressure);
	pageout_destroy(&r->pageout);
	r->on = false;
}

void relief_stats(struct relief *r, struct relief_stats *out)
{
	*out = (struct relief_stats){ .on = r->on,
				      .requests = r->pressure.requests,
				      .unpinned = r->unpinned,
				      .paged_out = r->paged_out,
				      .hot = r->hot };
	for (unsigned int i = 0; i < r->pressure.nsources; i++)
		out->source[r->pressure.source[i].kind] = true;
	for (int i = 0; i < PRESSURE_KINDS; i++)
		out->events[i] = r->pressure.events[i];
}
