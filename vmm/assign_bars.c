/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_bars.h"
#include "guarded.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ull

/* Aligned, and not behind the end of a BAR that was rounded up. */
static bool is_sound(struct assign_bar *bar, uint64_t off, unsigned int width)
{
	if ((off & (width - 1)) == 0 && off < bar->len &&
	    width <= bar->len - off)
		return true;
	bar->bad++;
	return false;
}

/* The guest reads ones of what is gone; the owner learns of it. */
static uint64_t mem_read(void *ctx, uint64_t off, unsigned int width)
{
	struct assign_bar *bar = ctx;
	uint64_t value;

	if (!is_sound(bar, off, width))
		return ~0ull;
	if (guarded_load(bar->regs + off, width, &value))
		return value;
	bar->all->gone(bar->all->opaque);
	return ~0ull;
}

/* Of both kinds of BAR: false: nothing is there any more. */
static bool mem_put(struct assign_bar *bar, uint64_t off, unsigned int width,
		    uint64_t value)
{
	return !is_sound(bar, off, width) ||
	       guarded_store(bar->regs + off, width, value);
}

static void mem_write(void *ctx, uint64_t off, unsigned int width,
		      uint64_t value)
{
	struct assign_bar *bar = ctx;

	if (!mem_put(bar, off, width, value))
		bar->all->gone(bar->all->opaque);
}

static const struct region_ops mem_ops = { mem_read, mem_write };

/* A port is read by the kernel, which says so when it is gone. */
static void io_failed(struct assign_bar *bar)
{
	if (errno == ENODEV)
		bar->all->gone(bar->all->opaque);
	else
		bar->bad++;
}

/* The kernel does the port access; it takes 1, 2 and 4 bytes. */
static uint64_t io_read(void *ctx, uint64_t off, unsigned int width)
{
	struct assign_bar *bar = ctx;
	uint64_t value = 0;

	if (!is_sound(bar, off, width))
		return ~0ull;
	if (pread(bar->fd, &value, width, (off_t)off) == (ssize_t)width)
		return value;
	io_failed(bar);
	return ~0ull;
}

static bool io_put(struct assign_bar *bar, uint64_t off, unsigned int width,
		   uint64_t value)
{
	if (!is_sound(bar, off, width) ||
	    pwrite(bar->fd, &value, width, (off_t)off) == (ssize_t)width)
		return true;
	if (errno == ENODEV)
		return false;
	bar->bad++;
	return true;
}

static void io_write(void *ctx, uint64_t off, unsigned int width,
		     uint64_t value)
{
	struct assign_bar *bar = ctx;

	if (!io_put(bar, off, width, value))
		bar->all->gone(bar->all->opaque);
}

static const struct region_ops io_ops = { io_read, io_write };

static int open_resource(struct assign_bar *host, const struct hostdev *d,
			 int n)
{
	char name[16];

	snprintf(name, sizeof(name), "resource%d", n);
	host->fd = hostdev_file(d, name, O_RDWR | O_SYNC);
	return host->fd < 0 ? host->fd : 0;
}

static int open_mem(struct assign_bar *host, const struct pci_host_bar *plan,
		    struct pci_bar *bar)
{
	uint64_t into = plan->start & (PAGE - 1);

	host->map_len = (into + plan->len + PAGE - 1) & ~(PAGE - 1);
	host->map = mmap(NULL, host->map_len, PROT_READ | PROT_WRITE,
			 MAP_SHARED, host->fd, 0);
	if (host->map == MAP_FAILED) {
		host->map = NULL;
		return -errno;
	}
	host->regs = (uint8_t *)host->map + into;
	if (!plan->direct_len)
		return 0;
	bar->hva = host->map;
	bar->direct_len = plan->direct_len;
	bar->trap = plan->trap;
	bar->trap_len = plan->trap_len;
	return 0;
}

static int open_bar(struct assign_bars *b, const struct hostdev *d, int n,
		    const struct pci_host_bar *plan)
{
	struct assign_bar *host = &b->host[n];
	struct pci_bar *bar = &b->bars.bar[n];
	int err;

	host->all = b;
	host->len = plan->len;
	bar->len = plan->guest_len;
	bar->prefetch = plan->flags & PCI_BAR_F_PREFETCH;
	bar->region.ctx = host;
	err = open_resource(host, d, n);
	if (err)
		return err;
	if (plan->flags & PCI_BAR_F_IO) {
		bar->kind = PCI_BAR_IO;
		bar->region.ops = &io_ops;
		bar->region.cause = "bar-io";
		return 0;
	}
	bar->kind = plan->guest_64 ? PCI_BAR_MEM64 : PCI_BAR_MEM32;
	bar->region.ops = &mem_ops;
	bar->region.cause = "bar-trapped";
	return open_mem(host, plan, bar);
}

uint64_t assign_bar_read(struct assign_bar *bar, uint64_t off,
			 unsigned int width)
{
	return bar->regs ? mem_read(bar, off, width) : io_read(bar, off, width);
}

bool assign_bar_put(struct assign_bar *bar, uint64_t off, unsigned int width,
		    uint64_t value)
{
	return bar->regs ? mem_put(bar, off, width, value) :
			   io_put(bar, off, width, value);
}

void assign_bars_watch(struct assign_bars *b, unsigned int n,
		       const struct region_ops *ops, void *ctx)
{
	b->bars.bar[n].region.ops = ops;
	b->bars.bar[n].region.ctx = ctx;
}

void assign_bars_init(struct assign_bars *b)
{
	memset(b, 0, sizeof(*b));
	for (int n = 0; n < 6; n++)
		b->host[n].fd = -1;
}

int assign_bars_open(struct assign_bars *b, struct vm *vm,
		     const struct hostdev *d, const struct pci_host_dev *plan,
		     void (*gone)(void *opaque), void *opaque)
{
	int err = guarded_init();

	assign_bars_init(b);
	b->gone = gone;
	b->opaque = opaque;
	for (int n = 0; n < PCI_HOST_BARS && !err; n++) {
		enum pci_how how = plan->bar[n].how;

		if (how == PCI_HOW_DIRECT || how == PCI_HOW_SPLIT ||
		    how == PCI_HOW_TRAPPED)
			err = open_bar(b, d, n, &plan->bar[n]);
	}
	return err ? err : pci_bars_init(&b->bars, vm);
}

void assign_bars_close(struct assign_bars *b)
{
	if (b->bars.vm)
		pci_bars_fini(&b->bars);
	for (int n = 0; n < 6; n++) {
		if (b->host[n].map)
			munmap(b->host[n].map, b->host[n].map_len);
		if (b->host[n].fd >= 0)
			close(b->host[n].fd);
	}
}

/*
 * The kernel takes the files of the BARs away before all else of a function. A
 * read of a memory BAR's file reaches no device: there is nothing to read it
 * with, and the kernel says so, or that the file's owner is gone.
 */
bool assign_bars_gone(const struct assign_bars *b)
{
	uint8_t byte;

	for (int n = 0; n < 6; n++) {
		if (!b->host[n].map)
			continue;
		if (pread(b->host[n].fd, &byte, 1, 0) < 0 && errno == ENODEV)
			return true;
	}
	return false;
}
