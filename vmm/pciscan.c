/* SPDX-License-Identifier: BSD-2-Clause */
#include "pciscan.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CFG_HEADER   0x0e
#define CFG_STATUS   0x06
#define STATUS_CAPS  0x10
#define CFG_CAPS     0x34
#define CAP_EXPRESS  0x10
#define CFG_PIN	     0x3d
#define HEADER_MULTI 0x80
#define CLASS_BRIDGE 0x06

static int parse_parts(const char *text, unsigned int part[4])
{
	int end = 0;

	/* The widths keep %x from taking signs and blanks of a long number. */
	for (const char *p = text; *p; p++)
		if (!isxdigit((unsigned char)*p) && *p != ':' && *p != '.')
			return -EINVAL;
	if (sscanf(text, "%6x:%2x:%2x.%1x%n", &part[0], &part[1], &part[2],
		   &part[3], &end) != 4 ||
	    text[end]) {
		part[0] = 0;
		end = 0;
		if (sscanf(text, "%2x:%2x.%1x%n", &part[1], &part[2], &part[3],
			   &end) != 3 ||
		    text[end])
			return -EINVAL;
	}
	return part[2] > 31 || part[3] > 7 ? -EINVAL : 0;
}

int pci_bdf_parse(const char *text, char bdf[PCI_BDF_LEN])
{
	unsigned int part[4];

	if (parse_parts(text, part))
		return -EINVAL;
	snprintf(bdf, PCI_BDF_LEN, "%04x:%02x:%02x.%x", part[0] & 0xffffff,
		 part[1] & 0xff, part[2] & 0x1f, part[3] & 7);
	return 0;
}

struct bars {
	struct pci_host_bar *bar;
	int n;
};

/* "0x00000000febf1000 0x00000000febf1fff 0x0000000000040200" */
static int parse_bar(void *ctx, char *line)
{
	struct bars *bars = ctx;
	struct pci_host_bar *b;
	unsigned long long start, last, flags;

	if (bars->n == PCI_HOST_BARS)
		return 0; /* the ROM and a bridge's windows */
	b = &bars->bar[bars->n++];
	if (sscanf(line, "%llx %llx %llx", &start, &last, &flags) != 3)
		return 0;
	b->start = start;
	b->flags = flags;
	/* An empty one is 0 0 0; no BAR is all of the address space. */
	b->len = last > start && flags ? last - start + 1 : 0;
	return 0;
}

static const char *attr(const struct pci_host_dev *d, const char *name,
			char *path, size_t len)
{
	snprintf(path, len, "bus/pci/devices/%s/%s", d->bdf, name);
	return path;
}

static uint64_t read_id(const struct sysfs *s, const struct pci_host_dev *d,
			const char *name)
{
	char path[128];
	uint64_t v;

	return sysfs_read_hex(s, attr(d, name, path, sizeof(path)), &v) ? 0 : v;
}

static bool is_ones(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != 0xff)
			return false;
	return true;
}

static void read_config(const struct sysfs *s, struct pci_host_dev *d)
{
	uint8_t config[VIRTIO_CFG_LEN];
	unsigned int len = sizeof(config);
	char path[128];

	attr(d, "config", path, sizeof(path));
	d->all_config = !sysfs_read_bytes(s, path, config, len);
	if (!d->all_config)
		len = 64; /* these are everyone's to read */
	if ((!d->all_config && sysfs_read_bytes(s, path, config, len)) ||
	    is_ones(config, 64)) {
		d->silent = true;
		return;
	}
	d->header = config[CFG_HEADER] & (uint8_t)~HEADER_MULTI;
	d->multifunction = config[CFG_HEADER] & HEADER_MULTI;
	d->pin = config[CFG_PIN];
	virtio_caps_read(config, len, d->vendor, d->device, &d->virtio);
}

static void read_irq(const struct sysfs *s, struct pci_host_dev *d)
{
	char path[128];
	uint64_t v;

	d->has_irq = !sysfs_read_u64(s, attr(d, "irq", path, sizeof(path)), &v);
	if (d->has_irq)
		d->irq = (uint32_t)v;
	/* How often it was enabled: a driver's start finds out the interrupt. */
	d->idle =
		!sysfs_read_u64(s, attr(d, "enable", path, sizeof(path)), &v) &&
		v == 0;
}

static void read_group(const struct sysfs *s, struct pci_host_dev *d)
{
	char path[128], name[32];
	unsigned int group;

	if (sysfs_link_name(s, attr(d, "iommu_group", path, sizeof(path)), name,
			    sizeof(name)))
		return;
	/* VFIO makes one for what it has where there is no IOMMU. */
	attr(d, "iommu_group/name", path, sizeof(path));
	if (!sysfs_read(s, path, d->group_type, sizeof(d->group_type)) &&
	    !strcmp(d->group_type, "vfio-noiommu"))
		return;
	d->has_group = sscanf(name, "%u", &group) == 1;
	if (!d->has_group)
		return;
	d->group = group;
	attr(d, "iommu_group/type", path, sizeof(path));
	if (sysfs_read(s, path, d->group_type, sizeof(d->group_type)))
		d->group_type[0] = '\0';
}

static void read_rest(const struct sysfs *s, struct pci_host_dev *d)
{
	struct bars bars = { .bar = d->bar };
	char path[128];
	uint64_t ari;

	d->vendor = (uint16_t)read_id(s, d, "vendor");
	d->device = (uint16_t)read_id(s, d, "device");
	d->class = (uint32_t)read_id(s, d, "class") & 0xffffff;
	read_config(s, d);
	read_irq(s, d);
	read_group(s, d);
	if (sysfs_link_name(s, attr(d, "driver", path, sizeof(path)), d->driver,
			    sizeof(d->driver)))
		d->driver[0] = '\0';
	d->can_reset = sysfs_exists(s, attr(d, "reset", path, sizeof(path)));
	d->ari = !sysfs_read_u64(s, attr(d, "ari_enabled", path, sizeof(path)),
				 &ari) &&
		 ari;
	d->no_bars = sysfs_lines(s, attr(d, "resource", path, sizeof(path)),
				 parse_bar, &bars);
	pci_plan_bars(&d->virtio, d->bar);
}

int pciscan_read(const struct sysfs *s, const char *bdf,
		 struct pci_host_dev *out)
{
	struct pci_host_dev d = { .fn = 0 };
	char path[128];
	unsigned int part[4];

	if (pci_bdf_parse(bdf, d.bdf) || parse_parts(d.bdf, part))
		return -EINVAL;
	if (!sysfs_exists(s, attr(&d, "vendor", path, sizeof(path))))
		return -ENODEV;
	d.domain = part[0];
	d.bus = part[1];
	d.dev = part[2];
	d.fn = part[3];
	read_rest(s, &d);
	*out = d;
	return 0;
}

struct each {
	const struct sysfs *s;
	int (*fn)(void *ctx, const struct pci_host_dev *d);
	void *ctx;
};

static int each_one(void *ctx, const char *name)
{
	const struct each *e = ctx;
	struct pci_host_dev d;

	if (pciscan_read(e->s, name, &d))
		return 0; /* unplugged meanwhile */
	return e->fn(e->ctx, &d);
}

int pciscan_each(const struct sysfs *s,
		 int (*fn)(void *ctx, const struct pci_host_dev *d), void *ctx)
{
	struct each e = { .s = s, .fn = fn, .ctx = ctx };

	return sysfs_each(s, "bus/pci/devices", each_one, &e);
}

bool pciscan_is_bridge(const struct pci_host_dev *d)
{
	return d->header != 0 || d->class >> 16 == CLASS_BRIDGE;
}

bool pciscan_is_express(const struct sysfs *s, const char *bdf)
{
	char path[SYSFS_PATH_LEN];
	uint8_t c[256];
	unsigned int at, most = 48; /* of 4 bytes each, above the header */

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf);
	if (sysfs_read_bytes(s, path, c, sizeof(c)))
		return true;
	if (!(c[CFG_STATUS] & STATUS_CAPS))
		return false;
	for (at = c[CFG_CAPS] & 0xfcu; at >= 0x40 && most--;
	     at = c[at + 1] & 0xfcu)
		if (c[at] == CAP_EXPRESS)
			return true;
	return false;
}
