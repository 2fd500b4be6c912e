/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G3: two translators. G4: one, while another thread maps and unmaps as fast as
 * it can. Pages 7, 15, 23 ... are the other thread's, so all look-ups hit, and
 * what they read shares cache lines with what is written.
 *
 * Beside a writer readers fence, and the writer looks at a reader's announcement
 * with each change: the line with it goes to and fro, and a burst begins when it
 * is back, with nothing of the one before left to overlap. The reference has
 * nothing of that.
 *
 * A batch that loses its processor is slow by a whole time slice, whoever wrote
 * the tables: the row of the slowest batches needs a machine that is idle.
 */
#include "contest.h"
#include "pair.h"
#include "stream.h"
#include "translate.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCHES	     ((size_t)1 << 12)
#define SLOW_BATCHES ((size_t)1 << 6)

/* How much slower the first of two is, the machine's own part taken out. */
static double slow_down(const struct bench_entrant *a,
			const struct bench_entrant *b)
{
	const struct bench_entrant ctl = { pair_control, NULL };
	double alone = a->run(a->opaque) / pair_control(NULL);

	return pair_run(a, b) / pair_run(&ctl, &ctl) / alone;
}

static void two_translators(const char *name, struct field *f)
{
	struct field g = *f;
	const struct bench_entrant a = { stream_engine_long, f };
	const struct bench_entrant b = { stream_engine_long, &g };
	double ratio[BENCH_ROUNDS];

	g.r = world_reader(&f->w);
	g.at = FIELD_ORDER / 2;
	for (int i = 0; i < BENCH_ROUNDS; i++)
		ratio[i] = slow_down(&a, &b);
	vd_reader_destroy(g.r);
	bench_report(&(struct bench_result){
		"G3", name, bench_median(ratio, BENCH_ROUNDS), 1 / 0.95,
		"ratio", "alone, both to a loop in registers" });
}

/* One kind of table: how a burst of look-ups and one change of it go. */
struct kind {
	const char *name;
	uint64_t (*burst)(struct field *f, const uint32_t *page);
	void (*step)(void *field, uint64_t i);
	size_t nbatches;
};

struct batches {
	struct field *f;
	const struct kind *kind;
	double *ns;		     /* of each batch, sorted at the end */
	double median, p99, slowest; /* of the slowest hundredth: the mean */
};

static uint64_t calm(uint32_t page)
{
	return page - (page % 8 == 7);
}

static uint64_t burst_engine(struct field *f, const uint32_t *page)
{
	struct vd_target t;
	uint64_t sum = 0;
	int err = 0;

	vd_reader_enter(f->r);
	for (size_t k = 0; k < WORLD_BURST; k++) {
		err |= vd_translate(f->r, world_bus(&f->w, calm(page[k])),
				    VD_READ, &t);
		sum += (uintptr_t)t.hva;
	}
	vd_reader_exit(f->r);
	bench_must(!err, "a look-up failed");
	return sum;
}

static uint64_t burst_pages(struct field *f, const uint32_t *page)
{
	vd_iova bus[WORLD_BURST];
	void *hva[WORLD_BURST];
	uint64_t sum = 0;
	int err;

	for (size_t k = 0; k < WORLD_BURST; k++)
		bus[k] = world_bus(&f->w, calm(page[k]));
	vd_reader_enter(f->r);
	err = vd_translate_pages(f->r, bus, WORLD_BURST, VD_READ, hva);
	for (size_t k = 0; k < WORLD_BURST; k++)
		sum += (uintptr_t)hva[k];
	vd_reader_exit(f->r);
	bench_must(!err, "a look-up failed");
	return sum;
}

static uint64_t burst_radix(struct field *f, const uint32_t *page)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < WORLD_BURST; k++)
		sum += radix_get(f->x, calm(page[k]));
	return sum;
}

static uint64_t burst_ranges(struct field *f, const uint32_t *page)
{
	uint64_t sum = 0;

	for (size_t k = 0; k < WORLD_BURST; k++)
		sum += ranges_get(f->g, calm(page[k]) * PAGE, VD_READ);
	return sum;
}

/* Even steps unmap a page, odd ones map it again. */
static uint64_t churned(const struct field *f, uint64_t i)
{
	uint64_t page = f->order[i / 2 % FIELD_ORDER] | 7;

	return page < f->n ? page : 7;
}

static void step_engine(void *opaque, uint64_t i)
{
	struct field *f = opaque;
	uint64_t page = churned(f, i);
	const vd_entry none = { 0 };

	world_put(&f->w, page,
		  i % 2 ? world_entry(&f->w, world_page(page)) : none);
}

static void step_radix(void *opaque, uint64_t i)
{
	struct field *f = opaque;
	uint64_t page = churned(f, i);

	__atomic_store_n(radix_slot(f->x, page),
			 i % 2 ? field_hva(f, world_page(page)) : 0,
			 __ATOMIC_RELAXED);
}

static void step_ranges(void *opaque, uint64_t i)
{
	struct field *f = opaque;
	uint64_t page = churned(f, i);

	if (i % 2)
		ranges_map(f->g, page, field_hva(f, world_page(page)), RW);
	else
		ranges_unmap(f->g, page);
}

static const struct kind engine = { "engine", burst_engine, step_engine,
				    BATCHES };
static const struct kind in_one = { "engine, in one call", burst_pages,
				    step_engine, BATCHES };
static const struct kind radix = { "radix", burst_radix, step_radix, BATCHES };
static const struct kind ranges = { "GTree + mutex", burst_ranges, step_ranges,
				    SLOW_BATCHES };

/* All batches, with the time of each kept; ns for each look-up. */
static double time_batches(struct batches *b, const uint32_t *page)
{
	size_t n = b->kind->nbatches;
	double from = bench_now_ns(), last = from, now;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += b->kind->burst(b->f, page + i * WORLD_BURST);
		now = bench_now_ns();
		b->ns[i] = now - last;
		last = now;
	}
	stream_sink = sum;
	return (last - from) / (double)(n * WORLD_BURST);
}

/* The second time: the first brings back what others pushed out of caches. */
static double run_batches(void *opaque)
{
	struct batches *b = opaque;
	const uint32_t *page =
		field_next(b->f, b->kind->nbatches * WORLD_BURST);

	time_batches(b, page);
	return time_batches(b, page);
}

static double under_churn(struct batches *b)
{
	struct pair_churn c = { b->kind->step, b->f, 0 };
	const struct bench_entrant e = { run_batches, b };
	size_t n = b->kind->nbatches, tail = n / 100 ? n / 100 : 1;
	double ns = pair_churn(&e, &c);

	b->median = bench_median(b->ns, n);
	b->p99 = b->ns[n - tail];
	b->slowest = 0;
	for (size_t i = n - tail; i < n; i++)
		b->slowest += b->ns[i] / (double)tail;
	return ns;
}

struct churn_ratios {
	double radix[BENCH_ROUNDS], ranges[BENCH_ROUNDS];
	double in_one[BENCH_ROUNDS]; /* to radix as well */
	double p99[BENCH_ROUNDS], slowest[BENCH_ROUNDS];
	double ns[BENCH_ROUNDS];
};

static void churn_round(struct batches *b, struct churn_ratios *r, int i)
{
	double ns, walk;

	b->kind = &engine;
	r->ns[i] = ns = under_churn(b);
	r->p99[i] = b->p99 / b->median;
	r->slowest[i] = b->slowest / b->median;
	b->kind = &radix;
	walk = under_churn(b);
	r->radix[i] = ns / walk;
	b->kind = &in_one;
	r->in_one[i] = under_churn(b) / walk;
	b->kind = &ranges;
	r->ranges[i] = ns / under_churn(b);
}

static void report(const char *name, double *v, double bound, const char *ref)
{
	bench_report(&(struct bench_result){ "G4", name,
					     bench_median(v, BENCH_ROUNDS),
					     bound, "ratio", ref });
}

static void churn(struct field *f)
{
	struct batches b = { .f = f };
	struct churn_ratios r;

	b.ns = malloc(BATCHES * sizeof(*b.ns));
	bench_must(b.ns != NULL, "no memory");
	ranges_use_lock(f->g, 1);
	for (int i = 0; i < BENCH_ROUNDS; i++)
		churn_round(&b, &r, i);
	free(b.ns);
	report("1e6, under churn", r.radix, 1.4, "radix under churn");
	report("1e6, under churn, a burst in one call", r.in_one, 1.4,
	       "radix under churn");
	report("1e6, under churn, p99 of batches", r.p99, 3, "their median");
	report("1e6, under churn, slowest 1 % of batches", r.slowest, 10,
	       "their median");
	report("1e6, under churn, to GTree", r.ranges, 1.0 / 100,
	       "GTree with its mutex under churn");
	bench_note("a look-up under churn", bench_median(r.ns, BENCH_ROUNDS),
		   "ns");
}

static void two_small(const char *name, uint64_t n)
{
	struct field f;

	field_open(&f, n, 0);
	two_translators(name, &f);
	field_close(&f);
}

void translate_pair(struct field *f)
{
	two_small("1e2, two translators, slow-down", 100);
	two_small("1e4, two translators, slow-down", 10000);
	two_translators("1e6, two translators, slow-down", f);
	churn(f);
}
