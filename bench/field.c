/* SPDX-License-Identifier: BSD-2-Clause */
#include "field.h"
#include "contest.h"

#include <stdlib.h>
#include <string.h>

/* The trees are filled in a random order, as a guest would. */
static void fill_trees(struct field *f)
{
	uint64_t bits = 1;

	while (bits < f->n)
		bits *= 2;
	for (uint64_t i = 0; i < bits; i++) {
		uint64_t page = i * 0x9e375 % bits;
		uint64_t hva = field_hva(f, world_page(page));

		if (page >= f->n)
			continue;
		radix_put(f->x, page, hva);
		bench_must(ranges_map(f->g, page, hva, RW), "overlap");
	}
}

static void check(struct field *f)
{
	struct vd_target t;

	for (size_t i = 0; i < 1000; i++) {
		uint64_t page = f->order[i];
		uint64_t is = field_hva(f, world_page(page));

		bench_must(vd_translate_once(f->r, world_bus(&f->w, page), RW,
					     &t) == 0 &&
				   (uintptr_t)t.hva == is,
			   "the engine is wrong");
		bench_must(radix_get(f->x, page) == is, "radix is wrong");
		bench_must(ranges_get(f->g, page * PAGE, RW) == is,
			   "ranges are wrong");
	}
}

/* Each page once, then pages anywhere. */
static void make_order(struct field *f)
{
	uint64_t seed = 88172645463325252u;

	f->order = malloc(FIELD_ORDER * sizeof(*f->order));
	bench_must(f->order != NULL, "no memory");
	for (size_t i = 0; i < FIELD_ORDER; i++)
		f->order[i] =
			(uint32_t)(i < f->n ? i : bench_random(&seed, f->n));
	for (size_t i = f->n; i-- > 1;) {
		size_t k = bench_random(&seed, i + 1);
		uint32_t was = f->order[i];

		f->order[i] = f->order[k];
		f->order[k] = was;
	}
}

void field_open(struct field *f, uint64_t n, int holds)
{
	const struct world_cfg cfg = { .nentries = n, .holds = holds };

	memset(f, 0, sizeof(*f));
	f->n = n;
	world_open(&f->w, &cfg);
	world_fill(&f->w, n, 1);
	f->r = world_reader(&f->w);
	f->x = radix_new();
	f->g = ranges_new();
	fill_trees(f);
	make_order(f);
	check(f);
}

void field_close(struct field *f)
{
	vd_reader_destroy(f->r);
	world_close(&f->w);
	radix_free(f->x);
	ranges_free(f->g);
	free(f->order);
}
