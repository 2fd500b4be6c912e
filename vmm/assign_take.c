/* SPDX-License-Identifier: BSD-2-Clause */
#include "assign_take.h"
#include "assign_host.h"
#include "why.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define UIO	     ASSIGN_UIO
#define COMMAND	     0x04
#define CMD_MASTER   0x0004
#define CMD_INTX_OFF 0x0400

static bool is_ours(const char *name)
{
	return strcmp(name, UIO) == 0;
}

/*
 * A command to a driver, which looks the function up by its address: the one
 * thing for which the kernel has no way that names this very function.
 */
static int tell(const struct hostdev *d, const char *driver, const char *what)
{
	char path[128];

	if (!hostdev_is_there(d))
		return -ENOENT;
	snprintf(path, sizeof(path), "bus/pci/drivers/%s/%s", driver, what);
	return sysfs_write(d->sys, path, d->bdf);
}

static int read_command(const struct hostdev *d, uint16_t *command)
{
	int fd = hostdev_file(d, "config", O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, command, 2, COMMAND);
	close(fd);
	return n == 2 ? 0 : -ENODEV;
}

/* Only if it differs: what is as it should be is not touched. */
static void put_command(const struct hostdev *d, uint16_t command)
{
	int fd = hostdev_file(d, "config", O_RDWR);
	uint16_t now;

	if (fd < 0)
		return;
	if (pread(fd, &now, 2, COMMAND) == 2 && now != command &&
	    pwrite(fd, &command, 2, COMMAND) != 2)
		now = 0; /* it is gone: nothing is left to put back */
	close(fd);
}

/* "" if it is not known, or nothing that could be put back. */
static void read_control(const struct hostdev *d, char control[8])
{
	if (hostdev_read(d, "power/control", control, 8))
		control[0] = '\0';
}

/* Whether it may sleep: many drivers change that as they come and go. */
static void put_control(const struct hostdev *d, const struct claim_found *f)
{
	char now[8];

	read_control(d, now);
	if (f->control[0] && strcmp(now, f->control) != 0)
		hostdev_write(d, "power/control", f->control);
}

static bool is_driven_by(const struct hostdev *d, const char *driver)
{
	char now[HOSTDEV_NAME_LEN];

	hostdev_driver(d, now);
	return strcmp(now, driver) == 0;
}

/*
 * What the command register is without its driver: that turns bus mastering off
 * when it lets go, and INTx on again if it had MSI.
 */
static int see(const struct hostdev *d, struct claim_found *f)
{
	memset(f, 0, sizeof(*f));
	hostdev_driver(d, f->driver);
	hostdev_override(d, f->override);
	read_control(d, f->control);
	if (f->driver[0] && read_command(d, &f->command) == 0) {
		f->command &= (uint16_t) ~(CMD_MASTER | CMD_INTX_OFF);
		return 0;
	}
	return read_command(d, &f->command);
}

/*
 * What a killed keeper left behind is not how the function was found. Its record
 * is, but for what somebody else has changed since.
 */
static void believe(struct claim_found *now, const struct claim_found *then)
{
	if (is_ours(now->driver) || !now->driver[0]) {
		memcpy(now->driver, then->driver, sizeof(now->driver));
		now->command = then->command;
		if (then->control[0])
			memcpy(now->control, then->control,
			       sizeof(now->control));
	}
	if (is_ours(now->override))
		memcpy(now->override, then->override, sizeof(now->override));
}

static int claim(struct assign_claim *c, const char *bdf, char *why, size_t len)
{
	struct claim_found then;
	int err = claim_take(&c->claim, c->dev.sys, bdf);

	if (err == -EBUSY)
		return why_say(why, len, err,
			       "%s is in use by another virtual machine", bdf);
	if (err)
		return why_say(why, len, err,
			       "cannot claim %s in " CLAIM_DIR
			       "; is /run writable?",
			       bdf);
	err = see(&c->dev, &c->found);
	if (err)
		return why_say(why, len, err,
			       "cannot read the config space of %s; it needs "
			       "CAP_SYS_ADMIN",
			       bdf);
	if (claim_read(&c->claim, &c->dev, &then) == 0)
		believe(&c->found, &then);
	err = claim_write(&c->claim, &c->dev, &c->found);
	return err ? why_say(why, len, err, "cannot write the claim of %s: %s",
			     bdf, strerror(-err)) :
		     0;
}

static int bind_uio(const struct hostdev *d)
{
	char driver[HOSTDEV_NAME_LEN];

	if (hostdev_write(d, "driver_override", UIO))
		return -EIO;
	hostdev_driver(d, driver);
	if (driver[0])
		tell(d, driver, "unbind");
	sysfs_write(d->sys, "bus/pci/drivers_probe", d->bdf);
	hostdev_driver(d, driver);
	return is_ours(driver) ? 0 : -EIO;
}

static void put_override(const struct hostdev *d, const char *override)
{
	hostdev_write(d, "driver_override", override[0] ? override : "\n");
}

/* Let whoever should have it have it. Nobody drives it now. */
static void hand_over(const struct hostdev *d, const struct claim_found *f)
{
	char override[HOSTDEV_NAME_LEN];

	if (!hostdev_is_there(d))
		return;
	hostdev_override(d, override);
	if (override[0] && strcmp(override, f->override) != 0)
		sysfs_write(d->sys, "bus/pci/drivers_probe", d->bdf);
	else if (f->driver[0] && tell(d, f->driver, "bind"))
		sysfs_write(d->sys, "bus/pci/drivers_probe", d->bdf);
}

/* The table of assign_take.h. */
static void put_back(const struct hostdev *d, const struct claim_found *f)
{
	char driver[HOSTDEV_NAME_LEN], override[HOSTDEV_NAME_LEN];
	bool ours;

	if (!hostdev_is_there(d))
		return;
	hostdev_driver(d, driver);
	hostdev_override(d, override);
	ours = is_ours(override);
	if (!driver[0] && !ours && override[0] &&
	    strcmp(override, f->override) != 0)
		return;
	if (is_ours(driver)) {
		/* Awake now; without a driver it may sleep, and forget. */
		put_command(d, f->command);
		if (is_ours(f->driver))
			put_control(d, f);
		else
			tell(d, UIO, "unbind");
	}
	if (ours)
		put_override(d, f->override);
	hostdev_driver(d, driver);
	if (driver[0])
		return;
	/* Without a driver the kernel has turned bus mastering off. */
	put_command(d, f->command);
	put_control(d, f);
	hand_over(d, f);
	if (is_driven_by(d, f->driver))
		put_control(d, f); /* that of another is as it likes it */
}

int assign_take(struct assign_claim *c, const struct sysfs *s, const char *bdf,
		char *why, size_t len)
{
	int err;

	memset(c, 0, sizeof(*c));
	c->claim.lock = -1;
	err = hostdev_open(&c->dev, s, bdf, 0);
	if (err) {
		why_say(why, len, err,
			"there is no PCI device %s; lspci -D lists them", bdf);
		goto err_close;
	}
	if (!sysfs_exists(s, "bus/pci/drivers/" UIO)) {
		err = why_say(why, len, -ENODEV,
			      "cannot take %s: the module " UIO
			      " is not loaded; run modprobe " UIO,
			      bdf);
		goto err_close;
	}
	err = claim(c, bdf, why, len);
	if (err)
		goto err_unclaim;
	err = bind_uio(&c->dev);
	if (err) {
		why_say(why, len, err,
			"cannot bind %s to " UIO "; the kernel's log says why",
			bdf);
		goto err_bind;
	}
	return 0;

err_bind:
	put_back(&c->dev, &c->found);
err_unclaim:
	claim_end(&c->claim);
err_close:
	hostdev_close(&c->dev);
	return err;
}

void assign_give(struct assign_claim *c)
{
	put_back(&c->dev, &c->found);
	claim_end(&c->claim);
	hostdev_close(&c->dev);
}

/* Whoever was to quiesce it has been killed. */
static int quiesce(const struct hostdev *d)
{
	struct assign_host h;
	int err = assign_host_open(&h, d->sys, d->bdf, d->id);

	if (!err)
		err = assign_host_quiesce(&h);
	assign_host_close(&h);
	return err;
}

int assign_mend(const struct sysfs *s, const char *bdf)
{
	struct assign_claim c;
	int err, gone;

	err = claim_take(&c.claim, s, bdf);
	if (err)
		return err;
	gone = hostdev_open(&c.dev, s, bdf, 0);
	if (!gone)
		gone = claim_read(&c.claim, &c.dev, &c.found);
	if (!gone)
		err = quiesce(&c.dev);
	if (!gone && !err)
		put_back(&c.dev, &c.found);
	hostdev_close(&c.dev);
	if (err)
		close(c.claim.lock); /* the record stays for the next */
	else
		claim_end(&c.claim);
	return gone ? -ENOENT : err;
}

static int mend_one(void *ctx, const char *name)
{
	const struct sysfs *const *s = ctx;

	if (name[0] != '.')
		assign_mend(*s, name);
	return 0;
}

void assign_mend_all(const struct sysfs *s)
{
	sysfs_each(s, CLAIM_DIR, mend_one, &s);
}
