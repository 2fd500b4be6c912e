/* SPDX-License-Identifier: BSD-2-Clause */
#include "rig.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <unistd.h>

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

int set_up(void **state)
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

int tear_down(void **state)
{
	struct rig *g = *state;

	if (!g)
		return 0;
	kill(g->qemu, SIGCONT); /* where a test that stopped it has failed */
	shared_destroy(g->s);
	spawn_reap(g->qemu);
	close(g->disk_fd);
	unlink(g->disk);
	free(g);
	return 0;
}

struct rig *rig(void **state)
{
	if (!*state) {
		print_message("# " SPAWN_QEMU " is not installed\n");
		skip();
	}
	return *state;
}

struct vd_window_range range(uint32_t owner, uint32_t window, unsigned int page, unsigned int n,
			     unsigned int prot)
{
	return (struct vd_window_range){ .size = sizeof(struct vd_window_range),
					 .owner = owner,
					 .window = window,
					 .bus = { BUS + page * PAGE },
					 .gpa = { page * PAGE },
					 .len = n * PAGE,
					 .prot = prot };
}

int map(struct rig *g, uint32_t owner, uint32_t window, unsigned int page, unsigned int n)
{
	struct vd_window_range r = range(owner, window, page, n, VD_READ | VD_WRITE);

	return shared_map(g->s, &r);
}

int unmap(struct rig *g, uint32_t owner, uint32_t window, unsigned int page, unsigned int n)
{
	struct vd_window_range r = range(owner, window, page, n, 0);

	return shared_unmap(g->s, &r);
}

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

int transfer_all(struct rig *g, const struct transfer *t, unsigned int n, struct shared_result *r)
{
	struct nvme_sqe e[NVME_BURST];
	struct shared_io io = { .provider = t[0].provider, .e = e, .n = n };

	for (unsigned int i = 0; i < n; i++) {
		e[i] = command(g, &t[i]);
		r[i] = (struct shared_result){ .status = 0xffff };
	}
	return shared_do(g->s, &io, r);
}

int transfer(struct rig *g, const struct transfer *t, struct shared_result *r)
{
	return transfer_all(g, t, 1, r);
}

void stamp(unsigned char *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i += sizeof(seed)) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		memcpy(p + i, &seed, sizeof(seed));
	}
}

bool on_disk(struct rig *g, uint64_t offset, const unsigned char *p, size_t len)
{
	unsigned char got[SPAN * PAGE];

	assert_true(len <= sizeof(got));
	assert_int_equal(pread(g->disk_fd, got, len, (off_t)offset), len);
	return memcmp(got, p, len) == 0;
}

void put_on_disk(struct rig *g, uint64_t offset, uint64_t seed, size_t len)
{
	unsigned char p[SPAN * PAGE];

	stamp(p, len, seed);
	assert_int_equal(pwrite(g->disk_fd, p, len, (off_t)offset), len);
}

bool is_canary(const unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != CANARY)
			return false;
	return true;
}

unsigned char *page_of(struct rig *g, uint32_t owner, unsigned int page)
{
	return shared_memory(g->s, owner) + page * PAGE;
}

void forget_faults(struct rig *g)
{
	struct vd_fault f = { .size = sizeof(f) };

	while (vd_adapter_next_fault(g->a, &f) == 0)
		;
}

void audit(struct rig *g)
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

void expect_fault(struct rig *g, uint32_t device, unsigned int page, unsigned int prot,
		  enum vd_fault_reason reason)
{
	struct vd_fault f = { .size = sizeof(f), .guest_id = 0 };

	assert_int_equal(vd_adapter_next_fault(g->a, &f), 0);
	assert_int_equal(f.guest_id, device);
	assert_int_equal(f.iova.v, BUS + page * PAGE);
	assert_int_equal(f.prot, prot);
	assert_string_equal(vd_fault_reason_name(f.reason), vd_fault_reason_name(reason));
}

bool lands(struct rig *g, uint32_t provider, uint32_t owner, unsigned int page,
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
