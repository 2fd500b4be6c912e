/* SPDX-License-Identifier: BSD-2-Clause */
#include "nvme.h"
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BAR	 0xe0000000u
#define WAIT_MS	 10000
#define CQE_LEN	 16u
#define PAGE_LEN ((size_t)NVME_PAGE)

/* Pages of control memory. */
enum { ADMIN_SQ, ADMIN_CQ, IDENTIFY, FIRST_PAIR };
enum { PAIR_SQ, PAIR_CQ, PAIR_LISTS, PAIR_PAGES = PAIR_LISTS + NVME_BURST };

/* Registers (3.1). */
enum { CAP = 0, CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30 };
enum { DOORBELLS = 0x1000 };

/* Admin commands (5). */
enum { CREATE_SQ = 1, CREATE_CQ = 5, IDENTIFY_CMD = 6 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t bus_of(unsigned int page)
{
	return NVME_BUS + (uint64_t)page * NVME_PAGE;
}

static unsigned int pair_page(unsigned int id, unsigned int which)
{
	return FIRST_PAIR + (id - 1) * PAIR_PAGES + which;
}

static void *at(const struct nvme *n, unsigned int page)
{
	return n->memory + page * PAGE_LEN;
}

static void begin_queue(struct nvme *n, unsigned int id, unsigned int sq,
			unsigned int cq)
{
	n->queue[id] = (struct nvme_queue){
		.sq = at(n, sq), .cq = at(n, cq), .id = id, .phase = 1
	};
	memset(at(n, cq), 0, PAGE_LEN);
}

static int set_reg(struct nvme *n, unsigned int reg, unsigned int len,
		   uint64_t val)
{
	return vd_remote_bar_write(n->remote, BAR + reg, len, val);
}

/* Until the controller is @ready, or fails (3.1.6). */
static int wait_ready(struct nvme *n, uint64_t ready)
{
	int64_t end = now_ms() + WAIT_MS;
	uint64_t csts;
	int err;

	do {
		err = vd_remote_bar_read(n->remote, BAR + CSTS, 4, &csts);
		if (err)
			return err;
		if ((csts & 1) == ready)
			return 0;
	} while (!(csts & 2) && now_ms() < end);
	return -EIO;
}

/* Memory and bus mastering on, registers at BAR. */
static int place(struct nvme *n)
{
	int err = vd_remote_config_write(n->remote, 0x10, 4, BAR);

	if (!err)
		err = vd_remote_config_write(n->remote, 0x14, 4, 0);
	if (!err)
		err = vd_remote_config_write(n->remote, 4, 2, 6);
	return err;
}

static int enable(struct nvme *n)
{
	const uint64_t sizes = NVME_DEPTH - 1;
	int err = set_reg(n, CC, 4, 0);

	if (!err)
		err = wait_ready(n, 0);
	if (!err)
		err = set_reg(n, AQA, 4, sizes << 16 | sizes);
	if (!err)
		err = set_reg(n, ASQ, 8, bus_of(ADMIN_SQ));
	if (!err)
		err = set_reg(n, ACQ, 8, bus_of(ADMIN_CQ));
	if (!err) /* entries of 64 and 16 bytes; enable */
		err = set_reg(n, CC, 4, 4u << 20 | 6u << 16 | 1);
	return err ? err : wait_ready(n, 1);
}

/* The status word of the next completion; its lowest bit is the phase (4.6). */
static uint16_t peek_status(const struct nvme_queue *q)
{
	const unsigned char *cqe = q->cq + q->head * CQE_LEN;
	uint16_t word;

	memcpy(&word, cqe + 14, sizeof(word));
	atomic_thread_fence(memory_order_acquire);
	return word;
}

static uint16_t peek_id(const struct nvme_queue *q)
{
	uint16_t cid;

	memcpy(&cid, q->cq + q->head * CQE_LEN + 12, sizeof(cid));
	return cid;
}

/* The device wants a processor too: yield at first, then sleep. */
static void rest(unsigned int tries)
{
	const struct timespec t = { .tv_nsec = 20000 };

	if (tries < 16)
		sched_yield();
	else
		nanosleep(&t, NULL);
}

static int take_completion(struct nvme_queue *q, unsigned int count,
			   unsigned int *status)
{
	int64_t end = now_ms() + WAIT_MS;
	unsigned int i = 0;
	uint16_t word, cid;

	while (((word = peek_status(q)) & 1) != q->phase) {
		if (now_ms() >= end)
			return -ETIMEDOUT;
		rest(i++);
	}
	cid = peek_id(q);
	if (cid >= count)
		return -EIO;
	status[cid] = word >> 1;
	q->head = (q->head + 1) % NVME_DEPTH;
	q->phase ^= q->head == 0;
	return 0;
}

static void submit(struct nvme_queue *q, const struct nvme_sqe *e,
		   unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		q->sq[q->tail] = e[i];
		q->sq[q->tail].cid = (uint16_t)i;
		q->tail = (q->tail + 1) % NVME_DEPTH;
	}
	atomic_thread_fence(memory_order_release);
}

int nvme_do(struct nvme *n, unsigned int id, const struct nvme_sqe *e,
	    unsigned int count, unsigned int *status)
{
	struct nvme_queue *q = &n->queue[id];
	unsigned int bell = 2 * id * n->stride;
	int err;

	submit(q, e, count);
	err = set_reg(n, DOORBELLS + bell, 4, q->tail);
	for (unsigned int i = 0; i < count && !err; i++)
		err = take_completion(q, count, status);
	return err ? err : set_reg(n, DOORBELLS + bell + n->stride, 4, q->head);
}

static int do_admin(struct nvme *n, const struct nvme_sqe *e)
{
	unsigned int status;
	int err = nvme_do(n, 0, e, 1, &status);

	if (err)
		return err;
	return status ? -EIO : 0;
}

static int identify(struct nvme *n, uint32_t cns, uint32_t nsid)
{
	struct nvme_sqe e = { .opcode = IDENTIFY_CMD,
			      .nsid = nsid,
			      .prp1 = bus_of(IDENTIFY),
			      .cdw10 = cns };

	return do_admin(n, &e);
}

static void take_model(struct nvme *n)
{
	size_t len = sizeof(n->model) - 1;

	memcpy(n->model, (char *)at(n, IDENTIFY) + 24, len);
	while (len > 0 && n->model[len - 1] == ' ')
		len--;
	n->model[len] = '\0';
}

/* Size and format of the name space (5.15.2.1). */
static int take_geometry(struct nvme *n)
{
	const unsigned char *id = at(n, IDENTIFY);
	uint32_t lbaf;

	memcpy(&n->nblocks, id, sizeof(n->nblocks));
	memcpy(&lbaf, id + 128 + 4 * (id[26] & 15), sizeof(lbaf));
	lbaf = lbaf >> 16 & 0xff;
	if (lbaf < 9 || lbaf > 12 || n->nblocks == 0)
		return -EIO;
	n->block_len = (uint32_t)1 << lbaf;
	return 0;
}

static int identify_all(struct nvme *n)
{
	int err = identify(n, 1, 0);

	if (err)
		return err;
	take_model(n);
	err = identify(n, 0, 1);
	return err ? err : take_geometry(n);
}

static int open_memory(struct nvme *n)
{
	n->fd = memfd_create("nvme", MFD_CLOEXEC);
	if (n->fd < 0)
		return -errno;
	if (ftruncate(n->fd, (off_t)NVME_MEMORY_LEN))
		goto err_close;
	n->memory = mmap(NULL, NVME_MEMORY_LEN, PROT_READ | PROT_WRITE,
			 MAP_SHARED, n->fd, 0);
	if (n->memory != MAP_FAILED)
		return 0;
err_close:
	close(n->fd);
	return -ENOMEM;
}

void nvme_fini(struct nvme *n)
{
	munmap(n->memory, NVME_MEMORY_LEN);
	close(n->fd);
}

static int bring_up(struct nvme *n)
{
	struct vd_remote_region own = nvme_region(n);
	uint64_t cap;
	int err = place(n);

	if (!err)
		err = vd_remote_set_memory(n->remote, &own, 1);
	if (!err)
		err = vd_remote_bar_read(n->remote, BAR + CAP, 8, &cap);
	if (err)
		return err;
	n->stride = 4u << (cap >> 32 & 15);
	begin_queue(n, 0, ADMIN_SQ, ADMIN_CQ);
	err = enable(n);
	return err ? err : identify_all(n);
}

int nvme_init(struct nvme *n, struct vd_remote *r)
{
	int err;

	*n = (struct nvme){ .remote = r };
	err = open_memory(n);
	if (err)
		return err;
	err = bring_up(n);
	if (err)
		nvme_fini(n);
	return err;
}

struct vd_remote_region nvme_region(const struct nvme *n)
{
	return (struct vd_remote_region){ .fd = n->fd,
					  .iova = { NVME_BUS },
					  .len = NVME_MEMORY_LEN };
}

int nvme_create_pair(struct nvme *n, unsigned int id)
{
	struct nvme_sqe cq = { .opcode = CREATE_CQ,
			       .cdw10 = (NVME_DEPTH - 1) << 16 | id,
			       .cdw11 = 1 };
	struct nvme_sqe sq = { .opcode = CREATE_SQ,
			       .cdw10 = (NVME_DEPTH - 1) << 16 | id,
			       .cdw11 = id << 16 | 1 };
	int err;

	if (id == 0 || id > NVME_PAIRS)
		return -EINVAL;
	cq.prp1 = bus_of(pair_page(id, PAIR_CQ));
	sq.prp1 = bus_of(pair_page(id, PAIR_SQ));
	begin_queue(n, id, pair_page(id, PAIR_SQ), pair_page(id, PAIR_CQ));
	err = do_admin(n, &cq);
	return err ? err : do_admin(n, &sq);
}

uint64_t *nvme_list(struct nvme *n, unsigned int id, unsigned int slot)
{
	return at(n, pair_page(id, PAIR_LISTS + slot));
}

uint64_t nvme_list_bus(unsigned int id, unsigned int slot)
{
	return bus_of(pair_page(id, PAIR_LISTS + slot));
}
