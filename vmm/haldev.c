/* SPDX-License-Identifier: BSD-2-Clause */
#include "haldev.h"
#include "pool.h"
#include "vm.h"
#include <errno.h>
#include <string.h>
#include <viaduct/abi/hal.h>

#define SLOT	 2 /* device number */
#define COMMAND	 0x04
#define STATUS	 0x06
#define CAPS	 0x34
#define MSI	 0x50 /* our only capability */
#define MSI_CTL	 (MSI + 2)
#define MSI_LO	 (MSI + 4)
#define MSI_HI	 (MSI + 8)
#define MSI_DATA (MSI + 12)
#define MSI_END	 (MSI + 14)

static struct haldev *of(struct pci_func *f)
{
	return (struct haldev *)((char *)f - offsetof(struct haldev, func));
}

static void put32(uint8_t *p, uint32_t v)
{
	pci_image_put16(p, v);
	pci_image_put16(p + 2, v >> 16);
}

static uint32_t get32(const uint8_t *p)
{
	return pci_image_get16(p) | (uint32_t)pci_image_get16(p + 2) << 16;
}

static void config_init(struct pci_image *c)
{
	uint8_t *b = c->byte;

	memset(c, 0, sizeof(*c));
	pci_image_put16(b, VD_HAL_PCI_VENDOR);
	pci_image_put16(b + 2, VD_HAL_PCI_DEVICE);
	pci_image_put16(c->kept + COMMAND,
			PCI_CMD_MEMORY | PCI_CMD_MASTER | PCI_CMD_INTX_OFF);
	pci_image_put16(b + STATUS, 0x0010); /* has capabilities */
	put32(b + 8, VD_HAL_PCI_CLASS << 8 | VD_HAL_VERSION_MAJOR);
	pci_image_put16(b + 0x2c, VD_HAL_PCI_VENDOR);
	pci_image_put16(b + 0x2e, VD_HAL_PCI_DEVICE);
	b[CAPS] = MSI;
	c->kept[0x3c] = 0xff;
	b[MSI] = 0x05;
	pci_image_put16(b + MSI_CTL, 0x0080); /* 64-bit address, 1 vector */
	pci_image_put16(c->kept + MSI_CTL, 0x0001);
	put32(c->kept + MSI_LO, 0xfffffffc);
	put32(c->kept + MSI_HI, 0xffffffff);
	pci_image_put16(c->kept + MSI_DATA, 0xffff);
}

static void follow_msi(struct haldev *h)
{
	const uint8_t *b = h->config.byte;

	pthread_mutex_lock(&h->msi_lock);
	h->msi_on = b[MSI_CTL] & 1;
	h->msi_addr = get32(b + MSI_LO) | (uint64_t)get32(b + MSI_HI) << 32;
	h->msi_data = pci_image_get16(b + MSI_DATA);
	pthread_mutex_unlock(&h->msi_lock);
}

static bool is_bar(unsigned int off)
{
	return off >= 0x10 && off < 0x28;
}

static uint32_t cfg_read(struct pci_func *f, unsigned int off,
			 unsigned int width)
{
	struct haldev *h = of(f);

	if (is_bar(off))
		return pci_bars_read(&h->bars, off, width);
	return pci_image_read(&h->config, off, width, 0);
}

static void cfg_write(struct pci_func *f, unsigned int off, unsigned int width,
		      uint32_t value)
{
	struct haldev *h = of(f);

	if (is_bar(off)) {
		pci_bars_write(&h->bars, off, width, value);
		return;
	}
	pci_image_write(&h->config, off, width, value);
	if (off < COMMAND + 2 && off + width > COMMAND)
		pci_bars_decode(&h->bars, pci_image_command(&h->config));
	if (off < MSI_END && off + width > MSI)
		follow_msi(h);
}

static const struct pci_func_ops func_ops = { cfg_read, cfg_write };

static uint64_t reg_read(void *ctx, uint64_t off, unsigned int width)
{
	struct haldev *h = ctx;

	return vd_hal_read(h->hal, off, width);
}

static void reg_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct haldev *h = ctx;

	vd_hal_write(h->hal, off, width, value);
}

static const struct region_ops reg_ops = { reg_read, reg_write };

static void on_charge(void *opaque, bool yes)
{
	struct haldev *h = opaque;

	h->in_charge(h->opaque, yes);
}

static void on_interrupt(void *opaque)
{
	struct haldev *h = opaque;

	pthread_mutex_lock(&h->msi_lock);
	if (h->msi_on)
		vm_msi(h->vm, h->msi_addr, h->msi_data);
	pthread_mutex_unlock(&h->msi_lock);
}

static void on_admit(void *opaque, uint32_t guest_id, uint32_t life)
{
	struct haldev *h = opaque;

	h->admit(h->opaque, guest_id, life);
}

static const struct vd_hal_ops hal_ops = { sizeof(hal_ops), on_charge,
					   on_interrupt, on_admit };

static int create_hal(struct haldev *h, const struct haldev_cfg *cfg)
{
	const struct vd_hal_cfg hal = {
		.size = sizeof(hal),
		.domain = cfg->domain,
		.ops = &hal_ops,
		.opaque = h,
		.granule_shift = cfg->granule_shift,
		.nslots = cfg->vm->nvcpus,
		.pool = cfg->pool,
		.pool_len = cfg->pool_len,
		.bus_bits = cfg->bus_bits,
		.chunk_shift = POOL_CHUNK_SHIFT,
		.npins = cfg->pins ? (uint32_t)cfg->pins->nwords : 0,
		.spill = cfg->spill,
	};

	return vd_hal_create(&hal, &h->hal);
}

/* Plain memory: the guest's accesses never leave it. */
static void show_pins(struct pci_bar *bar, const struct pincache *pins)
{
	bar->kind = PCI_BAR_MEM64;
	bar->prefetch = true;
	bar->len = pins->len;
	bar->hva = pins->word;
	bar->direct_len = pins->len;
}

int haldev_create(struct haldev *h, const struct haldev_cfg *cfg)
{
	int err;

	memset(h, 0, sizeof(*h));
	h->vm = cfg->vm;
	h->bus = cfg->bus;
	h->in_charge = cfg->in_charge;
	h->admit = cfg->admit;
	h->opaque = cfg->opaque;
	h->func.ops = &func_ops;
	pthread_mutex_init(&h->msi_lock, NULL);
	config_init(&h->config);
	h->bars.bar[0].kind = PCI_BAR_MEM32;
	h->bars.bar[0].len = VD_HAL_BAR_LEN;
	h->bars.bar[0].region.cause = "hal";
	h->bars.bar[0].region.ops = &reg_ops;
	h->bars.bar[0].region.ctx = h;
	if (cfg->pins)
		show_pins(&h->bars.bar[2], cfg->pins);
	err = pci_bars_init(&h->bars, cfg->vm);
	if (err)
		return err;
	err = create_hal(h, cfg);
	if (err)
		return err;
	err = pci_bus_add(h->bus, &h->func, SLOT);
	if (err) {
		vd_hal_destroy(h->hal);
		h->hal = NULL; /* there is none to destroy */
		return err;
	}
	pci_bus_show(h->bus, &h->func, true);
	return 0;
}

int haldev_reset(struct haldev *h)
{
	int err;

	pci_bus_show(h->bus, &h->func, false);
	pci_bars_reset(&h->bars);
	config_init(&h->config);
	follow_msi(h);
	err = vd_hal_reset(h->hal);
	pci_bus_show(h->bus, &h->func, true);
	return err;
}

void haldev_destroy(struct haldev *h)
{
	if (!h->hal)
		return;
	pci_bus_remove(h->bus, &h->func);
	pci_bars_fini(&h->bars);
	vd_hal_destroy(h->hal);
	pthread_mutex_destroy(&h->msi_lock);
}
