/* SPDX-License-Identifier: BSD-2-Clause */
#include "pciuse.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STACK_DEPTH 8 /* LVM on dm-crypt on md is 3 */
#define IFF_IS_UP   0x1

struct disk {
	const struct sysfs *s;
	char name[64];	  /* nvme0n1p2 */
	char number[32];  /* 259:2, or "" */
	char mapped[128]; /* device mapper's name for it, or "" */
	int depth;
	char *who;
	size_t len;
};

static int check_disk(struct disk *d, const char *path);

/* Is the file /dev/.. of a mount or of swap this disk? */
static bool is_named(const struct disk *d, const char *file)
{
	static const char mapper[] = "/dev/mapper/";

	if (strncmp(file, mapper, sizeof(mapper) - 1) == 0)
		return d->mapped[0] &&
		       strcmp(file + sizeof(mapper) - 1, d->mapped) == 0;
	return strncmp(file, "/dev/", 5) == 0 && strcmp(file + 5, d->name) == 0;
}

/* "36 35 98:0 / /mnt rw,noatime master:1 - ext4 /dev/root rw" */
static int match_mount(void *ctx, char *line)
{
	const struct disk *d = ctx;
	char number[32], where[256], source[256] = "";
	char *rest = strstr(line, " - ");

	if (sscanf(line, "%*s %*s %31s %*s %255s", number, where) != 2)
		return 0;
	if (rest && sscanf(rest + 3, "%*s %255s", source) != 1)
		source[0] = '\0';
	if ((!d->number[0] || strcmp(number, d->number)) &&
	    !is_named(d, source))
		return 0;
	snprintf(d->who, d->len, "%s is mounted on %s", d->name, where);
	return 1;
}

static int match_swap(void *ctx, char *line)
{
	const struct disk *d = ctx;
	char file[256];

	if (sscanf(line, "%255s", file) != 1 || !is_named(d, file))
		return 0;
	snprintf(d->who, d->len, "%s is used for swap", d->name);
	return 1;
}

/* Each device of a multi-device btrfs is listed, but one only is in mounts. */
static int match_btrfs(void *ctx, const char *fs)
{
	const struct disk *d = ctx;
	char path[SYSFS_PATH_LEN];

	snprintf(path, sizeof(path), "fs/btrfs/%s/devices/%s", fs, d->name);
	if (!sysfs_exists(d->s, path))
		return 0;
	snprintf(d->who, d->len, "%s is part of a mounted btrfs", d->name);
	return 1;
}

static int check_holder(void *ctx, const char *name)
{
	struct disk *below = ctx, d = *below;
	char path[SYSFS_PATH_LEN];
	int err;

	if (below->depth == STACK_DEPTH)
		return -ELOOP;
	d.depth++;
	snprintf(path, sizeof(path), "class/block/%s", name);
	snprintf(d.name, sizeof(d.name), "%.63s", name);
	err = check_disk(&d, path);
	if (err)
		return err;
	/* Active but idle: it holds the disk open all the same. */
	snprintf(d.who, d.len, "%s is held by %s", below->name, name);
	return 1;
}

static void read_names(struct disk *d, const char *path)
{
	char attr[SYSFS_PATH_LEN];

	snprintf(attr, sizeof(attr), "%.900s/dev", path);
	if (sysfs_read(d->s, attr, d->number, sizeof(d->number)))
		d->number[0] = '\0';
	snprintf(attr, sizeof(attr), "%.900s/dm/name", path);
	if (sysfs_read(d->s, attr, d->mapped, sizeof(d->mapped)))
		d->mapped[0] = '\0';
}

/* A file that is not there lists nothing. */
static int found(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -EACCES ? 0 : err;
}

/* What no table shows (ZFS) still shows when somebody else wants it alone. */
static int check_exclusive(struct disk *d)
{
	char path[128], full[SYSFS_PATH_LEN];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s", d->name);
	if (sysfs_path(d->s, path, full, sizeof(full)))
		return 0;
	fd = open(full, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || errno != EBUSY)
		return 0;
	snprintf(d->who, d->len, "%s is open for exclusive use", d->name);
	return 1;
}

static int check_disk(struct disk *d, const char *path)
{
	char holders[SYSFS_PATH_LEN];
	int err;

	read_names(d, path);
	snprintf(holders, sizeof(holders), "%.900s/holders", path);
	err = sysfs_lines(d->s, "/proc/self/mountinfo", match_mount, d);
	if (!err)
		err = found(
			sysfs_lines(d->s, "/proc/1/mountinfo", match_mount, d));
	if (!err)
		err = found(sysfs_lines(d->s, "/proc/swaps", match_swap, d));
	if (!err)
		err = found(sysfs_each(d->s, "fs/btrfs", match_btrfs, d));
	if (!err)
		err = found(sysfs_each(d->s, holders, check_holder, d));
	return err ? err : check_exclusive(d);
}

static int check_found(void *ctx, const char *path, const char *name);

/*
 * nvme0c1n1 is one path to the multipath disk nvme0n1, which lies elsewhere
 * in sysfs and is the one that is mounted.
 */
static int check_multipath(struct disk *d, const char *name)
{
	unsigned int subsystem, path, space;
	char head[64], dir[128];
	int end = 0, err;

	if (sscanf(name, "nvme%uc%un%u%n", &subsystem, &path, &space, &end) !=
		    3 ||
	    name[end])
		return 0;
	snprintf(head, sizeof(head), "nvme%un%u", subsystem, space);
	snprintf(dir, sizeof(dir), "class/block/%s", head);
	err = check_found(d, dir, head);
	if (err)
		return err;
	return found(sysfs_devices(d->s, dir, "block", check_found, d));
}

static int check_found(void *ctx, const char *path, const char *name)
{
	struct disk *d = ctx;
	int err;

	snprintf(d->name, sizeof(d->name), "%.63s", name);
	err = check_disk(d, path);
	return err ? err : check_multipath(d, name);
}

int pciuse_block(const struct sysfs *s, const char *dir, char *who, size_t len)
{
	struct disk d = { .s = s, .who = who, .len = len };

	return sysfs_devices(s, dir, "block", check_found, &d);
}

struct net {
	const struct sysfs *s;
	const char *name;
	char *who;
	size_t len;
	int up;
};

/* "eth0 00000000 0202000A 0003 0 0 0 00000000": destination 0, mask 0 */
static int match_route(void *ctx, char *line)
{
	const struct net *n = ctx;
	char name[64], to[16], mask[16];

	return sscanf(line, "%63s %15s %*s %*s %*s %*s %*s %15s", name, to,
		      mask) == 3 &&
	       strcmp(name, n->name) == 0 && strspn(to, "0") == strlen(to) &&
	       strspn(mask, "0") == strlen(mask);
}

static int check_net(void *ctx, const char *path, const char *name)
{
	struct net *n = ctx;
	char attr[SYSFS_PATH_LEN];
	uint64_t flags;

	n->name = name;
	if (sysfs_lines(n->s, "/proc/net/route", match_route, n) == 1) {
		snprintf(n->who, n->len, "%s has the default route", name);
		return 1;
	}
	snprintf(attr, sizeof(attr), "%.900s/flags", path);
	if (n->up || sysfs_read_hex(n->s, attr, &flags) || !(flags & IFF_IS_UP))
		return 0;
	snprintf(n->who, n->len, "%s is up", name);
	n->up = 1;
	return 0; /* another may have the default route */
}

int pciuse_net(const struct sysfs *s, const char *dir, char *who, size_t len)
{
	struct net n = { .s = s, .who = who, .len = len };
	int err = sysfs_devices(s, dir, "net", check_net, &n);

	return err ? err : n.up;
}
