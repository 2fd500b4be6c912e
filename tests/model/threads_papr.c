/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PAPR platform under threads, to be run under a race detector as well: two
 * partitions make calls, one of them also takes its windows away and lends; two
 * devices read all the while and one writes. Every page has its number in it,
 * twice; what a device reads or is about to write is one of the pages that were
 * ever put there. What it writes to a page is its number, and to the bit bucket
 * something that nobody may read. At the end nothing is pinned.
 *
 * Usage: threads-papr [rounds]
 */
#include <container.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/viaduct.h>

#define PAGE	VD_PAGE_SIZE
#define PAGES	32u
#define GPA	0x40000u
#define ENTRIES 64u
#define LIOBN	0x80000000u
#define VIO	0x10000000u
#define PARTNER 0x30000000u
#define BUCKET	2 /* whose the bit bucket is: no partition's */

struct world {
	unsigned char *mem[3];
	struct vd_host *host[3];
	struct vd_domain *d[3];
	struct vd_adapter *a;
	struct vd_papr *p;
	atomic_bool stop;
	_Atomic uint64_t pane; /* that partition 1 was lent */
	_Atomic uint64_t dropped;
	unsigned long rounds;
};

struct caller {
	struct world *w;
	uint32_t who;
	unsigned int seed;
	unsigned long good;
};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads-papr: %s\n", what);
		abort();
	}
}

static unsigned int pick(struct caller *c, unsigned int n)
{
	return (unsigned int)rand_r(&c->seed) % n;
}

static uint64_t hcall(struct caller *c, uint64_t token, const uint64_t *arg)
{
	struct vd_papr_hcall h = { .token = token };

	memcpy(h.arg, arg, 6 * sizeof(*arg));
	must(vd_papr_hcall(c->w->p, c->who, &h) == 0, "a call");
	c->good += h.status == VD_H_SUCCESS;
	return h.status == VD_H_SUCCESS && h.nout ? h.out[0] : 0;
}
#define CALL(c, token, ...) hcall(c, token, (uint64_t[6]){ __VA_ARGS__ })

static uint64_t tce(struct caller *c)
{
	return (GPA + pick(c, PAGES) * PAGE) | pick(c, 4);
}

static void own_entries(struct caller *c)
{
	uint64_t at = pick(c, ENTRIES) * PAGE;
	uint64_t pane = atomic_load(&c->w->pane);

	CALL(c, VD_H_STUFF_TCE, VIO + c->who, at, tce(c), pick(c, 8));
	if (c->who == 0)
		CALL(c, VD_H_PUT_TCE, LIOBN, at, tce(c));
	else if (pane)
		CALL(c, VD_H_STUFF_TCE, pane, pick(c, 8) * PAGE, tce(c), pick(c, 4));
}

/* The server's other work. */
static void change(struct caller *c)
{
	static uint64_t cookie; /* this thread's alone */
	struct vd_papr_rtas r = { .call = pick(c, 16) ? VD_DDW_CREATE : VD_DDW_RESET };
	uint64_t at = pick(c, ENTRIES) * PAGE;

	r.nin = r.call == VD_DDW_CREATE ? 5 : 3;
	r.nout = r.call == VD_DDW_CREATE ? 4 : 1;
	r.in[3] = 12;
	r.in[4] = 16;
	if (pick(c, 4) == 0)
		vd_papr_rtas(c->w->p, 0, &r);
	CALL(c, VD_H_PUT_RTCE, PARTNER, at, LIOBN, pick(c, ENTRIES) * PAGE, pick(c, 4));
	CALL(c, VD_H_LIOBN_ATTRIBUTES, LIOBN, 0, VD_LIOBN_BIT_BUCKET);
	if (cookie && pick(c, 4) == 0) {
		CALL(c, VD_H_RESCIND_LOGICAL, VD_RESCIND_FORCED, cookie);
		cookie = 0;
	} else if (!cookie) {
		struct caller borrower = { .w = c->w, .who = 1 };

		CALL(c, VD_H_STUFF_TCE, LIOBN, 0, 0, 8);
		cookie = CALL(c, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, LIOBN, 0, 8 * PAGE, 0x30);
		atomic_store(&c->w->pane, CALL(&borrower, VD_H_ACCEPT_LOGICAL, cookie));
	}
}

static void *call_all(void *arg)
{
	struct caller *c = arg;

	for (unsigned long i = 0; i < c->w->rounds; i++) {
		own_entries(c);
		if (c->who == 0 && i % 8 == 0)
			change(c);
	}
	return NULL;
}

/* The number that stands in each page, at its begin and at its end. */
static void look(const struct world *w, unsigned char *page)
{
	uint64_t first = atomic_load((_Atomic uint64_t *)(void *)page);
	uint64_t last = atomic_load((_Atomic uint64_t *)(void *)(page + PAGE - 8));

	must(first == last && (first >> 8) <= 1 && (first & 0xff) < PAGES, "a page");
	must(page == w->mem[first >> 8] + (first & 0xff) * PAGE, "its own page");
}

static void *read_all(void *arg)
{
	struct world *w = arg;
	struct vd_reader *r;
	unsigned long reads = 0;
	struct vd_target t;

	must(vd_reader_create(w->a, 1, &r) == 0, "a reader");
	for (uint64_t i = 0; !atomic_load(&w->stop); i++) {
		const vd_iova bus = { i % ENTRIES * PAGE };

		vd_reader_enter(r);
		if (vd_translate(r, bus, VD_READ, &t) == 0) {
			look(w, t.hva);
			reads++;
		}
		vd_reader_exit(r);
	}
	vd_reader_destroy(r);
	return (void *)(uintptr_t)reads;
}

static void *write_all(void *arg)
{
	struct world *w = arg;
	struct vd_reader *r;
	struct vd_target t;

	must(vd_reader_create(w->a, 1, &r) == 0, "a reader");
	for (uint64_t i = 0; !atomic_load(&w->stop); i++) {
		const vd_iova bus = { i % ENTRIES * PAGE };

		vd_reader_enter(r);
		if (vd_translate(r, bus, VD_WRITE, &t) == 0) {
			_Atomic uint64_t *word = (void *)t.hva;

			if (t.hva == w->mem[BUCKET]) {
				atomic_store(word, ~i);
				atomic_fetch_add(&w->dropped, 1);
			} else {
				look(w, t.hva);
				atomic_store(word, atomic_load(word));
			}
		}
		vd_reader_exit(r);
		if (i % ENTRIES == 0)
			sched_yield();
	}
	vd_reader_destroy(r);
	return NULL;
}

static void make_domain(struct world *w, uint32_t i, uint64_t gpa, size_t pages)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	w->mem[i] = aligned_alloc(PAGE, pages * PAGE);
	must(w->mem[i] != NULL, "memory");
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t n = i << 8 | page;

		memcpy(w->mem[i] + page * PAGE, &n, 8);
		memcpy(w->mem[i] + (page + 1) * PAGE - 8, &n, 8);
	}
	must(vd_host_fake_create(w->mem[i], pages, &w->host[i]) == 0, "a host");
	must(vd_domain_create(w->host[i], &cfg, &w->d[i]) == 0, "a domain");
	must(vd_domain_add_memory(w->d[i], (vd_gpa){ gpa }, w->mem[i], pages * PAGE) == 0,
	     "its memory");
}

static void make_partition(struct world *w, uint32_t i)
{
	struct vd_papr_partition part = { .size = sizeof(part), .id = i };

	make_domain(w, i, GPA, PAGES);
	part.domain = w->d[i];
	must(vd_papr_add_partition(w->p, &part) == 0, "a partition");
}

static void make(struct world *w)
{

	const struct vd_adapter_cfg adapter = { .size = sizeof(adapter) };
	struct vd_papr_cfg papr = { .size = sizeof(papr), .grant_liobn = 0xf0000000 };
	struct vd_owner_cfg owner = { .size = sizeof(owner), .id = 1, .provider = VD_NO_OWNER };
	struct vd_papr_pe pe = { .size = sizeof(pe),
				 .config_addr = VD_PAPR_WHOLE_BRIDGE,
				 .owner = 1,
				 .liobn = LIOBN,
				 .len = ENTRIES * PAGE,
				 .max_windows = 2,
				 .slot_shift = 59,
				 .page_sizes = VD_DDW_4K,
				 .max_tces = 64 };

	must(vd_adapter_create(&adapter, &w->a) == 0, "an adapter");
	make_domain(w, BUCKET, 0, 1);
	papr.bucket = w->d[BUCKET];
	must(vd_papr_create(&papr, &w->p) == 0, "a platform");
	for (uint32_t i = 0; i < 2; i++)
		make_partition(w, i);
	owner.domain = w->d[0];
	must(vd_owner_add(w->a, &owner) == 0, "an owner");
	must(vd_adapter_attach(w->a, 1, 1) == 0, "a device");
	pe.adapter = w->a;
	must(vd_papr_add_pe(w->p, &pe) == 0, "a PE");
	for (uint32_t i = 0; i < 2; i++) {
		const struct vd_papr_vio vio = { .size = sizeof(vio),
						 .partition = i,
						 .unit = 0x30 + i,
						 .partner = 0x31 - i,
						 .liobn = VIO + i,
						 .len = ENTRIES * PAGE,
						 .partner_liobn = i ? 0 : PARTNER };

		must(vd_papr_add_vio(w->p, &vio) == 0, "a virtual device");
	}
	must(vd_papr_connect(w->p, 0x30) == 0, "a connection");
}

static void unmake(struct world *w)
{
	vd_papr_destroy(w->p);
	vd_adapter_destroy(w->a);
	for (uint32_t i = 0; i <= BUCKET; i++) {
		must(vd_fake_pinned(w->host[i]) == 0, "nothing pinned at the end");
		vd_domain_destroy(w->d[i]);
		vd_host_destroy(w->host[i]);
		free(w->mem[i]);
	}
}

/* An entry that leads to the bucket, until the writer has been there. */
static void drop_one(struct world *w)
{
	struct caller server = { .w = w, .who = 0 }, client = { .w = w, .who = 1 };
	uint64_t before = atomic_load(&w->dropped);

	for (uint32_t i = 0; i < 2; i++)
		must(vd_papr_reset(w->p, i) == 0, "a reboot");
	must(vd_papr_connect(w->p, 0x30) == 0, "a connection");
	CALL(&server, VD_H_LIOBN_ATTRIBUTES, LIOBN, 0, VD_LIOBN_BIT_BUCKET);
	CALL(&client, VD_H_PUT_TCE, VIO + 1, 0, GPA | VD_TCE_READ | VD_TCE_WRITE);
	CALL(&server, VD_H_PUT_RTCE, PARTNER, 0, LIOBN, 0, 1);
	CALL(&client, VD_H_PUT_TCE, VIO + 1, 0, 0);
	must(server.good == 2 && client.good == 2, "a redirected entry that ends");
	while (atomic_load(&w->dropped) == before)
		sched_yield();
}

int main(int argc, char **argv)
{
	static struct world w;
	struct caller caller[2];
	pthread_t thread[5];
	void *reads[2];

	w.rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 20000;
	make(&w);
	for (uint32_t i = 0; i < 2; i++) {
		caller[i] = (struct caller){ .w = &w, .who = i, .seed = i + 1 };
		pthread_create(&thread[i], NULL, call_all, &caller[i]);
		pthread_create(&thread[2 + i], NULL, read_all, &w);
	}
	pthread_create(&thread[4], NULL, write_all, &w);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	drop_one(&w);
	atomic_store(&w.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[2 + i], &reads[i]);
	pthread_join(thread[4], NULL);
	unmake(&w);
	printf("%lu and %lu calls, %lu and %lu reads, %lu writes dropped\n", caller[0].good,
	       caller[1].good, (unsigned long)(uintptr_t)reads[0],
	       (unsigned long)(uintptr_t)reads[1], (unsigned long)atomic_load(&w.dropped));
	must(caller[0].good && caller[1].good && reads[0] && reads[1], "work done");
	return 0;
}
