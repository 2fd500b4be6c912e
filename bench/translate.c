/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G1, G2: what one look-up costs. The engine checks the window, the rights and
 * the end of memory, and lets others unmap meanwhile; the radix tree does
 * nothing of that. translate_pair.c has two threads, translate_list.c scatter
 * lists.
 *
 * What cannot be met where: look-ups whose addresses are known beforehand
 * overlap, so on a processor whose third cache holds the million entries a
 * radix walk takes as long as its dozen instructions, 1.4 ns on the machine
 * this was written on. A call that checks and answers four things takes 2.2 ns
 * there with all in the first cache (the row of 1e2 pages), and of such calls
 * fewer overlap. A burst in one call has all its entries on their way before it
 * looks at the first. Where memory is the limit, as for dependent look-ups on
 * any machine, checks cost nothing.
 *
 * The readers have met no writer for long, as a guest's at rest: they leave
 * their fence out. Beside a writer they fence (translate_pair.c).
 */
#include "contest.h"
#include "stream.h"
#include "translate.h"

#include <errno.h>
#include <pthread.h>

#define E6 1000000u
#define E4 10000u

/* Until the reader takes it that nobody writes. */
static void settle(struct field *f)
{
	for (int i = 0; i < 3 << 16; i++) {
		vd_reader_enter(f->r);
		vd_reader_exit(f->r);
	}
}

/* Against the reference tree. */
static void against_radix(struct field *f)
{
	static const struct {
		const char *name;
		double bound;
		double (*ours)(void *), (*other)(void *);
	} row[] = {
		{ "1e6, independent", 1.3, stream_engine, stream_radix },
		{ "1e6, independent, a burst in one call", 1.3, stream_pages,
		  stream_radix },
		{ "1e6, dependent", 1.3, stream_engine_dependent,
		  stream_radix_dependent },
		{ "1e6, a lone call, independent", 1.8, stream_once,
		  stream_radix },
		{ "1e6, a lone call, dependent", 1.8, stream_once_dependent,
		  stream_radix_dependent },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		bench_contest(&(struct bench_contest){ "G1",
						       row[i].name,
						       row[i].bound,
						       "radix",
						       { row[i].ours, f },
						       { row[i].other, f } });
}

static void against_ranges(struct field *f)
{
	ranges_use_lock(f->g, 0);
	bench_contest(
		&(struct bench_contest){ "G1",
					 "1e6, dependent, to GTree",
					 1.0 / 25,
					 "GTree without its lock",
					 { stream_engine_dependent, f },
					 { stream_ranges_dependent, f } });
	bench_contest(&(struct bench_contest){ "G1",
					       "1e6, independent, to GTree",
					       1.0 / 200,
					       "GTree without its lock",
					       { stream_engine, f },
					       { stream_ranges, f } });
}

static void against_load(const char *name, uint64_t n)
{
	struct field f;

	field_open(&f, n, 0);
	settle(&f);
	bench_contest(&(struct bench_contest){ "G1",
					       name,
					       3,
					       "L1 load",
					       { stream_engine, &f },
					       { stream_load, NULL } });
	field_close(&f);
}

static void *unmap_all(void *field)
{
	struct field *f = field;

	world_empty(&f->w);
	return NULL;
}

/* What was told last time is not told again once another thread unmapped it. */
static void check_unmap(struct field *f)
{
	struct vd_target t;
	pthread_t other;

	bench_must(pthread_create(&other, NULL, unmap_all, f) == 0, "thread");
	pthread_join(other, NULL);
	bench_must(vd_translate_once(f->r, world_bus(&f->w, f->n / 2), VD_READ,
				     &t) == -ENOENT,
		   "an unmapped page still translates");
}

static void repeat(void)
{
	struct field f;

	field_open(&f, 100, 0);
	bench_contest(&(struct bench_contest){ "G2",
					       "repeat hit in the last range",
					       2,
					       "L1 load",
					       { stream_repeat, &f },
					       { stream_load, NULL } });
	check_unmap(&f);
	field_close(&f);
}

int main(void)
{
	const struct bench_entrant fence = { stream_fence, NULL };
	struct field f;

	bench_note("a store and a fence", bench_alone(&fence), "ns");
	field_open(&f, E6, 0);
	settle(&f);
	against_radix(&f);
	against_ranges(&f);
	against_load("1e2, a call", 100);
	against_load("1e4, a call", E4);
	repeat();
	translate_pair(&f);
	field_close(&f);
	translate_list();
	return 0;
}
