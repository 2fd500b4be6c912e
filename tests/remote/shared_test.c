/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real adapter, shared: QEMU's NVMe controller, in a process of its own, by
 * two providers and a client, while their windows are split, lent and merged.
 *
 * All memory is laid out alike: page n of the window leads to page n of its
 * owner's memory. Pages that nobody may reach hold canaries. A write is looked
 * up in the file behind the disk, a read in memory: what the device reports is
 * no evidence, it reports success for DMA that went nowhere.
 */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <shared.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PAGE   ((size_t)4096)
#define NPAGES 256u
#define HALF   (NPAGES / 2)
#define BUS    0x10000000u
#define LEN    (NPAGES * PAGE)
#define DISK   (16u << 20)
#define BLOCK  512u
#define SPAN   8u  /* most pages of one transfer */
#define MANY   4u  /* transfers at once */
#define LENT   32u /* pages of a loan */
#define CANARY 0xc7
#define ROUNDS 16
#define WINDOW 10u
#define PART   11u
#define LOAN   12u

enum { ONE = 1, TWO = 2, CLIENT = 3 };

struct told {
	uint32_t owner;
	struct vd_window_info w;
};

struct rig {
	char disk[64];
	int disk_fd;
	pid_t qemu;
	struct shared *s;
	struct vd_adapter *a;
	atomic_uint ntold;
	struct told told[64];
};

static void hear(void *opaque, uint32_t owner, const struct vd_window_info *w)
{
	struct rig *g = opaque;
	unsigned int n = atomic_fetch_add(&g->ntold, 1);

	g->told[n % ARRAY_LEN(g->told)] = (struct told){ owner, *w };
}

static void make_disk(struct rig *g)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(g->disk, sizeof(g->disk), "%.40s/viaduct-XXXXXX", tmp ? tmp : "/tmp");
	g->disk_fd = mkstemp(g->disk);
	assert_true(g->disk_fd >= 0);
	assert_int_equal(ftruncate(g->disk_fd, DISK), 0);
}

static void make_window(struct rig *g)
{
	struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = NPAGES };
	struct vd_window_cfg w = {
		.size = sizeof(w), .id = WINDOW, .owner = ONE, .bus = { BUS }, .len = NPAGES
	};

	assert_int_equal(vd_table_create(g->a, &t, &w.table), 0);
	assert_int_equal(vd_window_create(g->a, &w), 0);
}

static void make_owner(struct rig *g, uint32_t id, uint32_t provider)
{
	assert_int_equal(shared_add(g->s, id, provider, LEN), 0);
	memset(shared_memory(g->s, id), CANARY, LEN);
}

static int set_up(void **state)
{
	struct vd_remote_cfg cfg = { .size = sizeof(cfg), .timeout_ms = 20000 };
	struct rig *g = calloc(1, sizeof(*g));
	struct shared_listener l = { hear, g };
	struct vd_remote *remote;

	*state = NULL;
	if (!g || !spawn_can()) {
		free(g);
		return 0;
	}
	make_disk(g);
	assert_int_equal(spawn_nvme(g->disk, &cfg.fd, &g->qemu), 0);
	assert_int_equal(vd_remote_create(&cfg, &remote), 0);
	assert_int_equal(shared_create(remote, &l, &g->s), 0);
	g->a = shared_adapter(g->s);
	make_owner(g, ONE, VD_NO_OWNER);
	make_owner(g, TWO, VD_NO_OWNER);
	make_owner(g, CLIENT, TWO);
	make_window(g);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *g = *state;

	if (!g)
		return 0;
	shared_destroy(g->s);
	spawn_reap(g->qemu);
	close(g->disk_fd);
	unlink(g->disk);
	free(g);
	return 0;
}

static struct rig *rig(void **state)
{
	if (!*state) {
		print_message("# " SPAWN_QEMU " is not installed\n");
		skip();
	}
	return *state;
}

static struct vd_window_range range(uint32_t owner, uint32_t window, unsigned int page,
				    unsigned int n, unsigned int prot)
{
	return (struct vd_window_range){ .owner = owner,
					 .window = window,
					 .bus = { BUS + page * PAGE },
					 .gpa = { page * PAGE },
					 .len = n * PAGE,
					 .prot = prot };
}

static int map(struct rig *g, uint32_t owner, uint32_t window, unsigned int page, unsigned int n)
{
	struct vd_window_range r = range(owner, window, page, n, VD_READ | VD_WRITE);

	return shared_map(g->s, &r);
}

static int unmap(struct rig *g, uint32_t owner, uint32_t window, unsigned int page, unsigned int n)
{
	struct vd_window_range r = range(owner, window, page, n, 0);

	return shared_unmap(g->s, &r);
}

/* A transfer of @n pages from page @page, its list in page @list. */
struct transfer {
	uint32_t provider;
	enum nvme_opcode opcode;
	uint64_t offset; /* on the disk */
	unsigned int page, n, list;
};

static struct nvme_sqe command(struct rig *g, const struct transfer *t)
{
	struct nvme_sqe e = { .opcode = (uint8_t)t->opcode,
			      .prp1 = BUS + t->page * PAGE,
			      .prp2 = BUS + (t->page + 1) * PAGE,
			      .cdw10 = (uint32_t)(t->offset / BLOCK),
			      .cdw12 = (uint32_t)(t->n * PAGE / BLOCK - 1) };
	uint64_t *list = (uint64_t *)(void *)(shared_memory(g->s, t->provider) + t->list * PAGE);

	if (t->n > 2) {
		for (unsigned int i = 1; i < t->n; i++)
			list[i - 1] = BUS + (t->page + i) * PAGE;
		e.prp2 = BUS + t->list * PAGE;
	}
	return e;
}

/* Several at once, of one provider. */
static int transfer_all(struct rig *g, const struct transfer *t, unsigned int n,
			struct shared_result *r)
{
	struct nvme_sqe e[NVME_BURST];
	struct shared_io io = { .provider = t[0].provider, .e = e, .n = n };

	for (unsigned int i = 0; i < n; i++) {
		e[i] = command(g, &t[i]);
		r[i] = (struct shared_result){ .status = 0xffff };
	}
	return shared_do(g->s, &io, r);
}

static int transfer(struct rig *g, const struct transfer *t, struct shared_result *r)
{
	return transfer_all(g, t, 1, r);
}

static void stamp(unsigned char *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += sizeof(seed)) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		memcpy(p + i, &seed, sizeof(seed));
	}
}

static bool on_disk(struct rig *g, uint64_t offset, const unsigned char *p, size_t len)
{
	unsigned char got[SPAN * PAGE];

	assert_true(len <= sizeof(got));
	assert_int_equal(pread(g->disk_fd, got, len, (off_t)offset), len);
	return memcmp(got, p, len) == 0;
}

static void put_on_disk(struct rig *g, uint64_t offset, uint64_t seed, size_t len)
{
	unsigned char p[SPAN * PAGE];

	stamp(p, len, seed);
	assert_int_equal(pwrite(g->disk_fd, p, len, (off_t)offset), len);
}

static bool is_canary(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != CANARY)
			return false;
	return true;
}

static unsigned char *page_of(struct rig *g, uint32_t owner, unsigned int page)
{
	return shared_memory(g->s, owner) + page * PAGE;
}

static void forget_faults(struct rig *g)
{
	struct vd_fault f;

	while (vd_adapter_next_fault(g->a, &f) == 0)
		;
}

/* The device reaches what the engine translates, no more and no less. */
static void audit(struct rig *g)
{
	size_t differ = 1;

	for (unsigned int prot = VD_READ; prot <= VD_WRITE; prot++) {
		for (uint32_t p = ONE; p <= TWO; p++) {
			assert_int_equal(shared_audit(g->s, p, prot, (vd_iova){ BUS - PAGE },
						      NPAGES + 2, &differ),
					 0);
			assert_int_equal(differ, 0);
		}
	}
}

/* Out and back: one page, two, a list. */
static void data_goes_round(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, 32), 0);
	audit(g);
	for (unsigned int n = 1; n <= SPAN; n++) {
		struct transfer t = { ONE, NVME_WRITE, n * 65536, 1, n, 0 };

		stamp(page_of(g, ONE, 1), n * PAGE, n);
		assert_int_equal(transfer(g, &t, &r), 0);
		assert_int_equal(r.status, 0);
		assert_int_equal(r.faults, 0);
		assert_true(on_disk(g, t.offset, page_of(g, ONE, 1), n * PAGE));
		t.opcode = NVME_READ;
		t.page = 16;
		memset(page_of(g, ONE, 16), 0, (SPAN + 1) * PAGE);
		assert_int_equal(transfer(g, &t, &r), 0);
		assert_int_equal(r.status, 0);
		assert_memory_equal(page_of(g, ONE, 16), page_of(g, ONE, 1), n * PAGE);
		assert_int_equal(page_of(g, ONE, 16 + n)[0], 0);
	}
	assert_true(is_canary(page_of(g, ONE, 32), LEN - 32 * PAGE));
}

static void expect_fault(struct rig *g, uint32_t device, unsigned int page, unsigned int prot,
			 enum vd_fault_reason reason)
{
	struct vd_fault f = { .guest_id = 0 };

	assert_int_equal(vd_adapter_next_fault(g->a, &f), 0);
	assert_int_equal(f.guest_id, device);
	assert_int_equal(f.iova.v, BUS + page * PAGE);
	assert_int_equal(f.prot, prot);
	assert_string_equal(vd_fault_reason_name(f.reason), vd_fault_reason_name(reason));
}

/* One page into @page, by @provider: did it land in @owner's memory? */
static bool lands(struct rig *g, uint32_t provider, uint32_t owner, unsigned int page,
		  struct shared_result *r)
{
	static uint64_t seed = 1000;
	struct transfer t = { provider, NVME_READ, 0, page, 1, 0 };
	unsigned char *p = page_of(g, owner, page);
	bool landed;

	put_on_disk(g, 0, ++seed, PAGE);
	memset(p, CANARY, PAGE);
	assert_int_equal(transfer(g, &t, r), 0);
	landed = on_disk(g, 0, p, PAGE);
	assert_true(landed || is_canary(p, PAGE));
	return landed;
}

/*
 * Every way to aim outside: an empty entry, beyond the window, a neighbour's
 * valid entry. The device says that all is well; nothing has landed; the ring
 * says who, where and how. Then the control: the same with the entry granted.
 */
static void aimed_outside(void **state)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(map(g, TWO, PART, HALF, 8), 0);
	audit(g);
	forget_faults(g);

	assert_false(lands(g, ONE, ONE, 20, &r)); /* empty */
	assert_int_equal(r.status, 0);
	assert_int_equal(r.faults, 1);
	expect_fault(g, ONE, 20, VD_WRITE, VD_FAULT_UNMAPPED);
	assert_false(lands(g, ONE, TWO, HALF, &r)); /* the neighbour's, valid */
	assert_false(lands(g, ONE, ONE, HALF, &r));
	assert_int_equal(r.status, 0);
	expect_fault(g, ONE, HALF, VD_WRITE, VD_FAULT_EXTENT);
	expect_fault(g, ONE, HALF, VD_WRITE, VD_FAULT_EXTENT);
	assert_false(lands(g, TWO, ONE, 0, &r));
	expect_fault(g, TWO, 0, VD_WRITE, VD_FAULT_NO_WINDOW);
	assert_false(lands(g, TWO, TWO, NPAGES - 1, &r));
	expect_fault(g, TWO, NPAGES - 1, VD_WRITE, VD_FAULT_UNMAPPED);

	/* The control: what is granted lands, with no fault. */
	assert_true(lands(g, TWO, TWO, HALF, &r));
	assert_int_equal(r.faults, 0);
	assert_int_equal(map(g, ONE, WINDOW, 20, 1), 0);
	assert_true(lands(g, ONE, ONE, 20, &r));
	assert_int_equal(r.faults, 0);
	assert_int_equal(unmap(g, ONE, WINDOW, 20, 1), 0);
	assert_false(lands(g, ONE, ONE, 20, &r));
	audit(g);
}

/* T2.2, T2.6: what moves is gone for its old owner when the split returns. */
static void t2_2_a_split_is_at_once(void **state)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, NPAGES), 0);
	assert_true(lands(g, ONE, ONE, HALF, &r));
	assert_int_equal(vd_window_split(g->a, &split), -EBUSY);
	assert_true(lands(g, ONE, ONE, HALF, &r));
	split.live = VD_LIVE_REVOKE;
	assert_int_equal(vd_window_split(g->a, &split), 0);
	forget_faults(g);
	assert_false(lands(g, ONE, ONE, HALF, &r));
	expect_fault(g, ONE, HALF, VD_WRITE, VD_FAULT_EXTENT);
	assert_true(lands(g, ONE, ONE, HALF - 1, &r));
	assert_false(lands(g, TWO, ONE, HALF, &r)); /* not with the window */
	assert_false(lands(g, TWO, TWO, HALF, &r));
	audit(g);
}

/* Out of memory that is not granted nothing comes: the disk has no secret. */
static void nothing_leaks(void **state)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct transfer t = { ONE, NVME_WRITE, 1 << 20, HALF + 1, 1, 0 };
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(map(g, TWO, PART, HALF, 8), 0);
	stamp(page_of(g, TWO, HALF + 1), PAGE, 77);
	memset(page_of(g, ONE, HALF + 1), 0x55, PAGE);
	put_on_disk(g, t.offset, 78, PAGE);
	forget_faults(g);
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_int_equal(r.faults, 1);
	expect_fault(g, ONE, HALF + 1, VD_READ, VD_FAULT_EXTENT);
	assert_false(on_disk(g, t.offset, page_of(g, TWO, HALF + 1), PAGE));
	assert_false(on_disk(g, t.offset, page_of(g, ONE, HALF + 1), PAGE));
	t.provider = TWO; /* the control */
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_true(on_disk(g, t.offset, page_of(g, TWO, HALF + 1), PAGE));
}

/* An entry for one direction is none for the other. */
static void directions(void **state)
{
	struct rig *g = rig(state);
	struct vd_window_range only = range(ONE, WINDOW, 4, 1, VD_READ);
	struct transfer t = { ONE, NVME_WRITE, 8192, 4, 1, 0 };
	struct shared_result r;

	assert_int_equal(shared_map(g->s, &only), 0);
	forget_faults(g);
	assert_false(lands(g, ONE, ONE, 4, &r));
	assert_int_equal(r.status, 0);
	expect_fault(g, ONE, 4, VD_WRITE, VD_FAULT_DIRECTION);
	stamp(page_of(g, ONE, 4), PAGE, 5);
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_int_equal(r.faults, 0);
	assert_true(on_disk(g, t.offset, page_of(g, ONE, 4), PAGE));
	audit(g);
}

/*
 * The device gets a copy of the list of pages that was checked: while it writes
 * memory it cannot even reach a list that is for reading only.
 */
static void lists_are_copied(void **state)
{
	struct rig *g = rig(state);
	struct vd_window_range list = range(ONE, WINDOW, 0, 1, VD_READ);
	struct transfer t = { ONE, NVME_READ, 65536, 1, 4, 0 };
	struct shared_result r;

	assert_int_equal(shared_map(g->s, &list), 0);
	assert_int_equal(map(g, ONE, WINDOW, 1, 8), 0);
	put_on_disk(g, t.offset, 9, 4 * PAGE);
	assert_int_equal(transfer(g, &t, &r), 0);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.faults, 0);
	assert_true(on_disk(g, t.offset, page_of(g, ONE, 1), 4 * PAGE));
}

/* Permit and deny, while the entries stay. */
static void permit_and_deny(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	assert_true(lands(g, ONE, ONE, 3, &r));
	assert_int_equal(vd_adapter_deny(g->a, ONE), 0);
	forget_faults(g);
	assert_int_equal(transfer(g, &(struct transfer){ ONE, NVME_READ, 0, 3, 1, 0 }, &r), 0);
	assert_int_equal(r.faults, 1);
	expect_fault(g, ONE, 3, VD_WRITE, VD_FAULT_DENIED);
	assert_false(lands(g, ONE, ONE, 3, &r));
	audit(g);
	assert_int_equal(vd_adapter_permit(g->a, ONE), 0);
	assert_true(lands(g, ONE, ONE, 3, &r));
	assert_int_equal(r.faults, 0);
}

struct bad_row {
	uint64_t prp1, prp2;
	uint32_t blocks;
	uint8_t opcode, flags;
	int err;
};

static const struct bad_row bad_rows[] = {
	{ NVME_BUS, 0, 8, NVME_READ, 0, -EACCES }, /* its own queues */
	{ NVME_BUS + NVME_MEMORY_LEN - PAGE, 0, 8, NVME_READ, 0, -EACCES },
	{ BUS, NVME_BUS, 16, NVME_READ, 0, -EACCES },
	{ BUS + 1, 0, 8, NVME_READ, 0, -EINVAL },
	{ BUS, 1, 8, NVME_READ, 0, -EINVAL },
	{ BUS, 0, 8, NVME_READ, 0x40, -EINVAL }, /* a scatter list */
	{ BUS, 0, 8, 9, 0, -EINVAL },
	{ BUS, 0, 65536, NVME_READ, 0, -EINVAL },
	{ BUS, BUS + 100 * PAGE, 64, NVME_READ, 0, -EFAULT }, /* list unmapped */
	{ BUS, BUS + PAGE, 24, NVME_READ, 0, -EACCES },	      /* names control memory */
};

static void hostile_commands(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;
	uint64_t list[2] = { BUS + 2 * PAGE, NVME_BUS };

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	memcpy(page_of(g, ONE, 1), list, sizeof(list));
	for (size_t i = 0; i < ARRAY_LEN(bad_rows); i++) {
		const struct bad_row *b = &bad_rows[i];
		struct nvme_sqe e = { .opcode = b->opcode,
				      .flags = b->flags,
				      .prp1 = b->prp1,
				      .prp2 = b->prp2,
				      .cdw12 = b->blocks - 1 };
		struct shared_io io = { .provider = ONE, .e = &e, .n = 1 };

		assert_int_equal(shared_do(g->s, &io, &r), b->err);
		io.provider = CLIENT; /* has no queue of its own */
		assert_int_equal(shared_do(g->s, &io, &r), -ENOENT);
	}
	assert_true(lands(g, ONE, ONE, 3, &r));
}

/* Of a burst that cannot be, nothing is begun. */
static void hostile_bursts(void **state)
{
	struct rig *g = rig(state);
	struct transfer t[NVME_BURST] = { { ONE, NVME_READ, 0, 1, 1, 0 },
					  { ONE, NVME_WRITE, 0, 2, 1, 0 } };
	struct shared_result r[NVME_BURST];
	struct nvme_sqe e = { .opcode = NVME_FLUSH };
	struct shared_io io = { .provider = ONE, .e = &e };

	assert_int_equal(map(g, ONE, WINDOW, 0, 16), 0);
	put_on_disk(g, 0, 3, PAGE);
	assert_int_equal(transfer_all(g, t, 2, r), -EINVAL); /* both directions */
	assert_true(is_canary(page_of(g, ONE, 1), PAGE));
	t[1] = (struct transfer){ ONE, NVME_READ, 0, 2, SPAN, 200 };
	assert_int_equal(transfer_all(g, t, 2, r), -EFAULT); /* the second's list */
	assert_true(is_canary(page_of(g, ONE, 1), PAGE));
	assert_int_equal(shared_do(g->s, &io, r), -EINVAL);
	io.n = NVME_BURST + 1;
	assert_int_equal(shared_do(g->s, &io, r), -EINVAL);
	io.n = 1;
	assert_int_equal(shared_do(g->s, &io, r), 0); /* a flush moves nothing */
	for (unsigned int i = 0; i < NVME_BURST; i++)
		t[i] = (struct transfer){ ONE, NVME_READ, 0, 1 + i, 1, 0 };
	assert_int_equal(transfer_all(g, t, NVME_BURST, r), 0);
	for (unsigned int i = 0; i < NVME_BURST; i++)
		assert_true(on_disk(g, 0, page_of(g, ONE, 1 + i), PAGE));
	t[3].page = 100; /* one of them aims outside: the others land */
	memset(page_of(g, ONE, 1), CANARY, NVME_BURST * PAGE);
	assert_int_equal(transfer_all(g, t, NVME_BURST, r), 0);
	for (unsigned int i = 0; i < NVME_BURST; i++) {
		assert_int_equal(r[i].faults, i == 3);
		assert_int_equal(on_disk(g, 0, page_of(g, ONE, t[i].page), PAGE), i != 3);
	}
	assert_true(is_canary(page_of(g, ONE, 100), PAGE));
}

/*
 * A provider at work: transfers in its part of the window and of the disk.
 * While it has no window, everything it does must be refused.
 */
struct worker {
	struct rig *g;
	uint32_t provider;
	unsigned int page; /* where its part begins */
	atomic_bool stop;
	atomic_ulong verified, refused, bad;
	pthread_t thread;
};

static unsigned int faults_of(const struct shared_result *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < MANY; i++)
		n += r[i].faults;
	return n;
}

static bool write_and_check(struct worker *w, const struct transfer *t, uint64_t seed)
{
	struct shared_result r[MANY];

	for (unsigned int i = 0; i < MANY; i++)
		stamp(page_of(w->g, w->provider, t[i].page), t[i].n * PAGE, seed + i);
	if (transfer_all(w->g, t, MANY, r) || faults_of(r))
		return false;
	for (unsigned int i = 0; i < MANY; i++)
		w->bad += r[i].status != 0 ||
			  !on_disk(w->g, t[i].offset, page_of(w->g, w->provider, t[i].page),
				   t[i].n * PAGE);
	return true;
}

/* Into pages with canaries, which are there again afterwards. */
static bool read_and_check(struct worker *w, const struct transfer *t, const struct transfer *out)
{
	struct shared_result r[MANY];
	bool done = !transfer_all(w->g, t, MANY, r) && !faults_of(r);

	for (unsigned int i = 0; i < MANY; i++) {
		unsigned char *to = page_of(w->g, w->provider, t[i].page);
		const unsigned char *want = page_of(w->g, w->provider, out[i].page);
		size_t len = t[i].n * PAGE;

		w->bad += done && (r[i].status != 0 || memcmp(to, want, len) != 0);
		w->bad += !is_canary(to + len, (SPAN - t[i].n) * PAGE);
		w->verified += done ? 2 * len : 0;
		memset(to, CANARY, len);
	}
	return done;
}

/* MANY transfers in flight at once; lists, then sources, then targets. */
static void work_once(struct worker *w, uint64_t seed)
{
	struct transfer out[MANY], in[MANY];

	for (unsigned int i = 0; i < MANY; i++) {
		out[i] = (struct transfer){
			.provider = w->provider,
			.opcode = NVME_WRITE,
			.offset = (uint64_t)w->provider * (4 << 20) +
				  (seed / 8 % 16 * MANY + i) * SPAN * PAGE,
			.page = w->page + MANY + i * SPAN,
			.n = 1 + (unsigned int)(seed + i) % SPAN,
			.list = w->page + i,
		};
		in[i] = out[i];
		in[i].opcode = NVME_READ;
		in[i].page += MANY * SPAN;
	}
	w->refused += !write_and_check(w, out, seed) || !read_and_check(w, in, out);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = 88172645463325252u + w->provider;

	while (!w->stop) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		work_once(w, seed);
	}
	return NULL;
}

static void start(struct worker *w, struct rig *g, uint32_t provider, unsigned int page)
{
	*w = (struct worker){ .g = g, .provider = provider, .page = page };
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void finish(struct worker *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
}

/* Until the counter has moved by @n: the worker goes on meanwhile. */
static void wait_more(atomic_ulong *counter, unsigned long n)
{
	unsigned long from = *counter;

	for (int i = 0; i < 20000 && *counter < from + n; i++)
		poll(NULL, 0, 1);
	assert_true(*counter >= from + n);
}

/* The client's pages are reached by the provider's device, and only while lent. */
static void lend_and_take_back(struct rig *g)
{
	struct vd_loan loan = { .id = PART,
				.newid = LOAN,
				.owner = CLIENT,
				.rights = VD_READ | VD_WRITE,
				.first = HALF - LENT,
				.len = LENT };
	unsigned int page = NPAGES - LENT;
	struct shared_result r;

	assert_int_equal(vd_window_lend(g->a, &loan), 0);
	assert_false(lands(g, TWO, CLIENT, page, &r)); /* nothing mapped yet */
	assert_int_equal(map(g, TWO, PART, page, 1), -EPERM);
	assert_int_equal(map(g, CLIENT, LOAN, page, LENT), 0);
	audit(g);
	assert_true(lands(g, TWO, CLIENT, page, &r));
	assert_int_equal(r.faults, 0);
	assert_false(lands(g, ONE, CLIENT, page + 1, &r));
	assert_int_equal(vd_window_take_back(g->a, LOAN, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(vd_window_take_back(g->a, LOAN, VD_LIVE_REVOKE), 0);
	assert_false(lands(g, TWO, CLIENT, page, &r));
	assert_int_equal(r.faults, 1);
	audit(g);
	memset(page_of(g, CLIENT, page), CANARY, PAGE);
}

/* T2.9: the client's part, by itself. */
static void t2_9_client(void **state)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct rig *g = rig(state);

	assert_int_equal(vd_window_split(g->a, &split), 0);
	lend_and_take_back(g);
	lend_and_take_back(g);
	assert_true(is_canary(page_of(g, CLIENT, 0), LEN - LENT * PAGE));
}

static void split_lend_merge(struct rig *g, struct worker *one, struct worker *two)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct vd_merge merge = {
		.keep = WINDOW, .clear = PART, .owner = ONE, .live = VD_LIVE_REVOKE
	};
	struct vd_window_info w;

	wait_more(&one->verified, 16 * PAGE);
	wait_more(&two->refused, 2);
	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(vd_window_query(g->a, WINDOW, &w), 0);
	assert_int_equal(w.len, HALF);
	assert_int_equal(map(g, TWO, PART, HALF, HALF - LENT), 0);
	wait_more(&one->verified, 16 * PAGE);
	wait_more(&two->verified, 16 * PAGE);
	lend_and_take_back(g);
	wait_more(&two->verified, 16 * PAGE);
	assert_int_equal(vd_window_merge(g->a, &merge), 0);
	assert_int_equal(vd_window_query(g->a, WINDOW, &w), 0);
	assert_int_equal(w.len, NPAGES);
	assert_int_equal(w.owner, ONE);
	assert_int_equal(vd_window_query(g->a, PART, &w), -ENOENT);
	wait_more(&two->refused, 2);
	audit(g);
	forget_faults(g);
}

static void report(struct rig *g, const struct worker *one, const struct worker *two, double s)
{
	struct vd_adapter_stats a;
	struct shared_stats h;

	vd_adapter_stats(g->a, &a);
	shared_stats(g->s, &h);
	print_message("# %.1f s: %lu + %lu bytes verified, 0 wrong; %llu splits, %llu loans, "
		      "%llu merges\n",
		      s, one->verified, two->verified, (unsigned long long)a.splits,
		      (unsigned long long)a.loans, (unsigned long long)a.merges);
	print_message("# %llu commands, %llu addresses refused, %llu faults (audits' too), "
		      "%llu region updates, %llu drains\n",
		      (unsigned long long)h.commands, (unsigned long long)h.faults,
		      (unsigned long long)a.nfaults, (unsigned long long)h.syncs,
		      (unsigned long long)h.drains);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What neither provider may reach has not changed. */
static void check_canaries(struct rig *g)
{
	assert_true(is_canary(page_of(g, ONE, HALF), HALF * PAGE));
	assert_true(is_canary(page_of(g, TWO, 0), HALF * PAGE));
	assert_true(is_canary(page_of(g, CLIENT, 0), LEN - LENT * PAGE));
}

/*
 * T2.2, T2.9, T2.10 on a real device model: both work all along; the second
 * begins without a window, gets its part, lends a piece of it, loses it again.
 */
static void t2_shared_under_io(void **state)
{
	struct rig *g = rig(state);
	struct worker one, two;
	double begin = now();

	assert_int_equal(map(g, ONE, WINDOW, 0, HALF), 0);
	start(&one, g, ONE, 0);
	start(&two, g, TWO, HALF);
	for (int i = 0; i < ROUNDS; i++)
		split_lend_merge(g, &one, &two);
	finish(&one);
	finish(&two);
	assert_int_equal(one.bad, 0);
	assert_int_equal(two.bad, 0);
	assert_int_equal(one.refused, 0);
	check_canaries(g);
	report(g, &one, &two, now() - begin);
}

/* Both sides are told what they have, and can ask again. */
static void t2_10_told(void **state)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct vd_window_info w;
	struct rig *g = rig(state);
	bool one = false, two = false;

	g->ntold = 0;
	assert_int_equal(vd_window_split(g->a, &split), 0);
	for (unsigned int i = 0; i < g->ntold; i++) {
		const struct told *t = &g->told[i];

		one |= t->owner == ONE && t->w.id == WINDOW && t->w.bus.v == BUS &&
		       t->w.len == HALF;
		two |= t->owner == TWO && t->w.id == PART && t->w.bus.v == BUS + HALF * PAGE &&
		       t->w.len == HALF;
	}
	assert_true(one && two);
	assert_int_equal(vd_window_query(g->a, PART, &w), 0);
	assert_int_equal(w.owner, TWO);
	assert_int_equal(w.bus.v, BUS + HALF * PAGE);
}

/* The device dies: an error each time, no hang, nothing else touched. */
static void the_device_dies(void **state)
{
	struct rig *g = rig(state);
	struct shared_result r;
	struct transfer t = { ONE, NVME_READ, 0, 3, 1, 0 };

	assert_int_equal(map(g, ONE, WINDOW, 0, 8), 0);
	assert_true(lands(g, ONE, ONE, 3, &r));
	kill(g->qemu, SIGKILL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(transfer(g, &t, &r), -EPIPE);
}

#define rigged(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		rigged(data_goes_round),
		rigged(aimed_outside),
		rigged(t2_2_a_split_is_at_once),
		rigged(nothing_leaks),
		rigged(directions),
		rigged(lists_are_copied),
		rigged(permit_and_deny),
		rigged(hostile_commands),
		rigged(hostile_bursts),
		rigged(t2_9_client),
		rigged(t2_shared_under_io),
		rigged(t2_10_told),
		rigged(the_device_dies),
	};

	return run_all(tests);
}
