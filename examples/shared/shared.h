/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One NVMe controller for several providers, each with a queue pair and DMA
 * windows of its own: what translation hardware does, in software, before a
 * device model that cannot be trusted.
 *
 * A command is copied and the device is given what the engine translates for
 * its provider in its direction, and control memory. Each address is translated
 * as well: what is refused is in the engine's fault ring, and the regions must
 * agree. Then the command goes to the device as it is: what it aims elsewhere
 * lands nowhere, whatever the device reports. Control memory may not be named.
 *
 * The device has seven regions. They are not kept for all providers at once but
 * changed with whose turn it is: a burst begins with a provider's regions and
 * ends with its completion. So providers cannot reach each other, and one
 * provider may have six runs of contiguous memory.
 *
 * Threads: all functions but create and destroy from any. The bus lock is held
 * over a burst; the engine's drain takes it, and then nothing is in flight.
 */
#ifndef SHARED_SHARED_H
#define SHARED_SHARED_H

#include "nvme.h"
#include <viaduct/viaduct.h>

#define SHARED_OWNERS	 8
#define SHARED_PAGES_MAX 32 /* of one command */

struct shared;

/* Owners are told of their windows; as vd_adapter_ops.changed. */
struct shared_listener {
	void (*changed)(void *opaque, uint32_t owner,
			const struct vd_window_info *w);
	void *opaque;
};

/* @remote is consumed on success; @l is copied, NULL: nobody listens. */
int shared_create(struct vd_remote *remote, const struct shared_listener *l,
		  struct shared **out);
void shared_destroy(struct shared *s);

struct vd_adapter *shared_adapter(struct shared *s);

/*
 * An owner with @len bytes of memory of its own, from guest address 0. A
 * provider (@provider is VD_NO_OWNER) gets a queue pair, and a device with its
 * own id on the engine's adapter.
 */
int shared_add(struct shared *s, uint32_t id, uint32_t provider, uint64_t len);
unsigned char *shared_memory(struct shared *s, uint32_t id);

/*
 * As vd_window_map() and vd_window_unmap(). After an unmap the device cannot
 * reach the memory.
 */
int shared_map(struct shared *s, const struct vd_window_range *r);
int shared_unmap(struct shared *s, const struct vd_window_range *r);

/**
 * struct shared_io - a burst of commands, all of which read or all write
 * @e: copied
 * @n: 1 to NVME_BURST; they are in flight together
 */
struct shared_io {
	uint32_t provider;
	const struct nvme_sqe *e;
	unsigned int n;
};

struct shared_result {
	unsigned int status; /* what the device says */
	unsigned int faults; /* addresses that were refused */
};

/*
 * @out has room for each command. 0: they were carried out, with whatever
 * faults. Else none was begun: -EINVAL: @n, no read, write or flush, both
 * directions, too long, or misaligned; -ENOENT: no such provider; -EACCES: one
 * names control memory; -ENOSPC: the provider's memory is in more than six
 * runs; -EFAULT: a list of pages cannot be read; -EAGAIN: the windows change
 * faster than one can look. Others: the device is lost.
 */
int shared_do(struct shared *s, const struct shared_io *io,
	      struct shared_result *out);

/*
 * Hold the device against the engine: give @provider the bus and ask the engine
 * of each of @npages pages from @bus on where it leads. *@differ: pages that one
 * of them lets through and the other does not, or to other memory. What the
 * engine refuses is in its fault ring.
 */
int shared_audit(struct shared *s, uint32_t provider, unsigned int prot,
		 vd_iova bus, size_t npages, size_t *differ);

struct shared_stats {
	uint64_t bursts, commands, syncs, drains, faults, refused, bytes;
};

void shared_stats(struct shared *s, struct shared_stats *out);
/* Commands of one provider so far: what a monitor makes rates of. */
uint64_t shared_requests(struct shared *s, uint32_t provider);

#endif
