/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G5: map and unmap of one page that something else holds already, so that
 * nothing is pinned; the page's count, the window's rights and the overlap
 * check are part of it, and an unmap has seen the last reader leave.
 *
 * The reference tree stores a word, and that is all. Its stores overlap in the
 * processor: 2 ns each, on the machine that this was written on. A change that
 * is finished when the call returns cannot overlap with the next: it takes two
 * locks, the entries' and the counts' (an unmap a fence as well), and behind
 * these two misses of the cache one after the other, because only the entry
 * says which count it is. With all in the first cache a map takes 23 ns and an
 * unmap 29, so eight stores are out of reach. Beside the GTree, whose nodes
 * push everything else out of the caches, the two misses are of all caches.
 *
 * A strict unmap beside a translator waits for the rest of a burst of 16
 * look-ups, and for the lines that it shares with the translator; an atomic
 * step on a shared line is cheaper than this where a processor makes several
 * before it loses the line.
 */
#include "contest.h"
#include "field.h"
#include "pair.h"
#include "window.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define E6	   1000000u
#define ROUNDS	   31
#define OPS	   ((size_t)1 << 14)
#define HOT	   1000u
#define STRICT_OPS ((size_t)1 << 12)
#define RUN	   512u
#define RUN_TIMES  64u
#define BURST	   16u /* of the translator beside it: a 64 KiB list */

static const uint32_t *pages;
static size_t nops = OPS;

/* Distinct ones: the first E6 of the order are. */
static const uint32_t *next_pages(struct field *f)
{
	static size_t at;

	at = at + 2 * OPS <= E6 ? at + OPS : 0;
	pages = f->order + at;
	return pages;
}

static void map_engine(struct field *f)
{
	int err = 0;

	for (size_t i = 0; i < nops; i++) {
		const struct vd_window_range r = { sizeof(r),
						   WORLD_OWNER,
						   WORLD_W,
						   RW,
						   world_bus(&f->w, pages[i]),
						   { world_page(pages[i]) *
						     PAGE },
						   PAGE };

		err |= vd_window_map(f->w.a, &r);
	}
	bench_must(!err, "map");
}

static void unmap_engine(struct field *f)
{
	int err = 0;

	for (size_t i = 0; i < nops; i++)
		err |= vd_window_unmap(f->w.a, WORLD_OWNER, WORLD_W,
				       world_bus(&f->w, pages[i]), PAGE);
	bench_must(!err, "unmap");
}

static void map_radix(struct field *f)
{
	for (size_t i = 0; i < nops; i++)
		__atomic_store_n(radix_slot(f->x, pages[i]),
				 field_hva(f, world_page(pages[i])),
				 __ATOMIC_RELAXED);
}

static void unmap_radix(struct field *f)
{
	for (size_t i = 0; i < nops; i++)
		__atomic_store_n(radix_slot(f->x, pages[i]), 0,
				 __ATOMIC_RELAXED);
}

static void map_ranges(struct field *f)
{
	for (size_t i = 0; i < nops; i++)
		ranges_map(f->g, pages[i], field_hva(f, world_page(pages[i])),
			   RW);
}

static void unmap_ranges(struct field *f)
{
	for (size_t i = 0; i < nops; i++)
		ranges_unmap(f->g, pages[i]);
}

/* Unmap some pages and map them again: ns for one of each. */
struct both {
	double map, unmap;
};

static struct both time_both(struct field *f, void (*unmap)(struct field *),
			     void (*map)(struct field *))
{
	double a = bench_now_ns(), b;

	unmap(f);
	b = bench_now_ns();
	map(f);
	return (struct both){ (bench_now_ns() - b) / (double)nops,
			      (b - a) / (double)nops };
}

/* One way to do it. */
struct way {
	const char *name;
	void (*unmap)(struct field *), (*map)(struct field *);
};

static const struct way engine = { "engine", unmap_engine, map_engine };
static const struct way radix = { "radix, a store in place", unmap_radix,
				  map_radix };
static const struct way ranges = { "GTree", unmap_ranges, map_ranges };

struct ratios {
	double map[ROUNDS], unmap[ROUNDS];
	double map_ns[ROUNDS], unmap_ns[ROUNDS], store_ns[ROUNDS];
};

static void one_round(struct field *f, const struct way *other,
		      struct ratios *r, int i)
{
	struct both ours, theirs;

	next_pages(f);
	ours = time_both(f, engine.unmap, engine.map);
	theirs = time_both(f, other->unmap, other->map);
	r->map[i] = ours.map / theirs.map;
	r->unmap[i] = ours.unmap / theirs.unmap;
	r->map_ns[i] = ours.map;
	r->unmap_ns[i] = ours.unmap;
	r->store_ns[i] = (theirs.map + theirs.unmap) / 2;
}

static void report(const char *name, double *v, int n, double bound,
		   const char *ref)
{
	bench_report(&(struct bench_result){
		"G5", name, bench_median(v, n), bound,
		strcmp(ref, "a page") ? "ratio" : "ns", ref });
}

static void single(struct field *f, const struct way *other, double bound)
{
	struct ratios r;
	char name[64];

	one_round(f, other, &r, 0); /* warm */
	for (int i = 0; i < ROUNDS; i++)
		one_round(f, other, &r, i);
	snprintf(name, sizeof(name), "map of one page, to %.5s", other->name);
	report(name, r.map, ROUNDS, bound, other->name);
	snprintf(name, sizeof(name), "unmap of one page, to %.5s", other->name);
	report(name, r.unmap, ROUNDS, bound, other->name);
	printf("     map %.1f ns, unmap %.1f ns, %s %.1f ns\n",
	       bench_median(r.map_ns, ROUNDS), bench_median(r.unmap_ns, ROUNDS),
	       other->name, bench_median(r.store_ns, ROUNDS));
}

/* A translator that keeps to the pages that stay. */
static void translate_step(void *opaque, uint64_t i)
{
	struct field *f = opaque;
	const uint32_t *page = f->order + i * BURST % FIELD_ORDER;
	struct vd_target t;
	int err = 0;

	vd_reader_enter(f->r);
	for (size_t k = 0; k < BURST; k++)
		err |= vd_translate(f->r, world_bus(&f->w, page[k] % (E6 / 2)),
				    VD_READ, &t);
	vd_reader_exit(f->r);
	bench_must(!err, "a look-up failed");
}

static double strict_unmaps(void *opaque)
{
	struct field *f = opaque;
	double ns = 0;

	for (size_t i = 0; i < STRICT_OPS; i++) {
		uint64_t page = E6 / 2 + f->order[i] % (E6 / 2);
		double a = bench_now_ns();
		int err = vd_window_unmap(f->w.a, WORLD_OWNER, WORLD_W,
					  world_bus(&f->w, page), PAGE);

		ns += bench_now_ns() - a;
		bench_must(!err, "unmap");
		world_put(&f->w, page, world_entry(&f->w, world_page(page)));
	}
	return ns / STRICT_OPS;
}

/* 512 pages in one call; they lead anywhere, or to pages in a row. */
struct runs {
	struct field *f;
	int in_a_row;
};

static void map_run(const struct runs *x, uint64_t first)
{
	vd_entry e[RUN];
	struct vd_put p = { .size = sizeof(p),
			    .owner = WORLD_OWNER,
			    .window = WORLD_W,
			    .bus = world_bus(&x->f->w, first),
			    .n = RUN,
			    .entry = e };

	for (uint64_t i = 0; i < RUN; i++)
		e[i] = world_entry(&x->f->w, x->in_a_row ?
						     first + i :
						     world_page(first + i));
	bench_must(vd_window_put(x->f->w.a, &p) == 0, "put");
}

static double unmap_runs(void *opaque)
{
	const struct runs *x = opaque;
	double ns = 0;

	for (size_t i = 0; i < RUN_TIMES; i++) {
		uint64_t first = E6 / 2 + x->f->order[i] % (E6 / 2 - RUN);
		double a;

		map_run(x, first);
		a = bench_now_ns();
		bench_must(vd_window_unmap(x->f->w.a, WORLD_OWNER, WORLD_W,
					   world_bus(&x->f->w, first),
					   RUN * PAGE) == 0,
			   "unmap");
		ns += bench_now_ns() - a;
		map_run(x, first);
	}
	return ns / RUN_TIMES / RUN;
}

static uint64_t shared_line;

static double add_shared(void *unused)
{
	double a = bench_now_ns();

	(void)unused;
	for (size_t i = 0; i < OPS; i++)
		__atomic_fetch_add(&shared_line, 1, __ATOMIC_SEQ_CST);
	return (bench_now_ns() - a) / OPS;
}

/* One lock's part. */
static double lock_pairs(void *unused)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	double a = bench_now_ns();

	(void)unused;
	for (size_t i = 0; i < OPS; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	return (bench_now_ns() - a) / OPS;
}

/* With all in the first cache. */
static void hot(void)
{
	struct field f;
	struct both least = { 1e9, 1e9 };

	field_open(&f, HOT, 1);
	nops = HOT;
	for (int i = 0; i < ROUNDS; i++) {
		struct both b;

		pages = f.order;
		b = time_both(&f, engine.unmap, engine.map);
		least.map = b.map < least.map ? b.map : least.map;
		least.unmap = b.unmap < least.unmap ? b.unmap : least.unmap;
	}
	field_close(&f);
	nops = OPS;
	bench_note("map in a window of 1000 pages, least", least.map, "ns");
	bench_note("unmap in it, least", least.unmap, "ns");
}

static void strict(struct field *f)
{
	const struct bench_entrant unmap = { strict_unmaps, f };
	const struct bench_entrant add = { add_shared, NULL };
	struct pair_churn c = { translate_step, f, 0 };
	double ratio[BENCH_ROUNDS], ns[BENCH_ROUNDS];

	for (int i = 0; i < BENCH_ROUNDS; i++) {
		ns[i] = pair_churn(&unmap, &c);
		ratio[i] = ns[i] / pair_run(&add, &add);
	}
	report("strict unmap beside a translator", ratio, BENCH_ROUNDS, 10,
	       "an atomic add on a shared line");
	bench_note("strict unmap beside a translator",
		   bench_median(ns, BENCH_ROUNDS), "ns");
}

static void runs(struct field *f, const char *name, int in_a_row)
{
	struct runs x = { f, in_a_row };
	const struct bench_entrant unmap = { unmap_runs, &x };
	struct pair_churn c = { translate_step, f, 0 };
	double ns[BENCH_ROUNDS];

	for (int i = 0; i < BENCH_ROUNDS; i++)
		ns[i] = pair_churn(&unmap, &c);
	report(name, ns, BENCH_ROUNDS, 5, "a page");
}

void window_map(void)
{
	const struct bench_entrant lock = { lock_pairs, NULL };
	struct field f;

	bench_note("a mutex, taken and dropped", bench_alone(&lock), "ns");
	hot();

	field_open(&f, E6, 1);
	single(&f, &radix, 8);
	single(&f, &ranges, 1.0 / 40);
	strict(&f);
	runs(&f, "512 pages in one unmap, in a row, a page", 1);
	runs(&f, "512 pages in one unmap, anywhere, a page", 0);
	field_close(&f);
}
