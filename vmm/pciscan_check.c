/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Can a function be assigned? One check after the other; the first that says
 * no says why. What is no obstacle but may surprise is a warning.
 */
#include "modules.h"
#include "pcideny.h"
#include "pciscan.h"
#include "pciuse.h"
#include "virtio_offer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define CLAIMS "/run/viaduct/claims"
#define UIO    "uio_pci_generic"

struct check {
	const struct sysfs *s;
	const struct pci_host_dev *d;
	char dir[64];
	char *why;
	size_t len;
};

static int check_bridge(struct check *c)
{
	if (!pciscan_is_bridge(c->d))
		return 0;
	snprintf(c->why, c->len,
		 "%s is a bridge; only endpoints can be assigned", c->d->bdf);
	return -EOPNOTSUPP;
}

/* X8, by kind. */
static int check_kind(struct check *c)
{
	const char *clause = pcideny_find(c->d);

	if (!clause)
		return 0;
	snprintf(c->why, c->len, "%s cannot be assigned: %s", c->d->bdf,
		 clause);
	return -EOPNOTSUPP;
}

/* X8, by what the function itself says. */
static int check_virtio(struct check *c)
{
	int offers = virtio_offer_check(c->s, c->d);

	if (offers > 0)
		return 0;
	if (offers == 0)
		snprintf(c->why, c->len,
			 "%s is a virtio device without "
			 "VIRTIO_F_ACCESS_PLATFORM, so its driver would give "
			 "it guest addresses; set iommu_platform=on on it "
			 "where this host's devices are made",
			 c->d->bdf);
	else
		snprintf(c->why, c->len,
			 "cannot find out whether the virtio device %s has "
			 "VIRTIO_F_ACCESS_PLATFORM (iommu_platform=on): %s",
			 c->d->bdf,
			 offers == -EACCES ? "run as root" : strerror(-offers));
	return -EOPNOTSUPP;
}

/* A claim is a file that its keeper has locked. */
static int check_claim(struct check *c)
{
	char path[64], full[SYSFS_PATH_LEN];
	int fd, busy;

	snprintf(path, sizeof(path), CLAIMS "/%s", c->d->bdf);
	if (sysfs_path(c->s, path, full, sizeof(full)))
		return 0;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	busy = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	if (!busy)
		return 0;
	snprintf(c->why, c->len, "%s is in use by another virtual machine",
		 c->d->bdf);
	return -EBUSY;
}

static int check_disks(struct check *c)
{
	char who[400];
	int err = pciuse_block(c->s, c->dir, who, sizeof(who));

	if (!err)
		return 0;
	if (err < 0) {
		snprintf(c->why, c->len,
			 "cannot find out whether the host uses a disk of %s: "
			 "%s",
			 c->d->bdf, strerror(-err));
		return -EBUSY;
	}
	snprintf(c->why, c->len,
		 "%s is in use by this host: %s; give that up first", c->d->bdf,
		 who);
	return -EBUSY;
}

/* Drivers that only hold a function for someone else. */
static bool is_idle_driver(const char *name)
{
	return !name[0] || !strcmp(name, UIO) || !strcmp(name, "vfio-pci") ||
	       !strcmp(name, "pci-stub");
}

static int check_siblings(struct check *c)
{
	const struct pci_host_dev *d = c->d;
	struct pci_host_dev other;
	char bdf[PCI_BDF_LEN];

	for (unsigned int fn = 0; fn < 8; fn++) {
		snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x",
			 d->domain & 0xffffff, d->bus & 0xff, d->dev & 0x1f,
			 fn);
		if (fn == d->fn || pciscan_read(c->s, bdf, &other) ||
		    pciscan_is_bridge(&other) || is_idle_driver(other.driver))
			continue;
		snprintf(c->why, c->len,
			 "%s shares its card with %s, which this host uses "
			 "(driver %s); unbind that first",
			 d->bdf, other.bdf, other.driver);
		return -EBUSY;
	}
	return 0;
}

/*
 * Behind a translating IOMMU the device's addresses are not host-physical, and
 * what uio binds has no translations at all.
 */
static int check_iommu(struct check *c)
{
	if (!c->d->has_group || !strcmp(c->d->group_type, "identity"))
		return 0;
	snprintf(c->why, c->len,
		 "%s is behind an IOMMU that translates its DMA; assign it "
		 "with VFIO instead, or boot the host with iommu=pt",
		 c->d->bdf);
	return -EOPNOTSUPP;
}

static int check_intx(struct check *c)
{
	if (c->d->pin)
		return 0;
	snprintf(c->why, c->len,
		 "%s has no INTx interrupt, and " UIO " passes no other",
		 c->d->bdf);
	return -EOPNOTSUPP;
}

/* The keeper's condition: what it could not stop it does not take. */
static int check_reset(struct check *c)
{
	if (c->d->can_reset)
		return 0;
	snprintf(c->why, c->len,
		 "%s cannot be reset on its own (no FLR, no PM reset, other "
		 "functions on its bus), so its DMA could not be stopped for "
		 "certain",
		 c->d->bdf);
	return -EOPNOTSUPP;
}

static int check_module(const struct sysfs *s, const char *bdf, char *why,
			size_t len)
{
	if (sysfs_exists(s, "bus/pci/drivers/" UIO))
		return 0;
	if (module_state(s, UIO) == MODULE_AVAILABLE)
		snprintf(why, len,
			 "cannot assign %s: the module " UIO
			 " is not loaded; run modprobe " UIO,
			 bdf);
	else
		snprintf(why, len,
			 "cannot assign %s: this kernel has no "
			 "module " UIO "; use one built with "
			 "CONFIG_UIO_PCI_GENERIC",
			 bdf);
	return -ENOPKG;
}

static bool has_unassigned(const struct pci_host_dev *d)
{
	for (int i = 0; i < PCI_HOST_BARS; i++)
		if (d->bar[i].how == PCI_HOW_UNASSIGNED)
			return true;
	return false;
}

static void warn(struct check *c)
{
	char who[400];

	if (pciuse_net(c->s, c->dir, who, sizeof(who)) == 1)
		snprintf(c->why, c->len,
			 "the host loses a network interface "
			 "with %s: %s",
			 c->d->bdf, who);
	else if (has_unassigned(c->d))
		snprintf(c->why, c->len,
			 "a BAR of %s has no address on this "
			 "host and will be missing",
			 c->d->bdf);
}

int pciscan_check_device(const struct sysfs *s, const struct pci_host_dev *d,
			 char *why, size_t len)
{
	static int (*const checks[])(struct check * c) = {
		check_bridge, check_kind,     check_claim,
		check_disks,  check_siblings, check_iommu,
		check_intx,   check_reset,    check_virtio,
	};
	struct check c = { .s = s, .d = d, .why = why, .len = len };
	int err;

	why[0] = '\0';
	snprintf(c.dir, sizeof(c.dir), "bus/pci/devices/%s", d->bdf);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		err = checks[i](&c);
		if (err)
			return err;
	}
	warn(&c);
	return 0;
}

int pciscan_check(const struct sysfs *s, const char *bdf, char *why, size_t len)
{
	struct pci_host_dev d;
	int err = pciscan_read(s, bdf, &d);

	if (err == -EINVAL)
		snprintf(why, len,
			 "%s is no PCI address; they look like "
			 "0000:03:00.0 (lspci -D lists them)",
			 bdf);
	else if (err)
		snprintf(why, len,
			 "there is no PCI device %s; lspci -D "
			 "lists them",
			 bdf);
	if (err)
		return err == -EINVAL ? err : -ENODEV;
	err = pciscan_check_device(s, &d, why, len);
	return err ? err : check_module(s, d.bdf, why, len);
}
