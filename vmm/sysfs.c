/* SPDX-License-Identifier: BSD-2-Clause */
#include "sysfs.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALK_DEPTH 16 /* deeper than any device is nested */

int sysfs_path(const struct sysfs *s, const char *path, char *out, size_t len)
{
	const char *host = s->host ? s->host : "";
	int n;

	if (strstr(path, "/../") || strncmp(path, "../", 3) == 0)
		return -EINVAL;
	if (path[0] == '/')
		n = snprintf(out, len, "%s%s", host, path);
	else
		n = snprintf(out, len, "%s/%s", s->root, path);
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

/* From its beginning: what is read is made anew. */
static int open_kept(const struct sysfs_kept *k, const char *path)
{
	for (unsigned int i = 0; k && i < k->n; i++) {
		if (strcmp(k->file[i].path, path))
			continue;
		if (lseek(k->file[i].fd, 0, SEEK_SET))
			return -errno;
		return fcntl(k->file[i].fd, F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

static int open_attr(const struct sysfs *s, const char *path, int flags)
{
	char full[SYSFS_PATH_LEN];
	int fd, err;

	err = sysfs_path(s, path, full, sizeof(full));
	if (err)
		return err;
	fd = flags == O_RDONLY ? open_kept(s->kept, path) : -1;
	if (fd < 0)
		fd = open(full, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int sysfs_keep(const struct sysfs *s, const char *path, struct sysfs_kept *k)
{
	int fd;

	if (k->n == SYSFS_KEPT)
		return -ENOSPC;
	if (strlen(path) >= sizeof(k->file[0].path))
		return -ENAMETOOLONG;
	fd = open_attr(s, path, O_RDONLY);
	if (fd < 0)
		return fd;
	strcpy(k->file[k->n].path, path);
	k->file[k->n++].fd = fd;
	return 0;
}

void sysfs_forget(struct sysfs_kept *k)
{
	while (k->n)
		close(k->file[--k->n].fd);
}

/* Up to @len bytes; how many there were, or -errno. */
static ssize_t read_some(int fd, char *buf, size_t len)
{
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		n = read(fd, buf + have, len - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int sysfs_read(const struct sysfs *s, const char *path, char *buf, size_t len)
{
	int fd = open_attr(s, path, O_RDONLY);

	return fd < 0 ? fd : sysfs_read_open(fd, buf, len);
}

int sysfs_read_open(int fd, char *buf, size_t len)
{
	ssize_t n = read_some(fd, buf, len);

	close(fd);
	if (n < 0)
		return (int)n;
	if ((size_t)n == len)
		return -E2BIG;
	while (n > 0 && isspace((unsigned char)buf[n - 1]))
		n--;
	buf[n] = '\0';
	return 0;
}

int sysfs_read_bytes(const struct sysfs *s, const char *path, void *buf,
		     size_t len)
{
	ssize_t n;
	int fd;

	fd = open_attr(s, path, O_RDONLY);
	if (fd < 0)
		return fd;
	n = read_some(fd, buf, len);
	close(fd);
	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -EIO;
}

/* @base 0: as the 0x in front says, and never octal. */
static int read_number(const struct sysfs *s, const char *path, int base,
		       uint64_t *out)
{
	char text[64], *end;
	unsigned long long v;
	int err;

	err = sysfs_read(s, path, text, sizeof(text));
	if (err)
		return err;
	if (!base)
		base = strncmp(text, "0x", 2) ? 10 : 16;
	if (!isxdigit((unsigned char)text[0]))
		return -EINVAL; /* strtoull takes signs and blanks */
	errno = 0;
	v = strtoull(text, &end, base);
	if (errno || *end)
		return -EINVAL;
	*out = v;
	return 0;
}

int sysfs_read_u64(const struct sysfs *s, const char *path, uint64_t *out)
{
	return read_number(s, path, 0, out);
}

int sysfs_read_hex(const struct sysfs *s, const char *path, uint64_t *out)
{
	return read_number(s, path, 16, out);
}

int sysfs_write(const struct sysfs *s, const char *path, const char *value)
{
	size_t len = strlen(value);
	ssize_t n;
	int fd, err = 0;

	if (s->store)
		return s->store(s, path, value);
	fd = open_attr(s, path, O_WRONLY);
	if (fd < 0)
		return fd;
	do {
		n = write(fd, value, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		err = -errno;
	else if ((size_t)n != len)
		err = -EIO;
	close(fd);
	return err;
}

int sysfs_link_name(const struct sysfs *s, const char *path, char *buf,
		    size_t len)
{
	char full[SYSFS_PATH_LEN], to[SYSFS_PATH_LEN], *name;
	ssize_t n;
	int err;

	err = sysfs_path(s, path, full, sizeof(full));
	if (err)
		return err;
	n = readlink(full, to, sizeof(to));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(to))
		return -ENAMETOOLONG;
	to[n] = '\0';
	name = strrchr(to, '/');
	name = name ? name + 1 : to;
	if (strlen(name) >= len)
		return -ENAMETOOLONG;
	memcpy(buf, name, strlen(name) + 1);
	return 0;
}

bool sysfs_exists(const struct sysfs *s, const char *path)
{
	char full[SYSFS_PATH_LEN];

	return !sysfs_path(s, path, full, sizeof(full)) &&
	       access(full, F_OK) == 0;
}

static int is_entry(const struct dirent *d)
{
	return strcmp(d->d_name, ".") && strcmp(d->d_name, "..");
}

int sysfs_each(const struct sysfs *s, const char *path,
	       int (*fn)(void *ctx, const char *name), void *ctx)
{
	char full[SYSFS_PATH_LEN];
	struct dirent **list;
	int n, err;

	err = sysfs_path(s, path, full, sizeof(full));
	if (err)
		return err;
	n = scandir(full, &list, is_entry, alphasort);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (!err)
			err = fn(ctx, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return err;
}

struct walk {
	const struct sysfs *s;
	const char *dir, *subsystem;
	int (*fn)(void *ctx, const char *path, const char *name);
	void *ctx;
	int depth;
};

static bool is_folder(const struct sysfs *s, const char *path)
{
	char full[SYSFS_PATH_LEN];
	struct stat st;

	return !sysfs_path(s, path, full, sizeof(full)) && !lstat(full, &st) &&
	       S_ISDIR(st.st_mode);
}

static bool is_device_of(const struct walk *w, const char *path)
{
	char link[SYSFS_PATH_LEN], name[64];
	int n = snprintf(link, sizeof(link), "%s/subsystem", path);

	return n > 0 && (size_t)n < sizeof(link) &&
	       !sysfs_link_name(w->s, link, name, sizeof(name)) &&
	       strcmp(name, w->subsystem) == 0;
}

static int walk_entry(void *ctx, const char *name)
{
	const struct walk *w = ctx;
	char path[SYSFS_PATH_LEN];
	struct walk below = *w;
	int n, err;

	n = snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	if (!is_folder(w->s, path) || w->depth == WALK_DEPTH)
		return 0;
	if (is_device_of(w, path)) {
		err = w->fn(w->ctx, path, name);
		if (err)
			return err;
	}
	below.dir = path;
	below.depth++;
	err = sysfs_each(w->s, path, walk_entry, &below);
	if (err == -ENOENT && !is_folder(w->s, path))
		return 0; /* unplugged meanwhile */
	return err;
}

int sysfs_devices(const struct sysfs *s, const char *dir, const char *subsystem,
		  int (*fn)(void *ctx, const char *path, const char *name),
		  void *ctx)
{
	struct walk w = {
		.s = s,
		.dir = dir,
		.subsystem = subsystem,
		.fn = fn,
		.ctx = ctx,
	};

	return sysfs_each(s, dir, walk_entry, &w);
}

int sysfs_lines(const struct sysfs *s, const char *path,
		int (*fn)(void *ctx, char *line), void *ctx)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	FILE *f;
	int fd, err = 0;

	fd = open_attr(s, path, O_RDONLY);
	if (fd < 0)
		return fd;
	f = fdopen(fd, "r");
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	errno = 0;
	while (!err && (n = getline(&line, &room, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		err = fn(ctx, line);
	}
	if (!err && ferror(f))
		err = errno ? -errno : -EIO;
	free(line);
	fclose(f);
	return err;
}
