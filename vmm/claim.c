/* SPDX-License-Identifier: BSD-2-Clause */
#include "claim.h"
#include "lockfile.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_LEN 512
#define BOOT_LEN   40 /* a UUID and room */

/* CLAIM_DIR/@before@bdf@after as a real file name. */
static int name_of(const struct claim *c, const char *before, const char *after,
		   char full[SYSFS_PATH_LEN])
{
	char path[80];

	snprintf(path, sizeof(path), CLAIM_DIR "/%s%s%s", before, c->bdf,
		 after);
	return sysfs_path(c->sys, path, full, SYSFS_PATH_LEN);
}

static void make_folder(const struct sysfs *s, const char *path, mode_t mode)
{
	char full[SYSFS_PATH_LEN];

	if (!sysfs_path(s, path, full, sizeof(full)))
		mkdir(full, mode); /* what fails is seen by the next step */
}

int claim_take(struct claim *c, const struct sysfs *s, const char *bdf)
{
	char full[SYSFS_PATH_LEN];
	int err;

	*c = (struct claim){ .sys = s, .lock = -1 };
	snprintf(c->bdf, sizeof(c->bdf), "%s", bdf);
	make_folder(s, "/run/viaduct", 0755);
	make_folder(s, CLAIM_DIR, 0700);
	err = name_of(c, "", "", full);
	if (err)
		return err;
	c->lock = lockfile_take(full);
	return c->lock < 0 ? c->lock : 0;
}

/* Inode numbers are for one start of the host. */
static void boot_of(const struct sysfs *s, char boot[BOOT_LEN])
{
	if (sysfs_read(s, "/proc/sys/kernel/random/boot_id", boot, BOOT_LEN))
		strcpy(boot, "unknown");
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	return write(fd, text, len) == (ssize_t)len ? 0 : -EIO;
}

/*
 * A second file, locked before it has the name. Whoever opens the first one
 * meanwhile finds it locked, or without a name (lockfile.c).
 */
static int replace(struct claim *c, const char *text)
{
	char full[SYSFS_PATH_LEN], fresh[SYSFS_PATH_LEN];
	int fd, err = name_of(c, "", "", full);

	if (!err)
		err = name_of(c, ".", ".new", fresh);
	if (err)
		return err;
	fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	err = write_all(fd, text);
	if (!err && rename(fresh, full))
		err = -errno;
	if (err) {
		if (fd >= 0)
			close(fd);
		unlink(fresh);
		return err;
	}
	close(c->lock);
	c->lock = fd;
	return 0;
}

int claim_write(struct claim *c, const struct hostdev *d,
		const struct claim_found *f)
{
	char text[RECORD_LEN], boot[BOOT_LEN];

	boot_of(c->sys, boot);
	snprintf(text, sizeof(text),
		 "boot %s\ndevice %" PRIx64 "\ndriver %s\noverride %s\n"
		 "command %04x\ncontrol %s\nend\n",
		 boot, d->id, f->driver, f->override, f->command, f->control);
	return replace(c, text);
}

/* The rest of the line that begins with @key. */
static bool field(const char *text, const char *key, char *out, size_t len)
{
	size_t klen = strlen(key), n;
	const char *line = text;

	while (line && strncmp(line, key, klen) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return false;
	n = strcspn(line + klen, "\n");
	if (n >= len)
		return false;
	memcpy(out, line + klen, n);
	out[n] = '\0';
	return true;
}

static bool is_about(const char *text, const struct hostdev *d)
{
	char boot[BOOT_LEN], now[BOOT_LEN], id[20];

	boot_of(d->sys, now);
	return field(text, "boot ", boot, sizeof(boot)) && !strcmp(boot, now) &&
	       field(text, "device ", id, sizeof(id)) &&
	       strtoull(id, NULL, 16) == d->id;
}

int claim_read(const struct claim *c, const struct hostdev *d,
	       struct claim_found *out)
{
	char text[RECORD_LEN], command[8], end[4];
	ssize_t n = pread(c->lock, text, sizeof(text) - 1, 0);
	struct claim_found f;

	text[n > 0 ? n : 0] = '\0';
	if (!field(text, "end", end, sizeof(end)) || !is_about(text, d) ||
	    !field(text, "driver ", f.driver, sizeof(f.driver)) ||
	    !field(text, "override ", f.override, sizeof(f.override)) ||
	    !field(text, "command ", command, sizeof(command)))
		return -ENOENT;
	f.command = (uint16_t)strtoul(command, NULL, 16);
	if (!field(text, "control ", f.control, sizeof(f.control)))
		f.control[0] = '\0'; /* a record of an older version */
	*out = f;
	return 0;
}

void claim_end(struct claim *c)
{
	char full[SYSFS_PATH_LEN];

	if (c->lock < 0)
		return;
	if (!name_of(c, "", "", full))
		unlink(full);
	close(c->lock);
	c->lock = -1;
}
