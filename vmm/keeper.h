/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper: what outlives the VMM, so that pins outlive bus mastering.
 *
 * When a VMM is killed its memory goes first and its files are closed in an
 * order that the kernel does not promise, while the device may still be
 * writing. The keeper is a small process forked before there is guest memory.
 * It takes the assigned functions from their drivers, and holds a duplicate of
 * every ring that pins guest memory. It ends when the VMM says goodbye or
 * dies, and always in this order:
 *	1. quiesce each function: bus master off, drain, reset;
 *	2. let go of the rings, and with them of the pins;
 *	3. give the functions back to their drivers.
 * A function that cannot be quiesced keeps the pins: the keeper stays and
 * tries again every second.
 *
 * A ring's file descriptor cannot be sent over a socket (Linux refuses io_uring
 * there); the keeper fetches it with pidfd_getfd(2).
 *
 * It also removes the control socket of a machine that has ended: the machine
 * may remove no file any more (confine.h). A machine without devices has a
 * keeper for that alone.
 *
 * If the keeper itself is killed the VMM is told (on_death) and must stop: it
 * still holds the pins and quiesces by itself. Both killed at the same moment
 * is the case that nothing covers but the uio driver's own clearing of the
 * bus-master bit.
 */
#ifndef VMM_KEEPER_H
#define VMM_KEEPER_H

#include "sysfs.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct keeper {
	pid_t pid;
	int sock;
	pthread_mutex_t lock; /* one request at a time */
	pthread_t watch;      /* runs only after keeper_watch() */
	int watching;
	void (*on_death)(void *opaque);
	void *opaque;
};

/* Fork it. Call while the process has one thread and no guest memory. */
int keeper_start(struct keeper *k, const struct sysfs *s);

/*
 * Take function @bdf; see assign_take() for errors and @why. @id: out, which
 * function it is (hostdev.h).
 */
int keeper_take(struct keeper *k, const char *bdf, uint64_t *id, char *why,
		size_t len);

/*
 * Function @bdf is lost to this machine and maps nothing. When the host has lost
 * it too its claim ends, so that another machine can have what comes to its
 * slot; else it is given back at the end, with the others.
 */
void keeper_lost(struct keeper *k, const char *bdf);

/* Hold ring @fd as well. The signature is that of vd_noiommu_cfg.on_ring. */
int keeper_ring(void *keeper, int fd);

/*
 * When the machine has ended remove the control socket @path and its lock, if
 * no other machine has them by then.
 */
int keeper_tidy(struct keeper *k, const char *path);

/*
 * All is taken: confine the keeper (confine.h), which from here on takes no
 * function and no path, whoever asks. @pins: more rings may come. 0, or -errno
 * with a sentence in @why.
 */
int keeper_seal(struct keeper *k, bool pins, char *why, size_t len);

/* Call @on_death once, in a thread of its own, should the keeper die. */
int keeper_watch(struct keeper *k, void (*on_death)(void *opaque),
		 void *opaque);

/*
 * Say goodbye and wait until the functions are given back. 0; -EIO: a function
 * could not be quiesced, and the keeper stays with the pins; -EPIPE: it had died,
 * and nobody has given them back (assign_mend()).
 */
int keeper_finish(struct keeper *k);

#endif
