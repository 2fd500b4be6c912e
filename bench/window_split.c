/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G11: a window is split in the middle, the second half goes to another
 * provider with all its entries, and is merged back. What this costs must not
 * depend on how many entries there are.
 */
#include "contest.h"
#include "pair.h"
#include "stream.h"
#include "window.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define E6    1000000u
#define TIMES 256u
#define NEW   (WORLD_W + 1)
#define LIVE  512u /* entries at each end of a window that is huge */

static void split(struct world *w)
{
	const struct vd_split s = {
		sizeof(s),   WORLD_W,	       NEW,
		WORLD_OTHER, VD_LIVE_TRANSFER, w->nentries / 2
	};

	bench_must(vd_window_split(w->a, &s) == 0, "split");
}

static void merge(struct world *w)
{
	const struct vd_merge m = { sizeof(m), WORLD_W, NEW, WORLD_OWNER,
				    VD_LIVE_TRANSFER };

	bench_must(vd_window_merge(w->a, &m) == 0, "merge");
}

static double splits(void *opaque)
{
	double ns = 0, a;

	for (size_t i = 0; i < TIMES; i++) {
		a = bench_now_ns();
		split(opaque);
		ns += bench_now_ns() - a;
		merge(opaque);
	}
	return ns / TIMES;
}

static double merges(void *opaque)
{
	double ns = 0, a;

	for (size_t i = 0; i < TIMES; i++) {
		split(opaque);
		a = bench_now_ns();
		merge(opaque);
		ns += bench_now_ns() - a;
	}
	return ns / TIMES;
}

static void open_window(struct world *w, uint64_t n)
{
	const struct world_cfg cfg = { .nentries = n };

	world_open(w, &cfg);
	if (n <= WORLD_PAGES) {
		world_fill(w, n, 1);
		return;
	}
	for (uint64_t i = 0; i < LIVE; i++) {
		world_put(w, i, world_entry(w, i));
		world_put(w, n - 1 - i, world_entry(w, i));
	}
}

static void same(const char *name, double bound, double (*run)(void *),
		 struct world *big, struct world *small)
{
	bench_contest(&(struct bench_contest){ "G11",
					       name,
					       bound,
					       "the short window",
					       { run, big },
					       { run, small } });
}

static double copy_table(void *unused)
{
	static uint64_t *table, *copy;
	double a;

	(void)unused;
	if (!table) {
		table = calloc(E6, 8);
		copy = malloc(E6 * 8);
		bench_must(table && copy, "no memory");
		memset(table, 1, E6 * 8);
	}
	a = bench_now_ns();
	memcpy(copy, table, E6 * 8);
	stream_sink = copy[E6 / 2];
	return bench_now_ns() - a;
}

/* Translations of the half that stays. */
static double translations(void *opaque)
{
	struct world *w = opaque;
	struct vd_reader *r = world_reader(w);
	uint64_t seed = 88172645463325252u;
	struct vd_target t;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < 4096; i++) {
		vd_reader_enter(r);
		for (size_t k = 0; k < WORLD_BURST; k++) {
			uint64_t page = bench_random(&seed, E6 / 2);

			err |= vd_translate(r, world_bus(w, page), VD_READ, &t);
		}
		vd_reader_exit(r);
	}
	a = (bench_now_ns() - a) / 4096 / WORLD_BURST;
	bench_must(!err, "a look-up failed");
	vd_reader_destroy(r);
	return a;
}

static void split_and_merge(void *opaque, uint64_t i)
{
	(void)i;
	split(opaque);
	merge(opaque);
}

static void beside_translator(struct world *w)
{
	const struct bench_entrant e = { translations, w };
	struct pair_churn split = { split_and_merge, w, 0 };
	struct pair_churn ctl = { pair_control_step, NULL, 0 };
	double ratio[BENCH_ROUNDS];

	for (int i = 0; i < BENCH_ROUNDS; i++) {
		ratio[i] = pair_churn(&e, &split);
		ratio[i] /= pair_churn(&e, &ctl);
	}
	bench_report(&(struct bench_result){
		"G11", "a translator beside splits and merges",
		bench_median(ratio, BENCH_ROUNDS), 1 / 0.8, "ratio",
		"beside a loop in registers" });
}

void window_split(void)
{
	struct world e3, e6, k, g;

	open_window(&e3, 1000);
	open_window(&e6, E6);
	open_window(&k, 1 << 10);
	open_window(&g, 1 << 30);
	same("split of 1e6 entries", 2, splits, &e6, &e3);
	same("merge of 1e6 entries", 2, merges, &e6, &e3);
	bench_contest(
		&(struct bench_contest){ "G11",
					 "split of 1e6 entries, to a copy",
					 1.0 / 50,
					 "a copy of the table",
					 { splits, &e6 },
					 { copy_table, NULL } });
	same("split of 2^30 entries", 1.25, splits, &g, &k);
	same("merge of 2^30 entries", 1.25, merges, &g, &k);
	same("noise: split of 2^10 entries again", 1.25, splits, &k, &k);
	beside_translator(&e6);
	world_close(&e3);
	world_close(&e6);
	world_close(&k);
	world_close(&g);
}
