/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Domains: what create and destroy own, and the calls that concern all
 * devices. Locks: the domain's, and under it the host's own.
 */
#include "evict.h"

#include <checked.h>
#include <mem.h>
#include <sized.h>
#include <errno.h>
#include <viaduct/pins.h>
#include <string.h>

#define DEFAULT_DEVICES	 64u
#define DEFAULT_MAPPINGS (1u << 20)
#define MOST_DEVICES	 65536u

/* What is kept for the next map; two full calls' worth. */
#define NODES_KEPT	 512u
#define MAPPINGS_KEPT	 512u

static bool is_granule(unsigned int shift)
{
	return shift == 12 || shift == 21;
}

static int check_cfg(const struct vd_domain_cfg *cfg)
{
	uint64_t devices, mappings;

	if (!is_granule(cfg->granule_shift) || cfg->max_devices > MOST_DEVICES)
		return -EINVAL;
	if (cfg->budget && !(cfg->budget >> cfg->granule_shift))
		return -EINVAL; /* nothing could ever be pinned */
	devices = cfg->max_devices ? cfg->max_devices : DEFAULT_DEVICES;
	mappings = cfg->max_mappings ? cfg->max_mappings : DEFAULT_MAPPINGS;
	/* Pin counts have 32 bits. */
	return devices * mappings < UINT32_MAX ? 0 : -EINVAL;
}

static struct vd_domain *domain_new(const struct vd_domain_cfg *cfg)
{
	struct vd_domain *d = mem_zalloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->max_devices = cfg->max_devices ? cfg->max_devices : DEFAULT_DEVICES;
	d->max_mappings =
		cfg->max_mappings ? cfg->max_mappings : DEFAULT_MAPPINGS;
	d->device = mem_zalloc(d->max_devices, sizeof(struct device *));
	if (!d->device)
		goto err_domain;
	d->scratch = mem_zalloc(1, sizeof(*d->scratch));
	if (!d->scratch)
		goto err_device;
	return d;

err_device:
	mem_free(d->device);
err_domain:
	mem_free(d);
	return NULL;
}

static int host_methods(const struct vd_host *host, struct vd_host_ops *ops)
{
	int err = host ? sized_read(ops, sizeof(*ops), host->ops) : -EINVAL;

	if (err)
		return err;
	return ops->pin && ops->unpin ? 0 : -EINVAL;
}

int vd_domain_create(struct vd_host *host, const struct vd_domain_cfg *cfg,
		     struct vd_domain **out)
{
	struct vd_domain_cfg own;
	struct vd_host_ops ops;
	struct vd_domain *d;
	int err = sized_read(&own, sizeof(own), cfg);

	if (err)
		return err;
	cfg = &own;
	err = check_cfg(cfg);
	if (!err)
		err = host_methods(host, &ops);
	if (err)
		return err;
	d = domain_new(cfg);
	if (!d)
		return -ENOMEM;

	/* Nothing below can fail. */
	d->host = host;
	d->host_ops = ops;
	freelist_init(&d->nodes, index_node_size, NODES_KEPT);
	freelist_init(&d->mappings, sizeof(struct mapping), MAPPINGS_KEPT);
	lock_init(&d->lock);
	lock_init(&d->held_lock);
	lock_event_init(&d->settled);
	memory_init(&d->memory, cfg->granule_shift);
	pages_init(&d->pages, cfg->granule_shift, cfg->budget);
	*out = d;
	return 0;
}

void vd_domain_destroy(struct vd_domain *d)
{
	if (!d)
		return;
	device_destroy_all(d);
	pintable_end(&d->pins);
	/* What a device that did not stop has pinned stays lent. */
	pages_return(&d->pages, 0);
	freelist_end(&d->mappings);
	freelist_end(&d->nodes);
	memory_end(&d->memory);
	lock_event_end(&d->settled);
	lock_end(&d->held_lock);
	lock_end(&d->lock);
	mem_free(d->scratch);
	mem_free(d->device);
	mem_free(d);
}

int vd_domain_add_memory(struct vd_domain *d, vd_gpa gpa, void *hva,
			 uint64_t len)
{
	int err;

	lock_take(&d->lock);
	err = memory_add(&d->memory, gpa.v, hva, len);
	lock_drop(&d->lock);
	return err;
}

/* All of it is guest memory, maybe of several stretches. */
static int check_memory(struct vd_domain *d, uint64_t gpa, uint64_t len)
	MUST_HOLD(d->lock)
{
	uint64_t last, piece;

	if (len == 0)
		return 0;
	if (!checked_last(gpa, len, &last))
		return -EOVERFLOW;
	for (; len; gpa += piece, len -= piece) {
		if (!memory_piece(&d->memory, gpa, len, &piece))
			return -EFAULT;
	}
	return 0;
}

int vd_domain_check_memory(struct vd_domain *d, vd_gpa gpa, uint64_t len)
{
	int err;

	lock_take(&d->lock);
	err = check_memory(d, gpa.v, len);
	lock_drop(&d->lock);
	return err;
}

typedef void copy_fn(unsigned char *guest, unsigned char *ours, size_t len);

static void copy_from_guest(unsigned char *guest, unsigned char *ours,
			    size_t len)
{
	memcpy(ours, guest, len);
}

static void copy_to_guest(unsigned char *guest, unsigned char *ours, size_t len)
{
	memcpy(guest, ours, len);
}

/*
 * Guest memory is never taken away while the domain lives, so it can be copied
 * without the lock; only the list of stretches needs it.
 */
static int copy(struct vd_domain *d, uint64_t gpa, unsigned char *ours,
		size_t len, copy_fn *copy_piece)
{
	int err = vd_domain_check_memory(d, (vd_gpa){ gpa }, len);

	if (err)
		return err;
	while (len) {
		unsigned char *guest;
		uint64_t piece;

		lock_take(&d->lock);
		guest = memory_piece(&d->memory, gpa, len, &piece);
		lock_drop(&d->lock);
		copy_piece(guest, ours, piece);
		gpa += piece;
		ours += piece;
		len -= piece;
	}
	return 0;
}

int vd_domain_copy_in(struct vd_domain *d, vd_gpa gpa, void *to, size_t len)
{
	return copy(d, gpa.v, to, len, copy_from_guest);
}

int vd_domain_copy_out(struct vd_domain *d, vd_gpa gpa, const void *from,
		       size_t len)
{
	/* copy_to_guest() only reads it. */
	return copy(d, gpa.v, (unsigned char *)(uintptr_t)from, len,
		    copy_to_guest);
}

void vd_domain_set_budget(struct vd_domain *d, uint64_t bytes)
{
	uint64_t excess;

	lock_take(&d->lock);
	pages_set_budget(&d->pages, bytes);
	excess = pages_excess(&d->pages);
	lock_drop(&d->lock);
	/* In pieces: it may be all of a guest's memory. */
	if (excess)
		vd_domain_reclaim(d, pages_bytes(&d->pages, excess));
}

int vd_domain_share_budget(struct vd_domain *d, const struct vd_share_ops *ops,
			   void *opaque)
{
	struct vd_share_ops own;
	int err = sized_read(&own, sizeof(own), ops);

	if (err)
		return err;
	if (!own.take || !own.give)
		return -EINVAL;
	lock_take(&d->lock);
	if (d->pages.share.take || d->pages.npinned)
		err = -EBUSY;
	if (!err) {
		d->pages.share = own;
		d->pages.share_opaque = opaque;
	}
	lock_drop(&d->lock);
	return err;
}

void vd_domain_return_share(struct vd_domain *d, uint64_t slack)
{
	lock_take(&d->lock);
	pages_return(&d->pages, slack >> d->pages.shift);
	lock_drop(&d->lock);
}

void vd_domain_stats(struct vd_domain *d, struct vd_domain_stats *out)
{
	const struct pages *p = &d->pages;
	struct vd_domain_stats s = { .size = sizeof(s) };

	lock_take(&d->lock);
	s = d->count;
	s.memory = d->memory.len;
	s.budget = p->budget == PAGES_NO_LIMIT ? UINT64_MAX :
						 pages_bytes(p, p->budget);
	s.pinned = pages_bytes(p, p->npinned);
	s.lent = pages_bytes(p, p->lent);
	s.pinned_peak = pages_bytes(p, p->peak);
	s.cached = d->pins.ncached << VD_PAGE_SHIFT;
	s.ndevices = d->ndevices;
	s.pins_cleared = d->pins.cleared;
	s.nfaults = d->faults.put;
	lock_drop(&d->lock);
	sized_write(out, &s, sizeof(s));
}

int vd_domain_next_fault(struct vd_domain *d, struct vd_fault *out)
{
	struct vd_fault f = { .size = sizeof(f) };
	int err;

	lock_take(&d->lock);
	err = faults_take(&d->faults, &f);
	lock_drop(&d->lock);
	if (!err)
		sized_write(out, &f, sizeof(f));
	return err;
}
