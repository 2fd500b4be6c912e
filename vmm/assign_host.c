/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_host.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CFG_VENDOR   0x00
#define CFG_COMMAND  0x04
#define CFG_STATUS   0x06
#define CFG_CAPS     0x34
#define CFG_INT_PIN  0x3d
#define CMD_DECODE   0x03 /* I/O and memory */
#define CMD_MASTER   0x04
#define CMD_INTX_OFF 0x0400
#define STATUS_INTX  0x08
#define STATUS_CAPS  0x10
#define CAP_EXP	     0x10
#define EXP_DEVSTA   0x0a
#define DEVSTA_TRPND 0x20

static int cfg_read(const struct assign_host *h, unsigned int off, void *to,
		    size_t len)
{
	ssize_t n = pread(h->config, to, len, off);

	return n == (ssize_t)len ? 0 : -ENODEV;
}

static int cfg_write16(const struct assign_host *h, unsigned int off,
		       uint16_t v)
{
	return pwrite(h->config, &v, 2, off) == 2 ? 0 : -ENODEV;
}

static unsigned int find_cap(const struct assign_host *h, uint8_t id)
{
	uint8_t status, pos, cap[2];

	if (cfg_read(h, CFG_STATUS, &status, 1) || !(status & STATUS_CAPS))
		return 0;
	if (cfg_read(h, CFG_CAPS, &pos, 1))
		return 0;
	/* 48: as many as fit; a list that loops ends here too. */
	for (int n = 0; n < 48 && pos >= 0x40; n++) {
		pos &= 0xfc;
		if (cfg_read(h, pos, cap, 2))
			return 0;
		if (cap[0] == id)
			return pos;
		pos = cap[1];
	}
	return 0;
}

/* uio/uioN/event of the first node; a function that no uio has, has none. */
static int open_event(const struct hostdev *d)
{
	char name[HOSTDEV_NAME_LEN], path[96];

	if (hostdev_first(d, "uio", name))
		return -ENOENT;
	snprintf(path, sizeof(path), "uio/%s/event", name);
	return hostdev_file(d, path, O_RDONLY);
}

int assign_host_open(struct assign_host *h, const struct sysfs *s,
		     const char *bdf, uint64_t id)
{
	uint8_t pin;
	int err;

	memset(h, 0, sizeof(*h));
	h->reset = h->event = -1;
	pthread_mutex_init(&h->lock, NULL);
	h->config = -1;
	err = hostdev_open(&h->dev, s, bdf, id);
	if (err)
		return err;
	h->config = hostdev_file(&h->dev, "config", O_RDWR);
	if (h->config < 0)
		return h->config;
	/* Now: later this process may have no right to. */
	h->reset = hostdev_file(&h->dev, "reset", O_WRONLY);
	h->event = open_event(&h->dev);
	h->pcie = find_cap(h, CAP_EXP);
	if (cfg_read(h, CFG_INT_PIN, &pin, 1))
		return -ENODEV;
	h->has_intx = pin != 0;
	return 0;
}

void assign_host_close(struct assign_host *h)
{
	if (h->config >= 0)
		close(h->config);
	if (h->reset >= 0)
		close(h->reset);
	if (h->event >= 0)
		close(h->event);
	h->config = h->reset = h->event = -1;
	hostdev_close(&h->dev);
	pthread_mutex_destroy(&h->lock);
}

void assign_host_seal(struct assign_host *h)
{
	hostdev_close(&h->dev);
}

bool assign_host_gone(const struct assign_host *h)
{
	uint16_t vendor;

	return cfg_read(h, CFG_VENDOR, &vendor, 2) || vendor == 0xffff;
}

/* A file of the uio node ends when uio_pci_generic lets the function go. */
static bool has_left_uio(const struct assign_host *h)
{
	char byte;

	return h->event >= 0 && pread(h->event, &byte, 1, 0) != 1;
}

bool assign_host_is_others(const struct assign_host *h)
{
	char driver[HOSTDEV_NAME_LEN];
	uint16_t command;

	if (h->dev.dir < 0)
		return has_left_uio(h) &&
		       !cfg_read(h, CFG_COMMAND, &command, 2) &&
		       command & CMD_MASTER;
	hostdev_driver(&h->dev, driver);
	return driver[0] && strcmp(driver, ASSIGN_UIO) != 0;
}

static int master_locked(struct assign_host *h, bool on)
{
	uint16_t want = on ? CMD_MASTER : 0, now;

	if (assign_host_is_others(h))
		return -ENODEV;
	if (cfg_read(h, CFG_COMMAND, &now, 2))
		return -ENODEV;
	now = (uint16_t)((now & ~CMD_MASTER) | CMD_DECODE | want);
	if (cfg_write16(h, CFG_COMMAND, now))
		return -ENODEV;
	/* The read also pushes writes that the device had posted before. */
	if (assign_host_gone(h) || cfg_read(h, CFG_COMMAND, &now, 2))
		return -ENODEV;
	return (now & CMD_MASTER) == want ? 0 : -EIO;
}

int assign_host_master(struct assign_host *h, bool on)
{
	int err;

	pthread_mutex_lock(&h->lock);
	err = master_locked(h, on);
	pthread_mutex_unlock(&h->lock);
	return err;
}

static void intx_locked(struct assign_host *h, bool on)
{
	uint16_t now;

	if (cfg_read(h, CFG_COMMAND, &now, 2) || assign_host_is_others(h))
		return;
	now = (uint16_t)(now & ~CMD_INTX_OFF);
	cfg_write16(h, CFG_COMMAND, on ? now : now | CMD_INTX_OFF);
}

void assign_host_intx(struct assign_host *h, bool on)
{
	pthread_mutex_lock(&h->lock);
	intx_locked(h, on);
	pthread_mutex_unlock(&h->lock);
}

bool assign_host_wants_intx(const struct assign_host *h)
{
	uint8_t status;

	return !cfg_read(h, CFG_STATUS, &status, 1) && status & STATUS_INTX;
}

bool assign_host_can_reset(const struct assign_host *h)
{
	return h->reset >= 0;
}

static int reset(const struct assign_host *h)
{
	return hostdev_put(&h->dev, h->reset, "reset", "1");
}

static void pause_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

/* PCI Express says when nothing is outstanding; a second is its own bound. */
static int drain(const struct assign_host *h)
{
	uint16_t status;

	if (!h->pcie) {
		pause_ms(1);
		return 0;
	}
	for (int ms = 0; ms < 1000; ms++) {
		if (cfg_read(h, h->pcie + EXP_DEVSTA, &status, 2))
			return -ENODEV;
		if (!(status & DEVSTA_TRPND))
			return 0;
		pause_ms(1);
	}
	return -EIO;
}

int assign_host_quiesce(struct assign_host *h)
{
	int err;

	pthread_mutex_lock(&h->lock);
	err = master_locked(h, false);
	if (!err)
		err = drain(h);
	if (!err)
		err = reset(h);
	pthread_mutex_unlock(&h->lock);
	/* What is not there, or not ours, has no DMA of ours in flight. */
	if (err && (assign_host_gone(h) || assign_host_is_others(h)))
		return 0;
	return err ? -EIO : 0;
}
