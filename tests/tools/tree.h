/* SPDX-License-Identifier: BSD-2-Clause */
/* A made-up host in a temporary directory, for what reads /sys and /proc. */
#ifndef TESTS_TOOLS_TREE_H
#define TESTS_TOOLS_TREE_H

#include "sysfs.h"
#include <stddef.h>

struct tree {
	char dir[64];  /* what struct sysfs calls host */
	char root[72]; /* dir/sys */
	struct sysfs s;
};

/* Each ends the test by cmocka's assert if it cannot. */
void tree_make(struct tree *t);
void tree_end(struct tree *t);

/* Paths as in sysfs.h; folders above are made. */
void tree_file(struct tree *t, const char *path, const char *text);
void tree_bytes(struct tree *t, const char *path, const void *p, size_t len);
void tree_link(struct tree *t, const char *path, const char *to);
void tree_dir(struct tree *t, const char *path);
void tree_drop(struct tree *t, const char *path);

struct tree_pci {
	const char *bdf, *driver; /* driver NULL: none */
	unsigned int vendor, device, class;
	unsigned char header, pin; /* pin 0: no INTx */
	const char *resource;	   /* text of "resource"; NULL: empty */
};

void tree_pci(struct tree *t, const struct tree_pci *p);

#endif
