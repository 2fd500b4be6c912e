/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One PCI function of the host, and no other that comes to its address.
 *
 * An address names a slot: a card may be pulled and another put in. So we hold
 * the function's folder in sysfs open and reach its attributes through that. The
 * kernel makes a folder for each function that it finds and ends it with the
 * function, so what a held folder leads to is this function or nothing (-ENOENT,
 * -ENODEV), whoever is at the address now. The folder's inode number is the
 * kernel's number for it, never used twice between two starts: by it two
 * processes, or a run and the next, speak of the same function.
 *
 * Any thread; nothing changes between open and close.
 */
#ifndef VMM_HOSTDEV_H
#define VMM_HOSTDEV_H

#include "sysfs.h"
#include <stdbool.h>
#include <stdint.h>

#define HOSTDEV_BDF_LEN	 16 /* "0000:03:00.0" and room */
#define HOSTDEV_NAME_LEN 64 /* of a driver */

struct hostdev {
	const struct sysfs *sys; /* borrowed */
	char bdf[HOSTDEV_BDF_LEN];
	int dir;     /* its folder, or -1 */
	uint64_t id; /* the folder's inode number */
};

/*
 * A closed one has an address and an id still, and what was opened stays open: a
 * process that shall reach no other files closes it.
 *
 * @id: which function it has to be, or 0 for any. 0, -ESTALE (another one is
 * at the address), or -errno. Closing is fine after a failure.
 */
int hostdev_open(struct hostdev *d, const struct sysfs *s, const char *bdf,
		 uint64_t id);
void hostdev_close(struct hostdev *d);

/* Does the host still have it? (A card that is pulled goes a little later.) */
bool hostdev_is_there(const struct hostdev *d);

/* Open one of its files: a descriptor, or -errno. */
int hostdev_file(const struct hostdev *d, const char *name, int flags);

/* The first name in one of its folders; 0 or -errno (-ENOENT: it is empty). */
int hostdev_first(const struct hostdev *d, const char *folder,
		  char name[HOSTDEV_NAME_LEN]);

/* As sysfs_read() and sysfs_write(), of one of its attributes. */
int hostdev_read(const struct hostdev *d, const char *name, char *buf,
		 size_t len);
int hostdev_write(const struct hostdev *d, const char *name, const char *value);

/* Write to attribute @name that hostdev_file() has opened; @d may be closed. */
int hostdev_put(const struct hostdev *d, int fd, const char *name,
		const char *value);

/* Who drives it; "" if nobody does, or it is gone. */
void hostdev_driver(const struct hostdev *d, char name[HOSTDEV_NAME_LEN]);

/* Which driver alone may drive it ("driver_override"); "" if any may. */
void hostdev_override(const struct hostdev *d, char name[HOSTDEV_NAME_LEN]);

#endif
