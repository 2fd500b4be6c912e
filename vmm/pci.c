/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bus: who answers configuration accesses.
 *
 * Both ways in, the ECAM window and ports 0xcf8/0xcfc, end in cfg_read() and
 * cfg_write() with the bus lock held. Everything that the guest may get wrong
 * (width, alignment, an absent function) is settled there.
 */
#include "pci.h"
#include "vm.h"
#include <errno.h>
#include <string.h>

#define ADDRESS_ENABLE 0x80000000u
#define PORTS	       0xcf8
#define RESET_OFF      1 /* of PORTS: 0xcf9 */

/* 00:00.0 answers with this and nothing else; class 06 00: host bridge. */
static const uint32_t bridge_cfg[] = {
	0x56481234,
	0x00000000,
	0x06000000,
	0x00000000,
};

static uint32_t bridge_read(struct pci_func *f, unsigned int off,
			    unsigned int width)
{
	uint32_t reg = 0;

	(void)f;
	(void)width;
	if (off / 4 < sizeof(bridge_cfg) / sizeof(bridge_cfg[0]))
		reg = bridge_cfg[off / 4];
	return reg >> off % 4 * 8;
}

static void bridge_write(struct pci_func *f, unsigned int off,
			 unsigned int width, uint32_t value)
{
	(void)f;
	(void)off;
	(void)width;
	(void)value;
}

static const struct pci_func_ops bridge_ops = {
	.cfg_read = bridge_read,
	.cfg_write = bridge_write,
};

/* The shown function that an access at @off is for, else NULL. Lock held. */
static struct pci_func *find_func(const struct pci_bus *b, unsigned int devfn,
				  unsigned int off, unsigned int width)
{
	struct pci_func *f = b->func[devfn & 0xff];

	if (width > 4 || off % 4 + width > 4)
		return NULL;
	return f && f->shown ? f : NULL;
}

static uint32_t mask_of(unsigned int width)
{
	return width < 4 ? (1u << width * 8) - 1 : UINT32_MAX;
}

static uint32_t cfg_read(struct pci_bus *b, unsigned int devfn,
			 unsigned int off, unsigned int width)
{
	struct pci_func *f = find_func(b, devfn, off, width);
	uint32_t value = UINT32_MAX;

	if (f)
		value = f->ops->cfg_read(f, off, width);
	return value & mask_of(width);
}

static void cfg_write(struct pci_bus *b, unsigned int devfn, unsigned int off,
		      unsigned int width, uint32_t value)
{
	struct pci_func *f = find_func(b, devfn, off, width);

	if (f)
		f->ops->cfg_write(f, off, width, value & mask_of(width));
}

static uint64_t ecam_read(void *ctx, uint64_t off, unsigned int width)
{
	struct pci_bus *b = ctx;
	uint32_t value;

	if (width > 4)
		return UINT64_MAX;
	pthread_mutex_lock(&b->lock);
	value = cfg_read(b, (unsigned int)(off >> 12), off & 0xfff, width);
	pthread_mutex_unlock(&b->lock);
	return value;
}

static void ecam_write(void *ctx, uint64_t off, unsigned int width,
		       uint64_t value)
{
	struct pci_bus *b = ctx;

	if (width > 4)
		return;
	pthread_mutex_lock(&b->lock);
	cfg_write(b, (unsigned int)(off >> 12), off & 0xfff, width,
		  (uint32_t)value);
	pthread_mutex_unlock(&b->lock);
}

static const struct region_ops ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

/* Does the address register name something on bus 0? */
static bool is_enabled(const struct pci_bus *b)
{
	return (b->address & ADDRESS_ENABLE) && !(b->address & 0x00ff0000);
}

static uint64_t data_read(struct pci_bus *b, unsigned int off,
			  unsigned int width)
{
	if (!is_enabled(b))
		return UINT64_MAX;
	return cfg_read(b, b->address >> 8 & 0xff, (b->address & 0xfc) + off,
			width);
}

static uint64_t ports_read(void *ctx, uint64_t off, unsigned int width)
{
	struct pci_bus *b = ctx;
	uint64_t value = UINT64_MAX;

	if (off == RESET_OFF && width == 1 && b->reset_ops)
		return b->reset_ops->read(b->reset_ctx, 0, 1);
	pthread_mutex_lock(&b->lock);
	if (off == 0 && width == 4)
		value = b->address;
	else if (off >= 4)
		value = data_read(b, off & 3, width);
	pthread_mutex_unlock(&b->lock);
	return value;
}

static void ports_write(void *ctx, uint64_t off, unsigned int width,
			uint64_t value)
{
	struct pci_bus *b = ctx;

	if (off == RESET_OFF && width == 1 && b->reset_ops) {
		b->reset_ops->write(b->reset_ctx, 0, 1, value);
		return;
	}
	pthread_mutex_lock(&b->lock);
	if (off == 0 && width == 4)
		b->address = (uint32_t)value;
	else if (off >= 4 && is_enabled(b))
		cfg_write(b, b->address >> 8 & 0xff,
			  (b->address & 0xfc) + (off & 3), width,
			  (uint32_t)value);
	pthread_mutex_unlock(&b->lock);
}

static const struct region_ops ports_ops = {
	.read = ports_read,
	.write = ports_write,
};

int pci_bus_init(struct pci_bus *b, struct vm *vm)
{
	int err;

	memset(b, 0, sizeof(*b));
	b->vm = vm;
	pthread_mutex_init(&b->lock, NULL);
	b->bridge = (struct pci_func){ .ops = &bridge_ops, .shown = true };
	b->func[0] = &b->bridge;
	b->ecam = (struct region){
		.cause = "pci-config",
		.ops = &ecam_ops,
		.ctx = b,
		.base = VM_ECAM,
		.len = VM_ECAM_LEN,
	};
	b->ports = (struct region){
		.cause = "pci-config",
		.ops = &ports_ops,
		.ctx = b,
		.base = PORTS,
		.len = 8,
	};
	err = region_add(&vm->mmio, &b->ecam);
	if (err)
		goto err_lock;
	err = region_add(&vm->pio, &b->ports);
	if (!err)
		return 0;

	region_remove(&vm->mmio, &b->ecam);
err_lock:
	pthread_mutex_destroy(&b->lock);
	return err;
}

void pci_bus_reset(struct pci_bus *b)
{
	pthread_mutex_lock(&b->lock);
	b->address = 0;
	pthread_mutex_unlock(&b->lock);
}

void pci_bus_fini(struct pci_bus *b)
{
	region_remove(&b->vm->pio, &b->ports);
	region_remove(&b->vm->mmio, &b->ecam);
	pthread_mutex_destroy(&b->lock);
}

int pci_bus_add(struct pci_bus *b, struct pci_func *f, unsigned int first)
{
	int err = -ENOSPC;

	pthread_mutex_lock(&b->lock);
	for (unsigned int dev = first; dev < 32; dev++) {
		if (b->func[dev << 3])
			continue;
		f->devfn = dev << 3;
		f->shown = false;
		b->func[f->devfn] = f;
		err = 0;
		break;
	}
	pthread_mutex_unlock(&b->lock);
	return err;
}

void pci_bus_show(struct pci_bus *b, struct pci_func *f, bool shown)
{
	pthread_mutex_lock(&b->lock);
	f->shown = shown;
	pthread_mutex_unlock(&b->lock);
}

void pci_bus_remove(struct pci_bus *b, struct pci_func *f)
{
	pthread_mutex_lock(&b->lock);
	f->shown = false;
	b->func[f->devfn] = NULL;
	pthread_mutex_unlock(&b->lock);
}

unsigned int pci_intx_gsi(unsigned int devfn, unsigned int pin)
{
	return 16 + ((devfn >> 3) + pin) % 8;
}
