/* SPDX-License-Identifier: BSD-2-Clause */
#include "papr_fixture.h"

#include <endian.h>
#include <errno.h>

static int drain(void *opaque, const struct vd_drain *what)
{
	struct pf *f = opaque;

	(void)what;
	f->ndrains++;
	return f->drain_says;
}

static void owner_failed(void *opaque, uint32_t partition, uint32_t unit)
{
	struct pf *f = opaque;

	f->ntold++;
	f->told = partition;
	f->told_unit = unit;
}

static const struct vd_adapter_ops adapter_ops = { .size = sizeof(adapter_ops), .drain = drain };
static const struct vd_papr_ops papr_ops = { sizeof(papr_ops), owner_failed };

static void make_domain(struct pf *f, uint32_t i)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	const vd_gpa gpa = { i == BUCKET ? 0 : PF_GPA };
	size_t pages = i == BUCKET ? 1 : PF_PAGES;

	f->mem[i] = aligned_alloc(PAGE, pages * PAGE);
	assert_non_null(f->mem[i]);
	memset(f->mem[i], 0, pages * PAGE);
	assert_int_equal(vd_host_fake_create(f->mem[i], pages, &f->host[i]), 0);
	assert_int_equal(vd_domain_create(f->host[i], &cfg, &f->d[i]), 0);
	assert_int_equal(vd_domain_add_memory(f->d[i], gpa, f->mem[i], pages * PAGE), 0);
}

static void make_adapter(struct pf *f)
{
	const struct vd_adapter_cfg cfg = {
		.size = sizeof(cfg), .nregs = VD_ADAPTER_MAX_REGS, .ops = &adapter_ops, .opaque = f
	};
	const struct vd_owner_cfg owner = { .size = sizeof(owner),
					    .id = PE_OWNER,
					    .provider = VD_NO_OWNER,
					    .domain = f->d[SERVER] };

	f->ops = &adapter_ops;
	assert_int_equal(vd_adapter_create(&cfg, &f->a), 0);
	assert_int_equal(vd_owner_add(f->a, &owner), 0);
	assert_int_equal(vd_adapter_attach(f->a, PE_DEVICE, PE_OWNER), 0);
	assert_int_equal(vd_reader_create(f->a, PE_DEVICE, &f->r), 0);
}

static void make(struct pf *f, const struct vd_papr_cfg *cfg, bool bucket)
{
	struct vd_papr_cfg c = { .size = sizeof(c), .grant_liobn = GRANT_LIOBN };

	memset(f, 0, sizeof(*f));
	for (uint32_t i = BUCKET; i <= CLIENT; i++)
		make_domain(f, i);
	if (cfg)
		c = *cfg;
	c.bucket = bucket ? f->d[BUCKET] : NULL;
	c.ops = &papr_ops;
	c.opaque = f;
	make_adapter(f);
	assert_int_equal(vd_papr_create(&c, &f->p), 0);
	for (uint32_t i = SERVER; i <= CLIENT; i++) {
		const struct vd_papr_partition part = {
			.size = sizeof(part), .id = i, .domain = f->d[i], .cmo = true
		};

		assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	}
}

void pf_make(struct pf *f, const struct vd_papr_cfg *cfg)
{
	make(f, cfg, true);
}

void pf_make_leaky(struct pf *f)
{
	make(f, NULL, false);
}

struct vd_papr_pe pf_pe(struct pf *f)
{
	return (struct vd_papr_pe){
		.size = sizeof(struct vd_papr_pe),
		.partition = SERVER,
		.buid = PE_BUID,
		.config_addr = 0x800,
		.adapter = f->a,
		.owner = PE_OWNER,
		.liobn = PE_LIOBN,
		.len = PE_ENTRIES * PAGE,
		.max_windows = 2,
		.slot_shift = 59,
		.page_sizes = VD_DDW_4K | VD_DDW_64K,
		.max_tces = 4096,
		.extensions = true,
	};
}

struct vd_papr_vio pf_vio(uint32_t partition)
{
	bool server = partition == SERVER;

	return (struct vd_papr_vio){
		.size = sizeof(struct vd_papr_vio),
		.partition = partition,
		.unit = server ? SERVER_UNIT : CLIENT_UNIT,
		.partner = server ? CLIENT_UNIT : SERVER_UNIT,
		.liobn = server ? SERVER_LIOBN : CLIENT_LIOBN,
		.len = VIO_ENTRIES * PAGE,
		.partner_liobn = server ? PARTNER_LIOBN : 0,
	};
}

void pf_furnish(struct pf *f)
{
	const struct vd_papr_pe pe = pf_pe(f);
	const struct vd_papr_vio server = pf_vio(SERVER), client = pf_vio(CLIENT);

	assert_int_equal(vd_papr_add_pe(f->p, &pe), 0);
	assert_int_equal(vd_papr_add_vio(f->p, &server), 0);
	assert_int_equal(vd_papr_add_vio(f->p, &client), 0);
}

void pf_add_pair(struct pf *f, uint32_t client, uint64_t npages)
{
	struct vd_papr_vio vio = pf_vio(SERVER);

	vio.unit = PAIR_UNIT;
	vio.partner = PAIR_UNIT + 1;
	vio.liobn = PAIR_LIOBN;
	vio.partner_liobn = PAIR_PARTNER;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), 0);
	vio = pf_vio(client);
	vio.unit = PAIR_UNIT + 1;
	vio.partner = PAIR_UNIT;
	vio.liobn = PAIR_CLIENT;
	vio.partner_liobn = 0;
	vio.len = npages * PAGE;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), 0);
	assert_int_equal(vd_papr_connect(f->p, PAIR_UNIT), 0);
}

void pf_split(struct pf *f, uint32_t id, uint64_t keep, uint32_t newid, uint32_t owner)
{
	const struct vd_split s = { .size = sizeof(s),
				    .id = id,
				    .newid = newid,
				    .owner = owner,
				    .keep = keep,
				    .live = VD_LIVE_REVOKE };

	assert_int_equal(vd_window_split(f->a, &s), 0);
}

/* Whatever a test has done, nothing stays pinned. */
void pf_unmake(struct pf *f)
{
	f->drain_says = 0;
	vd_reader_destroy(f->r);
	vd_papr_destroy(f->p);
	vd_adapter_destroy(f->a);
	for (uint32_t i = BUCKET; i <= CLIENT; i++) {
		assert_int_equal(vd_fake_pinned(f->host[i]), 0);
		vd_domain_destroy(f->d[i]);
		vd_host_destroy(f->host[i]);
		free(f->mem[i]);
	}
}

int pf_setup(void **state)
{
	struct pf *f = malloc(sizeof(*f));

	assert_non_null(f);
	pf_make(f, NULL);
	pf_furnish(f);
	*state = f;
	return 0;
}

int pf_teardown(void **state)
{
	pf_unmake(*state);
	free(*state);
	return 0;
}

int64_t pf_hcall(struct pf *f, uint32_t who, uint64_t token, const uint64_t *arg)
{
	memset(&f->h, 0xa5, sizeof(f->h));
	f->h.token = token;
	memcpy(f->h.arg, arg, sizeof(f->h.arg));
	assert_int_equal(vd_papr_hcall(f->p, who, &f->h), 0);
	return f->h.status;
}

int32_t pf_ddw(struct pf *f, enum vd_papr_ddw call, const uint32_t *in, uint32_t *out)
{
	static const uint32_t nin[] = { 3, 5, 1, 3 }, nout[] = { 5, 4, 1, 1 };
	struct vd_papr_rtas r = { .call = call, .nin = nin[call], .nout = nout[call] };

	memcpy(r.in, in, nin[call] * sizeof(*in));
	assert_int_equal(vd_papr_rtas(f->p, SERVER, &r), 0);
	if (out)
		memcpy(out, r.out, sizeof(r.out));
	return (int32_t)r.out[0];
}

int64_t pf_page(struct pf *f, uint64_t bus, unsigned int prot, uint32_t *owner)
{
	struct vd_target t;
	int err = vd_translate_once(f->r, (vd_iova){ bus }, prot, &t);

	if (err)
		return err;
	if (owner)
		*owner = t.owner;
	/* Another's memory is far up. */
	return (int64_t)((t.gpa.v % ((uint64_t)1 << 56) - PF_GPA) / PAGE);
}

bool pf_is_of(struct pf *f, uint32_t partition, uint64_t bus)
{
	struct vd_target t;

	return vd_translate_once(f->r, (vd_iova){ bus }, VD_READ, &t) == 0 &&
	       t.hva >= f->mem[partition] && t.hva < f->mem[partition] + PF_PAGES * PAGE;
}

bool pf_is_bucket(struct pf *f, uint64_t bus)
{
	struct vd_target t;

	return pf_page(f, bus, VD_READ, NULL) == -EACCES && pf_page(f, bus, RW, NULL) == -EACCES &&
	       vd_translate_once(f->r, (vd_iova){ bus }, VD_WRITE, &t) == 0 &&
	       t.hva == f->mem[BUCKET];
}

size_t pf_pinned(struct pf *f, uint32_t partition)
{
	return vd_fake_pinned(f->host[partition]);
}

void pf_list(struct pf *f, uint32_t partition, const uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t be = htobe64(v[i]);

		memcpy(f->mem[partition] + i * 8, &be, 8);
	}
}
