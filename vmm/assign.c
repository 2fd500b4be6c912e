/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign.h"
#include "keeper.h"
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
	assign_intx_mute(&a->intx, cmd & PCI_CMD_INTX_OFF);
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
	assign_intx_rearm(&a->intx);
}

static bool is_permitted(struct assign *a)
{
	struct vd_device_info info;

	return !vd_device_info(a->domain, assign_guest_id(a), &info) &&
	       info.state == VD_DEVICE_PERMITTED;
}

/* Called with a->lock. */
static void hide(struct assign *a)
{
	if (!a->shown)
		return;
	pci_bus_show(a->bus, &a->func, false);
	assign_host_master(&a->host, false);
	pci_bars_reset(&a->bars.bars);
	a->shown = false;
}

/* Called with a->lock. */
static void show(struct assign *a)
{
	if (a->shown || !a->charge || a->dead || !is_permitted(a))
		return;
	power_on(a);
	pci_bus_show(a->bus, &a->func, true);
	a->shown = true;
}

uint32_t assign_guest_id(const struct assign *a)
{
	return a->func.devfn;
}

void assign_charge(struct assign *a, bool charge)
{
	pthread_mutex_lock(&a->lock);
	a->charge = charge;
	if (charge)
		show(a);
	else
		hide(a);
	pthread_mutex_unlock(&a->lock);
}

int assign_permit(struct assign *a)
{
	int err;

	pthread_mutex_lock(&a->lock);
	err = a->dead ? -ENODEV :
			vd_device_permit(a->domain, assign_guest_id(a));
	if (!err)
		show(a);
	pthread_mutex_unlock(&a->lock);
	if (!err)
		a->changed(a->opaque);
	return err;
}

int assign_deny(struct assign *a)
{
	int err;

	pthread_mutex_lock(&a->lock);
	hide(a);
	err = a->dead ? -ENODEV : vd_device_deny(a->domain, assign_guest_id(a));
	pthread_mutex_unlock(&a->lock);
	a->changed(a->opaque);
	return err;
}

static void lose(struct assign *a)
{
	bool first;

	pthread_mutex_lock(&a->lock);
	first = !a->dead;
	a->dead = true;
	hide(a);
	if (first)
		vd_device_detach(a->domain, assign_guest_id(a));
	pthread_mutex_unlock(&a->lock);
	if (first)
		a->changed(a->opaque);
}

static void on_gone(void *opaque)
{
	lose(opaque);
}

bool assign_check(struct assign *a)
{
	bool was;

	if (!assign_host_gone(&a->host))
		return false;
	pthread_mutex_lock(&a->lock);
	was = a->dead;
	pthread_mutex_unlock(&a->lock);
	if (!was)
		lose(a);
	return !was;
}

static int on_quiesce(void *opaque)
{
	struct assign *a = opaque;

	return assign_host_quiesce(&a->host);
}

static const struct vd_device_ops device_ops = { on_quiesce };

static uint32_t host_id(const char *bdf)
{
	unsigned int dom, bus, dev, fn;

	if (sscanf(bdf, "%x:%x:%x.%x", &dom, &bus, &dev, &fn) != 4)
		return 0;
	return dom << 16 | bus << 8 | dev << 3 | fn;
}

static int attach(struct assign *a)
{
	const struct vd_device_cfg cfg = {
		.size = sizeof(cfg),
		.guest_id = assign_guest_id(a),
		.host_id = host_id(a->host.bdf),
		.ops = &device_ops,
		.opaque = a,
	};

	return vd_device_attach(a->domain, &cfg);
}

static int open_host(struct assign *a, const char *bdf, char *why, size_t len)
{
	int err = assign_host_open(&a->host, bdf);

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
	err = assign_bars_open(&a->bars, a->vm, bdf);
	if (err)
		snprintf(why, len, "cannot map the BARs of %s: %s", bdf,
			 strerror(-err));
	return err;
}

int assign_create(const struct assign_cfg *cfg, struct assign **out, char *why,
		  size_t len)
{
	struct assign *a;
	int err = keeper_take(cfg->keeper, cfg->bdf, why, len);

	if (err)
		return err;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->vm = cfg->vm;
	a->bus = cfg->bus;
	a->domain = cfg->domain;
	a->changed = cfg->changed;
	a->opaque = cfg->opaque;
	a->func.ops = &func_ops;
	pthread_mutex_init(&a->lock, NULL);
	err = open_host(a, cfg->bdf, why, len);
	if (err)
		goto err_host;
	err = pci_bus_add(a->bus, &a->func, FIRST_SLOT);
	if (err) {
		snprintf(why, len, "no slot left on the guest's bus for %s",
			 cfg->bdf);
		goto err_host;
	}
	err = attach(a);
	if (err) {
		snprintf(why, len, "cannot attach %s: %s", cfg->bdf,
			 err == -EEXIST ? "it was named twice" :
					  strerror(-err));
		goto err_bus;
	}
	err = assign_intx_start(&a->intx, a->vm, &a->host,
				pci_intx_gsi(a->func.devfn, 0), on_gone, a);
	if (err) {
		snprintf(why, len, "cannot connect the interrupt of %s: %s",
			 cfg->bdf, strerror(-err));
		goto err_intx;
	}
	*out = a;
	return 0;

err_intx:
	assign_intx_stop(&a->intx);
	vd_device_detach(a->domain, assign_guest_id(a));
err_bus:
	pci_bus_remove(a->bus, &a->func);
err_host:
	assign_bars_close(&a->bars);
	assign_host_close(&a->host);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return err;
}

int assign_destroy(struct assign *a)
{
	int err = 0;

	assign_intx_stop(&a->intx);
	assign_charge(a, false);
	if (!a->dead)
		err = vd_device_detach(a->domain, assign_guest_id(a));
	if (err)
		return err; /* the domain still points here */
	pci_bus_remove(a->bus, &a->func);
	assign_bars_close(&a->bars);
	assign_host_close(&a->host);
	pthread_mutex_destroy(&a->lock);
	free(a);
	return 0;
}
