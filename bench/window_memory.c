/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G10: memory, as the kernel counts what is resident. The engine's owner holds
 * nothing: as in the reference trees, pages are counted elsewhere.
 */
#include "contest.h"
#include "radix.h"
#include "ranges.h"
#include "window.h"
#include "world.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define E6 1000000u

static double resident(void)
{
	unsigned long all, here = 0;
	FILE *f;

	malloc_trim(0); /* what is free is not theirs */
	f = fopen("/proc/self/statm", "r");
	bench_must(f != NULL, "no statm");
	bench_must(fscanf(f, "%lu %lu", &all, &here) == 2, "no statm");
	fclose(f);
	return (double)here * (double)sysconf(_SC_PAGESIZE);
}

static void report(const char *name, double value, double bound,
		   const char *unit)
{
	bench_report(&(struct bench_result){ "G10", name, value, bound, unit,
					     "resident memory" });
}

struct use {
	double full, empty; /* bytes a mapping */
};

/* A window's tables, with one page in @step mapped and with none. */
static struct use engine(uint64_t step)
{
	const struct world_cfg cfg = { .nentries = E6 * step };
	struct world w;
	struct use u;
	double before;

	world_open(&w, &cfg);
	before = resident();
	world_fill(&w, E6, step);
	u.full = (resident() - before) / E6;
	world_empty(&w);
	u.empty = (resident() - before) / E6;
	world_close(&w);
	return u;
}

static double radix(uint64_t step)
{
	double before = resident(), after;
	struct radix *x = radix_new();

	for (uint64_t i = 0; i < E6; i++)
		radix_put(x, i * step, 1);
	after = resident();
	radix_free(x);
	return (after - before) / E6;
}

static double ranges(void)
{
	double before = resident(), after;
	struct ranges *g = ranges_new();

	for (uint64_t i = 0; i < E6; i++)
		ranges_map(g, i, i * PAGE, RW);
	after = resident();
	ranges_free(g);
	return (after - before) / E6;
}

/* A table that is one array. */
static void flat(void)
{
	enum { TABLES = 64, LEN = 1 << 16 };
	struct world_cfg cfg = { .nentries = LEN };
	static struct world w[TABLES];
	double before;

	for (int i = 0; i < TABLES; i++)
		world_open(&w[i], &cfg); /* the table is not resident yet */
	before = resident();
	for (int i = 0; i < TABLES; i++)
		world_fill(&w[i], LEN, 1);
	report("a flat window, an entry, all books included",
	       (resident() - before) / LEN / TABLES, 8.1, "bytes");
	for (int i = 0; i < TABLES; i++)
		world_close(&w[i]);
}

/* No goal: what a space takes that could be large and is not. */
static void space(void)
{
	const struct vd_space_cfg cfg = { .size = sizeof(cfg),
					  .npages = VD_SPACE_MAX_PAGES,
					  .page_shift = 12 };
	double before = resident(), empty;
	struct vd_space_cache *c;
	struct vd_space *s;
	int err = 0;
	vd_iova at;

	bench_must(vd_space_create(&cfg, &s) == 0, "space");
	bench_must(vd_space_cache_create(s, &c) == 0, "cache");
	empty = resident();
	for (uint64_t i = 0; i < E6; i++)
		err |= vd_space_alloc(c, 1, &at);
	bench_must(!err, "alloc");
	bench_note("a space of 2^31 pages, none given out",
		   (empty - before) / 1024, "KiB");
	bench_note("a page of it that is given out, 1e6",
		   (resident() - empty) / E6, "bytes");
	vd_space_cache_destroy(c);
	vd_space_destroy(s);
}

void window_memory(void)
{
	struct use dense = engine(1), sparse = engine(8);

	report("a mapping, dense, 1e6", dense.full, 16, "bytes");
	report("the same, to GTree", dense.full / ranges(), 1.0 / 7, "ratio");
	report("a mapping, one page in eight, to radix", sparse.full / radix(8),
	       1.8, "ratio");
	bench_note("a mapping, one page in eight", sparse.full, "bytes");
	report("what stays after unmap, dense", dense.empty / dense.full, 0.05,
	       "of the peak");
	report("what stays after unmap, one in eight",
	       sparse.empty / sparse.full, 0.05, "of the peak");
	flat();
	space();
}
