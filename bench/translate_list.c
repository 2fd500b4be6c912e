/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G6: scatter lists of 64 KiB, and large pages.
 *
 * A list is a burst of its own. Its pages are anywhere in memory (16 pieces),
 * or in a row (1 piece); on the bus they are neighbours, as one element or as
 * one for each page.
 *
 * Sixteen walks of the reference are two hundred instructions, so two of its
 * lists overlap in the processor and half of a miss of the second cache is
 * hidden. A list that is checked, joined and written down is six hundred to a
 * thousand, and hides less.
 *
 * What a page table calls a large leaf is here the page shift of the window's
 * table: 21 or 30 instead of 12, one entry each. 4 KiB entries are forced where
 * a window of shift 12 maps a range.
 */
#include "contest.h"
#include "stream.h"
#include "translate.h"

#include <stdlib.h>

#define LIST	  16u
#define OPS	  ((size_t)1 << 13)
#define SLOW_OPS  ((size_t)1 << 8)
#define MAPS	  64u
#define MAP_TIMES 256u

struct lists {
	struct field *f;
	size_t nelements;
	size_t npieces;	  /* that are expected */
	struct vd_sg *sg; /* of OPS lists, as a guest's descriptors would be */
};

static uint64_t start(const struct field *f, uint32_t page)
{
	return page < f->n - LIST ? page : f->n - LIST;
}

static void make_lists(struct lists *x, const uint32_t *page)
{
	uint64_t len = LIST * PAGE / x->nelements;

	for (size_t i = 0; i < OPS * x->nelements; i++) {
		uint64_t first = start(x->f, page[i / x->nelements]);

		x->sg[i] = (struct vd_sg){ { world_bus(&x->f->w, first).v +
					     i % x->nelements * len },
					   len };
	}
}

static double run_lists(void *opaque)
{
	struct lists *x = opaque;
	struct iovec iov[LIST];
	struct vd_sglist l = { .n = x->nelements, .iov = iov, .max = LIST };
	uint64_t sum = 0;
	int err = 0;
	double a;

	make_lists(x, field_next(x->f, OPS));
	a = bench_now_ns();
	for (size_t i = 0; i < OPS; i++) {
		l.sg = x->sg + i * x->nelements;
		vd_reader_enter(x->f->r);
		err |= vd_translate_list(x->f->r, &l, VD_READ);
		vd_reader_exit(x->f->r);
		err |= l.niov != x->npieces;
		sum += (uintptr_t)iov[0].iov_base;
	}
	a = (bench_now_ns() - a) / OPS;
	bench_must(!err, "a list failed");
	stream_sink = sum;
	return a;
}

static double run_radix(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	uint64_t sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i++) {
		for (uint64_t k = 0; k < LIST; k++)
			sum += radix_get(f->x, start(f, page[i]) + k);
	}
	stream_sink = sum;
	return (bench_now_ns() - a) / OPS;
}

static double run_ranges(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, SLOW_OPS);
	uint64_t sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < SLOW_OPS; i++) {
		for (uint64_t k = 0; k < LIST; k++)
			sum += ranges_get(f->g, (start(f, page[i]) + k) * PAGE,
					  VD_READ);
	}
	stream_sink = sum;
	return (bench_now_ns() - a) / SLOW_OPS;
}

static void to_radix(const char *name, struct lists *x)
{
	bench_contest(&(struct bench_contest){ "G6",
					       name,
					       2,
					       "16 radix walks",
					       { run_lists, x },
					       { run_radix, x->f } });
}

/* Pages of the window in a row in memory as well. */
static void in_a_row(struct field *f)
{
	const struct vd_window_range r = { sizeof(r),  WORLD_OWNER,   WORLD_W,
					   RW,	       { WORLD_BUS }, { 0 },
					   f->n * PAGE };

	world_empty(&f->w);
	bench_must(vd_window_map(f->w.a, &r) == 0, "map");
}

static void lists(struct field *f)
{
	struct vd_sg *sg = malloc(OPS * LIST * sizeof(*sg));
	struct lists one = { f, 1, LIST, sg }, many = { f, LIST, LIST, sg };

	bench_must(sg != NULL, "no memory");
	to_radix("64 KiB, 1 element, 16 pieces", &one);
	to_radix("64 KiB, 16 elements, 16 pieces", &many);
	bench_contest(&(struct bench_contest){ "G6",
					       "64 KiB, to GTree",
					       1.0 / 40,
					       "16 GTree look-ups",
					       { run_lists, &one },
					       { run_ranges, f } });
	in_a_row(f);
	one.npieces = many.npieces = 1;
	to_radix("64 KiB, 1 element, 1 piece", &one);
	to_radix("64 KiB, 16 elements, 1 piece", &many);
	free(sg);
}

/* Map MAPS pages of the window, one a call; ns for one. */
static double run_maps(void *opaque)
{
	struct world *w = opaque;
	double ns = 0;

	for (size_t i = 0; i < MAP_TIMES; i++) {
		struct vd_window_range r = { sizeof(r),
					     WORLD_OWNER,
					     WORLD_W,
					     RW,
					     { WORLD_BUS },
					     { 0 },
					     (uint64_t)1 << w->shift };
		double a = bench_now_ns();
		int err = 0;

		for (; r.gpa.v < MAPS * r.len; r.gpa.v += r.len) {
			r.bus.v = WORLD_BUS + r.gpa.v;
			err |= vd_window_map(w->a, &r);
		}
		ns += bench_now_ns() - a;
		bench_must(!err, "map");
		world_empty(w);
	}
	return ns / MAP_TIMES / MAPS;
}

static void large(const char *name, struct world *small, unsigned int shift)
{
	const struct world_cfg cfg = { .nentries = MAPS, .shift = shift };
	struct world w;

	world_open(&w, &cfg);
	bench_contest(&(struct bench_contest){ "G6",
					       name,
					       3,
					       "a map of 4 KiB",
					       { run_maps, &w },
					       { run_maps, small } });
	world_close(&w);
}

struct range {
	struct world *w;
	uint64_t npages;
	size_t times;
};

/* One call for all of it; ns for one page. */
static double run_range(void *opaque)
{
	const struct range *x = opaque;
	const struct vd_window_range r = { sizeof(r),	    WORLD_OWNER,
					   WORLD_W,	    RW,
					   { WORLD_BUS },   { 0 },
					   x->npages * PAGE };
	double ns = 0;

	for (size_t i = 0; i < x->times; i++) {
		double a = bench_now_ns();

		bench_must(vd_window_map(x->w->a, &r) == 0, "map");
		ns += bench_now_ns() - a;
		bench_must(vd_window_unmap(x->w->a, WORLD_OWNER, WORLD_W, r.bus,
					   r.len) == 0,
			   "unmap");
	}
	return ns / (double)x->times / (double)x->npages;
}

static void forced(const char *name, uint64_t npages, size_t times)
{
	const struct world_cfg cfg = { .nentries = WORLD_PAGES };
	struct world w;
	struct range x = { &w, npages, times };

	world_open(&w, &cfg);
	bench_report(&(struct bench_result){
		"G6", name,
		bench_alone(&(struct bench_entrant){ run_range, &x }), 2, "ns",
		"a page" });
	world_close(&w);
}

void translate_list(void)
{
	const struct world_cfg cfg = { .nentries = MAPS };
	struct world small;
	struct field f;

	field_open(&f, 1000000, 0);
	lists(&f);
	field_close(&f);
	world_open(&small, &cfg);
	large("map of 2 MiB as one page", &small, 21);
	large("map of 1 GiB as one page", &small, 30);
	world_close(&small);
	forced("map of 2 MiB as 4 KiB pages, a page", 512, 64);
	forced("map of 1 GiB as 4 KiB pages, a page", 1 << 18, 1);
}
