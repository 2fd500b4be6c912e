/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G11: lists of entries, as a guest's call brings them: checked all, stored
 * all, and what they replace has lost its last reader. The reference checks the
 * bits of an entry and its page against the end of memory, and stores it.
 *
 * No goal is what it costs if a domain counts the pages as well: two atomic
 * steps an entry, for the page that comes and the page that goes, which is more
 * than the goal allows for all of it.
 */
#include "contest.h"
#include "field.h"
#include "window.h"

#include <stdlib.h>

#define LEN   ((uint64_t)1 << 20)
#define TIMES 64u

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
		struct vd_put p = { .owner = WORLD_OWNER,
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

static void list(const char *name, enum vd_format format, size_t n, int holds)
{
	const struct world_cfg cfg = { LEN, format, 0, holds };
	static struct lists x;

	x.n = n;
	x.format = format;
	x.seed = 88172645463325252u;
	world_open(&x.w, &cfg);
	world_fill(&x.w, LEN, 1);
	for (size_t i = 0; i < n; i++)
		x.entry[i] = world_entry(&x.w, world_page(i));
	x.plain = calloc(LEN, sizeof(*x.plain));
	bench_must(x.plain != NULL, "no memory");
	bench_contest(&(struct bench_contest){ holds ? NULL : "G11",
					       name,
					       3,
					       "validated stores",
					       { put_lists, &x },
					       { store_lists, &x } });
	free(x.plain);
	world_close(&x.w);
}

void window_list(void)
{
	list("put of 512 TCEs", VD_FORMAT_TCE, 512, 0);
	list("put of 1024 IOTSB entries", VD_FORMAT_IOTSB, 1024, 0);
	list("put of 512 TCEs, pages counted", VD_FORMAT_TCE, 512, 1);
	list("put of 1024 IOTSB entries, pages counted", VD_FORMAT_IOTSB, 1024,
	     1);
}
