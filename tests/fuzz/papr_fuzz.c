/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two hostile partitions: each input is a sequence of actions on a platform
 * with fake hosts that fail on request and an adapter that does not always come
 * to rest. Hypervisor and RTAS calls have any arguments, or ones that are
 * nearly right, so that what is behind the checks is reached. Meanwhile an
 * administrator splits and merges the windows, between owners with the same memory
 * and with others'; partitions get memory late; and another CPU of theirs stores
 * into what a call reads while the call runs. After every action
 * the engine's counts agree with the hosts', and what a device reaches is pinned
 * memory of one of the partitions. At the end nothing is pinned. The library's
 * allocator is here: it fails on request, and whatever a guest says no
 * allocation is longer than LARGEST.
 */
#include "fuzz.h"

#include <adversary.h>
#include <container.h>
#include <errno.h>
#include <mem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/viaduct.h>

#define PARTITIONS 2u
#define BUCKET	   PARTITIONS /* whose the bit bucket is: no partition's */
#define PAGES	   16u
#define PAGE	   VD_PAGE_SIZE
#define GPA	   0x100000u
#define ACTIONS	   96u
#define PE_LIOBN   0x80000000u
#define VIO_LIOBN  0x10000000u
#define PARTNER	   0x30000000u
#define GRANTS	   0xf0000000u
#define BUID	   0x800000020000000u
#define ENTRIES	   64u
#define LARGEST	   ((uint64_t)1 << 20) /* of an allocation, in bytes */
#define PE_OWNER   1u		       /* 2 has partition 1's memory, 3 again partition 0's */
#define PROVIDERS  3u
#define ADMIN	   100u /* windows that an administrator splits off */

struct world {
	const uint8_t *in;
	size_t left;
	unsigned char *mem[PARTITIONS + 1];
	struct vd_host *host[PARTITIONS + 1];
	struct adversary adv[PARTITIONS + 1];
	uint8_t inside; /* what happens while a call runs */
	bool grown[PARTITIONS];
	struct vd_domain *d[PARTITIONS + 1];
	struct vd_adapter *a;
	struct vd_reader *r[PROVIDERS];
	struct vd_papr *p;
	int drain_says;
	uint64_t now;
	uint64_t seen[8]; /* what calls returned: cookies, LIOBNs */
	unsigned int nseen;
};

static void must_be(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "line %d: %s\n", line, what);
	abort();
}
#define must(x) must_be((x), #x, __LINE__)

/* The library's allocator, in place of its own: bounded, and it fails. */
static unsigned int fail_nth;

void *mem_zalloc(size_t n, size_t size)
{
	must(n != 0 && size <= LARGEST / n);
	if (fail_nth && --fail_nth == 0)
		return NULL;
	return calloc(n, size);
}

void mem_free(void *p)
{
	free(p);
}

static uint64_t take(struct world *w, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes-- && w->left) {
		v = v << 8 | *w->in++;
		w->left--;
	}
	return v;
}

/* A partition gets the page behind its memory. */
static void grow(struct world *w, uint32_t i)
{
	int err = 0;

	if (!w->grown[i])
		err = vd_domain_add_memory(w->d[i], (vd_gpa){ GPA + PAGES * PAGE },
					   w->mem[i] + PAGES * PAGE, PAGE);
	must(err == 0 || err == -ENOMEM);
	w->grown[i] = err == 0;
}

static int drain(void *opaque, const struct vd_drain *what)
{
	struct world *w = opaque;

	(void)what;
	if (w->inside & 2)
		grow(w, w->inside & 1);
	return w->drain_says;
}

/* Another CPU stores where lists are. */
static void step(void *opaque, enum adversary_step at)
{
	struct world *w = opaque;

	(void)at;
	for (size_t i = 0; w->inside & 4 && i < PARTITIONS * 64; i++)
		w->mem[i % PARTITIONS][i / PARTITIONS] ^= w->inside;
}

static uint64_t seen(struct world *w)
{
	return w->seen[take(w, 1) % ARRAY_LEN(w->seen)];
}

/* A LIOBN that may be somebody's. */
static uint64_t liobn(struct world *w)
{
	uint64_t n = take(w, 1);

	switch (n % 8) {
	case 0:
	case 1:
	case 2:
		return PE_LIOBN + n / 8 % 3;
	case 3:
	case 4:
		return VIO_LIOBN + n / 8 % 3;
	case 5:
		return PARTNER;
	case 6:
		return seen(w);
	default:
		return GRANTS + n / 8;
	}
}

static uint64_t page_of(struct world *w, unsigned int more)
{
	return take(w, 1) % (ENTRIES + more) * PAGE;
}

static uint64_t ioba(struct world *w)
{
	uint64_t at = page_of(w, 2);

	return take(w, 1) % 4 ? at : at + (1ull << 59);
}

static uint64_t tce(struct world *w)
{
	uint64_t n = take(w, 1);

	return (GPA + n % (PAGES + 1) * PAGE) | n >> 6;
}

static uint64_t number(struct world *w)
{
	uint64_t n = take(w, 1);

	return n < 250 ? n % 20 : UINT64_MAX >> (n - 250) * 8;
}

static uint64_t flags(struct world *w)
{
	uint64_t n = take(w, 1);

	return n < 200 ? VD_GRANT_DMA_PANE | (n & 1 ? VD_GRANT_NO_REGRANT : 0) : n << 40;
}

static uint64_t unit(struct world *w)
{
	return 0x30 + take(w, 1) % 3;
}

static uint64_t list(struct world *w)
{
	uint64_t n = take(w, 1);

	return GPA + n % PAGES * PAGE + (n > 250);
}

/* The positive LIOBN of one table, or minus the number of many. */
static uint64_t tables(struct world *w)
{
	uint64_t n = take(w, 1);

	return n < 192 ? liobn(w) : 0 - n % 8;
}

static uint64_t force(struct world *w)
{
	return take(w, 1) % 2 ? VD_RESCIND_FORCED : 0;
}

struct call {
	uint64_t token;
	uint64_t (*arg[6])(struct world *w);
};

static const struct call calls[] = {
	{ VD_H_PUT_TCE, { liobn, ioba, tce } },
	{ VD_H_GET_TCE, { liobn, ioba } },
	{ VD_H_STUFF_TCE, { liobn, ioba, tce, number } },
	{ VD_H_PUT_TCE_INDIRECT, { tables, ioba, list, number } },
	{ VD_H_PUT_RTCE, { liobn, ioba, liobn, ioba, number } },
	{ VD_H_PUT_RTCE_INDIRECT, { list, liobn, liobn, ioba, number } },
	{ VD_H_REMOVE_RTCE, { liobn, ioba, liobn, ioba, number, tce } },
	{ VD_H_LIOBN_ATTRIBUTES, { liobn, number, number } },
	{ VD_H_GRANT_LOGICAL, { flags, liobn, ioba, ioba, unit } },
	{ VD_H_ACCEPT_LOGICAL, { seen } },
	{ VD_H_RETURN_LOGICAL, { seen } },
	{ VD_H_RESCIND_LOGICAL, { force, seen } },
	{ VD_H_SET_MPP, { ioba, number } },
	{ VD_H_GET_MPP, { number } },
};

static bool is_status(int64_t s)
{
	static const int64_t known[] = {
		VD_H_SUCCESS,	 VD_H_CONSTRAINED, VD_H_PARTIAL,    VD_H_HARDWARE, VD_H_FUNCTION,
		VD_H_PARAMETER,	 VD_H_NO_MEM,	   VD_H_PERMISSION, VD_H_R_PARM,   VD_H_RESOURCE,
		VD_H_NOT_ENOUGH, VD_H_RESCINDED,   VD_H_P4,	    VD_H_IN_USE,
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i] == s)
			return true;
	}
	return false;
}

static void make_call(struct world *w, struct vd_papr_hcall *h)
{
	uint32_t who = (uint32_t)take(w, 1) % PARTITIONS;

	vd_papr_hcall(w->p, who, h);
	must(is_status(h->status));
	must(h->nout <= ARRAY_LEN(h->out));
	if (h->status == VD_H_SUCCESS && h->nout == 1)
		w->seen[w->nseen++ % ARRAY_LEN(w->seen)] = h->out[0];
}

static void likely_call(struct world *w)
{
	const struct call *c = &calls[take(w, 1) % ARRAY_LEN(calls)];
	struct vd_papr_hcall h = { .token = c->token };

	for (size_t i = 0; i < ARRAY_LEN(c->arg); i++)
		h.arg[i] = c->arg[i] ? c->arg[i](w) : take(w, 1);
	make_call(w, &h);
}

static void any_call(struct world *w)
{
	struct vd_papr_hcall h = { .token = take(w, 1) % 2 ? take(w, 2) :
							     calls[take(w, 1) % 14].token };

	for (size_t i = 0; i < ARRAY_LEN(h.arg); i++)
		h.arg[i] = take(w, 1) % 2 ? take(w, 8) : liobn(w);
	make_call(w, &h);
}

static void put_list(struct world *w)
{
	uint32_t who = (uint32_t)take(w, 1) % PARTITIONS;
	size_t at = take(w, 1) % (PAGE / 8) * 8;

	for (unsigned int n = (unsigned int)take(w, 1) % 16; n-- && at < PAGE; at += 8) {
		uint64_t v = take(w, 1) % 2 ? tce(w) : liobn(w);

		for (int b = 0; b < 8; b++)
			w->mem[who][at + (size_t)b] = (unsigned char)(v >> (56 - 8 * b));
	}
}

/* A default window that may be a part of what it was, but is there, and empty. */
static void check_reset(struct world *w)
{
	struct vd_window_info info = { .size = sizeof(info) };
	uint64_t nlive;

	must(vd_window_query(w->a, PE_LIOBN, &info) == 0);
	must(info.owner == PE_OWNER && info.lender == info.id);
	must(vd_window_nlive(w->a, PE_LIOBN, &nlive) == 0 && nlive == 0);
}

/* What the other provider has is no guest's to end. */
static unsigned int count_others(struct world *w)
{
	struct vd_window_info info = { .size = sizeof(info) };
	unsigned int n = 0;

	for (uint32_t slot = 0; slot < VD_ADAPTER_MAX_REGS; slot++)
		n += vd_window_show(w->a, slot, &info) == 0 && info.lender == info.id &&
		     info.owner != PE_OWNER;
	return n;
}

static void ddw(struct world *w)
{
	static const uint32_t nin[] = { 3, 5, 1, 3 }, nout[] = { 5, 4, 1, 1 };
	uint32_t n = (uint32_t)take(w, 1), others = count_others(w);
	struct vd_papr_rtas r = { .call = n % 4, .nin = nin[n % 4], .nout = nout[n % 4] };
	uint32_t status;

	if (n > 250) {
		r.nin = (uint32_t)take(w, 4);
		r.nout = (uint32_t)take(w, 4);
	}
	r.in[1] = (uint32_t)(BUID >> 32);
	r.in[2] = (uint32_t)BUID;
	r.in[3] = 12 + (uint32_t)take(w, 1) % 5;
	r.in[4] = (uint32_t)take(w, 1) % 70;
	if (r.call == VD_DDW_REMOVE)
		r.in[0] = (uint32_t)liobn(w);
	if (n > 240)
		r.in[take(w, 1) % 8] = (uint32_t)take(w, 4);
	vd_papr_rtas(w->p, (uint32_t)take(w, 1) % PARTITIONS, &r);
	status = r.out[0];
	must(status == 0 || status >= (uint32_t)VD_RTAS_PARAMETER);
	must(count_others(w) == others);
	if (status == 0 && r.call == VD_DDW_RESET)
		check_reset(w);
}

static size_t pages_of(uint32_t i)
{
	return i == BUCKET ? 1 : PAGES + 1; /* one comes late */
}

static void fail_host(struct world *w)
{
	static const int errs[] = { -ENOMEM, -EFAULT, -ENOSPC, -EIO };

	vd_fake_fail(w->host[take(w, 1) % (PARTITIONS + 1)], (unsigned int)take(w, 1) % 4,
		     errs[take(w, 1) % 4]);
}

/* Two calls that go together, or nearly: a grant and its acceptance. */
static void lend(struct world *w)
{
	struct vd_papr_hcall h = { .token = VD_H_GRANT_LOGICAL,
				   .arg = { flags(w), PE_LIOBN, page_of(w, 1), page_of(w, 0),
					    0x30 } };

	vd_papr_hcall(w->p, 0, &h);
	w->seen[w->nseen++ % ARRAY_LEN(w->seen)] = h.out[0];
	h = (struct vd_papr_hcall){ .token = VD_H_ACCEPT_LOGICAL, .arg = { h.out[0] } };
	vd_papr_hcall(w->p, 1, &h);
	if (h.status == VD_H_SUCCESS)
		w->seen[w->nseen++ % ARRAY_LEN(w->seen)] = h.out[0];
}

/* A client's entry and its way into the server's table. */
static void redirect(struct world *w)
{
	uint64_t at = page_of(w, 0);
	struct vd_papr_hcall h = { .token = VD_H_STUFF_TCE,
				   .arg = { VIO_LIOBN + 1, at, tce(w), number(w) } };

	vd_papr_hcall(w->p, 1, &h);
	h = (struct vd_papr_hcall){ .token = VD_H_PUT_RTCE,
				    .arg = { PARTNER, at, PE_LIOBN, page_of(w, 0), number(w) } };
	vd_papr_hcall(w->p, 0, &h);
	must(is_status(h.status));
}

/* A window that may be there, or a name for one that is to be made. */
static uint32_t window(struct world *w)
{
	uint32_t n = (uint32_t)take(w, 1);

	return n % 2 ? ADMIN + n / 2 % 4 : (uint32_t)liobn(w);
}

static uint32_t owner(struct world *w)
{
	uint32_t n = (uint32_t)take(w, 1);

	return n < 240 ? PE_OWNER + n % PROVIDERS : VD_PAPR_FIRST_OWNER + n % 4;
}

static enum vd_live live(struct world *w)
{
	return (enum vd_live)(take(w, 1) % 3);
}

static void split(struct world *w)
{
	const struct vd_split s = { .size = sizeof(s),
				    .id = window(w),
				    .newid = window(w),
				    .owner = owner(w),
				    .keep = take(w, 1) % (ENTRIES + 2),
				    .live = live(w) };

	vd_window_split(w->a, &s);
}

static void merge(struct world *w)
{
	const struct vd_merge m = { .size = sizeof(m),
				    .keep = window(w),
				    .clear = window(w),
				    .owner = owner(w),
				    .live = live(w) };

	vd_window_merge(w->a, &m);
}

static void reset(struct world *w, uint32_t who)
{
	unsigned int others = count_others(w);

	if (vd_papr_reset(w->p, who) == 0 && who == 0)
		check_reset(w);
	must(count_others(w) == others);
}

static void fail_memory(struct world *w)
{
	fail_nth = (unsigned int)take(w, 1) % 8;
}

static void operate(struct world *w)
{
	uint32_t who = (uint32_t)take(w, 1) % PARTITIONS;
	uint64_t what = take(w, 1);

	w->drain_says = what & 0x80 ? -EIO : 0;
	if (what % 8 == 0)
		reset(w, who);
	else if (what % 8 == 1)
		vd_papr_fail(w->p, who, w->now);
	else if (what % 8 == 2)
		vd_papr_tick(w->p, w->now += 900);
	else if (what % 8 == 3)
		vd_papr_disconnect(w->p, 0x30);
	else if (what % 8 == 4)
		vd_papr_connect(w->p, 0x31);
	else
		vd_domain_set_budget(w->d[who], what % 8 * PAGE);
}

static void set_inside(struct world *w)
{
	w->inside = (uint8_t)take(w, 1);
	if (w->inside & 8)
		grow(w, w->inside & 1);
}

static void (*const actions[])(struct world *) = {
	likely_call, likely_call, likely_call, likely_call, any_call, put_list, ddw,
	fail_host,   fail_memory, operate,     lend,	    redirect, split,	merge,
};

/*
 * X1: what a device reaches is pinned memory of one of the partitions, or the
 * bucket, but not to read from it.
 */
static void check_target(struct world *w, struct vd_reader *r, uint64_t bus, unsigned int prot)
{
	struct vd_target t;
	bool found = false;

	if (vd_translate_once(r, (vd_iova){ bus }, prot, &t) != 0)
		return;
	for (uint32_t i = 0; i <= (prot == VD_WRITE ? BUCKET : BUCKET - 1); i++) {
		if (t.hva < w->mem[i] || t.hva >= w->mem[i] + pages_of(i) * PAGE)
			continue;
		found = true;
		must(vd_fake_pins(w->host[i], (size_t)(t.hva - w->mem[i]) / PAGE) > 0);
	}
	must(found);
}

static void check_devices(struct world *w)
{
	for (uint32_t k = 0; k < PROVIDERS; k++) {
		for (uint64_t i = 0; i < ENTRIES; i++) {
			check_target(w, w->r[k], i * PAGE, VD_READ);
			check_target(w, w->r[k], i * PAGE, VD_WRITE);
		}
	}
}

static void check(struct world *w)
{
	for (uint32_t i = 0; i <= BUCKET; i++) {
		struct vd_domain_stats st = { .size = sizeof(st) };

		vd_domain_stats(w->d[i], &st);
		must(st.pinned == vd_fake_pinned(w->host[i]) * PAGE);
	}
	must(vd_fake_pinned(w->host[BUCKET]) == 1);
	check_devices(w);
}

static void make_domain(struct world *w, uint32_t i, uint64_t gpa)
{
	const struct vd_domain_cfg domain = { .size = sizeof(domain), .granule_shift = 12 };
	size_t pages = pages_of(i);

	w->mem[i] = aligned_alloc(PAGE, pages * PAGE);
	must(w->mem[i] != NULL);
	memset(w->mem[i], 0, pages * PAGE);
	must(vd_host_fake_create(w->mem[i], pages, &w->host[i]) == 0);
	adversary_make(&w->adv[i], w->host[i], step, w);
	must(vd_domain_create(&w->adv[i].host, &domain, &w->d[i]) == 0);
	must(vd_domain_add_memory(w->d[i], (vd_gpa){ gpa }, w->mem[i],
				  (i == BUCKET ? 1 : PAGES) * PAGE) == 0);
}

static void make_partition(struct world *w, uint32_t i)
{
	struct vd_papr_partition part = { .size = sizeof(part), .id = i, .cmo = i == 0 };

	make_domain(w, i, GPA);
	part.domain = w->d[i];
	must(vd_papr_add_partition(w->p, &part) == 0);
}

static void make_provider(struct world *w, uint32_t i)
{
	const struct vd_owner_cfg cfg = { .size = sizeof(cfg),
					  .id = PE_OWNER + i,
					  .provider = VD_NO_OWNER,
					  .domain = w->d[i % PARTITIONS] };

	must(vd_owner_add(w->a, &cfg) == 0);
	must(vd_adapter_attach(w->a, 1 + i, cfg.id) == 0);
	must(vd_reader_create(w->a, 1 + i, &w->r[i]) == 0);
}

static void make_devices(struct world *w)
{
	const struct vd_papr_pe pe = { .size = sizeof(pe),
				       .buid = BUID,
				       .config_addr = VD_PAPR_WHOLE_BRIDGE,
				       .adapter = w->a,
				       .owner = PE_OWNER,
				       .liobn = PE_LIOBN,
				       .len = ENTRIES * PAGE,
				       .max_windows = 3,
				       .slot_shift = 59,
				       .page_sizes = VD_DDW_4K | VD_DDW_64K,
				       .max_tces = 1 << 16,
				       .extensions = true };

	for (uint32_t i = 0; i < PROVIDERS; i++)
		make_provider(w, i);
	must(vd_papr_add_pe(w->p, &pe) == 0);
	for (uint32_t i = 0; i < PARTITIONS; i++) {
		const struct vd_papr_vio vio = { .size = sizeof(vio),
						 .partition = i,
						 .unit = 0x30 + i,
						 .partner = 0x31 - i,
						 .liobn = VIO_LIOBN + i,
						 .len = ENTRIES * PAGE,
						 .partner_liobn = i ? 0 : PARTNER };

		must(vd_papr_add_vio(w->p, &vio) == 0);
	}
	must(vd_papr_connect(w->p, 0x30) == 0);
}

static void make(struct world *w)
{
	static const struct vd_adapter_ops adapter_ops = { .size = sizeof(adapter_ops),
							   .drain = drain };
	const struct vd_adapter_cfg adapter = {
		.size = sizeof(adapter), .max_bytes = LARGEST, .ops = &adapter_ops, .opaque = w
	};
	struct vd_papr_cfg papr = { .size = sizeof(papr),
				    .grant_liobn = GRANTS,
				    .multi_table = true };

	must(vd_adapter_create(&adapter, &w->a) == 0);
	make_domain(w, BUCKET, 0);
	papr.bucket = w->d[BUCKET];
	must(vd_papr_create(&papr, &w->p) == 0);
	for (uint32_t i = 0; i < PARTITIONS; i++)
		make_partition(w, i);
	make_devices(w);
}

static void unmake(struct world *w)
{
	w->drain_says = 0;
	fail_nth = 0;
	vd_papr_destroy(w->p);
	for (uint32_t i = 0; i < PROVIDERS; i++)
		vd_reader_destroy(w->r[i]);
	vd_adapter_destroy(w->a);
	for (uint32_t i = 0; i <= BUCKET; i++) {
		must(vd_fake_pinned(w->host[i]) == 0);
		vd_domain_destroy(w->d[i]);
		vd_host_destroy(w->host[i]);
		free(w->mem[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .in = data, .left = len };

	make(&w);
	for (unsigned int i = 0; w.left && i < ACTIONS; i++) {
		uint8_t what = (uint8_t)take(&w, 1);

		if (what >= 0xf0)
			set_inside(&w);
		else
			actions[what % ARRAY_LEN(actions)](&w);
		check(&w);
	}
	unmake(&w);
	return 0;
}
