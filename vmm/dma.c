/* SPDX-License-Identifier: BSD-2-Clause */
#include "dma.h"
#include "nohost.h"
#include "pciscan.h"
#include "vm.h"
#include "why.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <viaduct/abi/hal.h>

static const struct sysfs sys = { .root = "/sys" };

int dma_begin(struct dma *d, const struct dma_cfg *cfg, char *why, size_t len)
{
	int err = 0;

	memset(d, 0, sizeof(*d));
	d->cfg = *cfg;
	if (cfg->nassign && geteuid())
		return why_say(
			why, len, -EPERM,
			"--assign needs root, to take the device from its "
			"driver and to see physical addresses; a machine "
			"without devices needs none");
	if (cfg->nassign)
		err = pciscan_check_all(&sys, cfg->assign, cfg->nassign,
					&d->set, why, len);
	if (err || !(cfg->nassign || cfg->keep))
		return err;
	err = keeper_start(&d->keeper, &sys);
	if (err)
		return why_say(why, len, err,
			       "cannot start the keeper process: %s%s",
			       strerror(-err),
			       err == -EAGAIN ? "; raise ulimit -u" : "");
	d->has_keeper = true;
	return 0;
}

uint64_t dma_pool_len(const struct dma *d)
{
	uint64_t len = d->cfg.pool_len;

	if (!d->cfg.nassign)
		return 0;
	return (len + POOL_CHUNK - 1) & ~(POOL_CHUNK - 1);
}

/* Only what is pinned needs one that can: and the rights to be it. */
bool dma_pins(const struct dma *d)
{
	return d->cfg.nassign || d->cfg.pin_all;
}

static int create_host(struct dma *d, char *why, size_t len)
{
	const struct vd_noiommu_cfg cfg = {
		.size = sizeof(cfg),
		.method = d->cfg.pin,
		.on_ring = d->has_keeper ? keeper_ring : NULL,
		.opaque = &d->keeper,
	};
	int err = 0;

	if (dma_pins(d))
		err = dma_host_create(&cfg, &d->host);
	else
		d->host = nohost();
	if (err == -ENOTSUP)
		return why_say(
			why, len, err,
			"io_uring is refused on this host, "
			"so pages cannot be pinned; set sysctl "
			"kernel.io_uring_disabled=0, or accept the weaker "
			"promise of --pin mlock");
	if (err == -EPERM)
		return why_say(why, len, err,
			       "/proc/self/pagemap shows no "
			       "addresses; run as root, with CAP_SYS_ADMIN");
	if (err)
		snprintf(why, len, "cannot set up pinning: %s", strerror(-err));
	return err;
}

static int add_memory(struct dma *d, const struct vm *vm)
{
	uint64_t low =
		vm->ram_len < VM_RAM_LOW_MAX ? vm->ram_len : VM_RAM_LOW_MAX;
	int err = vd_domain_add_memory(d->domain, (vd_gpa){ 0 }, vm->ram, low);

	if (!err && low < vm->ram_len)
		err = vd_domain_add_memory(d->domain, (vd_gpa){ vm->ram_high },
					   vm->ram + low, vm->ram_len - low);
	if (!err && d->pool.len)
		err = vd_domain_add_memory(d->domain, (vd_gpa){ vm->pool },
					   d->pool.hva, d->pool.len);
	return err;
}

static int create_domain(struct dma *d, const struct vm *vm, char *why,
			 size_t len)
{
	const struct vd_domain_cfg cfg = {
		.size = sizeof(cfg),
		.granule_shift = d->cfg.granule_shift,
		.budget = d->cfg.budget,
		.max_devices = DMA_MAX_ASSIGNED,
	};
	int err = vd_domain_create(d->host, &cfg, &d->domain);

	if (!err)
		err = add_memory(d, vm);
	if (err)
		snprintf(why, len, "cannot describe guest memory: %s",
			 strerror(-err));
	return err;
}

/*
 * Conventional PCI functions may have short addresses. PCI Express ones take
 * what is found without an effort.
 */
static bool needs_low(const struct dma *d)
{
	for (size_t i = 0; i < d->set.n; i++)
		if (!pciscan_is_express(&sys, d->set.bdf[i]))
			return true;
	return false;
}

static int create_pool(struct dma *d, struct vm *vm, char *why, size_t len)
{
	int err = pool_create(&d->pool, vm->pool_len, needs_low(d), why, len);

	if (err)
		return err;
	err = vm_slot_add(vm, vm->pool, d->pool.hva, d->pool.len);
	if (err >= 0)
		return 0;
	return why_say(why, len, err, "cannot show the pool to the guest");
}

static void on_charge(void *opaque, bool yes)
{
	struct dma *d = opaque;
	struct vd_hal_stats hal = { .size = sizeof(hal) };

	vd_hal_stats(d->hal.hal, &hal);
	if (yes) {
		pool_mend(&d->pool);
		vd_hal_place_pool(d->hal.hal, d->pool.below);
	}
	for (unsigned int i = 0; i < d->nassigned; i++)
		assign_charge(d->assigned[i], yes, hal.admits);
}

static void on_admit(void *opaque, uint32_t guest_id, uint32_t life)
{
	struct dma *d = opaque;

	for (unsigned int i = 0; i < d->nassigned; i++)
		if (assign_guest_id(d->assigned[i]) == guest_id)
			assign_admit(d->assigned[i], life);
}

static int create_pins(struct dma *d, const struct vm *vm, char *why,
		       size_t len)
{
	int err = d->cfg.strict ? 0 : pincache_create(&d->pins, vm, d->domain);

	if (err)
		snprintf(why, len, "cannot make the pin table: %s",
			 strerror(-err));
	return err;
}

static int create_hal(struct dma *d, struct vm *vm, struct pci_bus *bus,
		      char *why, size_t len)
{
	const struct haldev_cfg cfg = {
		.vm = vm,
		.bus = bus,
		.domain = d->domain,
		.granule_shift = d->cfg.granule_shift,
		.pool = { vm->pool },
		.pool_len = d->pool.len,
		.bus_bits = d->pool.bus_bits,
		.pins = d->cfg.strict ? NULL : &d->pins,
		.spill = !d->cfg.no_bounce,
		.in_charge = on_charge,
		.admit = on_admit,
		.opaque = d,
	};
	int err = haldev_create(&d->hal, &cfg);

	if (err)
		snprintf(why, len, "cannot make the HAL device: %s",
			 strerror(-err));
	return err;
}

static void on_changed(void *opaque)
{
	struct dma *d = opaque;

	vd_hal_notify(d->hal.hal, VD_HAL_EV_BUS);
}

static int assign_all(struct dma *d, struct vm *vm, struct pci_bus *bus,
		      char *why, size_t len)
{
	struct assign_cfg cfg = {
		.sys = &sys,
		.vm = vm,
		.bus = bus,
		.domain = d->domain,
		.keeper = &d->keeper,
		.changed = on_changed,
		.opaque = d,
	};
	int err = 0;

	for (unsigned int i = 0; i < d->set.n && !err; i++) {
		cfg.bdf = d->set.bdf[i];
		err = assign_create(&cfg, &d->assigned[i], why, len);
		if (!err)
			d->nassigned++;
	}
	return err;
}

int dma_create(struct dma *d, struct vm *vm, struct pci_bus *bus, char *why,
	       size_t len)
{
	int err = create_host(d, why, len);

	if (!err && d->cfg.pin_all)
		err = pinall_create(&d->pinall, d->host, vm->ram, vm->ram_len,
				    why, len);
	if (!err && d->cfg.nassign)
		err = create_pool(d, vm, why, len);
	if (!err)
		err = create_domain(d, vm, why, len);
	if (err || !d->cfg.nassign)
		return err;
	err = create_pins(d, vm, why, len);
	if (!err)
		err = create_hal(d, vm, bus, why, len);
	if (!err)
		err = assign_all(d, vm, bus, why, len);
	if (!err && keeper_watch(&d->keeper, d->cfg.keeper_died, d->cfg.opaque))
		err = why_say(why, len, -EAGAIN,
			      "cannot watch the keeper process");
	return err;
}

int dma_reset(struct dma *d)
{
	return d->hal.hal ? haldev_reset(&d->hal) : 0;
}

int dma_destroy(struct dma *d)
{
	int err = 0;

	haldev_destroy(&d->hal);
	d->hal.hal = NULL;
	for (unsigned int i = 0; i < d->nassigned; i++)
		if (assign_stop(d->assigned[i]))
			err = -EIO;
	pincache_destroy(&d->pins);
	vd_domain_destroy(d->domain); /* tries once more what is not quiet */
	d->domain = NULL;
	while (d->nassigned)
		assign_free(d->assigned[--d->nassigned]);
	pincache_free(&d->pins);
	pinall_destroy(&d->pinall);
	vd_host_destroy(d->host);
	d->host = NULL;
	if (d->has_keeper && keeper_finish(&d->keeper))
		err = -EIO;
	d->has_keeper = false;
	pool_destroy(&d->pool);
	return err;
}

/* Looks, and takes away from the guest what is gone; never falls. */
static unsigned int lost_so_far(struct dma *d)
{
	unsigned int lost = 0;

	for (unsigned int i = 0; i < d->nassigned; i++)
		lost += assign_is_lost(d->assigned[i]);
	return lost;
}

/*
 * Several vCPUs may meet it at once, and all but one find that another has dealt
 * with it: so what counts is whether more is gone than when this vCPU met the
 * last one.
 */
bool dma_fault(struct dma *d, unsigned int *met)
{
	unsigned int before = *met;

	*met = lost_so_far(d);
	return *met > before;
}
