/* SPDX-License-Identifier: BSD-2-Clause */
#include "virtio_offer.h"
#include "pciscan.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COMMAND	    0x04
#define COMMAND_MEM 0x02
#define PAGE	    4096u
#define WIN_BAR	    4 /* of the window's capability */
#define WIN_OFF	    8
#define WIN_LEN	    12
#define WIN_DATA    16
#define TRIES	    3

int virtio_offer_ask(const struct virtio_io *io)
{
	uint32_t value, word;
	int err = 0;

	/* Somebody else may be asking: then the question has changed. */
	for (int i = 0; i < TRIES && !err; i++) {
		err = io->write32(io->ctx, VIRTIO_R_DEVICE_SELECT,
				  VIRTIO_PLATFORM_WORD);
		if (!err)
			err = io->read32(io->ctx, VIRTIO_R_DEVICE_FEAT, &value);
		if (!err)
			err = io->read32(io->ctx, VIRTIO_R_DEVICE_SELECT,
					 &word);
		if (!err && value == UINT32_MAX && word == UINT32_MAX)
			return -EIO;
		if (!err && word == VIRTIO_PLATFORM_WORD)
			return value & VIRTIO_PLATFORM_BIT ? 1 : 0;
	}
	return err ? err : -EBUSY;
}

struct window {
	int fd;
	unsigned int at;
	const struct virtio_place *place;
};

static int put(const struct window *w, unsigned int off, const void *p,
	       size_t len)
{
	return pwrite(w->fd, p, len, w->at + off) == (ssize_t)len ? 0 : -EACCES;
}

/* Point it at a register of four bytes. */
static int aim(const struct window *w, unsigned int reg)
{
	const uint8_t bar = (uint8_t)w->place->bar;
	const uint32_t off = w->place->off + reg, len = 4;
	int err = put(w, WIN_BAR, &bar, 1);

	if (!err)
		err = put(w, WIN_OFF, &off, 4);
	return err ? err : put(w, WIN_LEN, &len, 4);
}

static int window_read(void *ctx, unsigned int reg, uint32_t *value)
{
	const struct window *w = ctx;
	int err = aim(w, reg);

	if (!err && pread(w->fd, value, 4, w->at + WIN_DATA) != 4)
		err = -EACCES;
	return err;
}

static int window_write(void *ctx, unsigned int reg, uint32_t value)
{
	const struct window *w = ctx;
	int err = aim(w, reg);

	return err ? err : put(w, WIN_DATA, &value, 4);
}

static int open_attr(const struct sysfs *s, const char *bdf, const char *name)
{
	char path[128], full[SYSFS_PATH_LEN];
	int fd, err;

	snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", bdf, name);
	err = sysfs_path(s, path, full, sizeof(full));
	if (err)
		return err;
	fd = open(full, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int ask_window(const struct sysfs *s, const struct pci_host_dev *d)
{
	const struct virtio_caps *caps = &d->virtio;
	struct window w = { .at = caps->window, .place = &caps->common[0] };
	const struct virtio_io io = { window_read, window_write, &w };
	int err;

	if (!caps->window)
		return -ENXIO;
	w.fd = open_attr(s, d->bdf, "config");
	if (w.fd < 0)
		return w.fd;
	err = virtio_offer_ask(&io);
	close(w.fd);
	return err;
}

static int map_read(void *ctx, unsigned int reg, uint32_t *value)
{
	*value = *(volatile uint32_t *)((uint8_t *)ctx + reg);
	return 0;
}

static int map_write(void *ctx, unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)((uint8_t *)ctx + reg) = value;
	return 0;
}

/* The registers lie at @off of the file, which ends behind them. */
static int ask_map(int fd, uint64_t off)
{
	uint64_t first = off & ~(uint64_t)(PAGE - 1);
	size_t len = (size_t)(off - first) + VIRTIO_COMMON_LEN;
	struct virtio_io io = { map_read, map_write, NULL };
	uint8_t *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    (off_t)first);
	int err;

	if (map == MAP_FAILED)
		return -errno;
	io.ctx = map + (off - first);
	err = virtio_offer_ask(&io);
	munmap(map, len);
	return err;
}

static bool decodes_memory(const struct sysfs *s, const struct pci_host_dev *d)
{
	uint8_t config[COMMAND + 1];
	char path[64];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", d->bdf);
	return !sysfs_read_bytes(s, path, config, sizeof(config)) &&
	       config[COMMAND] & COMMAND_MEM;
}

static int ask_bar(const struct sysfs *s, const struct pci_host_dev *d)
{
	const struct virtio_place *p = &d->virtio.common[0];
	const struct pci_host_bar *bar = &d->bar[p->bar];
	char name[16];
	int fd, err;

	if (!decodes_memory(s, d) || bar->flags & PCI_BAR_F_IO ||
	    bar->how == PCI_HOW_NONE || bar->how == PCI_HOW_UNASSIGNED ||
	    p->off % 4 || p->off > bar->len ||
	    VIRTIO_COMMON_LEN > bar->len - p->off)
		return -ENXIO;
	snprintf(name, sizeof(name), "resource%u", p->bar);
	fd = open_attr(s, d->bdf, name);
	if (fd < 0)
		return fd;
	err = ask_map(fd, bar->start % PAGE + p->off);
	close(fd);
	return err;
}

struct host_driver {
	const struct sysfs *s;
	const char *bdf;
};

/* "virtio3", a device of the host's virtio bus: what was agreed with it. */
static int match_features(void *ctx, const char *name)
{
	const struct host_driver *h = ctx;
	char path[192], bits[256];
	unsigned int n, word = 32 * VIRTIO_PLATFORM_WORD + 1;
	int end = 0;

	if (sscanf(name, "virtio%u%n", &n, &end) != 1 || name[end])
		return 0;
	snprintf(path, sizeof(path), "bus/pci/devices/%s/%.32s/features",
		 h->bdf, name);
	if (sysfs_read(h->s, path, bits, sizeof(bits)) || strlen(bits) <= word)
		return 0;
	if (bits[word] == '1')
		return 1;
	snprintf(path, sizeof(path), "bus/pci/devices/%s/%.32s/driver", h->bdf,
		 name);
	/* Linux takes the bit wherever it is offered. */
	return sysfs_exists(h->s, path) ? 2 : 0;
}

static int ask_driver(const struct sysfs *s, const char *bdf)
{
	struct host_driver h = { s, bdf };
	char path[64];
	int said;

	snprintf(path, sizeof(path), "bus/pci/devices/%s", bdf);
	said = sysfs_each(s, path, match_features, &h);
	return said == 1 ? 1 : said == 2 ? 0 : -ENXIO;
}

int virtio_offer_check(const struct sysfs *s, const struct pci_host_dev *d)
{
	int said;

	if (!d->virtio.is_virtio)
		return 1;
	if (d->virtio.too_many)
		return -E2BIG;
	said = ask_driver(s, d->bdf);
	if (said >= 0)
		return said;
	if (!d->all_config)
		return -EACCES;
	if (!d->virtio.ncommons)
		return 0; /* the legacy interface only: it has no bit 33 */
	said = ask_window(s, d);
	return said < 0 ? ask_bar(s, d) : said;
}
