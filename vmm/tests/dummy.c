/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine with one emulated function that comes and goes, for a Linux guest
 * in the lab: dummy KERNEL INITRD CMDLINE.
 *
 * Port 0x1234 shows the function (1) or hides it (0). It has
 *	BAR 0  4 KiB direct, with "direct" at its start
 *	BAR 1  256 bytes that trap: 0 reads 0x64756d6d; a write to 4 raises INTx,
 *	       a write to 8 lowers it, a write to 12 sends its MSI
 *	BAR 2  64-bit, 8 KiB: the first page direct, the second traps
 *	BAR 4  32 I/O ports, which read as BAR 1 does
 * Exit status as viaduct run; exits by cause go to standard error.
 */
#include "machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct dummy {
	struct machine *m;
	struct pci_func f;
	struct pci_bars bars;
	struct region port;
	uint16_t command;
};

static struct dummy *dummy_of(struct pci_func *f)
{
	return (struct dummy *)((char *)f - offsetof(struct dummy, f));
}

static uint32_t cfg_read(struct pci_func *f, unsigned int off,
			 unsigned int width)
{
	static const uint32_t cfg[16] = {
		[0] = 0x64751234,
		[2] = 0xff000001,
		[11] = 0x00011234,
		[15] = 0x00000100,
	};
	struct dummy *d = dummy_of(f);
	uint32_t value = off < 64 ? cfg[off / 4] : 0;

	if (off >= 0x10 && off < 0x28)
		return pci_bars_read(&d->bars, off, width);
	if (off / 4 == 1)
		value = d->command;
	return value >> off % 4 * 8;
}

static void cfg_write(struct pci_func *f, unsigned int off, unsigned int width,
		      uint32_t value)
{
	struct dummy *d = dummy_of(f);

	if (off >= 0x10 && off < 0x28) {
		pci_bars_write(&d->bars, off, width, value);
	} else if (off == 4) {
		d->command = value & 7;
		pci_bars_decode(&d->bars, d->command);
	}
}

static const struct pci_func_ops func_ops = { cfg_read, cfg_write };

static uint64_t trap_read(void *ctx, uint64_t off, unsigned int width)
{
	(void)ctx;
	(void)width;
	return off % 4096 == 0 ? 0x64756d6d : off;
}

static void trap_write(void *ctx, uint64_t off, unsigned int width,
		       uint64_t value)
{
	struct dummy *d = ctx;
	unsigned int gsi = pci_intx_gsi(d->f.devfn, 0);

	(void)width;
	if (off == 4)
		vm_irq_line(&d->m->vm, gsi, true);
	else if (off == 8)
		vm_irq_line(&d->m->vm, gsi, false);
	else if (off == 12)
		vm_msi(&d->m->vm, 0xfee00000, (uint32_t)value);
}

static const struct region_ops trap_ops = { trap_read, trap_write };

static uint64_t port_read(void *ctx, uint64_t off, unsigned int width)
{
	struct dummy *d = ctx;

	(void)off;
	(void)width;
	return d->f.shown;
}

static void port_write(void *ctx, uint64_t off, unsigned int width,
		       uint64_t value)
{
	struct dummy *d = ctx;

	(void)off;
	(void)width;
	pci_bus_show(&d->m->pci, &d->f, value != 0);
}

static const struct region_ops port_ops = { port_read, port_write };

static int add_dummy(struct dummy *d, struct machine *m)
{
	const struct region trap = { .ops = &trap_ops,
				     .ctx = d,
				     .cause = "dummy" };
	uint8_t *mem = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -1;
	memcpy(mem, "direct", 7);
	memcpy(mem + 4096, "DIRECT", 7);
	d->m = m;
	d->f.ops = &func_ops;
	d->bars.bar[0] = (struct pci_bar){ .kind = PCI_BAR_MEM32,
					   .len = 4096,
					   .hva = mem,
					   .direct_len = 4096 };
	d->bars.bar[1] = (struct pci_bar){ .kind = PCI_BAR_MEM32,
					   .len = 256,
					   .region = trap };
	d->bars.bar[2] = (struct pci_bar){ .kind = PCI_BAR_MEM64,
					   .len = 8192,
					   .prefetch = true,
					   .hva = mem + 4096,
					   .direct_len = 4096,
					   .region = trap };
	d->bars.bar[4] = (struct pci_bar){ .kind = PCI_BAR_IO,
					   .len = 32,
					   .region = trap };
	d->port = (struct region){ .cause = "dummy",
				   .ops = &port_ops,
				   .ctx = d,
				   .base = 0x1234,
				   .len = 1 };
	return pci_bars_init(&d->bars, &m->vm) ||
	       pci_bus_add(&m->pci, &d->f, 5) ||
	       region_add(&m->vm.pio, &d->port);
}

static void remove_dummy(struct dummy *d)
{
	region_remove(&d->m->vm.pio, &d->port);
	pci_bus_remove(&d->m->pci, &d->f);
	pci_bars_fini(&d->bars);
}

static void print_exits(void *ctx, const char *cause, uint64_t exits)
{
	(void)ctx;
	fprintf(stderr, "exits %s %llu\n", cause, (unsigned long long)exits);
}

int main(int argc, char **argv)
{
	struct machine *m = calloc(1, sizeof(*m));
	struct dummy d = { .m = m };
	struct machine_cfg cfg = {
		.name = "dummy",
		.memory = 256 << 20,
		.ncpus = 2,
		.granule_shift = 12,
		.console = true,
		.no_reboot = true,
	};
	enum machine_end end;

	if (argc != 4 || !m)
		return 2;
	cfg.kernel = argv[1];
	cfg.initrd = argv[2];
	cfg.cmdline = argv[3];
	if (machine_create(m, &cfg) || add_dummy(&d, m)) {
		fprintf(stderr, "dummy: %s\n", m->why);
		return 1;
	}
	end = machine_run(m);
	print_exits(NULL, "start-us", machine_start_us(m));
	machine_exits(m, print_exits, NULL);
	remove_dummy(&d);
	machine_destroy(m);
	free(m);
	return end == MACHINE_OFF ? 0 : 3;
}
