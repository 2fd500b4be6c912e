/* SPDX-License-Identifier: BSD-2-Clause */
#include "stub_domain.h"
#include <errno.h>
#include <string.h>

void stub_domain_init(struct vd_domain *d, struct vd_hal *h)
{
	*d = (struct vd_domain) {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.stats = {
			.memory = 1 << 30, .budget = UINT64_MAX,
			.pinned = 8192, .pinned_peak = 1 << 20,
			.mapped = 4096, .mapped_peak = 1 << 19, .nmappings = 2,
			.ndevices = 2, .maps = 100, .unmaps = 98,
			.refused_budget = 1, .refused_denied = 2, .refused_other = 3,
			.nfaults = 7,
		},
		.dev = {
			{ .guest_id = 8, .host_id = 0x300, .nmappings = 2,
			  .mapped = 4096, .maps = 100, .unmaps = 98 },
			{ .guest_id = 16, .host_id = 0x100010401,
			  .state = VD_DEVICE_DENIED, .denies = 1 },
		},
		.ndevs = 2,
		.nmappings = 2,
		.fault = {
			{ .guest_id = 8, .prot = VD_READ, .iova = { 0x1000 },
			  .reason = VD_FAULT_UNMAPPED },
			{ .guest_id = 99, .prot = VD_WRITE, .iova = { UINT64_MAX },
			  .reason = VD_FAULT_DENIED },
		},
		.nfaults = 2,
	};
	*h = (struct vd_hal){ .stats = {
				      .in_charge = true,
				      .hellos = 1,
				      .requests = 50,
				      .map_requests = 20,
				      .unmap_requests = 30,
				      .segs = 200,
				      .status = { 48, 0, 2 },
			      } };
}

void vd_domain_set_budget(struct vd_domain *d, uint64_t bytes)
{
	pthread_mutex_lock(&d->lock);
	d->stats.budget = bytes ? bytes : UINT64_MAX;
	pthread_mutex_unlock(&d->lock);
}

void vd_domain_stats(struct vd_domain *d, struct vd_domain_stats *out)
{
	pthread_mutex_lock(&d->lock);
	*out = d->stats;
	pthread_mutex_unlock(&d->lock);
}

int vd_domain_next_fault(struct vd_domain *d, struct vd_fault *out)
{
	int err = -ENOENT;

	pthread_mutex_lock(&d->lock);
	if (d->taken < d->nfaults) {
		*out = d->fault[d->taken++];
		err = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return err;
}

const char *vd_fault_reason_name(enum vd_fault_reason r)
{
	static const char *const name[] = { "unmapped", "direction", "denied" };

	return name[r];
}

const char *vd_device_state_name(enum vd_device_state s)
{
	static const char *const name[] = { "permitted", "denied", "quiescing", "stuck" };

	return name[s];
}

/* Its devices stand in the order of their ids. */
int vd_device_next(struct vd_domain *d, uint64_t guest_id, struct vd_device_info *out)
{
	int err = -ENOENT;

	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; err && i < d->ndevs; i++) {
		if (d->dev[i].guest_id < guest_id)
			continue;
		*out = d->dev[i];
		err = 0;
	}
	pthread_mutex_unlock(&d->lock);
	return err;
}

static struct vd_device_info *find(struct vd_domain *d, uint32_t guest_id)
{
	for (size_t i = 0; i < d->ndevs; i++)
		if (d->dev[i].guest_id == guest_id)
			return &d->dev[i];
	return NULL;
}

int vd_device_info(struct vd_domain *d, uint32_t guest_id, struct vd_device_info *out)
{
	struct vd_device_info *i;

	pthread_mutex_lock(&d->lock);
	i = find(d, guest_id);
	if (i)
		*out = *i;
	pthread_mutex_unlock(&d->lock);
	return i ? 0 : -ENODEV;
}

int vd_device_mappings(struct vd_domain *d, uint32_t guest_id, size_t from, struct vd_mapping *out,
		       size_t max, size_t *n)
{
	size_t all = 0;

	pthread_mutex_lock(&d->lock);
	if (find(d, guest_id))
		all = d->nmappings;
	pthread_mutex_unlock(&d->lock);
	*n = 0;
	for (size_t i = from; i < all && *n < max; i++)
		out[(*n)++] = (struct vd_mapping){
			.iova = { 0xffffffff00000000 + i * 4096 },
			.gpa = { i * 4096 },
			.len = 4096,
			.prot = (unsigned int)(i % 3 + 1),
		};
	return all ? 0 : -ENODEV;
}

void vd_hal_stats(struct vd_hal *hal, struct vd_hal_stats *out)
{
	*out = hal->stats;
}

/* One page is pinned: the second. */
int vd_domain_why_pinned(struct vd_domain *d, vd_gpa gpa, struct vd_why *out)
{
	if (gpa.v >= d->stats.memory)
		return -EFAULT;
	if (gpa.v / VD_PAGE_SIZE != 1)
		return -ENOENT;
	*out = (struct vd_why){
		.size = sizeof(struct vd_why),
		.pinned = true,
		.mappings = 2,
		.by = { 8 },
		.nby = 1,
		.cached = true,
		.device = d->around ? VD_WHY_AROUND : 16,
		.asked = 3,
		.held = 1,
		.used = true,
	};
	return 0;
}

void vd_domain_pins_stats(struct vd_domain *d, struct vd_pins_stats *out)
{
	(void)d;
	*out = (struct vd_pins_stats){
		.size = sizeof(struct vd_pins_stats),
		.nwords = 1 << 18,
		.cached = 12288,
		.held = 4096,
		.requests = 2,
		.asked = 9,
		.pinned = 8,
		.aged = 3,
		.reclaimed = 2,
	};
}
