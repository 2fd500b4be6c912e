/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One NVMe controller for several providers, each with a queue pair and DMA
 * windows of its own: what translation hardware does, in software, before a
 * device model that cannot be trusted.
 *
 * A command is copied. Each address of it is translated for its provider in its
 * direction: what is refused is in the engine's fault ring. The device has what
 * the engine translates for all providers, each in a slice of the device's bus
 * (slices.h), and must agree. Then the command goes to the device with its
 * addresses in its provider's slice: what it aims elsewhere lands nowhere,
 * whatever the device reports, and neither the others' memory nor control memory
 * is anywhere in the slice. So commands of all providers, reads and writes, are
 * in flight at the same time.
 *
 * The device has seven regions: one is control memory, the others are divided
 * evenly. They change only while nothing is in flight.
 *
 * Threads: all functions but create and destroy from any; bursts of one provider
 * take place one at a time. The bus is shared by bursts; the engine's drain has
 * it alone, and then nothing is in flight.
 */
#ifndef SHARED_SHARED_H
#define SHARED_SHARED_H

#include "nvme.h"
#include <viaduct/remote.h>
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
 * struct shared_io - a burst of commands
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
 * faults. Else none was begun: -EINVAL: @n, no read, write or flush, too long,
 * or misaligned; -ENOENT: no such provider; -ENOSPC: the provider's memory is in
 * more runs than it has regions; -EFAULT: a list of pages cannot be read;
 * -EAGAIN: the windows change faster than one can look, or lead to memory at a
 * bus address that is in no slice. Others: the device is lost.
 */
int shared_do(struct shared *s, const struct shared_io *io,
	      struct shared_result *out);

/*
 * Hold the device against the engine, while nothing is in flight: ask the engine
 * of each of @npages pages from @bus on where it leads for @provider. *@differ: pages that one
 * of them lets through and the other does not, or to other memory. What the
 * engine refuses is in its fault ring.
 */
int shared_audit(struct shared *s, uint32_t provider, unsigned int prot,
		 vd_iova bus, size_t npages, size_t *differ);

struct shared_stats {
	uint64_t bursts, commands, syncs, drains, faults, refused, bytes;
	uint64_t overlapped; /* bursts begun while another was in flight */
	/* Drains that found commands in flight, and of every provider. */
	uint64_t waited, waited_for_all;
	unsigned int in_flight; /* bursts, now */
};

void shared_stats(struct shared *s, struct shared_stats *out);
/* Commands of one provider so far: what a monitor makes rates of. */
uint64_t shared_requests(struct shared *s, uint32_t provider);

#endif
