/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G11, G20: lists of entries, as a guest's call brings them: checked all, stored
 * all, and what they replace has lost its last reader. The reference checks the
 * bits of an entry and its page against the end of memory, and stores it.
 *
 * A guest's own call besides copies the list, turns its bytes round, finds the
 * window by its LIOBN, and has a domain that counts the pages: two steps an entry,
 * for the page that comes and the page that goes, which is more than G11
 * allows for all of it; G20 says how much that may be. What the counting alone
 * costs is no goal.
 */
#include "contest.h"
#include "field.h"
#include "window.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LEN   ((uint64_t)1 << 20)
#define TIMES 64u
#define LIOBN 0x80000000u

struct lists {
	struct world w;
	size_t n;
	enum vd_format format;
	vd_entry entry[VD_PUT_MAX];
	uint64_t *plain; /* the reference's table */
	uint64_t seed;
};

static uint64_t place(struct lists *x)
{
	return bench_random(&x->seed, LEN / VD_PUT_MAX) * VD_PUT_MAX;
}

static double put_lists(void *opaque)
{
	struct lists *x = opaque;
	double a = bench_now_ns();
	int err = 0;

	for (size_t i = 0; i < TIMES; i++) {
		struct vd_put p = { .size = sizeof(p),
				    .owner = WORLD_OWNER,
				    .window = WORLD_W,
				    .bus = world_bus(&x->w, place(x)),
				    .n = x->n,
				    .entry = x->entry };

		err |= vd_window_put(x->w.a, &p);
	}
	bench_must(!err, "put");
	return (bench_now_ns() - a) / TIMES / (double)x->n;
}

static int store_list(const struct lists *x, uint64_t *at, uint64_t end)
{
	uint64_t sign = x->format == VD_FORMAT_IOTSB ? (uint64_t)1 << 63 : 0;

	for (size_t i = 0; i < x->n; i++) {
		uint64_t e = x->entry[i].v;

		if ((e & RW) == 0 || (e & (PAGE - 1) & ~(uint64_t)RW) != 0 ||
		    e >= end)
			return -1;
		__atomic_store_n(&at[i], __builtin_bswap64(e | sign),
				 __ATOMIC_RELAXED);
	}
	return 0;
}

static double store_lists(void *opaque)
{
	struct lists *x = opaque;
	double a = bench_now_ns();
	int err = 0;

	for (size_t i = 0; i < TIMES; i++)
		err |= store_list(x, x->plain + place(x), x->w.ram_len);
	bench_must(!err, "store");
	return (bench_now_ns() - a) / TIMES / (double)x->n;
}

/* A guest with a window over LEN pages, in which each page is held elsewhere. */
struct calls {
	struct lists x;
	struct vd_adapter *a;
	struct vd_papr *papr;
};

static double call_lists(void *opaque)
{
	struct calls *c = opaque;
	double a = bench_now_ns();
	int64_t err = 0;

	for (size_t i = 0; i < TIMES; i++) {
		struct vd_papr_hcall h = {
			.token = VD_H_PUT_TCE_INDIRECT,
			.arg = { LIOBN, place(&c->x) * PAGE, 0, c->x.n },
		};

		err |= vd_papr_hcall(c->papr, 1, &h) | h.status;
	}
	bench_must(!err, "hypercall");
	return (bench_now_ns() - a) / TIMES / (double)c->x.n;
}

static double call_stores(void *opaque)
{
	return store_lists(&((struct calls *)opaque)->x);
}

static void open_papr(struct calls *c)
{
	const struct vd_papr_cfg cfg = { .size = sizeof(cfg),
					 .grant_liobn = 0xf0000000 };
	const struct vd_papr_partition guest = { .size = sizeof(guest),
						 .id = 1,
						 .domain = c->x.w.d };
	const struct vd_adapter_cfg acfg = { .size = sizeof(acfg) };
	const struct vd_owner_cfg owner = { .size = sizeof(owner),
					    .id = WORLD_OWNER,
					    .provider = VD_NO_OWNER,
					    .domain = c->x.w.d };
	struct vd_papr_pe pe = { .size = sizeof(pe),
				 .partition = 1,
				 .buid = 1,
				 .config_addr = VD_PAPR_WHOLE_BRIDGE,
				 .owner = WORLD_OWNER,
				 .liobn = LIOBN,
				 .len = LEN * PAGE,
				 .max_windows = 1,
				 .slot_shift = 59 };

	bench_must(vd_adapter_create(&acfg, &c->a) == 0 &&
			   vd_owner_add(c->a, &owner) == 0,
		   "adapter");
	pe.adapter = c->a;
	bench_must(vd_papr_create(&cfg, &c->papr) == 0 &&
			   vd_papr_add_partition(c->papr, &guest) == 0 &&
			   vd_papr_add_pe(c->papr, &pe) == 0,
		   "PAPR");
	/* The list is in the first page, the only one with memory behind it. */
	bench_must(mprotect(c->x.w.ram, PAGE, PROT_READ | PROT_WRITE) == 0,
		   "memory");
	for (size_t i = 0; i < c->x.n; i++) {
		uint64_t be = __builtin_bswap64(c->x.entry[i].v);

		memcpy(c->x.w.ram + i * sizeof(be), &be, sizeof(be));
	}
}

static void open_lists(struct lists *x, enum vd_format format, size_t n,
		       int holds)
{
	const struct world_cfg cfg = { LEN, format, 0, holds };

	x->n = n;
	x->format = format;
	x->seed = 88172645463325252u;
	world_open(&x->w, &cfg);
	for (size_t i = 0; i < n; i++)
		x->entry[i] = world_entry(&x->w, world_page(i));
	x->plain = calloc(LEN, sizeof(*x->plain));
	bench_must(x->plain != NULL, "no memory");
}

static void close_lists(struct lists *x)
{
	free(x->plain);
	world_close(&x->w);
}

static void contest_calls(const char *goal, const char *name, double bound,
			  struct calls *c)
{
	bench_contest(&(struct bench_contest){ goal,
					       name,
					       bound,
					       "validated stores",
					       { call_lists, c },
					       { call_stores, c } });
}

static void call(const char *name, size_t n)
{
	static struct calls c;

	open_lists(&c.x, VD_FORMAT_TCE, n, 1);
	open_papr(&c);
	contest_calls("G11", name, 3, &c);
	contest_calls("G20", name, 8, &c);
	vd_papr_destroy(c.papr);
	vd_adapter_destroy(c.a);
	close_lists(&c.x);
}

static void list(const char *name, enum vd_format format, size_t n, int holds)
{
	static struct lists x;

	open_lists(&x, format, n, holds);
	world_fill(&x.w, LEN, 1);
	bench_contest(&(struct bench_contest){ holds ? NULL : "G11",
					       name,
					       3,
					       "validated stores",
					       { put_lists, &x },
					       { store_lists, &x } });
	close_lists(&x);
}

void window_list(void)
{
	list("put of 512 TCEs", VD_FORMAT_TCE, 512, 0);
	list("put of 1024 IOTSB entries", VD_FORMAT_IOTSB, 1024, 0);
	call("H_PUT_TCE_INDIRECT of 512 TCEs", 512);
	list("put of 512 TCEs, pages counted", VD_FORMAT_TCE, 512, 1);
	list("put of 1024 IOTSB entries, pages counted", VD_FORMAT_IOTSB, 1024,
	     1);
}
