/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

void tree_make(struct tree *t)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/viaduct-tree-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	snprintf(t->root, sizeof(t->root), "%s/sys", t->dir);
	t->s = (struct sysfs){ .root = t->root, .host = t->dir };
	tree_dir(t, "bus/pci/devices");
	tree_dir(t, "bus/pci/drivers");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void remove_all(const char *path)
{
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_end(struct tree *t)
{
	remove_all(t->dir);
}

void tree_drop(struct tree *t, const char *path)
{
	char full[SYSFS_PATH_LEN];

	assert_int_equal(sysfs_path(&t->s, path, full, sizeof(full)), 0);
	remove_all(full);
}

static void above(char *full)
{
	for (char *p = strchr(full + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(full, 0755))
			assert_int_equal(errno, EEXIST);
		*p = '/';
	}
}

static void place(struct tree *t, const char *path, char *full)
{
	assert_int_equal(sysfs_path(&t->s, path, full, SYSFS_PATH_LEN), 0);
	above(full);
}

void tree_bytes(struct tree *t, const char *path, const void *p, size_t len)
{
	char full[SYSFS_PATH_LEN];
	FILE *f;

	place(t, path, full);
	f = fopen(full, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

void tree_file(struct tree *t, const char *path, const char *text)
{
	tree_bytes(t, path, text, strlen(text));
}

void tree_link(struct tree *t, const char *path, const char *to)
{
	char full[SYSFS_PATH_LEN];

	place(t, path, full);
	assert_int_equal(symlink(to, full), 0);
}

void tree_dir(struct tree *t, const char *path)
{
	char full[SYSFS_PATH_LEN];

	place(t, path, full);
	if (mkdir(full, 0755))
		assert_int_equal(errno, EEXIST);
}

static void attr(struct tree *t, const char *bdf, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/%s", bdf, name);
	tree_file(t, path, text);
}

void tree_pci(struct tree *t, const struct tree_pci *p)
{
	unsigned char config[64] = { [0x0e] = p->header, [0x3d] = p->pin };
	char path[256], text[64];

	snprintf(text, sizeof(text), "0x%04x\n", p->vendor);
	attr(t, p->bdf, "vendor", text);
	snprintf(text, sizeof(text), "0x%04x\n", p->device);
	attr(t, p->bdf, "device", text);
	snprintf(text, sizeof(text), "0x%06x\n", p->class);
	attr(t, p->bdf, "class", text);
	attr(t, p->bdf, "reset", "");
	attr(t, p->bdf, "resource", p->resource ? p->resource : "");
	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", p->bdf);
	tree_bytes(t, path, config, sizeof(config));
	if (!p->driver)
		return;
	snprintf(path, sizeof(path), "bus/pci/drivers/%s", p->driver);
	tree_dir(t, path);
	snprintf(path, sizeof(path), "bus/pci/devices/%s/driver", p->bdf);
	snprintf(text, sizeof(text), "../../drivers/%s", p->driver);
	tree_link(t, path, text);
}
