/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Can a function be assigned? One check after the other; the first that says
 * no says why. What is no obstacle but may surprise is a warning.
 *
 * All functions of one card that anybody uses go to one machine together: what
 * the card shares (its power, its firmware) ends at no function's border. So a
 * function is looked at with those that were named beside it.
 */
#include "claim.h"
#include "modules.h"
#include "pcideny.h"
#include "pciscan.h"
#include "pciuse.h"
#include "virtio_offer.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define UIO "uio_pci_generic"

struct check {
	const struct sysfs *s;
	const struct pci_host_dev *d;
	const struct pciscan_set *with;
	char dir[64];
	char *why;
	size_t len;
};

static int check_silent(struct check *c)
{
	if (!c->d->silent)
		return 0;
	snprintf(c->why, c->len,
		 "%s does not answer: its configuration space reads as ones; "
		 "it was pulled, or it is switched off",
		 c->d->bdf);
	return -ENODEV;
}

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
static bool is_claimed(const struct sysfs *s, const char *bdf)
{
	char path[64], full[SYSFS_PATH_LEN];
	int fd;
	bool busy;

	snprintf(path, sizeof(path), CLAIM_DIR "/%s", bdf);
	if (sysfs_path(s, path, full, sizeof(full)))
		return false;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	busy = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return busy;
}

static int check_claim(struct check *c)
{
	if (!is_claimed(c->s, c->d->bdf))
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

static bool is_named(const struct check *c, const char *bdf)
{
	for (size_t i = 0; c->with && i < c->with->n; i++)
		if (!strcmp(c->with->bdf[i], bdf))
			return true;
	return false;
}

/* Whoever uses @other, a function of the same card, is in the way. */
static int check_sibling(struct check *c, const struct pci_host_dev *other)
{
	if (pciscan_is_bridge(other) || is_named(c, other->bdf))
		return 0;
	if (is_claimed(c->s, other->bdf)) {
		snprintf(c->why, c->len,
			 "%s shares its card with %s, which another virtual "
			 "machine uses",
			 c->d->bdf, other->bdf);
		return -EBUSY;
	}
	if (is_idle_driver(other->driver))
		return 0;
	snprintf(c->why, c->len,
		 "%s shares its card with %s, which this host uses (driver "
		 "%s); assign %s too, or unbind it first",
		 c->d->bdf, other->bdf, other->driver, other->bdf);
	return -EBUSY;
}

/* With ARI a card numbers up to 256 functions through all of its bus. */
static int check_siblings(struct check *c)
{
	const struct pci_host_dev *d = c->d;
	unsigned int first = d->ari ? 0 : d->dev * 8;
	unsigned int n = d->ari ? 256 : 8;
	struct pci_host_dev other;
	char bdf[PCI_BDF_LEN];
	int err = 0;

	for (unsigned int fn = first; fn < first + n && !err; fn++) {
		snprintf(bdf, sizeof(bdf), "%04x:%02x:%02x.%x",
			 d->domain & 0xffffff, d->bus & 0xff, fn / 8 & 0x1f,
			 fn % 8);
		if (strcmp(bdf, d->bdf) && !pciscan_read(c->s, bdf, &other))
			err = check_sibling(c, &other);
	}
	return err;
}

/* Other functions that live and end with this one. */
static int check_vfs(struct check *c)
{
	char path[128];
	uint64_t n;

	snprintf(path, sizeof(path), "%s/sriov_numvfs", c->dir);
	if (sysfs_read_u64(c->s, path, &n) || !n)
		return 0;
	snprintf(c->why, c->len,
		 "%s has %" PRIu64 " virtual functions, which would be reset "
		 "with it; write 0 to its sriov_numvfs first",
		 c->d->bdf, n);
	return -EBUSY;
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

/* Until a driver enables it, 255 is what the firmware says for: none. */
static bool has_irq(const struct pci_host_dev *d)
{
	return !d->has_irq ||
	       (d->irq && d->irq != PCI_NO_IRQ && !(d->idle && d->irq == 255));
}

/* A domain of VMD's, which routes no INTx. */
static bool is_behind_vmd(const struct pci_host_dev *d)
{
	return d->domain > 0xffff;
}

static int check_intx(struct check *c)
{
	const struct pci_host_dev *d = c->d;

	if (!d->pin) {
		snprintf(c->why, c->len,
			 "%s has no INTx interrupt, and " UIO
			 " passes no other",
			 d->bdf);
		return -EOPNOTSUPP;
	}
	if (has_irq(d) || (d->idle && !is_behind_vmd(d)))
		return 0;
	snprintf(c->why, c->len,
		 "this host routes no INTx interrupt of %s%s, and " UIO
		 " passes no other",
		 d->bdf,
		 is_behind_vmd(d) ? " (it is behind VMD, which can be turned "
				    "off in the firmware's setup)" :
				    "");
	return -EOPNOTSUPP;
}

static int check_bars(struct check *c)
{
	const struct pci_host_dev *d = c->d;

	if (d->no_bars) {
		snprintf(c->why, c->len,
			 "cannot find out the BARs of %s: its file resource in "
			 "/sys cannot be read",
			 d->bdf);
		return -EOPNOTSUPP;
	}
	for (int i = 0; i < PCI_HOST_BARS; i++) {
		if (d->bar[i].how != PCI_HOW_UNUSABLE)
			continue;
		snprintf(c->why, c->len,
			 "BAR %d of %s, %" PRIu64
			 " bytes, has no room on a guest's bus",
			 i, d->bdf, d->bar[i].len);
		return -EOPNOTSUPP;
	}
	return 0;
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
	else if (!has_irq(c->d))
		snprintf(c->why, c->len,
			 "the host has not routed the interrupt of %s yet; "
			 "if it cannot, viaduct run gives it back",
			 c->d->bdf);
}

typedef int check_fn(struct check *c);

static int run_checks(struct check *c, check_fn *const *checks, size_t n)
{
	int err = 0;

	c->why[0] = '\0';
	snprintf(c->dir, sizeof(c->dir), "bus/pci/devices/%s", c->d->bdf);
	for (size_t i = 0; i < n && !err; i++)
		err = checks[i](c);
	return err;
}

int pciscan_check_with(const struct sysfs *s, const struct pci_host_dev *d,
		       const struct pciscan_set *with, char *why, size_t len)
{
	static check_fn *const checks[] = {
		check_silent, check_bridge,   check_kind,  check_claim,
		check_disks,  check_siblings, check_vfs,   check_iommu,
		check_intx,   check_bars,     check_reset, check_virtio,
	};
	struct check c = {
		.s = s, .d = d, .with = with, .why = why, .len = len
	};
	int err = run_checks(&c, checks, sizeof(checks) / sizeof(checks[0]));

	if (!err)
		warn(&c);
	return err;
}

int pciscan_check_device(const struct sysfs *s, const struct pci_host_dev *d,
			 char *why, size_t len)
{
	return pciscan_check_with(s, d, NULL, why, len);
}

int pciscan_check_taken(const struct sysfs *s, const struct pci_host_dev *d,
			char *why, size_t len)
{
	static check_fn *const checks[] = {
		check_silent,
		check_intx,
		check_bars,
		check_virtio,
	};
	struct check c = { .s = s, .d = d, .why = why, .len = len };

	return run_checks(&c, checks, sizeof(checks) / sizeof(checks[0]));
}

/* Its address, and that it is there. */
static int find(const struct sysfs *s, const char *name, struct pci_host_dev *d,
		char *why, size_t len)
{
	int err = pciscan_read(s, name, d);

	if (err == -EINVAL)
		snprintf(why, len,
			 "%s is no PCI address; they look like "
			 "0000:03:00.0 (lspci -D lists them)",
			 name);
	else if (err)
		snprintf(why, len,
			 "there is no PCI device %s; lspci -D "
			 "lists them",
			 name);
	return !err || err == -EINVAL ? err : -ENODEV;
}

static int add_to_set(const struct sysfs *s, const char *name,
		      struct pciscan_set *set, char *why, size_t len)
{
	struct pci_host_dev d;
	int err = find(s, name, &d, why, len);

	if (err)
		return err;
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->bdf[i], d.bdf))
			continue;
		snprintf(why, len, "%s was named twice", d.bdf);
		return -EEXIST;
	}
	memcpy(set->bdf[set->n++], d.bdf, sizeof(d.bdf));
	return 0;
}

int pciscan_name(const struct sysfs *s, const char *const *name, size_t n,
		 struct pciscan_set *set, char *why, size_t len)
{
	int err = 0;

	memset(set, 0, sizeof(*set));
	if (n > PCISCAN_SET_MAX) {
		snprintf(why, len, "at most %d devices can be assigned",
			 PCISCAN_SET_MAX);
		return -E2BIG;
	}
	for (size_t i = 0; i < n && !err; i++)
		err = add_to_set(s, name[i], set, why, len);
	return err;
}

int pciscan_check_all(const struct sysfs *s, const char *const *name, size_t n,
		      struct pciscan_set *set, char *why, size_t len)
{
	struct pci_host_dev d;
	int err = pciscan_name(s, name, n, set, why, len);

	for (size_t i = 0; i < n && !err; i++) {
		err = find(s, set->bdf[i], &d, why, len);
		if (!err)
			err = pciscan_check_with(s, &d, set, why, len);
		if (!err)
			err = check_module(s, d.bdf, why, len);
	}
	return err;
}

int pciscan_check(const struct sysfs *s, const char *bdf, char *why, size_t len)
{
	struct pciscan_set set;

	return pciscan_check_all(s, &bdf, 1, &set, why, len);
}
