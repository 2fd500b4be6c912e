/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign.h"
#include "assign_guard.h"
#include "keeper.h"
#include "pciscan.h"
#include "vm.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_SLOT 4 /* below: the bridge and our own */
#define BAR_FIRST  0x10u
#define BAR_END	   0x28u
#define COMMAND	   0x04u

static struct assign *of(struct pci_func *f)
{
	return (struct assign *)((char *)f - offsetof(struct assign, func));
}

static bool is_bar(unsigned int off)
{
	return off >= BAR_FIRST && off < BAR_END;
}

static uint32_t cfg_read(struct pci_func *f, unsigned int off,
			 unsigned int width)
{
	struct assign *a = of(f);
	uint32_t real = 0;

	if (is_bar(off))
		return pci_bars_read(&a->bars.bars, off, width);
	/* Only the status word has live bits; spare the device the rest. */
	if ((off & ~3u) == COMMAND &&
	    pread(a->host.config, &real, width, off) != (ssize_t)width)
		return ~0u;
	return pci_image_read(&a->config, off, width, real);
}

/* What the guest's command register means for the hardware. */
static void follow_command(struct assign *a)
{
	uint16_t cmd = pci_image_command(&a->config);

	pci_bars_decode(&a->bars.bars, cmd);
	assign_host_master(&a->host, cmd & PCI_CMD_MASTER);
	/* Without decoding nobody could have told it to interrupt. */
	assign_intx_mute(&a->intx,
			 cmd & PCI_CMD_INTX_OFF ||
				 !(cmd & (PCI_CMD_IO | PCI_CMD_MEMORY)));
}

static void cfg_write(struct pci_func *f, unsigned int off, unsigned int width,
		      uint32_t value)
{
	struct assign *a = of(f);

	if (is_bar(off)) {
		pci_bars_write(&a->bars.bars, off, width, value);
		return;
	}
	pci_image_write(&a->config, off, width, value);
	if ((off & ~3u) == COMMAND)
		follow_command(a);
}

static const struct pci_func_ops func_ops = { cfg_read, cfg_write };

/* As a card just plugged in. Nobody looks while it is hidden. */
static void power_on(struct assign *a)
{
	assign_config_init(&a->config, a->real);
	pci_bars_reset(&a->bars.bars);
	if (a->guarded)
		virtio_guard_reset(&a->guard);
}

/* Permitted, and admitted by the guest in this life. Called with a->lock. */
static bool is_welcome(struct assign *a)
{
	struct vd_device_info info = { .size = sizeof(info) };

	return !vd_device_info(a->domain, assign_guest_id(a), &info) &&
	       info.state == VD_DEVICE_PERMITTED &&
	       (!a->waits || a->admitted == info.incarnation);
}

/* Called with a->lock. */
static void hide(struct assign *a)
{
	if (!a->shown)
		return;
	pci_bus_show(a->bus, &a->func, false);
	assign_host_master(&a->host, false);
	if (a->dead)
		assign_intx_leave(&a->intx);
	else
		assign_intx_mute(&a->intx, true);
	pci_bars_reset(&a->bars.bars);
	a->shown = false;
}

/* Called with a->lock. */
static void show(struct assign *a)
{
	if (a->shown || !a->charge || a->dead || !is_welcome(a))
		return;
	power_on(a);
	pci_bus_show(a->bus, &a->func, true);
	a->shown = true;
}

uint32_t assign_guest_id(const struct assign *a)
{
	return a->func.devfn;
}

void assign_charge(struct assign *a, bool charge, bool admits)
{
	pthread_mutex_lock(&a->lock);
	a->charge = charge;
	a->waits = admits;
	if (charge)
		show(a);
	else
		hide(a);
	pthread_mutex_unlock(&a->lock);
}

void assign_admit(struct assign *a, uint32_t life)
{
	pthread_mutex_lock(&a->lock);
	a->admitted = life;
	show(a);
	pthread_mutex_unlock(&a->lock);
}

/*
 * A change of state that waits for whoever is quiescing the function: a reset,
 * or the HAL's going. They need nothing that we hold.
 */
static int settled(struct assign *a,
		   int (*change)(struct vd_domain *d, uint32_t guest_id))
{
	int err;

	do {
		err = vd_device_settle(a->domain, assign_guest_id(a));
		if (!err)
			err = change(a->domain, assign_guest_id(a));
	} while (err == -EBUSY);
	return err;
}

int assign_permit(struct assign *a)
{
	int err;

	pthread_mutex_lock(&a->lock);
	err = a->dead ? -ENODEV : settled(a, vd_device_permit);
	if (!err) {
		a->why = NULL;
		show(a);
	}
	pthread_mutex_unlock(&a->lock);
	if (!err)
		a->changed(a->opaque);
	return err;
}

const char *assign_why(struct assign *a)
{
	const char *why;

	pthread_mutex_lock(&a->lock);
	why = a->why;
	pthread_mutex_unlock(&a->lock);
	return why;
}

int assign_deny(struct assign *a)
{
	int err;

	pthread_mutex_lock(&a->lock);
	hide(a);
	err = a->dead ? -ENODEV : settled(a, vd_device_deny);
	pthread_mutex_unlock(&a->lock);
	a->changed(a->opaque);
	return err;
}

/* It stays attached, with its pins, where it cannot be quiesced. */
static int detach(struct assign *a)
{
	int err = settled(a, vd_device_detach);

	if (err && err != -ENODEV)
		return err;
	pthread_mutex_lock(&a->lock);
	a->attached = false;
	pthread_mutex_unlock(&a->lock);
	return 0;
}

/*
 * The first who sees it takes it away from guest and domain. Others wait until
 * the guest cannot reach it any more, not for the domain: that may take the
 * time of a reset, and they may be vCPUs.
 */
static void lose(struct assign *a)
{
	bool first, attached;

	pthread_mutex_lock(&a->lock);
	first = !a->dead;
	a->dead = true;
	attached = a->attached;
	hide(a);
	pthread_mutex_unlock(&a->lock);
	if (!first)
		return;
	if (!attached || detach(a) == 0)
		keeper_lost(a->keeper, a->host.dev.bdf);
	a->changed(a->opaque);
}

static void on_gone(void *opaque)
{
	lose(opaque);
}

static bool is_dead(struct assign *a)
{
	bool dead;

	pthread_mutex_lock(&a->lock);
	dead = a->dead;
	pthread_mutex_unlock(&a->lock);
	return dead;
}

bool assign_is_lost(struct assign *a)
{
	if (is_dead(a))
		return true;
	if (!assign_host_gone(&a->host) && !assign_bars_gone(&a->bars))
		return false;
	lose(a);
	return true;
}

static int on_quiesce(void *opaque)
{
	struct assign *a = opaque;

	return assign_host_quiesce(&a->host);
}

static const struct vd_device_ops device_ops = { sizeof(device_ops),
						 on_quiesce };

static uint64_t host_id(const char *bdf)
{
	unsigned int dom, bus, dev, fn;

	if (sscanf(bdf, "%x:%x:%x.%x", &dom, &bus, &dev, &fn) != 4)
		return 0;
	return (uint64_t)dom << 16 | bus << 8 | dev << 3 | fn;
}

static int attach(struct assign *a)
{
	const struct vd_device_cfg cfg = {
		.size = sizeof(cfg),
		.guest_id = assign_guest_id(a),
		.host_id = host_id(a->host.dev.bdf),
		.ops = &device_ops,
		.opaque = a,
	};

	int err = -ENODEV;

	pthread_mutex_lock(&a->lock);
	if (!a->dead)
		err = vd_device_attach(a->domain, &cfg);
	a->attached = !err;
	pthread_mutex_unlock(&a->lock);
	return err;
}

/* As uio shows it now: the plan of its BARs, and what only shows here. */
static int open_bars(struct assign *a, char *why, size_t len)
{
	const struct hostdev *dev = &a->host.dev;
	struct pci_host_dev d;
	int err = pciscan_read(dev->sys, dev->bdf, &d);

	/* What was read by address is of this function if it still is there. */
	if (err || !hostdev_is_there(dev)) {
		snprintf(why, len, "%s has gone away", dev->bdf);
		return err ? err : -ENODEV;
	}
	err = pciscan_check_taken(dev->sys, &d, why, len);
	if (err)
		return err;
	err = assign_bars_open(&a->bars, a->vm, dev, &d, on_gone, a);
	if (err)
		snprintf(why, len, "cannot map the BARs of %s: %s", dev->bdf,
			 strerror(-err));
	else
		assign_guard_open(a, &d.virtio);
	return err;
}

/* The function that the keeper has taken (@id), or none. */
static int open_host(struct assign *a, const struct assign_cfg *cfg,
		     uint64_t id, char *why, size_t len)
{
	const char *bdf = cfg->bdf;
	int err = assign_host_open(&a->host, cfg->sys, bdf, id);

	if (err == -ESTALE || err == -ENOENT) {
		snprintf(why, len, "%s was pulled while it was taken", bdf);
		return err;
	}

	if (!err && pread(a->host.config, a->real, sizeof(a->real), 0) !=
			    (ssize_t)sizeof(a->real))
		err = -EPERM;
	if (err) {
		snprintf(why, len,
			 "cannot read the config space of %s (%s); "
			 "it needs CAP_SYS_ADMIN",
			 bdf, strerror(-err));
		return err;
	}
	return open_bars(a, why, len);
}

/* What is not there is closed all the same. */
static void close_host(struct assign *a)
{
	assign_bars_close(&a->bars);
	assign_guard_close(a);
	assign_host_close(&a->host);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static struct assign *new_assign(const struct assign_cfg *cfg)
{
	struct assign *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->vm = cfg->vm;
	a->bus = cfg->bus;
	a->domain = cfg->domain;
	a->keeper = cfg->keeper;
	a->changed = cfg->changed;
	a->opaque = cfg->opaque;
	a->func.ops = &func_ops;
	assign_bars_init(&a->bars);
	pthread_mutex_init(&a->lock, NULL);
	return a;
}

/* The last step is to attach: what the domain knows cannot be undone at will. */
static int connect(struct assign *a, char *why, size_t len)
{
	const char *bdf = a->host.dev.bdf;
	int err = pci_bus_add(a->bus, &a->func, FIRST_SLOT);

	if (err) {
		snprintf(why, len, "no slot left on the guest's bus for %s",
			 bdf);
		return err;
	}
	err = assign_intx_start(&a->intx, a->vm, &a->host,
				pci_intx_gsi(a->func.devfn, 0), on_gone, a);
	if (err) {
		snprintf(why, len, "cannot connect the interrupt of %s: %s",
			 bdf, strerror(-err));
		goto err_intx;
	}
	assign_host_seal(&a->host);
	err = attach(a);
	if (!err)
		return 0;
	snprintf(why, len, "cannot attach %s: %s", bdf,
		 err == -EEXIST ? "it was named twice" : strerror(-err));

err_intx:
	assign_intx_stop(&a->intx);
	pci_bus_remove(a->bus, &a->func);
	return err;
}

int assign_create(const struct assign_cfg *cfg, struct assign **out, char *why,
		  size_t len)
{
	struct assign *a;
	uint64_t id;
	int err = keeper_take(cfg->keeper, cfg->bdf, &id, why, len);

	if (err)
		return err;
	a = new_assign(cfg);
	if (!a) {
		snprintf(why, len, "no memory for %s", cfg->bdf);
		return -ENOMEM;
	}
	err = open_host(a, cfg, id, why, len);
	if (!err)
		err = connect(a, why, len);
	if (err) {
		close_host(a);
		return err;
	}
	*out = a;
	return 0;
}

int assign_stop(struct assign *a)
{
	assign_intx_stop(&a->intx);
	assign_charge(a, false, false);
	return a->attached ? detach(a) : 0;
}

void assign_free(struct assign *a)
{
	pci_bus_remove(a->bus, &a->func);
	close_host(a);
}
