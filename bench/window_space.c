/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G11: DMA addresses, from a space of 1e6 pages that is 1 % or 99 % full, its
 * free pages strewn over it at random.
 *
 * Runs are freed in a random order and as many are allocated, as a driver's
 * ring does, RING at a time; or FLOOD at a time, which is more than magazines
 * and depot hold. The clock runs over the allocations; what a free costs is a
 * note. Where lengths are mixed, new runs have other lengths than those that
 * went, so what one length leaves another needs.
 *
 * The reference shows what a search costs: one page, the same order of frees.
 */
#include "contest.h"
#include "linear.h"
#include "pair.h"
#include "window.h"

#include <sched.h>
#include <stdlib.h>
#include <viaduct/viaduct.h>

#define E6    1000000u
#define BASE  ((uint64_t)1 << 32)
#define PAGE  VD_PAGE_SIZE
#define OPS   20000u /* a measurement */
#define RING  100u
#define FLOOD 5000u

struct run {
	vd_iova at;
	uint64_t npages;
};

struct live {
	struct vd_space *s;
	struct vd_space_cache *c;
	struct run *run; /* in the order in which they go */
	size_t n, cursor;
	size_t burst;
	uint64_t longest; /* pages of a run */
	int64_t more;	  /* pages than at first */
	uint64_t seed, missed;
	double frees; /* ns each, of the last measurement */
};

/* What a run of @n pages takes. */
static uint64_t takes(uint64_t n)
{
	uint64_t t = n != 0;

	while (t < n)
		t *= 2;
	return t;
}

static void shuffle(struct live *x)
{
	for (size_t i = x->n; i-- > 1;) {
		size_t k = bench_random(&x->seed, i + 1);
		struct run was = x->run[i];

		x->run[i] = x->run[k];
		x->run[k] = was;
	}
}

static void take(struct live *x, struct run *r)
{
	if (vd_space_alloc(x->c, r->npages, &r->at) == 0)
		return;
	r->npages = 0;
	x->missed++;
}

static void give(struct live *x, struct run *r)
{
	if (r->npages)
		bench_must(vd_space_free(x->c, r->at, r->npages) == 0, "free");
}

/* All of it. */
static void fill(struct live *x)
{
	x->run = calloc(E6, sizeof(*x->run));
	bench_must(x->run != NULL, "no memory");
	while (x->n < E6) {
		struct run *r = &x->run[x->n];

		r->npages = 1 + bench_random(&x->seed, x->longest);
		take(x, r);
		if (!r->npages)
			break;
		x->n++;
	}
}

/* Some runs go, until @percent of the pages are given out. */
static void thin_out(struct live *x, unsigned int percent)
{
	struct vd_space_stats st = { .size = sizeof(st) };

	do {
		for (size_t i = 0; i < RING && x->n; i++)
			give(x, &x->run[--x->n]);
		vd_space_stats(x->s, &st);
	} while (st.given > (uint64_t)E6 / 100 * percent);
	vd_space_cache_destroy(x->c); /* what it has is strewn over the map */
	bench_must(vd_space_cache_create(x->s, &x->c) == 0, "cache");
}

static void live_open(struct live *x, uint64_t longest, unsigned int percent)
{
	const struct vd_space_cfg cfg = { .size = sizeof(cfg),
					  .base = { BASE },
					  .npages = E6,
					  .page_shift = 12 };

	*x = (struct live){ .seed = 88172645463325252u,
			    .burst = RING,
			    .longest = longest };
	bench_must(vd_space_create(&cfg, &x->s) == 0, "space");
	bench_must(vd_space_cache_create(x->s, &x->c) == 0, "cache");
	fill(x);
	shuffle(x);
	thin_out(x, percent);
	x->missed = 0;
}

static void live_close(struct live *x)
{
	vd_space_cache_destroy(x->c);
	vd_space_destroy(x->s);
	free(x->run);
}

static struct run *next_burst(struct live *x)
{
	if (x->cursor + 2 * x->burst > x->n)
		x->cursor = 0;
	x->cursor += x->burst;
	return x->run + x->cursor - x->burst;
}

/* Others than those that went, but no more pages in the long run. */
static void change_lengths(struct live *x, struct run *r)
{
	for (size_t i = 0; i < x->burst; i++) {
		uint64_t n = 1 + bench_random(&x->seed, x->longest);

		if (x->more + (int64_t)(takes(n) - takes(r[i].npages)) > 0)
			continue;
		x->more += (int64_t)(takes(n) - takes(r[i].npages));
		r[i].npages = n;
	}
}

static double bursts(void *opaque)
{
	struct live *x = opaque;
	double ns = 0, a, b;
	size_t n = OPS / x->burst;

	x->frees = 0;
	for (size_t i = 0; i < n; i++) {
		struct run *r = next_burst(x);

		a = bench_now_ns();
		for (size_t k = 0; k < x->burst; k++)
			give(x, &r[k]);
		b = bench_now_ns();
		if (x->longest > 1)
			change_lengths(x, r);
		x->frees += b - a;
		a = bench_now_ns();
		for (size_t k = 0; k < x->burst; k++)
			take(x, &r[k]);
		ns += bench_now_ns() - a;
	}
	x->frees /= (double)n * (double)x->burst;
	return ns / (double)n / (double)x->burst;
}

/* The same pages, given out by the reference. */
struct searched {
	struct live *of;
	struct linear *l;
	uint64_t *page;
	size_t cursor;
};

static void searched_open(struct searched *y, struct live *x)
{
	*y = (struct searched){ .of = x, .l = linear_new(E6) };
	y->page = calloc(x->n, sizeof(*y->page));
	bench_must(y->page != NULL, "no memory");
	for (size_t i = 0; i < x->n; i++) {
		y->page[i] = (x->run[i].at.v - BASE) / PAGE;
		linear_put(y->l, y->page[i], 1);
	}
}

static void searched_close(struct searched *y)
{
	linear_free(y->l);
	free(y->page);
}

static double searches(struct searched *y)
{
	uint64_t *page = y->page + y->cursor;
	double a;

	y->cursor = (y->cursor + RING) % (y->of->n - RING);
	for (size_t k = 0; k < RING; k++)
		linear_give(y->l, page[k]);
	a = bench_now_ns();
	for (size_t k = 0; k < RING; k++)
		page[k] = linear_take(y->l, 1);
	a = (bench_now_ns() - a) / RING;
	for (size_t k = 0; k < RING; k++)
		bench_must(page[k] < E6, "the search missed one");
	return a;
}

static void mean(const char *name, struct live *x)
{
	const struct bench_entrant e = { bursts, x };

	bench_report(&(struct bench_result){ "G11", name, bench_alone(&e), 15,
					     "ns", "an allocation" });
	bench_note("a free of it", x->frees, "ns");
	bench_must(x->missed == 0, "an allocation was refused");
}

static void full_to_empty(const char *name, struct live *full,
			  struct live *empty)
{
	bench_contest(&(struct bench_contest){ "G11",
					       name,
					       3,
					       "1 % full",
					       { bursts, full },
					       { bursts, empty } });
}

/* The trap: what a search costs. It is slow, so it is not done often. */
static void trap(const char *name, struct live *x)
{
	double ns[BENCH_ROUNDS];
	struct searched y;

	searched_open(&y, x);
	for (int i = 0; i < BENCH_ROUNDS; i++)
		ns[i] = searches(&y);
	bench_note(name, bench_median(ns, BENCH_ROUNDS), "ns");
	searched_close(&y);
}

static double both(void *opaque)
{
	struct live *x = opaque;
	double ns = bursts(x);

	return ns + x->frees;
}

/* Two threads on one space, each with a cache and half of what is live. */
static void two_threads(struct live *x)
{
	struct live y = *x;
	const struct bench_entrant first = { both, x }, second = { both, &y };
	const struct bench_entrant ctl = { pair_control, NULL };
	double ratio[BENCH_ROUNDS];

	bench_must(vd_space_cache_create(x->s, &y.c) == 0, "cache");
	x->n /= 2;
	y.run += x->n;
	y.n = x->n;
	y.cursor = x->cursor = 0;
	for (int i = 0; i < BENCH_ROUNDS; i++) {
		double alone = both(x), beside = pair_run(&first, &second);

		ratio[i] = alone / beside;
		ratio[i] *= pair_run(&ctl, &ctl) / pair_control(NULL);
	}
	bench_note("two threads, of twice one",
		   bench_median(ratio, BENCH_ROUNDS) * 100, "%");
	vd_space_cache_destroy(y.c);
}

/* A ring of two ends: one thread allocates, the other frees. */
struct ring {
	struct vd_space_cache *in, *out;
	uint64_t at[1024]; /* 0: empty */
	uint64_t given, taken;
};

static void pass(struct ring *r, uint64_t i)
{
	uint64_t *slot = &r->at[i % 1024];
	vd_iova at;

	while (__atomic_load_n(slot, __ATOMIC_ACQUIRE))
		sched_yield();
	bench_must(vd_space_alloc(r->in, 1, &at) == 0, "alloc");
	__atomic_store_n(slot, at.v, __ATOMIC_RELEASE);
}

static double allocate_for_other(void *opaque)
{
	struct ring *r = opaque;
	double a = bench_now_ns();

	for (size_t i = 0; i < 10 * OPS; i++)
		pass(r, r->given++);
	return (bench_now_ns() - a) / OPS / 10;
}

static void free_of_other(void *opaque, uint64_t i)
{
	struct ring *r = opaque;
	uint64_t *slot = &r->at[r->taken % 1024], at;

	(void)i;
	at = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (!at)
		return;
	bench_must(vd_space_free(r->out, (vd_iova){ at }, 1) == 0, "free");
	__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
	r->taken++;
}

static void hand_over(struct live *x)
{
	struct ring r = { .in = x->c };
	const struct bench_entrant e = { allocate_for_other, &r };
	struct pair_churn c = { free_of_other, &r, 0 };
	double ns[BENCH_ROUNDS];

	bench_must(vd_space_cache_create(x->s, &r.out) == 0, "cache");
	for (int i = 0; i < BENCH_ROUNDS; i++)
		ns[i] = pair_churn(&e, &c);
	bench_note("one thread allocates, another frees, each",
		   bench_median(ns, BENCH_ROUNDS), "ns");
	vd_space_cache_destroy(r.out);
}

static void one_page(void)
{
	struct live empty, full;

	live_open(&empty, 1, 1);
	live_open(&full, 1, 99);
	mean("DMA address, 1 page, 1 % full", &empty);
	mean("DMA address, 1 page, 99 % full", &full);
	full_to_empty("DMA address, 1 page, 99 % to 1 % full", &full, &empty);
	trap("reference: a search, 1 % full", &empty);
	trap("reference: a search, 99 % full", &full);
	empty.burst = full.burst = FLOOD;
	full_to_empty("the same, more than magazines and depot hold", &full,
		      &empty);
	empty.burst = full.burst = RING;
	two_threads(&full);
	hand_over(&full);
	live_close(&empty);
	live_close(&full);
}

static void mixed(void)
{
	struct live empty, full;

	live_open(&empty, 8, 1);
	live_open(&full, 8, 99);
	mean("DMA address, 1 to 8 pages, 1 % full", &empty);
	mean("DMA address, 1 to 8 pages, 99 % full", &full);
	full_to_empty("DMA address, 1 to 8 pages, 99 % to 1 % full", &full,
		      &empty);
	live_close(&empty);
	live_close(&full);
}

void window_space(void)
{
	one_page();
	mixed();
}
