/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_take.h"
#include "lockfile.h"
#include "sysfs.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UIO "uio_pci_generic"

static const struct sysfs host = { .root = "/sys" };

__attribute__((format(printf, 4, 5))) static int say(char *why, size_t len,
						     int err, const char *fmt,
						     ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, len, fmt, ap);
	va_end(ap);
	return err;
}

static int dev_write(const char *bdf, const char *attr, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", bdf, attr);
	return sysfs_write(&host, path, value);
}

/* "" when there is none. */
static void driver_of(const char *bdf, char *name, size_t len)
{
	char path[96];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/driver", bdf);
	if (sysfs_link_name(&host, path, name, len))
		name[0] = '\0';
}

static void unbind(const char *bdf)
{
	char driver[64];

	driver_of(bdf, driver, sizeof(driver));
	if (driver[0])
		dev_write(bdf, "driver/unbind", bdf);
}

static void claim_path(const char *bdf, char *path, size_t len)
{
	snprintf(path, len, ASSIGN_CLAIMS "/%s", bdf);
}

static int claim(struct assign_claim *c, char *why, size_t len)
{
	char path[64];
	ssize_t n;

	mkdir("/run/viaduct", 0755);
	mkdir(ASSIGN_CLAIMS, 0700);
	claim_path(c->bdf, path, sizeof(path));
	c->lock = lockfile_take(path);
	if (c->lock == -EBUSY)
		return say(why, len, -EBUSY,
			   "%s is in use by another virtual machine", c->bdf);
	if (c->lock < 0)
		return say(why, len, c->lock,
			   "cannot claim %s in " ASSIGN_CLAIMS
			   "; is /run writable?",
			   c->bdf);
	driver_of(c->bdf, c->driver, sizeof(c->driver));
	if (strcmp(c->driver, UIO) == 0) {
		/* Left by a keeper that was killed: the file knows better. */
		n = pread(c->lock, c->driver, sizeof(c->driver) - 1, 0);
		c->driver[n > 0 ? n : 0] = '\0';
	}
	if (ftruncate(c->lock, 0) ||
	    pwrite(c->lock, c->driver, strlen(c->driver), 0) < 0)
		return say(why, len, -EIO, "cannot write the claim of %s",
			   c->bdf);
	return 0;
}

static void unclaim(struct assign_claim *c)
{
	char path[64];

	if (c->lock < 0)
		return;
	claim_path(c->bdf, path, sizeof(path));
	unlink(path);
	close(c->lock);
	c->lock = -1;
}

static int bind_uio(const char *bdf)
{
	char driver[64];

	if (dev_write(bdf, "driver_override", UIO))
		return -EIO;
	unbind(bdf);
	sysfs_write(&host, "bus/pci/drivers_probe", bdf);
	driver_of(bdf, driver, sizeof(driver));
	return strcmp(driver, UIO) == 0 ? 0 : -EIO;
}

static void bind_back(const struct assign_claim *c)
{
	char path[96];

	unbind(c->bdf);
	dev_write(c->bdf, "driver_override", "\n");
	if (!c->driver[0])
		return;
	snprintf(path, sizeof(path), "bus/pci/drivers/%s/bind", c->driver);
	sysfs_write(&host, path, c->bdf);
}

int assign_take(struct assign_claim *c, const char *bdf, char *why, size_t len)
{
	char path[96];
	int err;

	memset(c, 0, sizeof(*c));
	c->lock = -1;
	snprintf(c->bdf, sizeof(c->bdf), "%s", bdf);
	snprintf(path, sizeof(path), "bus/pci/devices/%s", c->bdf);
	if (!sysfs_exists(&host, path))
		return say(why, len, -ENOENT,
			   "there is no PCI device %s; lspci -D lists them",
			   bdf);
	if (!sysfs_exists(&host, "bus/pci/drivers/" UIO))
		return say(why, len, -ENODEV,
			   "cannot take %s: the module " UIO
			   " is not loaded; run modprobe " UIO,
			   bdf);
	err = claim(c, why, len);
	if (err)
		goto err_unclaim;
	err = bind_uio(bdf);
	if (err) {
		say(why, len, err,
		    "cannot bind %s to " UIO "; the kernel's log says why",
		    bdf);
		goto err_bind;
	}
	return 0;

err_bind:
	bind_back(c);
err_unclaim:
	unclaim(c);
	return err;
}

void assign_give(struct assign_claim *c)
{
	bind_back(c);
	unclaim(c);
}
