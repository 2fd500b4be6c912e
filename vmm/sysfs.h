/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attributes of the kernel: small text files below /sys, /proc and the like.
 *
 * A struct sysfs says where the trees are, so that tests can give a made-up
 * host. A path that does not begin with a slash lies below @root ("/sys"); one
 * that does lies below @host (normally empty: the real path).
 *
 *	sysfs_read(s, "bus/pci/devices/0000:03:00.0/vendor", ...)
 *	sysfs_read(s, "/proc/swaps", ...)
 *
 * Nothing is cached. All functions may be called from any thread. They return
 * 0 or -errno as the system call said, besides:
 *  -ENAMETOOLONG  the path, or a link's name, does not fit
 *  -E2BIG         the attribute does not fit
 *  -EINVAL        the attribute is no number (or the path escapes: "..")
 */
#ifndef VMM_SYSFS_H
#define VMM_SYSFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSFS_PATH_LEN 1024

#define SYSFS_KEPT     4

/* Files that stay open, for who may not open any later. */
struct sysfs_kept {
	unsigned int n;
	struct {
		char path[48];
		int fd;
	} file[SYSFS_KEPT];
};

struct sysfs {
	const char *root; /* "/sys" */
	const char *host; /* put before absolute paths; NULL: nothing */
	const struct sysfs_kept *kept; /* read where it has them; NULL: none */
	/*
	 * Tests: what the kernel does when an attribute is written; called in
	 * place of the write. NULL: it is written.
	 */
	int (*store)(const struct sysfs *s, const char *path,
		     const char *value);
};

/*
 * Keep @path open for reading; one thread at a time may read it. -ENOSPC:
 * SYSFS_KEPT are open. Forget closes them all.
 */
int sysfs_keep(const struct sysfs *s, const char *path, struct sysfs_kept *k);
void sysfs_forget(struct sysfs_kept *k);

/* The real file name of @path. */
int sysfs_path(const struct sysfs *s, const char *path, char *out, size_t len);

/* The whole attribute, 0-terminated, white space at its end cut off. */
int sysfs_read(const struct sysfs *s, const char *path, char *buf, size_t len);

/* The same of a file that is open, which it closes. */
int sysfs_read_open(int fd, char *buf, size_t len);

/* Raw bytes from the start: exactly @len of them, or -EIO. */
int sysfs_read_bytes(const struct sysfs *s, const char *path, void *buf,
		     size_t len);

/* A number as the attribute has it: 0x.. is hexadecimal, else decimal. */
int sysfs_read_u64(const struct sysfs *s, const char *path, uint64_t *out);

/* A hexadecimal number, with or without 0x. */
int sysfs_read_hex(const struct sysfs *s, const char *path, uint64_t *out);

/* One write(2) of @value. */
int sysfs_write(const struct sysfs *s, const char *path, const char *value);

/* Last component of what a symbolic link points to (driver, iommu_group). */
int sysfs_link_name(const struct sysfs *s, const char *path, char *buf,
		    size_t len);

bool sysfs_exists(const struct sysfs *s, const char *path);

/*
 * Call @fn for each entry of a directory, in alphabetical order, without "."
 * and "..". Stops at the first that does not return 0, and returns that.
 */
int sysfs_each(const struct sysfs *s, const char *path,
	       int (*fn)(void *ctx, const char *name), void *ctx);

/*
 * Call @fn for every device of class or bus @subsystem ("block", "net") at any
 * depth below the folder @dir, with its path and its name; a parent comes
 * before its children. Stops as sysfs_each().
 */
int sysfs_devices(const struct sysfs *s, const char *dir, const char *subsystem,
		  int (*fn)(void *ctx, const char *path, const char *name),
		  void *ctx);

/* Call @fn for each line of a file of any length; stops as sysfs_each(). */
int sysfs_lines(const struct sysfs *s, const char *path,
		int (*fn)(void *ctx, char *line), void *ctx);

#endif
