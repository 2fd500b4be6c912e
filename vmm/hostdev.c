/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostdev.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void folder(const struct hostdev *d, const char *below, char *path,
		   size_t len)
{
	snprintf(path, len, "bus/pci/devices/%s%s", d->bdf, below);
}

int hostdev_open(struct hostdev *d, const struct sysfs *s, const char *bdf,
		 uint64_t id)
{
	char path[64], full[SYSFS_PATH_LEN];
	struct stat st;
	int err;

	*d = (struct hostdev){ .sys = s, .dir = -1 };
	snprintf(d->bdf, sizeof(d->bdf), "%s", bdf);
	folder(d, "", path, sizeof(path));
	err = sysfs_path(s, path, full, sizeof(full));
	if (err)
		return err;
	d->dir = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir < 0 || fstat(d->dir, &st))
		return -errno;
	d->id = st.st_ino;
	return id && id != d->id ? -ESTALE : 0;
}

void hostdev_close(struct hostdev *d)
{
	if (d->dir >= 0)
		close(d->dir);
	d->dir = -1;
}

bool hostdev_is_there(const struct hostdev *d)
{
	return faccessat(d->dir, "vendor", F_OK, 0) == 0;
}

int hostdev_file(const struct hostdev *d, const char *name, int flags)
{
	int fd = openat(d->dir, name, flags | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

int hostdev_first(const struct hostdev *d, const char *folder_name,
		  char name[HOSTDEV_NAME_LEN])
{
	int fd = hostdev_file(d, folder_name, O_RDONLY | O_DIRECTORY);
	struct dirent *e;
	DIR *dir;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(dir)) && e->d_name[0] == '.')
		;
	if (e)
		snprintf(name, HOSTDEV_NAME_LEN, "%.63s", e->d_name);
	closedir(dir);
	return e ? 0 : -ENOENT;
}

int hostdev_read(const struct hostdev *d, const char *name, char *buf,
		 size_t len)
{
	int fd = hostdev_file(d, name, O_RDONLY);

	return fd < 0 ? fd : sysfs_read_open(fd, buf, len);
}

/* A made-up host's files do not end by themselves: they lose their names. */
static int store(const struct hostdev *d, int fd, const char *name,
		 const char *value)
{
	char below[48], path[112];
	struct stat st;

	if (fstat(fd, &st) || !st.st_nlink)
		return -ENODEV;
	snprintf(below, sizeof(below), "/%s", name);
	folder(d, below, path, sizeof(path));
	return d->sys->store(d->sys, path, value);
}

int hostdev_put(const struct hostdev *d, int fd, const char *name,
		const char *value)
{
	ssize_t len = (ssize_t)strlen(value), n;

	if (d->sys->store)
		return store(d, fd, name, value);
	n = pwrite(fd, value, (size_t)len, 0);
	if (n < 0)
		return -errno;
	return n == len ? 0 : -EIO;
}

int hostdev_write(const struct hostdev *d, const char *name, const char *value)
{
	int fd = hostdev_file(d, name, O_WRONLY), err;

	if (fd < 0)
		return fd;
	err = hostdev_put(d, fd, name, value);
	close(fd);
	return err;
}

void hostdev_driver(const struct hostdev *d, char name[HOSTDEV_NAME_LEN])
{
	char to[SYSFS_PATH_LEN], *last;
	ssize_t n = readlinkat(d->dir, "driver", to, sizeof(to) - 1);

	to[n > 0 ? n : 0] = '\0';
	last = strrchr(to, '/');
	snprintf(name, HOSTDEV_NAME_LEN, "%.63s", last ? last + 1 : to);
}

void hostdev_override(const struct hostdev *d, char name[HOSTDEV_NAME_LEN])
{
	if (hostdev_read(d, "driver_override", name, HOSTDEV_NAME_LEN) ||
	    !strcmp(name, "(null)"))
		name[0] = '\0';
}
