/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small NVMe driver over a remote device: one admin queue, a few pairs of
 * I/O queues, all polled. Queues and lists of pages live in control memory,
 * which only the driver and the controller reach; data goes where the commands
 * say. Section numbers are those of the NVMe base specification 1.4.
 *
 * Threads: one at a time, but for commands to different queue pairs.
 */
#ifndef SHARED_NVME_H
#define SHARED_NVME_H

#include <stdint.h>
#include <viaduct/remote.h>

#define NVME_PAIRS	4u
#define NVME_PAGE	4096u
#define NVME_DEPTH	16u
#define NVME_BURST	8u /* commands at once */
#define NVME_LIST_MAX	(NVME_PAGE / sizeof(uint64_t))
#define NVME_BUS	((uint64_t)1 << 32) /* of control memory */
#define NVME_MEMORY_LEN ((uint64_t)48 * NVME_PAGE)

enum nvme_opcode { NVME_FLUSH = 0, NVME_WRITE = 1, NVME_READ = 2 };

/* A submission queue entry (4.2). */
struct nvme_sqe {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint64_t reserved, metadata;
	uint64_t prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

struct nvme_queue {
	struct nvme_sqe *sq;
	unsigned char *cq;
	unsigned int id, tail, head, phase;
};

struct nvme {
	struct vd_remote *remote; /* borrowed */
	int fd;			  /* of control memory */
	unsigned char *memory;
	unsigned int stride;			 /* of doorbells, bytes */
	struct nvme_queue queue[NVME_PAIRS + 1]; /* 0: admin */
	uint64_t nblocks;
	uint32_t block_len;
	char model[41];
};

/*
 * Bring up the controller behind @r; its memory is control memory alone
 * afterwards. 0 or -errno: what @r says; -EIO: the controller does not become
 * ready or fails a command.
 */
int nvme_init(struct nvme *n, struct vd_remote *r);
void nvme_fini(struct nvme *n);

/* Control memory: always among the regions. */
struct vd_remote_region nvme_region(const struct nvme *n);

/* Make I/O queue pair @id, 1 to NVME_PAIRS. */
int nvme_create_pair(struct nvme *n, unsigned int id);

/* The list page of a command of a burst: its memory and its bus address. */
uint64_t *nvme_list(struct nvme *n, unsigned int id, unsigned int slot);
uint64_t nvme_list_bus(unsigned int id, unsigned int slot);

/*
 * Submit @count commands to queue @id at once and wait until all are completed,
 * in whatever order. @status gets the status field of each, 0 for success.
 * -ETIMEDOUT, -EIO (a completion of what was not asked): some may still be at
 * work.
 */
int nvme_do(struct nvme *n, unsigned int id, const struct nvme_sqe *e,
	    unsigned int count, unsigned int *status);

#endif
